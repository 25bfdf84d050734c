import { createHash } from 'node:crypto';
import { type Aws, type Models, text, uuid } from './aws.ts';

/** What the service lives on: images, tasks and a database. */
export const hosting = ({ accountId, arn, hash, region }: Aws): Models => ({
  'aws:ecr/repository:Repository': ({ inputs }) => {
    const name = text(inputs, 'name');
    const repositoryUrl = `${accountId}.dkr.ecr.${region}.amazonaws.com/${name}`;
    return { id: name, state: { arn: arn('ecr', `repository/${name}`), repositoryUrl } };
  },
  // the same content has the same tag, and the same digest
  'docker-build:index:Image': ({ inputs }) => {
    const digest = `sha256:${createHash('sha256').update(JSON.stringify(inputs.tags)).digest('hex')}`;
    return { id: digest, state: { digest } };
  },
  'aws:ecr/lifecyclePolicy:LifecyclePolicy': ({ inputs }) => ({ id: text(inputs, 'repository') }),
  'aws:ecs/cluster:Cluster': ({ inputs }) => {
    const id = arn('ecs', `cluster/${text(inputs, 'name')}`);
    return { id, state: { arn: id } };
  },
  'aws:ecs/taskDefinition:TaskDefinition': ({ inputs }) => {
    const family = text(inputs, 'family');
    return { id: family, state: { arn: arn('ecs', `task-definition/${family}:1`), revision: 1 } };
  },
  'aws:ecs/service:Service': ({ inputs }) => {
    const cluster = text(inputs, 'cluster').replace(/^.*:cluster\//, '');
    const id = arn('ecs', `service/${cluster}/${text(inputs, 'name')}`);
    return { id, state: { arn: id } };
  },
  'aws:appautoscaling/target:Target': ({ inputs }) => ({ id: text(inputs, 'resourceId') }),
  'aws:appautoscaling/policy:Policy': ({ inputs }) => {
    const name = text(inputs, 'name');
    const id = uuid(hash(name));
    const resource = `resource/ecs/${text(inputs, 'resourceId')}:policyName/${name}`;
    return { id: name, state: { arn: arn('autoscaling', `scalingPolicy:${id}:${resource}`) } };
  },

  'aws:rds/subnetGroup:SubnetGroup': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('rds', `subgrp:${name}`) } };
  },
  'aws:rds/parameterGroup:ParameterGroup': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('rds', `pg:${name}`) } };
  },
  'aws:rds/instance:Instance': ({ inputs, name }) => {
    const identifier = text(inputs, 'identifier');
    const id = hash(name);
    const secret = `rds!db-${uuid(id)}-${id.slice(0, 6)}`;
    return {
      id: `db-${id.slice(0, 26).toUpperCase()}`,
      state: {
        arn: arn('rds', `db:${identifier}`),
        address: `${identifier}.${id.slice(0, 12)}.${region}.rds.amazonaws.com`,
        masterUserSecrets: [{ secretArn: arn('secretsmanager', `secret:${secret}`), secretStatus: 'active' }],
      },
    };
  },
});
