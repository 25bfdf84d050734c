import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { definition, type Machine } from '../statemachines/definitions.ts';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import { stateMachines } from './permissions.ts';
import { trustService } from './policies.ts';
import { Role } from './role.ts';
import type { Tasks } from './tasks.ts';
import type { Transcoding } from './transcoding.ts';

export interface StateMachinesArgs extends Foundation {
  tasks: Tasks['arns'];
  transcoding: Transcoding;
}

/** Originals to variants, and the gallery to its bundle. */
export class StateMachines extends pulumi.ComponentResource {
  readonly processingArn: pulumi.Output<string>;
  readonly finalizationArn: pulumi.Output<string>;
  readonly roleArn: pulumi.Output<string>;

  constructor(name: string, args: StateMachinesArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:StateMachines', name, {}, opts);
    const { tasks, transcoding } = args;

    const role = new Role(
      `${name}-role`,
      {
        name: args.names.role('stepfunctions'),
        description: 'Both state machines',
        trust: trustService('states.amazonaws.com', args.account.id),
        permissions: stateMachines(args.account, {
          functionArns: Object.values(tasks),
          transcodeRoleArn: transcoding.roleArn,
          transcodeArns: [
            transcoding.queueArn,
            transcoding.horizontalTemplateArn,
            transcoding.verticalTemplateArn,
          ],
        }),
      },
      { parent: this },
    );

    const define = (machine: Machine, values: Record<string, pulumi.Input<string>>) =>
      new aws.sfn.StateMachine(
        `${name}-${machine}`,
        {
          name: args.names.machine(machine),
          type: 'STANDARD',
          roleArn: role.arn,
          definition: pulumi.output(values).apply((known) => definition(machine, known)),
          loggingConfiguration: {
            level: 'ALL',
            // inputs and outputs name listings and objects; the execution's own history has them for 90 days
            includeExecutionData: false,
            logDestination: pulumi.interpolate`${
              logGroup(`${name}-${machine}`, args.names.machineLogs(machine), args, { parent: this }).arn
            }:*`,
          },
          tracingConfiguration: { enabled: true },
        },
        { parent: this },
      ).arn;

    this.processingArn = define('media-processing', {
      validate: tasks.validate,
      thumbnails: tasks.thumbnails,
      consolidate: tasks.consolidate,
      'callback-dispatch': tasks['callback-dispatch'],
      mediaConvertRole: transcoding.roleArn,
      mediaConvertQueue: transcoding.queueArn,
      horizontalJobTemplate: transcoding.horizontalTemplateArn,
      verticalJobTemplate: transcoding.verticalTemplateArn,
    });
    this.finalizationArn = define('media-finalization', {
      zip: tasks.zip,
      'callback-dispatch': tasks['callback-dispatch'],
    });
    this.roleArn = role.arn;
    this.registerOutputs({
      processingArn: this.processingArn,
      finalizationArn: this.finalizationArn,
      roleArn: this.roleArn,
    });
  }
}
