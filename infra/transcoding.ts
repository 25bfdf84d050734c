import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { jobTemplateSettings } from './job-template.ts';
import { type EncryptedBucket, transcode } from './permissions.ts';
import { trustService } from './policies.ts';
import { Role } from './role.ts';

export interface TranscodingArgs extends Foundation {
  bucket: EncryptedBucket;
}

/** MediaConvert: queue, job templates, and the role its jobs run with. */
export class Transcoding extends pulumi.ComponentResource {
  readonly queueArn: pulumi.Output<string>;
  readonly horizontalTemplateArn: pulumi.Output<string>;
  readonly verticalTemplateArn: pulumi.Output<string>;
  readonly roleArn: pulumi.Output<string>;

  constructor(name: string, args: TranscodingArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Transcoding', name, {}, opts);

    const queue = new aws.mediaconvert.Queue(
      name,
      { name: args.names.transcodeQueue, description: 'Videos of listings', pricingPlan: 'ON_DEMAND' },
      { parent: this },
    );
    // the AWS provider knows no job template, CloudFormation does
    const templates = new aws.cloudformation.Stack(
      name,
      {
        name: args.names.jobTemplate.horizontal,
        templateBody: JSON.stringify(jobTemplates(args.names.jobTemplate)),
      },
      { parent: this },
    );
    const role = new Role(
      `${name}-role`,
      {
        name: args.names.role('mediaconvert'),
        description: 'MediaConvert reads video originals and writes renditions',
        trust: trustService('mediaconvert.amazonaws.com', args.account.id),
        permissions: transcode(args.account, args.bucket),
      },
      { parent: this },
    );

    const output = (key: string) =>
      templates.outputs.apply((outputs) => {
        const value = outputs[key];
        if (!value)
          throw new Error(`CloudFormation stack ${args.names.jobTemplate.horizontal} has no output ${key}.`);
        return value;
      });
    this.queueArn = queue.arn;
    this.horizontalTemplateArn = output('HorizontalArn');
    this.verticalTemplateArn = output('VerticalArn');
    this.roleArn = role.arn;
    this.registerOutputs({
      queueArn: this.queueArn,
      horizontalTemplateArn: this.horizontalTemplateArn,
      verticalTemplateArn: this.verticalTemplateArn,
      roleArn: this.roleArn,
    });
  }
}

/** CloudFormation template with both job templates. */
const jobTemplates = (names: { horizontal: string; vertical: string }) => ({
  AWSTemplateFormatVersion: '2010-09-09',
  Description: 'MediaConvert job templates for the videos of listings',
  Resources: {
    Horizontal: jobTemplate(names.horizontal, 'horizontal'),
    Vertical: jobTemplate(names.vertical, 'vertical'),
  },
  Outputs: {
    HorizontalArn: { Value: { 'Fn::GetAtt': ['Horizontal', 'Arn'] } },
    VerticalArn: { Value: { 'Fn::GetAtt': ['Vertical', 'Arn'] } },
  },
});

const jobTemplate = (name: string, orientation: 'horizontal' | 'vertical') => ({
  Type: 'AWS::MediaConvert::JobTemplate',
  Properties: {
    Name: name,
    Description: `MP4 1080p and 720p and a poster frame, ${orientation}`,
    Category: 'listing-media',
    StatusUpdateInterval: 'SECONDS_10',
    SettingsJson: jobTemplateSettings(orientation),
  },
});
