import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Settings } from './config.ts';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import type { Network } from './network.ts';
import { databaseMonitoring } from './permissions.ts';
import { trustService } from './policies.ts';
import { Role } from './role.ts';

export interface DatabaseArgs extends Foundation {
  settings: Settings['database'];
  network: Network;
  /** Keep the data when the stack is taken down. */
  protect: boolean;
}

/** Long-term support. */
const VERSION = '8.4';
/** Logs that an instance hands to CloudWatch. */
const EXPORTED_LOGS = ['error', 'slowquery'];
/** Where the server differs from its defaults; all of it is in force without a restart. */
const PARAMETERS = {
  // nobody is let in without TLS
  require_secure_transport: '1',
  // statements of a second and more, as a file: what is in a table is not exported
  slow_query_log: '1',
  long_query_time: '1',
  log_output: 'FILE',
};

/** The TOQ schema: on the server that the settings name, or on an instance of the stack's own where there is none. */
export class Database extends pulumi.ComponentResource {
  readonly host: pulumi.Output<string>;
  /** Of a secret with JSON {username, password}. */
  readonly credentialsArn: pulumi.Output<string>;
  /** Of the stack's own instance. */
  readonly instanceName: pulumi.Output<string> | undefined;

  constructor(name: string, args: DatabaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Database', name, {}, opts);
    const { host, credentialsSecretArn, instance: size } = args.settings;

    if (size) {
      const instance = this.instance(name, size, args);
      this.host = instance.address;
      this.instanceName = instance.identifier;
      this.credentialsArn = instance.masterUserSecrets.apply(([secret]) => secret?.secretArn ?? '');
    } else {
      if (!host || !credentialsSecretArn) throw new Error('The settings name no database.');
      this.host = pulumi.output(host);
      // read, so that a wrong ARN stops the preview and not the first task
      this.credentialsArn = aws.secretsmanager.Secret.get(name, credentialsSecretArn, undefined, {
        parent: this,
      }).arn;
    }
    this.registerOutputs({ host: this.host, credentialsArn: this.credentialsArn });
  }

  private instance(name: string, size: NonNullable<Settings['database']['instance']>, args: DatabaseArgs) {
    const { names, network, settings, protect } = args;
    const subnets = new aws.rds.SubnetGroup(
      name,
      { name: names.database, description: 'Private subnets', subnetIds: network.privateSubnetIds },
      { parent: this },
    );
    const family = `mysql${VERSION}`;
    const parameters = new aws.rds.ParameterGroup(
      name,
      {
        // a newer version needs a group of its own while the old one is still in use
        name: `${names.database}-${family.replace('.', '-')}`,
        family,
        description: 'TLS only, and a log of slow statements',
        parameters: Object.entries(PARAMETERS).map(([parameter, value]) => ({ name: parameter, value })),
      },
      { parent: this },
    );
    const logs = EXPORTED_LOGS.map((kind) =>
      logGroup(`${name}-${kind}`, names.databaseLogs(kind), args, { parent: this }),
    );
    const monitoring = new Role(
      `${name}-monitoring-role`,
      {
        name: names.role('database-monitoring'),
        description: "RDS tells what the database's operating system does",
        trust: trustService('monitoring.rds.amazonaws.com', args.account.id),
        permissions: databaseMonitoring(args.account),
      },
      { parent: this },
    );
    return new aws.rds.Instance(
      name,
      {
        identifier: names.database,
        engine: 'mysql',
        engineVersion: VERSION,
        autoMinorVersionUpgrade: true,
        parameterGroupName: parameters.name,
        // good until 2061; RDS renews the instance's own certificate under it
        caCertIdentifier: 'rds-ca-rsa2048-g1',
        instanceClass: size.class,
        allocatedStorage: size.storageGiB,
        maxAllocatedStorage: size.maxStorageGiB,
        storageType: 'gp3',
        storageEncrypted: true,
        kmsKeyId: args.keyArn,
        dbName: settings.name,
        port: settings.port,
        username: 'toq',
        // RDS makes the password, keeps it in Secrets Manager and changes it every week
        manageMasterUserPassword: true,
        masterUserSecretKmsKeyId: args.keyArn,
        multiAz: size.multiZone,
        dbSubnetGroupName: subnets.name,
        vpcSecurityGroupIds: [network.securityGroups.database],
        publiclyAccessible: false,
        backupRetentionPeriod: size.backupDays,
        // UTC: the night of São Paulo
        backupWindow: '05:00-06:00',
        maintenanceWindow: 'sun:06:00-sun:07:00',
        copyTagsToSnapshot: true,
        deleteAutomatedBackups: false,
        skipFinalSnapshot: false,
        finalSnapshotIdentifier: `${names.database}-final`,
        deletionProtection: protect,
        enabledCloudwatchLogsExports: EXPORTED_LOGS,
        monitoringInterval: 60,
        monitoringRoleArn: monitoring.arn,
      },
      { parent: this, protect, retainOnDelete: protect, dependsOn: logs },
    );
  }
}
