import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { admin, type EncryptedBucket } from './permissions.ts';
import { trustPeople } from './policies.ts';
import { Role } from './role.ts';

export interface AdminArgs extends Foundation {
  bucket: EncryptedBucket;
  queueArns: pulumi.Input<string>[];
}

/** Break-glass: the role in which a person, with a second factor, repairs by hand what the system cannot. */
export class Admin extends pulumi.ComponentResource {
  readonly roleArn: pulumi.Output<string>;

  constructor(name: string, args: AdminArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Admin', name, {}, opts);
    const { names, account, bucket, queueArns } = args;
    this.roleArn = new Role(
      `${name}-role`,
      {
        name: names.role('admin'),
        description: 'Break-glass: manual access to the media bucket and the queues',
        trust: trustPeople(account.id),
        permissions: admin(account, bucket, queueArns),
      },
      { parent: this },
    ).arn;
    this.registerOutputs({ roleArn: this.roleArn });
  }
}
