import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import * as grpc from '@grpc/grpc-js';
import engineService from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import engineMessages, {
  type LogRequest,
  type SetRootResourceRequest,
} from '@pulumi/pulumi/proto/engine_pb.js';
import resourceService from '@pulumi/pulumi/proto/resource_grpc_pb.js';
import resourceMessages, {
  type ReadResourceRequest,
  type RegisterResourceOutputsRequest,
  type RegisterResourceRequest,
  type ResourceInvokeRequest,
} from '@pulumi/pulumi/proto/resource_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import struct from 'google-protobuf/google/protobuf/struct_pb.js';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Properties, Resource } from '../../local/graph/graph.ts';
import type { StackInputs } from '../../local/graph/program.ts';
import { plain, reference } from '../../local/graph/recorder.ts';

// the generated CommonJS modules name their exports only at run time
const { Empty } = empty;
const { Struct } = struct;
const { GetRootResourceResponse, SetRootResourceResponse } = engineMessages;
const {
  DeploymentInfo,
  ReadResourceResponse,
  RegisterResourceResponse,
  ResourceInvokeResponse,
  ResourceMonitorFeature,
} = resourceMessages;

/** What `pulumi preview` would have seen of a program. */
export interface Preview {
  exitCode: number | null;
  /** what the program printed */
  output: string;
  /** what it told the engine's log, beyond debugging: `error: …` */
  log: string[];
  resources: Pick<Resource, 'urn' | 'type' | 'name' | 'inputs' | 'secrets'>[];
  /** of the stack */
  outputs: Properties;
}

const ROOT = path.join(import.meta.dirname, '..', '..');
const SEVERITIES = ['debug', 'info', 'warning', 'error'];
/** gRPC allows 4 MiB a message unless told otherwise. */
const LARGEST_MESSAGE = 64 * 1024 * 1024;

const Project = z.object({
  name: z.string(),
  runtime: z.object({
    name: z.literal('nodejs'),
    options: z.object({ typescript: z.boolean(), nodeargs: z.string().default('') }),
  }),
  main: z.string(),
});

/**
 * Previews the program as the CLI does: starts Pulumi's own Node.js language host on what `Pulumi.yaml` names, and
 * plays the engine that it talks to (pulumirpc.ResourceMonitor and pulumirpc.Engine). `models` stand for the provider.
 * The protocol is internal to Pulumi and may change with its version.
 */
export async function preview(inputs: StackInputs): Promise<Preview> {
  const project = Project.parse(parse(readFileSync(path.join(ROOT, 'Pulumi.yaml'), 'utf8')));
  const seen: Omit<Preview, 'exitCode' | 'output'> = { log: [], resources: [], outputs: {} };
  const server = new grpc.Server({ 'grpc.max_receive_message_length': LARGEST_MESSAGE });
  const root = { urn: '' };
  server.addService(resourceService.ResourceMonitorService, monitor(inputs, seen, root));
  server.addService(engineService.EngineService, engine(seen, root));
  const address = `127.0.0.1:${await listen(server)}`;
  try {
    return { ...(await runHost(project, inputs, address)), ...seen };
  } finally {
    server.forceShutdown();
  }
}

/** As pulumi-language-nodejs starts it: the working directory is the program's own. */
async function runHost(project: z.output<typeof Project>, inputs: StackInputs, address: string) {
  const host = createRequire(import.meta.url).resolve('@pulumi/pulumi/cmd/run/index.js');
  const main = path.join(ROOT, project.main);
  const { nodeargs, typescript } = project.runtime.options;
  const options = {
    monitor: address,
    engine: address,
    project: project.name,
    stack: inputs.stack,
    organization: 'organization',
    'root-directory': ROOT,
    pwd: path.dirname(main),
    parallel: '16',
  };
  const child = spawn(
    process.execPath,
    [
      ...nodeargs.split(' ').filter(Boolean),
      host,
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
      '--dry-run',
      path.basename(main),
    ],
    {
      cwd: path.dirname(main),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        PULUMI_CONFIG: JSON.stringify(inputs.config),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(inputs.secretKeys),
        PULUMI_NODEJS_TYPESCRIPT: String(typescript),
      },
    },
  );
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  const [exitCode, ...printed] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
  return { exitCode, output: printed.join('') };
}

type Seen = Pick<Preview, 'log' | 'resources' | 'outputs'>;

