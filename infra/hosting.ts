import * as pulumi from '@pulumi/pulumi';
import { BUILD } from './configuration.ts';
import { Database } from './database.ts';
import type { Entrance } from './entrance.ts';
import { Fargate } from './fargate.ts';
import { Registry } from './registry.ts';
import { Service, type ServiceArgs } from './service.ts';
import { ServiceImage } from './service-image.ts';

export interface HostingArgs extends Omit<ServiceArgs, 'database' | 'image' | 'repositoryArn'> {
  entrance: Entrance;
}

/** The service and what it lives on: its image and that image's registry, its database, its cluster. */
export class Hosting extends pulumi.ComponentResource {
  readonly registry: Registry;
  /** The service's, by digest. */
  readonly image: pulumi.Output<string>;
  readonly database: Database;
  readonly service: Service;
  readonly fargate: Fargate;

  constructor(name: string, args: HostingArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Hosting', name, {}, opts);
    const { entrance, ...rest } = args;
    const { names, account, keyArn, logRetentionDays, settings } = rest;
    const foundation = { names, account, keyArn, logRetentionDays };
    const { network, loadBalancer } = entrance;

    this.registry = new Registry(
      `${name}-registry`,
      { ...foundation, protect: settings.protectData },
      { parent: this },
    );
    this.image =
      settings.service.image === BUILD
        ? new ServiceImage(`${name}-image`, { ...foundation, registry: this.registry }, { parent: this })
            .reference
        : pulumi.output(settings.service.image);
    this.database = new Database(
      `${name}-database`,
      { ...foundation, settings: settings.database, network, protect: settings.protectData },
      { parent: this },
    );
    this.service = new Service(
      `${name}-service`,
      {
        ...rest,
        database: this.database,
        image: this.image,
        repositoryArn: this.registry.repositoryArn,
      },
      { parent: this },
    );
    this.fargate = new Fargate(
      `${name}-fargate`,
      {
        ...foundation,
        taskDefinitionArn: this.service.taskDefinitionArn,
        servicePort: settings.service.port,
        tasks: settings.service.tasks,
        network,
        loadBalancer,
      },
      { parent: this },
    );
    this.registerOutputs({
      repositoryUrl: this.registry.repositoryUrl,
      image: this.image,
      clusterName: this.fargate.clusterName,
    });
  }
}
