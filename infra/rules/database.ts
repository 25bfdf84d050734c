import { at, isOwnKey, list, type Rule, unless } from './rule.ts';

const INSTANCE = 'rds/instance:Instance';

/** Rules for the database of an environment that has none and lets the stack provide it. */
export const databaseRules: Rule[] = [
  {
    id: 'RDS2',
    also: ['RDS.3'],
    meaning: "a database is encrypted with the stack's key",
    of: [INSTANCE],
    faults: ({ inputs }, estate) =>
      unless(
        inputs.storageEncrypted === true && isOwnKey(inputs.kmsKeyId, estate),
        "not encrypted with the stack's key",
      ),
  },
  {
    id: 'RDS3',
    also: ['RDS.5'],
    meaning: 'a database stands by in a second zone',
    of: [INSTANCE],
    faults: ({ inputs }) => unless(inputs.multiAz === true, 'in one zone'),
  },
  {
    id: 'RDS6',
    also: ['RDS.10'],
    meaning: 'a database takes IAM tokens in place of passwords',
    of: [INSTANCE],
    faults: ({ inputs }) => unless(inputs.iamDatabaseAuthenticationEnabled === true, 'takes passwords'),
  },
  {
    id: 'RDS10',
    also: ['RDS.8'],
    meaning: 'a database cannot be deleted by mistake, and leaves a last snapshot',
    of: [INSTANCE],
    faults: ({ inputs, options }) =>
      unless(
        inputs.deletionProtection === true && inputs.skipFinalSnapshot === false && options.protect,
        'can be deleted',
      ),
  },
  {
    id: 'RDS11',
    meaning: 'a database does not listen on the default port',
    of: [INSTANCE],
    faults: ({ inputs }) => unless(inputs.port !== undefined && inputs.port !== 3306, 'on the default port'),
  },
  {
    id: 'RDS13',
    also: ['RDS.11'],
    meaning: 'a database is backed up for a week at least, and its backups outlive it',
    of: [INSTANCE],
    faults: ({ inputs }) => [
      ...unless(Number(inputs.backupRetentionPeriod) >= 7, 'no backups worth the name'),
      ...unless(inputs.deleteAutomatedBackups === false, 'takes its backups along'),
    ],
  },
  {
    id: 'RDS.2',
    meaning: 'a database has no public address',
    of: [INSTANCE],
    faults: ({ inputs }) => unless(inputs.publiclyAccessible === false, 'has a public address'),
  },
  {
    id: 'RDS.9',
    meaning: 'a database hands its logs to CloudWatch',
    of: [INSTANCE],
    faults: ({ inputs }) =>
      ['error', 'slowquery'].flatMap((kind) =>
        unless(list(inputs.enabledCloudwatchLogsExports).includes(kind), `keeps its log ${kind} to itself`),
      ),
  },
  {
    id: 'RDS.13',
    meaning: 'a database takes minor versions by itself',
    of: [INSTANCE],
    faults: ({ inputs }) => unless(inputs.autoMinorVersionUpgrade === true, 'stays behind'),
  },
  {
    id: 'RDS.6',
    meaning: 'a database tells what its operating system does',
    of: [INSTANCE],
    faults: ({ inputs }, estate) =>
      unless(
        Number(inputs.monitoringInterval) > 0 && estate.byArn(inputs.monitoringRoleArn),
        'no enhanced monitoring',
      ),
  },
  {
    id: 'RDS.17',
    meaning: "a database's snapshots carry its tags",
    of: [INSTANCE],
    faults: ({ inputs }) => unless(inputs.copyTagsToSnapshot === true, 'snapshots without tags'),
  },
  {
    id: 'RDS.25',
    meaning: "a database's administrator has another name than everybody guesses",
    of: [INSTANCE],
    faults: ({ inputs }) =>
      unless(
        !['admin', 'root', 'postgres', 'undefined'].includes(String(inputs.username)),
        'the name that everybody guesses',
      ),
  },
  {
    id: 'RDS.46',
    meaning: 'a database is in private subnets',
    of: [INSTANCE],
    faults: ({ inputs }, estate) => {
      const own = estate.of('awsx:ec2:Vpc').flatMap(({ outputs }) => list(outputs.privateSubnetIds));
      const subnets = estate
        .of('rds/subnetGroup:SubnetGroup')
        .filter((group) => group.inputs.name === inputs.dbSubnetGroupName)
        .flatMap((group) => list(group.inputs.subnetIds));
      return unless(
        subnets.length > 0 && subnets.every((subnet) => own.includes(subnet)),
        'in a public subnet',
      );
    },
  },
  {
    id: 'RDS.39',
    meaning: 'a database lets nobody in without TLS',
    of: [INSTANCE],
    faults: ({ inputs }, estate) => {
      const parameters = estate
        .of('rds/parameterGroup:ParameterGroup')
        .filter((group) => group.inputs.name === inputs.parameterGroupName)
        .flatMap((group) => list(group.inputs.parameters));
      return unless(
        parameters.some((one) => at(one, 'name') === 'require_secure_transport' && at(one, 'value') === '1'),
        'takes connections without TLS',
      );
    },
  },
  {
    id: 'TOQ-DATABASE-TLS',
    meaning: 'a container talks to its database with TLS, and knows whose certificate it accepts',
    of: ['ecs/taskDefinition:TaskDefinition'],
    faults: ({ inputs }) =>
      environments(inputs.containerDefinitions).flatMap(({ DATABASE_HOST: host, DATABASE_TLS: tls }) =>
        unless(host === undefined || (tls && tls !== 'disabled'), `talks to ${host} without TLS`),
      ),
  },
  {
    id: 'TOQ-RDS-PASSWORD',
    meaning: "a database's password is made, kept and changed by RDS, under the stack's key",
    of: [INSTANCE],
    faults: ({ inputs }, estate) => [
      ...unless(
        inputs.manageMasterUserPassword === true && inputs.password === undefined,
        'a password that somebody knows',
      ),
      ...unless(isOwnKey(inputs.masterUserSecretKmsKeyId, estate), "not the stack's key"),
    ],
  },
];

/** The plain variables of each container. */
function environments(definitions: unknown): Record<string, unknown>[] {
  const containers: unknown[] = typeof definitions === 'string' ? list(JSON.parse(definitions)) : [];
  return containers.map((container) =>
    Object.fromEntries(
      list(at(container, 'environment')).map((variable) => [at(variable, 'name'), at(variable, 'value')]),
    ),
  );
}