function monitor({ project, stack, model, call }: StackInputs, seen: Seen, root: { urn: string }) {
  const declare = (type: string, name: string, parent: string, raw: Properties) => {
    const urn = urnOf(project, stack, type, name, parent);
    if (seen.resources.some((resource) => resource.urn === urn))
      throw new Error(`Duplicate resource URN ${urn}`);
    const secrets: string[] = [];
    const unknowns: string[] = [];
    const inputs = Object.fromEntries(
      Object.entries(raw).map(([key, value]) => [key, plain(value, key, secrets, unknowns)]),
    );
    if (unknowns.length) throw new Error(`${urn}: no value for ${unknowns.join(', ')}`);
    seen.resources.push({ urn, type, name, inputs, secrets });
    return { urn, inputs };
  };
  const modelled = (type: string, name: string, inputs: Properties, id?: string) => {
    if (type.startsWith('pulumi:providers:')) return { id: `${name}-provider`, state: {} };
    const answer = model({ type, name, inputs, id });
    if (!answer) throw new Error(`${type} (${name}): nobody has modelled this type`);
    return answer;
  };

  /** URN → id of what components of other providers make */
  const elsewhere = new Map<unknown, string>();
  const made = (urn: unknown) => elsewhere.has(urn) && { urn, id: elsewhere.get(urn), state: {} };

  const handlers = {
    invoke: answer((request: ResourceInvokeRequest) => {
      const token = request.getTok();
      const inputs = request.getArgs()?.toJavaScript() ?? {};
      const provider = request.getProvider();
      const known =
        token === 'pulumi:pulumi:getResource' ? made(inputs.urn) : call({ token, inputs, provider });
      if (!known) throw new Error(`${token} (${JSON.stringify(inputs)}): nobody has modelled this call`);
      return new ResourceInvokeResponse().setReturn(Struct.fromJavaScript(structOf(known)));
    }),
    getDeploymentInfo: answer(() => new DeploymentInfo().setSupportedfeaturesList(FEATURES)),
    registerResource: answer((request: RegisterResourceRequest) => {
      const type = request.getType();
      const raw = request.getObject()?.toJavaScript() ?? {};
      const { urn, inputs } = declare(type, request.getName(), request.getParent(), raw);
      const provided = request.getCustom() || request.getRemote();
      const { id, state, children = {} } = provided ? modelled(type, request.getName(), inputs) : { id: '' };
      const references = Object.fromEntries(
        Object.entries(children).map(([output, resources]) => [
          output,
          resources.map((child) => {
            const childUrn = urnOf(project, stack, child.type, child.name, urn);
            elsewhere.set(childUrn, child.id);
            return reference(childUrn, child.id);
          }),
        ]),
      );
      const object = Struct.fromJavaScript(structOf({ ...raw, ...state, ...references }));
      return new RegisterResourceResponse().setUrn(urn).setId(id).setObject(object);
    }),
    readResource: answer((request: ReadResourceRequest) => {
      const type = request.getType();
      const raw = request.getProperties()?.toJavaScript() ?? {};
      const { urn, inputs } = declare(type, request.getName(), request.getParent(), raw);
      const { state } = modelled(type, request.getName(), inputs, request.getId());
      const properties = Struct.fromJavaScript(structOf({ ...raw, ...state }));
      return new ReadResourceResponse().setUrn(urn).setProperties(properties);
    }),
    registerResourceOutputs: answer((request: RegisterResourceOutputsRequest) => {
      if (request.getUrn() === root.urn) seen.outputs = request.getOutputs()?.toJavaScript() ?? {};
      return new Empty();
    }),
    signalAndWaitForShutdown: answer(() => new Empty()),
  };
  return handlers;
}

const engine = (seen: Seen, root: { urn: string }) => ({
  log: answer((request: LogRequest) => {
    const severity = SEVERITIES[request.getSeverity()];
    if (severity !== 'debug') seen.log.push(`${severity}: ${request.getMessage()}`);
    return new Empty();
  }),
  getRootResource: answer(() => new GetRootResourceResponse().setUrn(root.urn)),
  setRootResource: answer((request: SetRootResourceRequest) => {
    root.urn = request.getUrn();
    return new SetRootResourceResponse();
  }),
});

/** What the engine of this Pulumi version can do and the program may use; an unanswered method fails the run. */
const FEATURES = [
  ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_SECRETS,
  ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
  ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
  ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
];

/** A unary gRPC method; what it throws is the call's error. */
const answer =
  <Request, Response>(method: (request: Request) => Response): grpc.handleUnaryCall<Request, Response> =>
  (call, respond) => {
    try {
      respond(null, method(call.request));
    } catch (error) {
      respond({
        code: grpc.status.UNKNOWN,
        message: error instanceof Error ? error.message : String(error),
      });
    }
  };

/** `urn:pulumi:{stack}::{project}::{types of the parents and its own, by $}::{name}` */
function urnOf(project: string, stack: string, type: string, name: string, parent: string) {
  const [, , parents = ''] = parent.split('::');
  const types = parents && parents !== 'pulumi:pulumi:Stack' ? `${parents}$${type}` : type;
  return `urn:pulumi:${stack}::${project}::${types}::${name}`;
}

/** A protobuf Struct has the values of JSON and no others. */
const structOf = (properties: Properties) => z.record(z.string(), z.json()).parse(properties);

const listen = (server: grpc.Server) =>
  new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
