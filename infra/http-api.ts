import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';

export interface HttpApiArgs extends Foundation {
  /** How the API reaches the service inside the VPC. */
  ingress: { vpcLinkId: pulumi.Input<string>; listenerArn: pulumi.Input<string> };
}

const STAGE = '$default';
const CALLBACK = '/media-processing/callback';

/**
 * The only way in from outside: the REST API for the frontends, whose bearer tokens the service verifies, and the
 * callback for the pipeline, signed with IAM credentials. No route leads to the service's other `/internal` paths.
 */
export class HttpApi extends pulumi.ComponentResource {
  readonly endpoint: pulumi.Output<string>;
  readonly callbackUrl: pulumi.Output<string>;
  /** What a caller of the callback needs `execute-api:Invoke` on. */
  readonly callbackRouteArn: pulumi.Output<string>;

  constructor(name: string, args: HttpApiArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:HttpApi', name, {}, opts);

    // CORS is the service's: one list of origins, and the answer to OPTIONS comes through the same route
    const api = new aws.apigatewayv2.Api(
      name,
      { name: args.names.api, protocolType: 'HTTP', description: 'Listing media' },
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
          connectionId: args.ingress.vpcLinkId,
          integrationUri: args.ingress.listenerArn,
          payloadFormatVersion: '1.0',
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
    new aws.apigatewayv2.Stage(
      name,
      {
        apiId: api.id,
        name: STAGE,
        autoDeploy: true,
        accessLogSettings: { destinationArn: logs.arn, format: JSON.stringify(accessLog) },
        // requests a second, for the whole API
        defaultRouteSettings: { throttlingRateLimit: 500, throttlingBurstLimit: 1000 },
      },
      { parent: this, dependsOn: routes },
    );

    this.endpoint = api.apiEndpoint;
    this.callbackUrl = pulumi.interpolate`${api.apiEndpoint}${CALLBACK}`;
    this.callbackRouteArn = pulumi.interpolate`${api.executionArn}/${STAGE}/POST${CALLBACK}`;
    this.registerOutputs({
      endpoint: this.endpoint,
      callbackUrl: this.callbackUrl,
      callbackRouteArn: this.callbackRouteArn,
    });
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
