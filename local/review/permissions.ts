import type { Inventory, Item } from './inventory.ts';

/** Types whose settings hold a policy of their own, and how a heading calls what it hangs on. */
const OF_RESOURCES: Record<string, (item: Item) => string> = {
  's3.BucketPolicy': ({ settings }) => `Bucket ${settings.bucket}`,
  'sqs.QueuePolicy': ({ settings }) => `Queue ${settings.queueUrl?.split('/').at(-1)}`,
  'sns.TopicPolicy': ({ settings }) => `Topic ${settings.arn?.split(':').at(-1)}`,
  'kms.Key': ({ name }) => `Key {${name}}`,
  'secretsmanager.SecretPolicy': ({ name }) => `Secret {${name}}`,
  'cloudwatch.LogResourcePolicy': ({ physicalName }) => `Log groups, policy ${physicalName}`,
};

const INTRODUCTION = `# Who may do what

Every role, and every policy of a bucket, queue, topic, key or log group, one statement a line, as the program declares
them for \`production\`. \`{environment}\`, \`{account}\` and names in braces stand for what differs or is not known yet;
ARNs go without partition, region and account. Printed by \`npm run -s stack -- production --permissions\`; a test
compares this page with the program, so that no change of a permission goes unseen.
`;

/** What a stack permits, as a page in Markdown: roles, who assumes them and what they may do, then resource policies. */
export function permissionsPage({ stack, accountId, items }: Inventory): string {
  const roles = items.filter(({ type }) => type === 'iam.Role');
  const policies = items.filter(({ type }) => type === 'iam.RolePolicy');
  const ofRoles = roles.map((role) => {
    const own = policies.filter(({ settings }) => settings.role === role.physicalName);
    return chapter(role.physicalName, [
      ...statementsOf(role).map((statement) => `assumed by: ${statement}`),
      ...own.flatMap(statementsOf),
    ]);
  });
  const ofResources = items.flatMap((item) => {
    const title = OF_RESOURCES[item.type]?.(item);
    return title ? [chapter(title, statementsOf(item))] : [];
  });
  const chapters = [
    '## Roles\n',
    ...ofRoles.sort(),
    '## Policies of resources\n',
    ...ofResources.sort(),
  ].join('\n');
  const general = chapters
    .replaceAll(accountId, '{account}')
    .replace(new RegExp(`\\b${stack}\\b`, 'g'), '{environment}');
  return `${INTRODUCTION}\n${general.trimEnd()}`;
}

const chapter = (title: string, lines: string[]) =>
  `### ${title}\n\n${lines.map((line) => `- ${line}`).join('\n')}\n`;

/** `Sid: sentence`, or the sentence alone where the statement has no Sid. */
function statementsOf({ settings }: Item): string[] {
  return Object.entries(settings).flatMap(([path, sentence]) => {
    const [, name] = /\.Statement\.([^.]+)$/.exec(path) ?? [];
    if (!name) return [];
    return [/^\d+$/.test(name) ? `\`${sentence}\`` : `${name}: \`${sentence}\``];
  });
}
