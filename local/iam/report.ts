import type { HolderUsage, Permission } from './usage.ts';

/** Actions that only AWS itself performs in a role's name: nothing on one machine calls them. */
const OF_AWS_ALONE = /^(logs|xray|ecr|events):/;

/** Beyond it, services are listed instead of their actions. */
const LONGEST_LIST = 8;

const isRole = (holder: string) => holder.startsWith('toq-media-processing-');

/** `s3:PutObject, kms:Decrypt ×2` */
function counted(names: string[]): string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count > 1 ? `${name} ×${count}` : name));
}

/** A line a role of the stack: how many of its permissions were needed, and which were not. */
export function usageLines(usage: HolderUsage[], environment: string): string[] {
  const roles = usage.filter(({ holder }) => isRole(holder) && !holder.endsWith('(trust)'));
  const nameOf = (holder: string) =>
    holder.replace('toq-media-processing-', '').replace(new RegExp(`-${environment}$`), '');
  return roles.map(({ holder, used, unused }) => {
    const ours = unused.filter(({ action }) => !OF_AWS_ALONE.test(action));
    const list = counted(ours.map(({ action }) => action));
    const short =
      list.length > LONGEST_LIST ? counted(ours.map(({ action }) => action.replace(/:.*/, ''))) : list;
    const rest = unused.length - ours.length;
    if (rest) short.push(`${rest} for AWS alone`);
    return row(nameOf(holder), used, unused, short);
  });
}

/** A line a policy of a key, a topic, a bucket or a log group that allows anything: of unused ones, the statements. */
export function policyLines(usage: HolderUsage[]): string[] {
  return usage
    .filter(({ holder }) => !isRole(holder) && !holder.endsWith('(trust)'))
    .filter(({ used, unused }) => used.length + unused.length > 0)
    .map(({ holder, used, unused }) =>
      row(holder, used, unused, counted(unused.map(({ statement }) => statement))),
    );
}

function row(name: string, used: Permission[], unused: Permission[], rest: string[]) {
  const share = `${used.length}/${used.length + unused.length}`;
  return `${name.padEnd(35)} ${share.padStart(6)}   ${rest.join(', ') || '–'}`;
}
