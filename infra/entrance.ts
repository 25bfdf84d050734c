import * as pulumi from '@pulumi/pulumi';
import type { Settings } from './config.ts';
import type { Foundation } from './foundation.ts';
import { HttpApi } from './http-api.ts';
import { LoadBalancer } from './load-balancer.ts';
import { Network } from './network.ts';

export interface EntranceArgs extends Foundation {
  settings: Settings;
  /** Where the load balancer's access logs go. */
  logsBucket: pulumi.Input<string>;
}

/** The way in: the public API, the load balancer it leads to, and the network around them. */
export class Entrance extends pulumi.ComponentResource {
  readonly network: Network;
  readonly loadBalancer: LoadBalancer;
  readonly api: HttpApi;

  constructor(name: string, args: EntranceArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Entrance', name, {}, opts);
    const { settings, logsBucket, ...foundation } = args;
    const certificateArn = settings.api.domain?.certificateArn;
    const listenerPort = certificateArn ? 443 : 80;

    this.network = new Network(
      `${name}-network`,
      {
        ...foundation,
        settings: settings.network,
        listenerPort,
        servicePort: settings.service.port,
        database: settings.database,
      },
      { parent: this },
    );
    this.loadBalancer = new LoadBalancer(
      `${name}-load-balancer`,
      {
        ...foundation,
        network: this.network,
        logsBucket,
        listenerPort,
        certificateArn,
        servicePort: settings.service.port,
        protect: settings.protectData,
      },
      { parent: this },
    );
    this.api = new HttpApi(
      `${name}-api`,
      {
        ...foundation,
        settings: settings.api,
        network: this.network,
        listenerArn: this.loadBalancer.listenerArn,
      },
      { parent: this },
    );
    this.registerOutputs({ endpoint: this.api.endpoint });
  }
}
