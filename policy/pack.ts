import { PolicyPack, type PolicyResource } from '@pulumi/policy';
import { findings, rules, unexcused } from '../infra/rules/catalogue.ts';
import type { Declared } from '../infra/rules/rule.ts';

// constructing it starts the server that the engine talks to
new PolicyPack('toq-media', {
  enforcementLevel: 'mandatory',
  policies: rules.map((rule) => ({
    name: rule.id,
    description: rule.meaning,
    validateStack({ resources }, report) {
      for (const { resource, urn, fault } of unexcused(findings(rule, resources.map(declared)))) {
        report(`${resource}: ${fault}`, urn);
      }
    },
  })),
});

/** A resource as the rules know it. The engine passes on its outputs, which hold what the program asked for as well. */
const declared = ({ urn, type, name, props, opts, provider }: PolicyResource): Declared => ({
  urn,
  type,
  name,
  kind: type.startsWith('aws:') ? 'custom' : 'component',
  id: props.id,
  inputs: props,
  outputs: props,
  options: { protect: opts.protect, provider: provider?.urn ?? '' },
});
