import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import * as grpc from '@grpc/grpc-js';
import analyzerService from '@pulumi/pulumi/proto/analyzer_grpc_pb.js';
import analyzerMessages, { type AnalyzeResponse } from '@pulumi/pulumi/proto/analyzer_pb.js';
import struct from 'google-protobuf/google/protobuf/struct_pb.js';
import { type Declared, PROVIDER } from '../../infra/rules/rule.ts';

// the generated CommonJS modules name their exports only at run time
const { Struct } = struct;
const { AnalyzeStackRequest, AnalyzerProviderResource, AnalyzerResource, AnalyzerResourceOptions } =
  analyzerMessages;

const DIRECTORY = path.join(import.meta.dirname, '..', '..', 'policy');

/** What the engine would print of one violation. */
export interface Violation {
  policy: string;
  level: number;
  urn: string;
  message: string;
}

/** Levels of a violation: the first is only shown, the second ends the deployment. */
export const { ADVISORY, MANDATORY } = analyzerMessages.EnforcementLevel;

/**
 * Starts the policy pack as `pulumi preview --policy-pack policy` does, with Pulumi's own host for packs, and plays the
 * engine that asks it about a whole stack (pulumirpc.Analyzer).
 */
export async function startPolicyPack() {
  const host = createRequire(import.meta.url).resolve('@pulumi/pulumi/cmd/run-policy-pack/index.js');
  const child = spawn(process.execPath, [host, '127.0.0.1:0', '.'], {
    cwd: DIRECTORY,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  });
  const closed = once(child, 'close');
  const port = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => String(line)),
    closed.then(([code]) => Promise.reject(new Error(`The policy pack ended with ${code}.`))),
  ]);
  const client = new analyzerService.AnalyzerClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());

  return {
    async analyze(resources: Declared[]): Promise<Violation[]> {
      const request = new AnalyzeStackRequest();
      request.setResourcesList(resources.map((resource) => message(resource, resources)));
      const response = await new Promise<AnalyzeResponse>((resolve, reject) =>
        client.analyzeStack(request, (error, answer) => (error ? reject(error) : resolve(answer))),
      );
      return response.getDiagnosticsList().map((diagnostic) => ({
        policy: diagnostic.getPolicyname(),
        level: diagnostic.getEnforcementlevel(),
        urn: diagnostic.getUrn(),
        message: diagnostic.getMessage(),
      }));
    },
    async close() {
      client.close();
      child.kill();
      await closed;
    },
  };
}

/** A resource as the engine describes it: by its outputs, without saying whether it was read or is retained. */
function message(resource: Declared, all: Declared[]) {
  const described = new AnalyzerResource();
  described.setUrn(resource.urn);
  described.setType(resource.type);
  described.setName(resource.name);
  described.setProperties(structOf({ ...resource.outputs, ...resource.inputs, id: resource.id }));
  const options = new AnalyzerResourceOptions();
  options.setProtect(resource.options.protect);
  described.setOptions(options);
  const provider = all.find(
    ({ type, urn }) => type === PROVIDER && resource.options.provider.startsWith(urn),
  );
  if (provider) {
    const its = new AnalyzerProviderResource();
    its.setUrn(provider.urn);
    its.setType(provider.type);
    its.setName(provider.name);
    its.setProperties(structOf(provider.inputs));
    described.setProvider(its);
  }
  return described;
}

/** Of JSON: what is undefined is left out. */
const structOf = (properties: object) => Struct.fromJavaScript(JSON.parse(JSON.stringify(properties)));
