import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';

export interface CallbackSecretArgs extends Foundation {
  /** The HMAC key. */
  value: pulumi.Output<string>;
}

/**
 * The HMAC key that callback-dispatch signs with and the service verifies with. While it is rotated the function signs with
 * the old and the new one; the tasks have to be started anew in between (docs/operations.md, "Rotate the callback secret").
 */
export class CallbackSecret extends pulumi.ComponentResource {
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: CallbackSecretArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:CallbackSecret', name, {}, opts);
    const secret = new aws.secretsmanager.Secret(
      name,
      {
        name: args.names.callbackSecret,
        description: 'HMAC key of POST /media-processing/callback',
        kmsKeyId: args.keyArn,
        recoveryWindowInDays: 7,
      },
      { parent: this },
    );
    const version = new aws.secretsmanager.SecretVersion(
      name,
      { secretId: secret.id, secretString: args.value },
      // a replaced version stays behind as AWSPREVIOUS
      { parent: this, retainOnDelete: true },
    );
    this.arn = pulumi.all([secret.arn, version.id]).apply(([arn]) => arn);
    this.registerOutputs({ arn: this.arn });
  }
}
