import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Account } from './permissions.ts';
import { keyPolicy, policy } from './policies.ts';

export interface EncryptionArgs {
  /** Alias of the key. */
  alias: string;
  account: Account;
  /** ARNs of the roles that may use the key. */
  users: string[];
  /** Keep the key when the stack is taken down. */
  protect: boolean;
}

/** The one key of the pipeline: bucket, queues, secret, topic and logs. Rotated every year. */
export class Encryption extends pulumi.ComponentResource {
  readonly keyArn: pulumi.Output<string>;
  readonly keyId: pulumi.Output<string>;

  constructor(name: string, args: EncryptionArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Encryption', name, {}, opts);
    const key = new aws.kms.Key(
      name,
      {
        description: 'Listing media: objects, messages, secrets and logs',
        enableKeyRotation: true,
        deletionWindowInDays: 30,
        policy: policy(keyPolicy(args.account, args.users)),
      },
      { parent: this, protect: args.protect, retainOnDelete: args.protect },
    );
    new aws.kms.Alias(name, { name: args.alias, targetKeyId: key.keyId }, { parent: this });
    this.keyArn = key.arn;
    this.keyId = key.keyId;
    this.registerOutputs({ keyArn: this.keyArn, keyId: this.keyId });
  }
}
