import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { policy, type Statement } from './policies.ts';

export interface RoleArgs {
  /** Physical name. */
  name: string;
  description: string;
  /** Who may assume the role. */
  trust: Statement[];
  /** What the role may do; none for a role that only exists to be. */
  permissions: Statement[];
}

/** A role with one inline policy. */
export class Role extends pulumi.ComponentResource {
  readonly name: pulumi.Output<string>;
  /** Known only when the policy is attached: whoever is given it may act at once. */
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: RoleArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Role', name, {}, opts);
    const role = new aws.iam.Role(
      name,
      { name: args.name, description: args.description, assumeRolePolicy: policy(args.trust) },
      { parent: this },
    );
    const permissions = new aws.iam.RolePolicy(
      name,
      { name: args.name, role: role.name, policy: policy(args.permissions) },
      { parent: this },
    );
    this.name = role.name;
    this.arn = pulumi.all([role.arn, permissions.id]).apply(([arn]) => arn);
    this.registerOutputs({ name: this.name, arn: this.arn });
  }
}
