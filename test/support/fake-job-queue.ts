import type { JobQueue } from '../../service/adapters/job-queue.ts';
import type { QueueMessage } from '../../statemachines/contracts.ts';

export interface SentMessage {
  message: QueueMessage;
  attributes: Record<string, string>;
}

/** A queue in memory that keeps what it has been sent, and can be out of order. */
export function fakeJobQueue(): JobQueue & { sent: SentMessage[]; failure: Error | null } {
  const queue = {
    sent: [] as SentMessage[],
    failure: null as Error | null,
    async send(message: QueueMessage, attributes: Record<string, string>) {
      if (queue.failure) throw queue.failure;
      queue.sent.push(structuredClone({ message, attributes }));
    },
  };
  return queue;
}
