/** The ports as one invocation sees them: every call is a suspension point that may be slow, fail, lie or kill. */
import { ConflictError, RejectedError, UnavailableError } from "../../shared/domain/errors.js";
import type { MetricAnswer } from "../../shared/ports/metrics.js";
import type { Ports } from "../../shared/ports/ports.js";
import { leaseMs } from "../../shared/runtime/guards.js";
import { uploadLeaseMs } from "../../shared/runtime/register-version.js";
import type { Fleet, Invocation } from "./processes.js";
import type { Profile, Service } from "./profile.js";
import { randomOf, type Random } from "./random.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** What the calls of every invocation share. */
export interface FaultyWorld {
  readonly seed: number;
  readonly base: Ports;
  readonly scheduler: Scheduler;
  readonly fleet: Fleet;
  readonly trace: Trace;
  /** The profile of this moment: faults stop before the end. */
  readonly profile: () => Profile;
  /** Asked at each call: whether the process dies there whatever the profile says. */
  readonly plannedCrash: () => "crash before" | "crash after" | null;
  /** Told, before a call takes effect, since when it was under way. */
  readonly issued: (atMs: number) => void;
}

interface Traits {
  readonly service: Service;
  /** A quota, or a region that lacks a machine, refuses this for good. */
  readonly isRefused?: boolean;
  readonly isDecision?: boolean;
  /** Sent under a lease of this length, to a target that cannot tell a late request. */
  readonly leaseMs?: number;
}

/** What becomes of a call; the first five are how Google's APIs fail without and with the effect. */
type Fate =
  | "503, not done"
  | "429, not done"
  | "deadline exceeded, not done"
  | "503, yet done"
  | "deadline exceeded, yet done"
  | "done"
  | "refused"
  | "conflict"
  | "outage"
  | "crash before"
  | "crash after";

const latencyMsMax = 30;
/** The adapters give up on a call after this long; the request may still be done later. */
const deadlineMs = 20_000;
const lostReplyMsMax = 20_000;
/** The network keeps a request for up to this much longer than its lease. */
const keptMsMax = 240_000;

const fateOf = (
  { random }: Invocation,
  profile: Profile,
  { service, isRefused = false, isDecision = false }: Traits,
  nowMs: number,
): Fate => {
  const isDown = profile.outages.some(
    (outage) => outage.service === service && outage.fromMs <= nowMs && nowMs < outage.untilMs,
  );
  if (isDown) return "outage";
  if (isRefused) return "refused";
  let draw = random.next();
  const falls = (probability: number): boolean => {
    draw -= probability;
    return draw < 0;
  };
  if (falls(profile.unavailable)) {
    return random.pick(["503, not done", "429, not done", "deadline exceeded, not done"]);
  }
  if (falls(profile.replyLost))
    return random.pick(["503, yet done", "deadline exceeded, yet done"]);
  if (falls(profile.crash / 2)) return "crash before";
  if (falls(profile.crash / 2)) return "crash after";
  if (isDecision && falls(profile.conflict)) return "conflict";
  return "done";
};

const errorOf = (fate: Fate, name: string): Error => {
  switch (fate) {
    case "refused":
      return new RejectedError(`${name}: INVALID_ARGUMENT: refused by the simulation`);
    case "conflict":
      return new ConflictError(`${name}: ABORTED: too much contention`);
    case "429, not done":
      return new UnavailableError(`${name}: RESOURCE_EXHAUSTED: a quota is used up`, {
        retryAfterMs: 10_000,
        isQuota: true,
      });
    case "deadline exceeded, not done":
    case "deadline exceeded, yet done":
      return new UnavailableError(`${name}: DEADLINE_EXCEEDED: no reply came`);
    case "done":
    case "503, not done":
    case "503, yet done":
    case "outage":
    case "crash before":
    case "crash after":
      return new UnavailableError(`${name}: UNAVAILABLE: the service does not answer`);
  }
};

const textOf = (value: unknown): string =>
  (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, 300);

