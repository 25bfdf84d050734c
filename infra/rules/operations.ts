import { at, EVERY_TYPE, isOwnKey, json, list, PROVIDER, type Rule, unless } from './rule.ts';

const GROUP = 'cloudwatch/logGroup:LogGroup';
const ALARM = 'cloudwatch/metricAlarm:MetricAlarm';
const TAGS = ['Project', 'Environment', 'ManagedBy'];

/** Rules for what watches, and for how things are declared. */
export const operationsRules: Rule[] = [
  {
    id: 'CloudWatchLogGroupEncrypted',
    meaning: "a log group is encrypted with the stack's key",
    of: [GROUP],
    faults: ({ inputs }, estate) => unless(isOwnKey(inputs.kmsKeyId, estate), "not the stack's key"),
  },
  {
    id: 'CloudWatchLogGroupRetentionPeriod',
    meaning: 'a log group forgets',
    of: [GROUP],
    faults: ({ inputs }) => unless(Number(inputs.retentionInDays) > 0, 'keeps everything'),
  },
  {
    id: 'CloudWatchAlarmAction',
    meaning: 'an alarm tells the alerts topic when it goes off and when it is over',
    of: [ALARM],
    faults: ({ inputs }, estate) => [
      ...['alarmActions', 'okActions'].flatMap((actions) =>
        unless(
          list(inputs[actions]).some((arn) => estate.byArn(arn)?.type === 'aws:sns/topic:Topic'),
          `no ${actions}`,
        ),
      ),
      ...unless(inputs.actionsEnabled !== false, 'its actions are switched off'),
    ],
  },
  {
    id: 'TOQ-ALARM-RUNBOOK',
    meaning: 'an alarm says what to do: a link to its chapter of docs/operations.md',
    of: [ALARM],
    faults: ({ inputs }) =>
      unless(/docs\/operations\.md#[a-z0-9-]+/.test(String(inputs.alarmDescription)), 'no runbook'),
  },
  {
    id: 'TOQ-ALARM-SILENCE',
    meaning: 'an alarm says what no data means',
    of: [ALARM],
    faults: ({ inputs }) =>
      unless(
        ['breaching', 'notBreaching', 'ignore'].includes(String(inputs.treatMissingData)),
        'silence is left to chance',
      ),
  },
  {
    id: 'TOQ-PROVIDER',
    meaning:
      'a resource goes through the one declared provider, which works in the configured account only and tags',
    of: [EVERY_TYPE],
    faults: ({ options }, estate) => {
      const [provider, ...others] = estate.all.filter(({ type }) => type === PROVIDER);
      const tags = at(json(provider?.inputs.defaultTags), 'tags');
      return [
        ...unless(provider && !others.length, 'more providers than one'),
        ...unless(provider && options.provider.startsWith(provider.urn), 'another provider'),
        ...unless(
          /^\d{12}$/.test(list(json(provider?.inputs.allowedAccountIds)).join()),
          'works in any account',
        ),
        ...TAGS.flatMap((tag) => unless(Reflect.get(Object(tags), tag), `no tag ${tag}`)),
      ];
    },
  },
];
