/**
 * Submissions to Vertex AI within its quota. While nothing waits a run is submitted at once; otherwise its request
 * waits in a queue that the tick alone empties. A request that waits is not decided yet: its run stays `requested`, so
 * that no timeout runs, nobody looks for its job, and a run that is cancelled meanwhile is never submitted.
 */
import type { ContinuoEvent, EventOf } from "../../events/index.js";
import type { ModelName, RunId } from "../../events/ids.js";
import type { Manifest } from "../manifest/schema.js";
import type { AdmissionLedger, WaitingSubmission } from "../ports/admission.js";
import type { Ports } from "../ports/ports.js";
import { forEach } from "./for-each.js";
import { handleEvent, type HandleOptions } from "./handle.js";
import { breakerMs, recentOf, roomIn, takeOne, type AdmissionLimits } from "./quota.js";

/** So many requests wait for their turn on one instance; more of them queue. */
const laneMax = 8;
/** Concurrent submissions of a tick: when the quota is used up, so few find out. */
const concurrency = 4;

/** The accelerator of a manifest's runs, where the number of its jobs is limited. */
const limitedAccelerator = (manifest: Manifest, limits: AdmissionLimits): string | null => {
  const type = manifest.training.machine.accelerator?.type;
  return type !== undefined && type in limits.acceleratorJobsMax ? type : null;
};

type RunRequest = EventOf<"training-run.requested"> & {
  readonly data: { readonly model: ModelName; readonly run: RunId };
};

const isRunRequest = (event: ContinuoEvent): event is RunRequest =>
  event.type === "training-run.requested" && event.data.run !== undefined;

const acceleratorFor = async (
  model: ModelName,
  { state }: Ports,
  limits: AdmissionLimits,
): Promise<string | null> => {
  if (Object.keys(limits.acceleratorJobsMax).length === 0) return null;
  const found = await state.model(model);
  return found === null ? null : limitedAccelerator(found.manifest, limits);
};

/** What stands before the handling of run requests on one instance. */
export interface SubmissionGate {
  /** Handles an event; a run request that can't be submitted now is queued. Returns when it may be acknowledged. */
  readonly handle: (event: ContinuoEvent, options: HandleOptions) => Promise<void>;
}

const enqueue = ({ admission, clock }: Ports, event: RunRequest, accelerator: string | null) =>
  admission.enqueue({
    run: event.data.run,
    model: event.data.model,
    accelerator,
    enqueuedAtMs: clock(),
    event,
  });

/** Makes the gate of one instance. */
export const submissionGate = (limits: () => AdmissionLimits): SubmissionGate => {
  let lane: Promise<unknown> = Promise.resolve();
  let inLane = 0;
  let closedUntilMs = 0;

  const submitNow = async (event: RunRequest, options: HandleOptions): Promise<void> => {
    const { ports } = options;
    const isFree =
      ports.clock() >= closedUntilMs &&
      (await ports.admission.waiting({ accelerator: null, limit: 1 })).length === 0 &&
      (await takeOne(ports, limits()));
    if (!isFree) return enqueue(ports, event, null);
    const handled = await handleEvent(event, options);
    if (handled.some(({ isHeldBack }) => isHeldBack)) closedUntilMs = ports.clock() + breakerMs;
    return undefined;
  };

  /** One at a time: of many at once only the first learns that the quota is used up. */
  const inTurn = async (event: RunRequest, options: HandleOptions): Promise<void> => {
    const mine = lane.then(() => submitNow(event, options));
    lane = mine.catch(() => undefined);
    inLane += 1;
    try {
      await mine;
    } finally {
      inLane -= 1;
    }
  };

  return {
    handle: async (event, options) => {
      const { ports } = options;
      if (!isRunRequest(event)) return void (await handleEvent(event, options));
      const accelerator = await acceleratorFor(event.data.model, ports, limits());
      const mustWait = accelerator !== null || inLane >= laneMax || ports.clock() < closedUntilMs;
      return mustWait ? enqueue(ports, event, accelerator) : inTurn(event, options);
    },
  };
};