/** Wraps the ports for one invocation. */
export const faultyPorts = (world: FaultyWorld, invocation: Invocation): Ports => {
  const { base, scheduler, fleet, trace, profile } = world;
  const { process, random, label } = invocation;
  let pauses: Random | undefined;

  /** How long the caller is frozen once its call is answered: leases end while their holders believe in them. */
  const pauseMs = ({ slow, slowMsMax }: Profile): number => {
    if (slow === 0) return 0;
    pauses ??= randomOf(world.seed, `pause/${label}`);
    return pauses.chance(slow / 2) ? pauses.between(latencyMsMax, slowMsMax) : 0;
  };

  let keeps: Random | undefined;

  /** How long the network keeps a request that is sent under a lease, when it does. */
  const keptLongerThan = (leaseMsOf: number | undefined, { kept }: Profile): number => {
    if (leaseMsOf === undefined || kept === 0) return 0;
    keeps ??= randomOf(world.seed, `kept/${label}`);
    return keeps.chance(kept) ? leaseMsOf + keeps.between(0, keptMsMax) : 0;
  };

  const call = <Result>(
    name: string,
    traits: Traits,
    args: readonly unknown[],
    apply: () => Promise<Result>,
  ): Promise<Result> =>
    new Promise((resolve, reject) => {
      const now = profile();
      const issuedAtMs = scheduler.nowMs();
      const fate = world.plannedCrash() ?? fateOf(invocation, now, traits, scheduler.nowMs());
      const isSlow = random.chance(now.slow);
      const keptMs = keptLongerThan(traits.leaseMs, now);
      const usualMs = isSlow
        ? random.between(latencyMsMax, now.slowMsMax)
        : random.between(0, latencyMsMax);
      const latencyMs = Math.max(usualMs, keptMs);
      const isSent = random.chance(0.5);
      if (fate !== "done") trace.count(fate);
      if (isSlow) trace.count("slow call");
      if (keptMs > 0) trace.count("call kept longer than its lease");
      const note = (what: string): void =>
        trace.line(
          () => `${process.name} ${label} ${name}(${args.map(textOf).join(", ")}) ${what}`,
        );
      const reply = (settle: () => void): void => {
        if (!process.isDead) settle();
      };
      if (latencyMs > deadlineMs) {
        scheduler.after(deadlineMs, () =>
          reply(() => reject(errorOf("deadline exceeded, yet done", name))),
        );
      }
      scheduler.after(latencyMs, () => {
        if (process.isDead && !isSent) return;
        switch (fate) {
          case "503, not done":
          case "429, not done":
          case "outage":
          case "refused":
          case "conflict":
            note(fate);
            return reply(() => reject(errorOf(fate, name)));
          case "deadline exceeded, not done":
            note(fate);
            scheduler.after(deadlineMs - Math.min(latencyMs, deadlineMs), () =>
              reply(() => reject(errorOf(fate, name))),
            );
            return undefined;
          case "crash before":
            note(fate);
            return fleet.crash(process);
          case "done":
          case "503, yet done":
          case "deadline exceeded, yet done":
          case "crash after": {
            world.issued(issuedAtMs);
            const outcome = apply();
            note(fate);
            // Nobody may be there to hear what came of it: the caller died, or gave up waiting.
            outcome.catch(() => undefined);
            if (fate === "done" && !process.isDead) {
              const frozenMs = pauseMs(now);
              if (frozenMs === 0) return resolve(outcome);
              trace.count("paused caller");
              scheduler.after(frozenMs, () => reply(() => resolve(outcome)));
              return undefined;
            }
            if (fate === "crash after") fleet.crash(process);
            else if (fate !== "done") {
              const waitMs = fate === "503, yet done" ? 0 : random.between(0, lostReplyMsMax);
              scheduler.after(waitMs, () => reply(() => reject(errorOf(fate, name))));
            }
            return undefined;
          }
        }
      });
    });

  const wrap =
    <Args extends readonly unknown[], Result>(
      name: string,
      traits: Traits,
      method: (...args: Args) => Promise<Result>,
    ) =>
    (...args: Args): Promise<Result> =>
      call(name, traits, args, () => method(...args));

  const store = { service: "store" } as const;
  const vertex = { service: "vertex" } as const;
  const isRefused = (what: string): boolean =>
    randomOf(world.seed, `refused/${what}`).chance(profile().refused);
  const refusable =
    <Request, Rest extends readonly unknown[]>(
      name: string,
      idOf: (request: Request) => string,
      method: (request: Request, ...rest: Rest) => Promise<void>,
      traits: Partial<Traits> = {},
    ) =>
    (request: Request, ...rest: Rest): Promise<void> =>
      call(
        name,
        { ...vertex, ...traits, isRefused: isRefused(`${name}/${idOf(request)}`) },
        [request],
        () => method(request, ...rest),
      );
  const bucket = { service: "bucket" } as const;
  let looks: Random | undefined;

  /** Of many endpoints that are read together, one or the other cannot be. */
  const somewhere = (answer: MetricAnswer): MetricAnswer => {
    looks ??= randomOf(world.seed, `look/${label}`);
    if (!looks.chance(profile().unavailable)) return answer;
    trace.count("one endpoint unreadable");
    return { error: errorOf("503, not done", "counts") };
  };
  const {
    state,
    admission,
    anchors,
    leases,
    bus,
    pipelines,
    registry,
    endpoints,
    metrics,
    objects,
    schedules,
  } = base;
  const counts = wrap("counts", { service: "metrics" }, metrics.counts);
  return {
    state: {
      transact: (key, model, decide) =>
        call("transact", { ...store, isDecision: true }, [key, model], () =>
          state.transact(key, model, decide),
        ),
      record: wrap("record", store, state.record),
      markDone: wrap("markDone", store, state.markDone),
      entry: wrap("entry", store, state.entry),
      pendingEntries: wrap("pendingEntries", store, state.pendingEntries),
      timeline: wrap("timeline", store, state.timeline),
      chain: wrap("chain", store, state.chain),
      unanchored: wrap("unanchored", store, state.unanchored),
      markAnchored: wrap("markAnchored", store, state.markAnchored),
      model: wrap("model", store, state.model),
      models: wrap("models", store, state.models),
      modelPage: wrap("modelPage", store, state.modelPage),
      dueTimers: wrap("dueTimers", store, state.dueTimers),
      run: wrap("run", store, state.run),
      runs: wrap("runs", store, state.runs),
      rollout: wrap("rollout", store, state.rollout),
      rollouts: wrap("rollouts", store, state.rollouts),
      countAlerts: wrap("countAlerts", store, state.countAlerts),
      alertCounts: wrap("alertCounts", store, state.alertCounts),
      addDeadLetter: wrap("addDeadLetter", store, state.addDeadLetter),
      deadLetters: wrap("deadLetters", store, state.deadLetters),
      deadLetter: wrap("deadLetter", store, state.deadLetter),
      markRedriven: wrap("markRedriven", store, state.markRedriven),
    },
    admission: {
      enqueue: wrap("enqueue", store, admission.enqueue),
      waiting: wrap("waiting", store, admission.waiting),
      remove: wrap("removeWaiting", store, admission.remove),
      length: wrap("queueLength", store, admission.length),
      place: wrap("place", store, admission.place),
      ledger: wrap("ledger", store, admission.ledger),
      change: (change) =>
        call("changeLedger", { ...store, isDecision: true }, [], () => admission.change(change)),
    },
    anchors: {
      write: wrap("anchor", bucket, anchors.write),
      list: wrap("listAnchors", bucket, anchors.list),
    },
    leases: {
      acquire: wrap("acquireLease", { ...store, isDecision: true }, leases.acquire),
      release: wrap("releaseLease", { ...store, isDecision: true }, leases.release),
    },
    bus: { publish: wrap("publish", { service: "bus" }, bus.publish) },
    pipelines: {
      submit: refusable("submit", ({ run }) => run, pipelines.submit),
      get: wrap("getJob", vertex, pipelines.get),
      cancel: wrap("cancelJob", vertex, pipelines.cancel),
    },
    registry: {
      remove: wrap("removeVersion", vertex, registry.remove),
      uploads: wrap("uploads", vertex, registry.uploads),
      uploading: wrap("uploading", vertex, registry.uploading),
      upload: refusable("upload", ({ alias }) => alias, registry.upload, {
        leaseMs: uploadLeaseMs,
      }),
      version: wrap("version", vertex, registry.version),
      setAliases: wrap("setAliases", { ...vertex, leaseMs }, registry.setAliases),
      importEvaluation: wrap("importEvaluation", { ...vertex, leaseMs }, registry.importEvaluation),
    },
    endpoints: {
      ensure: wrap("ensure", vertex, endpoints.ensure),
      get: wrap("getEndpoint", vertex, endpoints.get),
      deploy: refusable("deploy", (deployment) => deployment.deployedModelId, endpoints.deploy),
      undeploy: wrap("undeploy", vertex, endpoints.undeploy),
      scale: wrap("scale", { ...vertex, leaseMs }, endpoints.scale),
      setTrafficSplit: wrap("setTrafficSplit", vertex, endpoints.setTrafficSplit),
      predict: wrap("predict", vertex, endpoints.predict),
    },
    metrics: {
      counts: async (queries) => (await counts(queries)).map(somewhere),
    },
    objects: {
      read: wrap("readObject", bucket, objects.read),
      write: wrap("writeObject", bucket, objects.write),
      list: wrap("listObjects", bucket, objects.list),
    },
    // No look compares Scheduler's jobs with the manifest later: one that is kept too long is not promised anything.
    schedules: { sync: wrap("syncSchedules", vertex, schedules.sync) },
    logs: base.logs,
    predictionLog: base.predictionLog,
    clock: () => Math.floor(scheduler.nowMs() + process.skewMs),
  };
};
