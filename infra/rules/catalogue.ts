import { containerRules } from './containers.ts';
import { databaseRules } from './database.ts';
import { functionRules } from './functions.ts';
import { identityRules } from './identity.ts';
import { messagingRules } from './messaging.ts';
import { networkRules } from './network.ts';
import { operationsRules } from './operations.ts';
import { presignedUrlRules } from './presigned-urls.ts';
import { type Declared, type Estate, EVERY_TYPE, estateOf, type Rule } from './rule.ts';
import { safekeepingRules } from './safekeeping.ts';
import { machineRules } from './state-machines.ts';
import { storageRules } from './storage.ts';
import { type Suppression, suppressions } from './suppressions.ts';

/** Every rule that the stacks of real accounts obey. */
export const rules: Rule[] = [
  ...storageRules,
  ...presignedUrlRules,
  ...safekeepingRules,
  ...messagingRules,
  ...databaseRules,
  ...functionRules,
  ...machineRules,
  ...containerRules,
  ...networkRules,
  ...identityRules,
  ...operationsRules,
];

/** One fault of one resource. */
export interface Finding {
  rule: string;
  stack: string;
  /** `sqs/queue:Queue::queues-jobs` */
  resource: string;
  urn: string;
  fault: string;
}

/** The resources that a rule looks at. */
export const subjects = (rule: Rule, estate: Estate): Declared[] =>
  rule.of.flatMap((type) =>
    type === EVERY_TYPE
      ? estate.all.filter((resource) => resource.type.startsWith('aws:') && resource.kind !== 'component')
      : estate.of(type),
  );

/** What a rule finds in a stack, suppressed or not. */
export function findings(rule: Rule, resources: Declared[]): Finding[] {
  const estate = estateOf(resources);
  return subjects(rule, estate).flatMap((resource) =>
    rule.faults(resource, estate).map((fault) => ({
      rule: rule.id,
      stack: resource.urn.split(':')[2] ?? '',
      resource: `${resource.type.replace('aws:', '')}::${resource.name}`,
      urn: resource.urn,
      fault,
    })),
  );
}

const glob = (pattern: string) =>
  new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  );

/** Whether a suppression excuses a finding. */
export const excuses = ({ rule, stack = '*', resource, fault = '*' }: Suppression, finding: Finding) =>
  rule === finding.rule &&
  glob(stack).test(finding.stack) &&
  glob(resource).test(finding.resource) &&
  glob(fault).test(finding.fault);

/** What of the findings nobody has excused. */
export const unexcused = (found: Finding[]) =>
  found.filter((finding) => !suppressions.some((suppression) => excuses(suppression, finding)));
