/** Pull delivery: one request that waits, or a stream. */
import type { CallContext, RpcError } from "../protocol/service.js";
import { received, type Consumer, type Delivery, type Queue } from "./queue.js";
import type { ReceivedMessage } from "./shapes.js";

const waitMsMax = 90_000;
const batchMax = 1000;
const batchBytesMax = 4 * 1024 * 1024;

const hasDeadLetterPolicy = (queue: Queue): boolean =>
  queue.row.config.deadLetterPolicy !== undefined;

/** Takes what is there, up to a count; waits for the first message unless told not to. */
export async function pullOnce(
  queue: Queue,
  messagesMax: number,
  isPatient: boolean,
  context: CallContext,
): Promise<readonly ReceivedMessage[]> {
  const taken: Delivery[] = [];
  return new Promise((resolve, reject) => {
    let isOver = false;
    let bytes = 0;
    const consumer: Consumer = {
      deadlineSeconds: (subscription) => subscription.ackDeadlineSeconds ?? 10,
      wants: () => (isOver || bytes > batchBytesMax ? 0 : messagesMax - taken.length),
      give: (delivery) => {
        taken.push(delivery);
        bytes += delivery.message.data.length;
        // The pump fills the request in one go; it is answered right after.
        if (taken.length === 1) setImmediate(finish);
      },
      onClosed: (reason: RpcError) => {
        isOver = true;
        clearTimeout(timer);
        reject(reason);
      },
    };
    const finish = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      context.signal.removeEventListener("abort", finish);
      detach();
      if (context.signal.aborted) {
        for (const delivery of taken.toReversed()) delivery.settle("unsent");
        resolve([]);
        return;
      }
      resolve(taken.map((delivery) => received(delivery, hasDeadLetterPolicy(queue))));
    };
    const timer = setTimeout(finish, isPatient ? waitMsMax : 0);
    context.signal.addEventListener("abort", finish);
    const detach = queue.attach(consumer);
  });
}

/** A stream of batches, within the subscriber's flow control. */
export async function* pullStream(
  queue: Queue,
  limits: {
    readonly messagesMax: number;
    readonly bytesMax: number;
    readonly deadlineSeconds: () => number;
  },
  context: CallContext,
  isOver: () => boolean,
  onWake: (wake: () => void) => void,
): AsyncGenerator<readonly ReceivedMessage[]> {
  const buffer: Delivery[] = [];
  /** Bytes of what was given and is not settled, by ack id. */
  const out = new Map<string, number>();
  let outBytes = 0;
  let bufferBytes = 0;
  let closed: RpcError | undefined;
  let wake: (() => void) | undefined;
  const consumer: Consumer = {
    takesRuns: true,
    deadlineSeconds: (subscription) =>
      limits.deadlineSeconds() || (subscription.ackDeadlineSeconds ?? 10),
    wants: () => {
      if (closed !== undefined || context.signal.aborted) return 0;
      if (buffer.length >= batchMax || bufferBytes >= batchBytesMax) return 0;
      if (limits.bytesMax > 0 && outBytes >= limits.bytesMax) return 0;
      return limits.messagesMax > 0 ? limits.messagesMax - out.size : batchMax - buffer.length;
    },
    give: (delivery) => {
      buffer.push(delivery);
      out.set(delivery.ackId, delivery.message.data.length);
      outBytes += delivery.message.data.length;
      bufferBytes += delivery.message.data.length;
      wake?.();
    },
    onSettled: (ackId) => {
      outBytes -= out.get(ackId) ?? 0;
      out.delete(ackId);
    },
    onClosed: (reason) => {
      closed = reason;
      wake?.();
    },
  };
  onWake(() => wake?.());
  const onAbort = (): void => wake?.();
  context.signal.addEventListener("abort", onAbort);
  const detach = queue.attach(consumer);
  try {
    for (;;) {
      if (closed !== undefined) throw closed;
      if (context.signal.aborted || isOver()) return;
      const batch: ReceivedMessage[] = [];
      for (let bytes = 0; buffer.length > 0 && batch.length < batchMax && bytes < batchBytesMax;) {
        const delivery = buffer.shift();
        if (delivery === undefined) continue;
        bufferBytes -= delivery.message.data.length;
        if (!out.has(delivery.ackId)) continue;
        bytes += delivery.message.data.length;
        batch.push(received(delivery, hasDeadLetterPolicy(queue)));
      }
      if (batch.length > 0) {
        yield batch;
        queue.pumpSoon();
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    detach();
    context.signal.removeEventListener("abort", onAbort);
    // What was never sent goes to somebody else at once; what was sent keeps its deadline.
    for (const delivery of buffer.splice(0).toReversed()) delivery.settle("unsent");
  }
}
