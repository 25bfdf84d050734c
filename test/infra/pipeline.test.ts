import path from 'node:path';
import aslValidator from 'asl-validator';
import test from 'ava';
import { z } from 'zod';
import { environments } from '../../lambdas/config.ts';
import { accountOf, graphOf, inputsOf, ofType, STACKS } from '../support/graphs.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

/** Seconds and MiB of a function; infra/tasks.ts says why. */
const SIZES = {
  start: [10, 256],
  validate: [120, 512],
  thumbnails: [120, 2048],
  consolidate: [30, 256],
  zip: [900, 1024],
  'callback-dispatch': [30, 256],
};

for (const stack of STACKS) {
  const suffix = `-${stack}`;

  test(`${stack}: six functions on nodejs24.x arm64, traced, logging JSON to a group of their own`, async (t) => {
    const graph = await graphOf(stack);
    const functions = ofType(graph, 'lambda/function:Function');
    const tasks = Object.keys(environments);
    t.deepEqual(
      functions.map(({ inputs }) => inputs.name).sort(),
      tasks.map((task) => `listing-media-${task}${suffix}`).sort(),
    );
    for (const task of tasks) {
      const name = `listing-media-${task}${suffix}`;
      const [lambda] = functions.filter(({ inputs }) => inputs.name === name);
      t.like(lambda?.inputs ?? {}, {
        runtime: 'nodejs24.x',
        architectures: ['arm64'],
        handler: 'index.handler',
        role: `arn:aws:iam::${accountOf(graph)}:role/toq-media-processing-lambda-${task}${suffix}`,
        tracingConfig: { mode: 'Active' },
        loggingConfig: { logFormat: 'JSON', logGroup: `/aws/lambda/${name}` },
      });
      t.is(lambda?.inputs.code, path.join(ROOT, 'dist/lambdas', `${task}.zip`));
      t.notThrows(() => inputsOf(graph, 'cloudwatch/logGroup:LogGroup', `/aws/lambda/${name}`));
    }
  });

  test(`${stack}: each function's environment is what its code parses`, async (t) => {
    const graph = await graphOf(stack);
    for (const [task, schema] of Object.entries(environments)) {
      const { environment } = inputsOf(graph, 'lambda/function:Function', `listing-media-${task}${suffix}`);
      const { variables } = z.object({ variables: z.record(z.string(), z.string()) }).parse(environment);
      t.notThrows(() => z.strictObject(schema.shape).parse(variables), task);
      t.is(variables.ENV, stack);
      // glibc keeps memory for each thread otherwise, and libvips has many
      t.is(variables.MALLOC_ARENA_MAX, task === 'thumbnails' ? '2' : undefined);
    }
  });

  test(`${stack}: each function has the time and the memory of its work`, async (t) => {
    const graph = await graphOf(stack);
    const sizes = Object.keys(environments).map((task) => {
      const { timeout, memorySize } = inputsOf(
        graph,
        'lambda/function:Function',
        `listing-media-${task}${suffix}`,
      );
      return [task, [timeout, memorySize]];
    });
    t.deepEqual(Object.fromEntries(sizes), SIZES);
  });

  test(`${stack}: finished executions cannot flood the service`, async (t) => {
    const graph = await graphOf(stack);
    const reserved = ofType(graph, 'lambda/function:Function').flatMap(({ inputs }) =>
      inputs.reservedConcurrentExecutions === undefined
        ? []
        : [[inputs.name, inputs.reservedConcurrentExecutions]],
    );
    t.deepEqual(reserved, [[`listing-media-callback-dispatch${suffix}`, 10]]);
  });

  test(`${stack}: a failed message of a batch is received again, the others are not`, async (t) => {
    const graph = await graphOf(stack);
    t.like(inputsOf(graph, 'lambda/eventSourceMapping:EventSourceMapping'), {
      functionName: `arn:aws:lambda:us-east-1:${accountOf(graph)}:function:listing-media-start${suffix}`,
      eventSourceArn: `arn:aws:sqs:us-east-1:${accountOf(graph)}:listing-media-processing${suffix}`,
      functionResponseTypes: ['ReportBatchItemFailures'],
      scalingConfig: { maximumConcurrency: 10 },
    });
  });

  test(`${stack}: both machines are complete, valid, Standard, logged without data, and traced`, async (t) => {
    const graph = await graphOf(stack);
    const machines = ofType(graph, 'sfn/stateMachine:StateMachine');
    t.deepEqual(machines.map(({ inputs }) => inputs.name).sort(), [
      `listing-media-finalization-sm${suffix}`,
      `listing-media-processing-sm${suffix}`,
    ]);
    for (const { inputs } of machines) {
      const definition = String(inputs.definition);
      t.notRegex(definition, /\$\{/);
      t.deepEqual(aslValidator(JSON.parse(definition)).errors, []);
      t.is(JSON.parse(definition).TimeoutSeconds, 3600);
      t.like(inputs, {
        type: 'STANDARD',
        roleArn: `arn:aws:iam::${accountOf(graph)}:role/toq-media-processing-stepfunctions${suffix}`,
        loggingConfiguration: {
          level: 'ALL',
          includeExecutionData: false,
          logDestination: `arn:aws:logs:us-east-1:${accountOf(graph)}:log-group:/aws/vendedlogs/states/${inputs.name}:*`,
        },
        tracingConfiguration: { enabled: true },
      });
    }
  });

  test(`${stack}: a state machine waits ten seconds longer than the task may run`, async (t) => {
    const graph = await graphOf(stack);
    const timeouts = new Map(
      ofType(graph, 'lambda/function:Function').map(({ inputs, outputs }) => [
        outputs.arn,
        Number(inputs.timeout),
      ]),
    );
    let tasks = 0;
    for (const { inputs } of ofType(graph, 'sfn/stateMachine:StateMachine')) {
      JSON.parse(String(inputs.definition), (_key, value) => {
        if (value?.Resource === 'arn:aws:states:::lambda:invoke') {
          tasks += 1;
          t.is(value.TimeoutSeconds, (timeouts.get(value.Parameters.FunctionName) ?? Number.NaN) + 10);
        }
        return value;
      });
    }
    t.true(tasks > 5);
    t.is(
      timeouts.get(`arn:aws:lambda:us-east-1:${accountOf(graph)}:function:listing-media-start${suffix}`),
      10,
    );
  });

  test(`${stack}: two job templates differ in the box and in nothing else`, async (t) => {
    const graph = await graphOf(stack);
    const { templateBody } = inputsOf(graph, 'cloudformation/stack:Stack');
    const { Resources } = JSON.parse(String(templateBody));
    t.is(Resources.Horizontal.Properties.Name, 'toq-media-video-preset');
    t.is(Resources.Vertical.Properties.Name, 'toq-media-video-preset-vertical');
    t.is(inputsOf(graph, 'mediaconvert/queue:Queue').name, 'toq-media-queue');

    const [horizontal, vertical] = [Resources.Horizontal, Resources.Vertical].map(
      ({ Properties }) => Properties.SettingsJson.OutputGroups[0].Outputs,
    );
    const box = ({ VideoDescription: { Width, Height } }: { VideoDescription: Record<string, number> }) => [
      Width,
      Height,
    ];
    t.deepEqual(horizontal.map(box), [
      [1920, 1080],
      [1280, 720],
      [1920, 1080],
    ]);
    t.deepEqual(vertical.map(box), [
      [1080, 1920],
      [720, 1280],
      [1080, 1920],
    ]);
    const boxless = (outputs: unknown) => JSON.stringify(outputs).replace(/"(Width|Height)":\d+/g, '');
    t.is(boxless(horizontal), boxless(vertical));
  });

  test(`${stack}: a video becomes 1080p ≤ 5 Mbps, 720p ≤ 3 Mbps and two stills, upright, never enlarged`, async (t) => {
    const graph = await graphOf(stack);
    const { templateBody } = inputsOf(graph, 'cloudformation/stack:Stack');
    const settings = JSON.parse(String(templateBody)).Resources.Horizontal.Properties.SettingsJson;
    t.is(settings.Inputs[0].VideoSelector.Rotate, 'AUTO');
    t.is(settings.OutputGroups.length, 1);
    const [hd, sd, poster] = settings.OutputGroups[0].Outputs;
    for (const [output, modifier, video, audio] of [
      [hd, '-1080p', 5_000_000, 128_000],
      [sd, '-720p', 3_000_000, 96_000],
    ]) {
      t.like(output, {
        NameModifier: modifier,
        ContainerSettings: { Container: 'MP4', Mp4Settings: { MoovPlacement: 'PROGRESSIVE_DOWNLOAD' } },
        VideoDescription: {
          ScalingBehavior: 'FIT_NO_UPSCALE',
          CodecSettings: {
            Codec: 'H_264',
            H264Settings: { RateControlMode: 'QVBR', MaxBitrate: video },
          },
        },
      });
      t.like(output.AudioDescriptions[0].CodecSettings, { Codec: 'AAC', AacSettings: { Bitrate: audio } });
    }
    t.like(poster, {
      NameModifier: '-poster',
      Extension: 'jpg',
      ContainerSettings: { Container: 'RAW' },
      VideoDescription: {
        ScalingBehavior: 'FIT_NO_UPSCALE',
        CodecSettings: {
          Codec: 'FRAME_CAPTURE',
          FrameCaptureSettings: { FramerateNumerator: 1, FramerateDenominator: 1, MaxCaptures: 2 },
        },
      },
    });
  });

  test(`${stack}: the end of a transcode is kept, a failed one is an alert`, async (t) => {
    const graph = await graphOf(stack);
    const pattern = (name: string) =>
      JSON.parse(String(inputsOf(graph, 'cloudwatch/eventRule:EventRule', name).eventPattern));
    const status = `toq-media-mediaconvert-status${suffix}`;
    const error = `toq-media-mediaconvert-error${suffix}`;
    t.like(pattern(status), { source: ['aws.mediaconvert'], detail: { status: ['COMPLETE', 'ERROR'] } });
    t.deepEqual(pattern(error).detail.status, ['ERROR']);
    const target = (rule: string) => {
      const targets = ofType(graph, 'cloudwatch/eventTarget:EventTarget');
      return targets.find(({ inputs }) => inputs.rule === rule)?.inputs ?? {};
    };
    t.regex(String(target(status).arn), /:log-group:\/aws\/events\//);
    t.is(target(status).targetId, 'reconciliation');
    t.is(target(error).arn, `arn:aws:sns:us-east-1:${accountOf(graph)}:toq-media-alerts${suffix}`);
    t.is(target(error).targetId, 'alerts');
    t.regex(String(inputsOf(graph, 'sns/topic:Topic').kmsMasterKeyId), /:key\//);
  });
}
