import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Settings } from './config.ts';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import type { Network } from './network.ts';

export interface HttpApiArgs extends Foundation {
  settings: Settings['api'];
  network: Network;
  /** Listener of the load balancer inside the VPC. */
  listenerArn: pulumi.Input<string>;
}

const STAGE = '$default';
const CALLBACK = '/media-processing/callback';

/**
 * The only way in from outside: the REST API for the frontends, whose bearer tokens the service verifies, and the
 * callback for the pipeline, signed with IAM credentials. No route leads to the service's other `/internal` paths.
 */
export class HttpApi extends pulumi.ComponentResource {
  readonly id: pulumi.Output<string>;
  /** Where the frontends go: the domain of the settings, or API Gateway's own. */
  readonly endpoint: pulumi.Output<string>;
  readonly callbackUrl: pulumi.Output<string>;
  /** What a caller of the callback needs `execute-api:Invoke` on. */
  readonly callbackRouteArn: pulumi.Output<string>;

  constructor(name: string, args: HttpApiArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:HttpApi', name, {}, opts);

    const { domain } = args.settings;
    // CORS is the service's: one list of origins, and the answer to OPTIONS comes through the same route
    const api = new aws.apigatewayv2.Api(
      name,
      { name: args.names.api, protocolType: 'HTTP', description: 'Listing media' },
      { parent: this },
    );
    const link = new aws.apigatewayv2.VpcLink(
      name,
      {
        name: args.names.api,
        subnetIds: args.network.privateSubnetIds,
        securityGroupIds: [args.network.securityGroups.vpcLink],
      },
      { parent: this },
    );
    const route = (part: string, key: string, authorizationType: 'NONE' | 'AWS_IAM', path?: string) => {
      const integration = new aws.apigatewayv2.Integration(
        `${name}-${part}`,
        {
          apiId: api.id,
          integrationType: 'HTTP_PROXY',
          integrationMethod: 'ANY',
          connectionType: 'VPC_LINK',
          connectionId: link.id,
          integrationUri: args.listenerArn,
          payloadFormatVersion: '1.0',
          // the load balancer has the domain's certificate
          ...(domain && { tlsConfig: { serverNameToVerify: domain.name } }),
          ...(path && { requestParameters: { 'overwrite:path': path } }),
        },
        { parent: this },
      );
      return new aws.apigatewayv2.Route(
        `${name}-${part}`,
        {
          apiId: api.id,
          routeKey: key,
          authorizationType,
          target: pulumi.interpolate`integrations/${integration.id}`,
        },
        { parent: this },
      );
    };
    const routes = [
      route('media', 'ANY /api/v2/{proxy+}', 'NONE'),
      route('callback', `POST ${CALLBACK}`, 'AWS_IAM', `/internal${CALLBACK}`),
    ];

    const logs = logGroup(name, args.names.apiLogs, args, { parent: this });
    const stage = new aws.apigatewayv2.Stage(
      name,
      {
        apiId: api.id,
        name: STAGE,
        autoDeploy: true,
        accessLogSettings: { destinationArn: logs.arn, format: JSON.stringify(accessLog) },
        // requests a second, for the whole API
        defaultRouteSettings: {
          throttlingRateLimit: args.settings.requestsPerSecond,
          throttlingBurstLimit: args.settings.burst,
        },
      },
      { parent: this, dependsOn: routes },
    );

    if (domain) this.serveOn(name, domain, api.id, stage.id);
    this.id = api.id;
    this.endpoint = domain ? pulumi.output(`https://${domain.name}`) : api.apiEndpoint;
    this.callbackUrl = pulumi.interpolate`${api.apiEndpoint}${CALLBACK}`;
    this.callbackRouteArn = pulumi.interpolate`${api.executionArn}/${STAGE}/POST${CALLBACK}`;
    this.registerOutputs({
      endpoint: this.endpoint,
      callbackUrl: this.callbackUrl,
      callbackRouteArn: this.callbackRouteArn,
    });
  }

  /** Puts the API on a domain, and the domain into its zone where that is in this account. */
  private serveOn(
    name: string,
    domain: NonNullable<Settings['api']['domain']>,
    apiId: pulumi.Input<string>,
    stage: pulumi.Input<string>,
  ) {
    const { domainName, domainNameConfiguration } = new aws.apigatewayv2.DomainName(
      name,
      {
        domainName: domain.name,
        domainNameConfiguration: {
          certificateArn: domain.certificateArn,
          endpointType: 'REGIONAL',
          securityPolicy: 'TLS_1_2',
        },
      },
      { parent: this },
    );
    new aws.apigatewayv2.ApiMapping(name, { apiId, stage, domainName }, { parent: this });
    if (!domain.hostedZoneId) return;
    const { targetDomainName, hostedZoneId } = domainNameConfiguration;
    new aws.route53.Record(
      name,
      {
        zoneId: domain.hostedZoneId,
        name: domain.name,
        type: 'A',
        aliases: [{ name: targetDomainName, zoneId: hostedZoneId, evaluateTargetHealth: false }],
      },
      { parent: this },
    );
  }
}

/** No query string and no header: neither can leak a token into the log. */
const accessLog = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  route: '$context.routeKey',
  path: '$context.path',
  status: '$context.status',
  bytes: '$context.responseLength',
  latencyMs: '$context.responseLatency',
  integrationStatus: '$context.integrationStatus',
  integrationError: '$context.integrationErrorMessage',
};
