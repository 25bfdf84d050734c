import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';

export interface RegistryArgs extends Foundation {
  /** Keep the images when the stack is taken down. */
  protect: boolean;
}

/** Where the service's images are pushed to, and scanned. A tag, once pushed, means the same image for ever. */
export class Registry extends pulumi.ComponentResource {
  readonly repositoryArn: pulumi.Output<string>;
  readonly repositoryUrl: pulumi.Output<string>;

  constructor(name: string, args: RegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Registry', name, {}, opts);
    const repository = new aws.ecr.Repository(
      name,
      {
        name: args.names.repository,
        imageTagMutability: 'IMMUTABLE',
        imageScanningConfiguration: { scanOnPush: true },
        encryptionConfigurations: [{ encryptionType: 'KMS', kmsKey: pulumi.output(args.keyArn) }],
      },
      { parent: this, protect: args.protect, retainOnDelete: args.protect },
    );
    new aws.ecr.LifecyclePolicy(
      name,
      { repository: repository.name, policy: JSON.stringify({ rules: LIFECYCLE }) },
      { parent: this },
    );
    this.repositoryArn = repository.arn;
    this.repositoryUrl = repository.repositoryUrl;
    this.registerOutputs({ repositoryArn: this.repositoryArn, repositoryUrl: this.repositoryUrl });
  }
}

/** Enough images to roll back over half a year of weekly releases; what has no tag was never released. */
const LIFECYCLE = [
  {
    rulePriority: 1,
    description: 'untagged images',
    selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 },
    action: { type: 'expire' },
  },
  {
    rulePriority: 2,
    description: 'all but the newest',
    selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 30 },
    action: { type: 'expire' },
  },
];