/** Those who hold an accelerator, without those whose runs are over. */
const liveHolders = async (
  { holders }: AdmissionLedger,
  accelerators: readonly string[],
  { state }: Ports,
): Promise<ReadonlySet<RunId>> => {
  const held = accelerators.flatMap((accelerator) => holders[accelerator] ?? []);
  const live = await Promise.all(
    held.map(async ({ model, run }) => {
      const current = (await state.model(model))?.run;
      return current?.run === run && current.phase !== "requested" ? [run] : [];
    }),
  );
  return new Set(live.flat());
};

/** Chooses whom to admit: those who waited longest, as far as submissions and accelerators go. */
const choose = (
  waiting: readonly WaitingSubmission[],
  ledger: AdmissionLedger,
  live: ReadonlySet<RunId>,
  nowMs: number,
  limits: AdmissionLimits,
): { readonly chosen: readonly WaitingSubmission[]; readonly ledger: AdmissionLedger } => {
  let room = roomIn(ledger, nowMs, limits);
  const holders = new Map(
    Object.entries(ledger.holders).map(([type, held]) => [
      type,
      held.filter(({ run }) => live.has(run)),
    ]),
  );
  const chosen: WaitingSubmission[] = [];
  for (const candidate of waiting.toSorted((a, b) => a.enqueuedAtMs - b.enqueuedAtMs)) {
    const { accelerator, model, run } = candidate;
    if (room <= 0) break;
    if (accelerator !== null) {
      const held = (holders.get(accelerator) ?? []).filter((holder) => holder.run !== run);
      // A limit that is gone from the settings limits nothing any more.
      if (held.length >= (limits.acceleratorJobsMax[accelerator] ?? Infinity)) continue;
      holders.set(accelerator, [...held, { model, run }]);
    }
    room -= 1;
    chosen.push(candidate);
  }
  return {
    chosen,
    ledger: {
      ...ledger,
      admitted: [...recentOf(ledger, nowMs), { atMs: nowMs, count: chosen.length }],
      holders: Object.fromEntries(holders),
    },
  };
};

/** Takes as many submissions as this minute allows, for those who waited longest. */
const admitted = async (
  waiting: readonly WaitingSubmission[],
  ports: Ports,
  limits: AdmissionLimits,
): Promise<readonly WaitingSubmission[]> => {
  const accelerators = [...new Set(waiting.flatMap(({ accelerator }) => accelerator ?? []))];
  const live =
    accelerators.length === 0
      ? new Set<RunId>()
      : await liveHolders(
          await ports.admission.ledger(),
          Object.keys(limits.acceleratorJobsMax),
          ports,
        );
  const nowMs = ports.clock();
  let chosen: readonly WaitingSubmission[] = [];
  await ports.admission.change((ledger) => {
    // Without accelerators nobody looked who holds one: they are left as they are.
    const known =
      accelerators.length === 0
        ? new Set(Object.values(ledger.holders).flatMap((held) => held.map(({ run }) => run)))
        : live;
    const choice = choose(waiting, ledger, known, nowMs, limits);
    chosen = choice.chosen;
    return chosen.length === 0 ? null : choice.ledger;
  });
  return chosen;
};

/** Submits what waits in the queue, as far as this minute's quota goes. An empty queue costs one read and no write. */
export const admitWaiting = async (
  options: HandleOptions,
  limits: AdmissionLimits,
): Promise<void> => {
  const { ports } = options;
  const limit = limits.submissionsPerMinuteMax;
  const classes = [null, ...Object.keys(limits.acceleratorJobsMax)];
  const waiting = (
    await Promise.all(classes.map((accelerator) => ports.admission.waiting({ accelerator, limit })))
  ).flat();
  if (waiting.length === 0) return;
  const chosen = await admitted(waiting, ports, limits);
  let isClosed = false;
  await forEach(
    chosen,
    "admit",
    async ({ event }) => {
      if (isClosed) return;
      const handled = await handleEvent(event, options);
      // It is journalled: what is left of it is finished by the sweep of what is pending.
      await ports.admission.remove(event);
      isClosed ||= handled.some(({ isHeldBack }) => isHeldBack);
    },
    concurrency,
  );
};
