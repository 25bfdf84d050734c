import { at, deniesPlainHttp, isOwnKey, json, list, type Rule, unless } from './rule.ts';

const QUEUE = 'sqs/queue:Queue';
const TOPIC = 'sns/topic:Topic';

/** Rules for queues and topics. */
export const messagingRules: Rule[] = [
  {
    id: 'SQS2',
    also: ['SQS.1'],
    meaning: "a queue is encrypted with the stack's key",
    of: [QUEUE],
    faults: ({ inputs }, estate) => unless(isOwnKey(inputs.kmsMasterKeyId, estate), "not the stack's key"),
  },
  {
    id: 'SQS3',
    meaning: 'a queue has a dead-letter queue or is one, and a dead-letter queue says whose',
    of: [QUEUE],
    faults: (queue, estate) => {
      const target = at(json(queue.inputs.redrivePolicy), 'deadLetterTargetArn');
      if (target) {
        const deadLetters = estate.byArn(target);
        return unless(
          deadLetters?.type === `aws:${QUEUE}` &&
            Number(deadLetters.inputs.messageRetentionSeconds) > Number(queue.inputs.messageRetentionSeconds),
          'its dead letters are gone before anybody looks',
        );
      }
      const sources = estate
        .of(QUEUE)
        .filter(
          ({ inputs }) =>
            at(json(inputs.redrivePolicy), 'deadLetterTargetArn') === (queue.outputs.arn ?? null),
        );
      return [
        ...unless(sources.length, 'no dead letters'),
        ...unless(
          estate
            .about('sqs/redriveAllowPolicy:RedriveAllowPolicy', 'queueUrl', queue)
            .some(({ inputs }) => at(json(inputs.redriveAllowPolicy), 'redrivePermission') === 'byQueue'),
          'any queue may leave its dead letters here',
        ),
      ];
    },
  },
  {
    id: 'SQS4',
    meaning: 'a queue refuses plain HTTP',
    of: [QUEUE],
    faults: (queue, estate) =>
      unless(
        estate
          .about('sqs/queuePolicy:QueuePolicy', 'queueUrl', queue)
          .some(({ inputs }) => deniesPlainHttp(inputs.policy, 'sqs:*')),
        'plain HTTP is not refused',
      ),
  },
  {
    id: 'LambdaEventSourceSQSVisibilityTimeout',
    meaning: "a message stays hidden for six times its consumer's timeout",
    of: ['lambda/eventSourceMapping:EventSourceMapping'],
    faults: ({ inputs }, estate) => {
      const hidden = Number(estate.byArn(inputs.eventSourceArn)?.inputs.visibilityTimeoutSeconds);
      const timeout = Number(estate.byArn(inputs.functionName)?.inputs.timeout);
      return unless(hidden >= 6 * timeout, `hidden for ${hidden} s, worked on for ${timeout} s`);
    },
  },
  {
    id: 'TOQ-SQS-PARTIAL-BATCH',
    meaning: 'one failed message does not bring the others back, and a flood is taken in portions',
    of: ['lambda/eventSourceMapping:EventSourceMapping'],
    faults: ({ inputs }) => [
      ...unless(list(inputs.functionResponseTypes).includes('ReportBatchItemFailures'), 'all or nothing'),
      ...unless(Number(at(inputs, 'scalingConfig.maximumConcurrency')) > 0, 'as many as come'),
    ],
  },
  {
    id: 'SNS2',
    meaning: "a topic is encrypted with the stack's key",
    of: [TOPIC],
    faults: ({ inputs }, estate) => unless(isOwnKey(inputs.kmsMasterKeyId, estate), "not the stack's key"),
  },
  {
    id: 'SNS3',
    meaning: 'a topic refuses publishers without TLS',
    of: [TOPIC],
    faults: (topic, estate) =>
      unless(
        estate
          .about('sns/topicPolicy:TopicPolicy', 'arn', topic)
          .some(({ inputs }) => deniesPlainHttp(inputs.policy, 'sns:Publish')),
        'plain HTTP is not refused',
      ),
  },
];
