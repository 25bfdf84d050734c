import type { AwsService } from './door.ts';

/** A request that waits at the door. */
export interface Held {
  /** resolves when the first matching request has come */
  arrived: Promise<void>;
  /** lets it and all that came after it through; those whose sender has gone meanwhile are dropped, as if they never came */
  release(): void;
}

/** The operation that a request asks for, where its protocol names it: `SendMessage`, `StartExecution`, `AssumeRole`. */
const operationOf = (target: string | undefined) => target?.slice(target.lastIndexOf('.') + 1);

/** Lets tests stop chosen AWS calls in the door, to kill the caller while they are under way. */
export function createGate() {
  const holds: { service: string; operation: string; opened: Promise<void>; knock: () => void }[] = [];
  return {
    hold(service: string, operation: string): Held {
      const arrival = Promise.withResolvers<void>();
      const opening = Promise.withResolvers<void>();
      const hold = { service, operation, opened: opening.promise, knock: arrival.resolve };
      holds.push(hold);
      return {
        arrived: arrival.promise,
        release() {
          holds.splice(holds.indexOf(hold), 1);
          opening.resolve();
        },
      };
    },

    /** The same services, behind the gate. */
    guard: (services: Record<string, AwsService>): Record<string, AwsService> =>
      Object.fromEntries(
        Object.entries(services).map(([name, service]): [string, AwsService] => [
          name,
          async (signed, response) => {
            const operation = operationOf(signed.request.headers['x-amz-target']?.toString());
            const hold = holds.find((known) => known.service === name && known.operation === operation);
            if (hold) {
              hold.knock();
              await hold.opened;
              if (response.destroyed) return;
            }
            await service(signed, response);
          },
        ]),
      ),
  };
}
export type Gate = ReturnType<typeof createGate>;
