import { randomBytes } from 'node:crypto';
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Logger } from 'pino';
import { z } from 'zod';
import { type MachineInput, processingExecutionName, QueueMessage } from '../statemachines/contracts.ts';
import { config } from './config.ts';
import { logEnd, loggable, logger, traceId } from './task.ts';

/** The function has ten seconds: two attempts of four leave time to answer. */
const stepFunctions = () =>
  new SFNClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
  });

/** W3C trace context of a message that came without one. */
const newTraceparent = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;

/**
 * Starts the processing machine for one message, under a name that the job determines: a redelivery finds the execution
 * there and is done. Throws on a message that does not fit the contract, so that it ends in the dead-letter queue.
 */
export function start(stateMachineArn: string, log: Logger, client: SFNClient = stepFunctions()) {
  return async (record: SQSRecord): Promise<void> => {
    const since = performance.now();
    const parsed = QueueMessage.safeParse(JSON.parse(record.body));
    if (!parsed.success) throw new Error(`malformed message: ${z.prettifyError(parsed.error)}`);
    const message = parsed.data;
    const traceparent = record.messageAttributes.Traceparent?.stringValue ?? newTraceparent();
    const name = processingExecutionName(message);
    const fields = {
      listing_identity_id: message.listingIdentityId,
      batch_id: message.batchId,
      job_id: message.jobId,
      trace_id: traceId(traceparent),
      execution: name,
    };
    try {
      const input: MachineInput = { ...message, traceparent };
      await client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
      logEnd(log, { step: 'start', outcome: 'started', since }, fields, 'lambda.start.started');
    } catch (error) {
      if (!(error instanceof ExecutionAlreadyExists)) throw error;
      const end = { step: 'start', outcome: 'already_started', since } as const;
      logEnd(log, end, fields, 'lambda.start.already_started');
    }
  };
}

const processor = new BatchProcessor(EventType.SQS);
let log: Logger;
let startOne: ReturnType<typeof start> | undefined;

/** Answers with the messages that failed; only those are delivered again. */
export const handler = (event: SQSEvent, context?: Context) => {
  if (!startOne) {
    const environment = config('start');
    log = logger('start', environment);
    startOne = start(environment.PROCESSING_STATE_MACHINE_ARN, log);
  }
  const run = startOne;
  const logged = async (record: SQSRecord) => {
    const since = performance.now();
    try {
      await run(record);
    } catch (error) {
      const fields = { message_id: record.messageId, error: loggable(error) };
      logEnd(log, { step: 'start', outcome: 'error', since, level: 'error' }, fields, 'lambda.start.failed');
      throw error;
    }
  };
  return processPartialResponse(event, logged, processor, { context, throwOnFullBatchFailure: false });
};
