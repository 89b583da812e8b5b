/** google.pubsub.v1.Subscriber. */
import { randomUUID } from "node:crypto";
import {
  RpcError,
  typeUrl,
  type CallContext,
  type ServiceImplementation,
} from "../protocol/service.js";
import type { Engine } from "./engine.js";
import { checkDeadlineSeconds, checkLabels, checkSubscription } from "./limits.js";
import { maskedFields, page, patched } from "../protocol/masks.js";
import { projectOf, type Names } from "./names.js";
import { pullOnce, pullStream } from "./pull.js";
import type { Queue } from "./queue.js";
import {
  timestampMs,
  type Duration,
  type PushConfig,
  type Snapshot,
  type Subscription,
} from "./shapes.js";

interface Named {
  readonly subscription?: string;
}
interface Masked {
  readonly updateMask?: { readonly paths?: readonly string[] };
}
interface Paged {
  readonly project?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}
interface AckRequest extends Named {
  readonly ackIds?: readonly string[];
  readonly ackDeadlineSeconds?: number;
}
interface StreamRequest extends Named {
  readonly ackIds?: readonly string[];
  readonly modifyDeadlineSeconds?: readonly number[];
  readonly modifyDeadlineAckIds?: readonly string[];
  readonly streamAckDeadlineSeconds?: number;
  readonly maxOutstandingMessages?: string;
  readonly maxOutstandingBytes?: string;
}

/** Fields that UpdateSubscription may change; filter, ordering and topic are fixed at creation. */
const changeable = [
  "pushConfig",
  "ackDeadlineSeconds",
  "retainAckedMessages",
  "messageRetentionDuration",
  "labels",
  "expirationPolicy",
  "deadLetterPolicy",
  "retryPolicy",
  "enableExactlyOnceDelivery",
];

/** A subscription as it is read: the service keeps a push endpoint's attributes to itself. */
function shown(config: Subscription): Subscription {
  const { attributes: _, ...pushConfig } = config.pushConfig ?? {};
  return { ...config, pushConfig };
}

/** A subscription as the reply to its change says it: with the version that the service pushes. */
const changed = (config: Subscription): Subscription => ({
  ...config,
  pushConfig: {
    ...config.pushConfig,
    attributes: { "x-goog-version": "v1", ...config.pushConfig?.attributes },
  },
});

/** Google's way to say which acknowledgements of an exactly-once subscription did not take. */
const lostLeases = (ackIds: readonly string[]): RpcError =>
  new RpcError("FAILED_PRECONDITION", "Some acknowledgement ids in the request were out of date.", {
    details: [
      {
        "@type": typeUrl("google.rpc.ErrorInfo"),
        reason: "EXACTLY_ONCE_ACKID_FAILURE",
        domain: "pubsub.googleapis.com",
        metadata: Object.fromEntries(ackIds.map((id) => [id, "PERMANENT_FAILURE_INVALID_ACK_ID"])),
      },
    ],
  });

function refuseLost(queue: Queue, lost: readonly string[]): void {
  if (lost.length > 0 && queue.row.config.enableExactlyOnceDelivery === true) {
    throw lostLeases(lost);
  }
}

