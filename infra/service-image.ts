import path from 'node:path';
import * as aws from '@pulumi/aws';
import { Image, Platform } from '@pulumi/docker-build';
import * as pulumi from '@pulumi/pulumi';
import { contextHash } from './build-context.ts';
import type { Foundation } from './foundation.ts';
import type { Registry } from './registry.ts';

export interface ServiceImageArgs extends Foundation {
  /** Where it is pushed to. */
  registry: Registry;
}

/** Where the Dockerfile is. */
const ROOT = path.join(import.meta.dirname, '..');
/** The same, as the CLI sees it, which works in the program's folder: an absolute path would differ from machine to machine. */
const CONTEXT = '..';
/** Digits of the content's hash that make a tag. */
const TAG_LENGTH = 16;

/**
 * The service's image, built from this repository's Dockerfile and pushed while the stack is deployed. The tag is a hash of
 * what goes in: what has not changed is not built again, and no tag is ever pushed with another content.
 *
 * By @pulumi/docker-build, which Pulumi recommends over its older docker.Image. awsx.ecr.Image wraps the same provider
 * and hides what matters here: the digest, and that a pushed image has to stay.
 */
export class ServiceImage extends pulumi.ComponentResource {
  /** `repository@sha256:…` */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: ServiceImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:ServiceImage', name, {}, opts);
    const { names, account, registry } = args;
    // spelt out, not asked for: the first preview knows the tag before there is a repository
    const repository = `${account.id}.dkr.ecr.${account.region}.amazonaws.com/${names.repository}`;
    const login = aws.ecr.getAuthorizationTokenOutput({}, { parent: this });
    const image = new Image(
      name,
      {
        context: { location: CONTEXT },
        platforms: [Platform.Linux_arm64],
        tags: [`${repository}:${contextHash(ROOT).slice(0, TAG_LENGTH)}`],
        push: true,
        // with `push` the provider builds in an update only (pulumi-docker-build#252), and else warns in every preview
        buildOnPreview: false,
        registries: [
          {
            address: repository,
            username: login.userName,
            password: pulumi.secret(login.password),
          },
        ],
      },
      // tasks that run, and a rollback, need images that the stack does not name any more: the registry forgets them
      { parent: this, dependsOn: registry, retainOnDelete: true },
    );
    this.reference = pulumi.interpolate`${repository}@${image.digest}`;
    this.registerOutputs({ reference: this.reference });
  }
}
