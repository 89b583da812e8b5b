/**
 * Listeners: a stream of targets to watch against a stream of what changes in them. Nothing is queued for a slow client:
 * a commit only notes what it touched, and the stream compares with what it last sent when the client takes more.
 */
import { RpcError, type CallContext, type ServiceImplementation } from "../protocol/service.js";
import type { CommitListener, Engine } from "./engine.js";
import {
  openTarget,
  removedReply,
  tokenOf,
  type ListenReply,
  type ListenTarget,
  type WireTarget,
} from "./listen-target.js";
import { readDatabase } from "./names.js";
import { timestampOf } from "./values.js";

interface ListenRequest {
  readonly database?: string;
  readonly addTarget?: WireTarget;
  readonly removeTarget?: number;
}

const firstAssignedId = 2;

/** Something to wait for, again and again. */
const createBell = (): { readonly ring: () => void; readonly heard: () => Promise<void> } => {
  let isRung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      isRung = true;
      wake?.();
    },
    heard: async () => {
      if (!isRung) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      isRung = false;
      wake = undefined;
    },
  };
};

/** Every target is consistent up to now. */
const snapshotReply = (engine: Engine): ListenReply => {
  const micros = engine.clock.now();
  return {
    targetChange: {
      targetChangeType: "NO_CHANGE",
      readTime: timestampOf(micros),
      resumeToken: tokenOf(micros),
    },
  };
};

const added = (
  engine: Engine,
  targets: Map<number, ListenTarget>,
  wire: WireTarget,
  database: string,
): readonly ListenReply[] => {
  const id =
    wire.targetId === undefined || wire.targetId === 0
      ? firstAssignedId + targets.size
      : wire.targetId;
  try {
    const target = openTarget(engine, wire, id, database);
    const replies = target.begin();
    if (target.once) return [...replies, removedReply(id)];
    targets.set(id, target);
    return replies;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return [removedReply(id, error)];
  }
};

const answer = (
  engine: Engine,
  targets: Map<number, ListenTarget>,
  request: ListenRequest,
): readonly ListenReply[] => {
  const database = readDatabase(request.database);
  if (request.addTarget !== undefined) return added(engine, targets, request.addTarget, database);
  if (request.removeTarget === undefined) return [];
  targets.delete(request.removeTarget);
  return [removedReply(request.removeTarget)];
};

const listen = (engine: Engine) =>
  async function* (
    requests: AsyncIterable<ListenRequest>,
    context: CallContext,
  ): AsyncGenerator<ListenReply> {
    const targets = new Map<number, ListenTarget>();
    const inbox: ListenRequest[] = [];
    const bell = createBell();
    const state: { isOver: boolean; failure: Error | undefined } = {
      isOver: false,
      failure: undefined,
    };
    const end = (): void => {
      state.isOver = true;
      bell.ring();
    };
    const onCommit: CommitListener = (changes) => {
      for (const { target } of changes)
        for (const watched of targets.values()) watched.note(target);
      bell.ring();
    };
    const takeRequests = async (): Promise<void> => {
      try {
        for await (const request of requests) {
          inbox.push(request);
          bell.ring();
        }
      } catch (error) {
        state.failure = error instanceof Error ? error : new Error(String(error));
      }
      end();
    };
    engine.listeners.add(onCommit);
    context.signal.addEventListener("abort", end, { once: true });
    const taking = takeRequests();
    try {
      while (!state.isOver) {
        await bell.heard();
        const replies: ListenReply[] = [];
        for (let request = inbox.shift(); request !== undefined; request = inbox.shift()) {
          replies.push(...answer(engine, targets, request));
        }
        for (const target of targets.values()) replies.push(...target.changes());
        if (replies.length > 0) yield* [...replies, snapshotReply(engine)];
      }
      if (state.failure !== undefined && !context.signal.aborted) throw state.failure;
    } finally {
      engine.listeners.delete(onCommit);
      context.signal.removeEventListener("abort", end);
      void taking;
    }
  };

/** The handlers of this file. */
export const documentListens = (engine: Engine): Omit<ServiceImplementation, "service"> => ({
  bidi: { Listen: listen(engine) },
});