/** Subscriptions, pulling and acknowledging. */
export function subscriberService(engine: Engine, names: Names): ServiceImplementation {
  const subscriptionName = (name: string | undefined): string =>
    names.resource("subscriptions", name);
  const snapshotName = (name: string | undefined): string => names.resource("snapshots", name);
  const queueOf = (name: string | undefined): Queue => engine.queue(subscriptionName(name));

  async function* streamingPull(
    requests: AsyncIterable<StreamRequest>,
    context: CallContext,
  ): AsyncGenerator<object> {
    const iterator = requests[Symbol.asyncIterator]();
    const first = await iterator.next();
    if (first.done === true) return;
    const opening = first.value;
    let deadlineSeconds = checkDeadlineSeconds(opening.streamAckDeadlineSeconds ?? 0);
    const queue = engine.pulled(subscriptionName(opening.subscription));
    let isOver = false;
    let failure: Error | undefined;
    let wake: (() => void) | undefined;
    const apply = (request: StreamRequest): void => {
      // The stream's own deadline may change on the way.
      if ((request.streamAckDeadlineSeconds ?? 0) > 0) {
        deadlineSeconds = checkDeadlineSeconds(request.streamAckDeadlineSeconds ?? 0);
      }
      for (const id of request.ackIds ?? []) queue.ack(id);
      const seconds = request.modifyDeadlineSeconds ?? [];
      for (const [index, id] of (request.modifyDeadlineAckIds ?? []).entries()) {
        queue.extend(id, checkDeadlineSeconds(seconds[index] ?? 0));
      }
    };
    const listen = async (): Promise<void> => {
      try {
        apply(opening);
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
          apply(next.value);
        }
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
      }
      isOver = true;
      wake?.();
    };
    void listen();
    const config = queue.row.config;
    const subscriptionProperties = {
      exactlyOnceDeliveryEnabled: config.enableExactlyOnceDelivery === true,
      messageOrderingEnabled: config.enableMessageOrdering === true,
    };
    yield { subscriptionProperties };
    const batches = pullStream(
      queue,
      {
        messagesMax: Number(opening.maxOutstandingMessages ?? 0),
        bytesMax: Number(opening.maxOutstandingBytes ?? 0),
        deadlineSeconds: () => deadlineSeconds,
      },
      context,
      () => isOver,
      (found) => {
        wake = found;
      },
    );
    for await (const receivedMessages of batches)
      yield { receivedMessages, subscriptionProperties };
    if (failure !== undefined) throw failure;
  }

  return {
    service: "google.pubsub.v1.Subscriber",
    unary: {
      CreateSubscription: (given: Subscription) => {
        const name = subscriptionName(given.name);
        const topic = names.resource("topics", given.topic);
        return engine.createSubscription(checkSubscription({ ...given, name, topic }, names));
      },
      GetSubscription: ({ subscription }: Named) =>
        shown(engine.subscription(subscriptionName(subscription))),
      UpdateSubscription: (request: Masked & { readonly subscription?: Subscription }) => {
        const name = subscriptionName(request.subscription?.name);
        const current = engine.subscription(name);
        const fields = maskedFields(request.updateMask, changeable, "Subscription");
        const config = patched(current, request.subscription ?? {}, fields);
        return changed(engine.changeSubscription(name, checkSubscription(config, names)));
      },
      ModifyPushConfig: (request: Named & { readonly pushConfig?: PushConfig }) => {
        const name = subscriptionName(request.subscription);
        const config = { ...engine.subscription(name), pushConfig: request.pushConfig ?? {} };
        engine.changeSubscription(name, checkSubscription(config, names));
        return {};
      },
      DeleteSubscription: ({ subscription }: Named) => {
        engine.deleteSubscription(subscriptionName(subscription));
        return {};
      },
      ListSubscriptions: (request: Paged) => {
        const all = engine.subscriptions(names.project(request.project));
        const { items, nextPageToken } = page(all, (one) => one.name, request);
        return { subscriptions: items.map(shown), nextPageToken };
      },
      CreateSnapshot: (request: Named & Partial<Snapshot>) => {
        checkLabels(request.labels);
        const subscription = subscriptionName(request.subscription);
        const name =
          (request.name ?? "") === ""
            ? `projects/${projectOf(subscription)}/snapshots/snapshot-${randomUUID()}`
            : snapshotName(request.name);
        return engine.createSnapshot(name, subscription, request.labels);
      },
      GetSnapshot: ({ snapshot }: { readonly snapshot?: string }) =>
        engine.snapshot(snapshotName(snapshot)),
      UpdateSnapshot: (request: Masked & { readonly snapshot?: Snapshot }) => {
        const name = snapshotName(request.snapshot?.name);
        const fields = maskedFields(request.updateMask, ["labels", "expireTime"], "Snapshot");
        const snapshot = patched(engine.snapshot(name), request.snapshot ?? {}, fields);
        checkLabels(snapshot.labels);
        return engine.updateSnapshot(snapshot);
      },
      DeleteSnapshot: ({ snapshot }: { readonly snapshot?: string }) => {
        engine.deleteSnapshot(snapshotName(snapshot));
        return {};
      },
      ListSnapshots: (request: Paged) => {
        const all = engine.snapshots(names.project(request.project));
        const { items, nextPageToken } = page(all, (one) => one.name, request);
        return { snapshots: items, nextPageToken };
      },
      Pull: async (
        request: Named & { readonly maxMessages?: number; readonly returnImmediately?: boolean },
        context: CallContext,
      ) => {
        const messagesMax = request.maxMessages ?? 0;
        if (messagesMax <= 0) {
          throw new RpcError(
            "INVALID_ARGUMENT",
            `Invalid max_messages given (max_messages=${messagesMax}). It must be at least 1.`,
          );
        }
        const queue = engine.pulled(subscriptionName(request.subscription));
        const isPatient = request.returnImmediately !== true;
        const count = Math.min(messagesMax, 1000);
        return { receivedMessages: await pullOnce(queue, count, isPatient, context) };
      },
      Acknowledge: (request: AckRequest) => {
        const queue = queueOf(request.subscription);
        if ((request.ackIds ?? []).length === 0) {
          throw new RpcError("INVALID_ARGUMENT", "No ack ids specified.");
        }
        const lost = (request.ackIds ?? []).filter((id) => !queue.ack(id));
        // Confirmed means written.
        engine.flush();
        refuseLost(queue, lost);
        return {};
      },
      ModifyAckDeadline: (request: AckRequest) => {
        const queue = queueOf(request.subscription);
        const seconds = checkDeadlineSeconds(request.ackDeadlineSeconds ?? 0);
        if ((request.ackIds ?? []).length === 0) {
          throw new RpcError("INVALID_ARGUMENT", "No ack ids specified.");
        }
        const lost = (request.ackIds ?? []).filter((id) => !queue.extend(id, seconds));
        refuseLost(queue, lost);
        return {};
      },
      Seek: (request: Named & { readonly time?: Duration; readonly snapshot?: string }) => {
        const name = subscriptionName(request.subscription);
        if (request.snapshot !== undefined) engine.seek(name, snapshotName(request.snapshot));
        else if (request.time !== undefined) engine.seek(name, timestampMs(request.time));
        else throw new RpcError("INVALID_ARGUMENT", "Seek needs a time or a snapshot.");
        return {};
      },
    },
    bidi: { StreamingPull: streamingPull },
  };
}
