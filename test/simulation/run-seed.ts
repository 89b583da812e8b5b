/** Plays one seed: builds its world, lets everything go wrong, then lets it come to rest and looks at what is left. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import type { Decision } from "../../shared/domain/decision.js";
import { settle } from "../../shared/domain/budget.js";
import { InvalidEventError } from "../../shared/domain/errors.js";
import type { Schedule } from "../../shared/ports/schedules.js";
import type { Ports } from "../../shared/ports/ports.js";
import { submissionGate } from "../../shared/runtime/admission.js";
import { alertGate } from "../../shared/runtime/coalesce.js";
import { redrive, sendToDeadLetters } from "../../shared/runtime/dead-letter.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import { defaultLimits } from "../../shared/runtime/quota.js";
import { templateUri } from "../../shared/runtime/training-spec.js";
import { memoryAnchors } from "../fixtures/memory-anchors.js";
import { memoryLeases } from "../fixtures/memory-leases.js";
import { memoryState, type Transition } from "../fixtures/memory-state.js";
import type { CloudContext } from "./cloud/context.js";
import { endpointWorld, type EndpointChange } from "./cloud/endpoints.js";
import { trafficMetrics } from "./cloud/metrics.js";
import { pipelineJobs } from "./cloud/pipeline-jobs.js";
import { modelRegistry } from "./cloud/registry.js";
import { simulatedFunctions, type Gates } from "./edge.js";
import { faultyPorts } from "./faulty-ports.js";
import { watchFencedWrites } from "./fenced-writes.js";
import { everythingEndsOrWaitsForAPerson } from "./invariants/at-rest.js";
import { invariants } from "./invariants/all.js";
import { forgedPush } from "./forged-push.js";
import { perform, type Hands } from "./people.js";
import { fleetOf, type Invocation, type Process } from "./processes.js";
import { calm, drawProfile, type Profile } from "./profile.js";
import { pubSub } from "./pub-sub.js";
import { randomOf } from "./random.js";
import { schedulerAt, type Scheduler } from "./scheduler.js";
import { traceOf } from "./trace.js";
import { drawWorkload, type Item, type Moment } from "./workload.js";
import type { Finding, SeenChange, SeenTransition, World } from "./world.js";

/** A planted bug: changes what the product gets to see or when it is answered for, never the product itself. */
export interface Plant {
  readonly wrap?: (ports: Ports, invocation: Invocation) => Ports;
  /** Messages are acknowledged before they are handled. */
  readonly isAcknowledgedFirst?: boolean;
}

/** One await: the process dies before its nth call of a port takes effect, or right after. */
export interface CrashPoint {
  readonly call: number;
  readonly when: "before" | "after";
}

/** What to play. */
export interface SeedOptions {
  readonly seed: number;
  readonly isTraced?: boolean;
  /** Nothing goes wrong but for the one crash that may be asked for. */
  readonly isCalm?: boolean;
  readonly crashAt?: CrashPoint;
  readonly plant?: Plant;
  /** Acts and faults to leave out, when a history is thinned out. */
  readonly withoutActs?: ReadonlySet<number>;
  readonly withoutFaults?: ReadonlySet<string>;
}

/** An invariant that did not hold. */
export interface Violation {
  readonly invariant: string;
  readonly finding: string;
  readonly sinceStartMs: number;
}

/** What came of one seed. */
export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | null;
  /** Events decided for a model, repeated deliveries included. */
  readonly events: number;
  readonly steps: number;
  /** Calls of ports: every await at which a process can die. */
  readonly calls: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly profile: Profile;
  readonly items: readonly Item[];
  readonly trace: readonly string[];
  readonly transitions: readonly SeenTransition[];
  /** Everything as it is at the end. */
  readonly world: World;
}

const minute = 60_000;
const hour = 60 * minute;
/** Acts and faults happen in this span, faults a little longer. */
const workMs = 3 * hour;
const faultsMs = workMs + 30 * minute;
/** When faults stop, everything must be over or wait for a person within this time. */
const restMsMax = 14 * hour;
/** Looked at once more after this: nothing may move by itself any more. */
const restMs = 75 * minute;

const bucket = "demo-bucket";

/** The settings that the runtime reads once per process. */
export const simulatedEnvironment = {
  CONTINUO_PROJECT: "demo-project",
  CONTINUO_BUCKET: bucket,
  CONTINUO_IDENTITY: "continuo@demo-project.iam.gserviceaccount.com",
  CONTINUO_PUSH_AUDIENCE: "http://127.0.0.1:8800",
  CONTINUO_PUSH_IDENTITY: "push@demo-project.iam.gserviceaccount.com",
} as const;

const template = Buffer.from(
  JSON.stringify({
    deploymentSpec: { executors: { "exec-train": { container: { image: "x" } } } },
  }),
);
const report = Buffer.from(JSON.stringify({ sample: [{ age: 40 }] }));

/** Most months begin in the middle of nowhere; some seeds cross the end of one. */
const startOf = (seed: number): number =>
  randomOf(seed, "start").chance(0.2) ? Date.UTC(2026, 0, 31, 22) : Date.UTC(2026, 0, 5, 12);

/** Lets acts wait for the nth time that something is decided for a model. */
const momentsOf = (scheduler: Scheduler) => {
  const counts = new Map<string, number>();
  const waiting = new Map<string, { readonly delayMs: number; readonly act: () => void }[]>();
  return {
    wait: ({ model, decision, nth, delayMs }: Moment, act: () => void): void => {
      const key = `${model}/${decision}/${nth}`;
      waiting.set(key, [...(waiting.get(key) ?? []), { delayMs, act }]);
    },
    reached: (model: ModelName, decision: Decision["do"]): void => {
      const nth = (counts.get(`${model}/${decision}`) ?? 0) + 1;
      counts.set(`${model}/${decision}`, nth);
      for (const { delayMs, act } of waiting.get(`${model}/${decision}/${nth}`) ?? []) {
        scheduler.after(delayMs, act);
      }
    },
  };
};

/** Plays one seed. */
export const runSeed = async (options: SeedOptions): Promise<SeedResult> => {
  Object.assign(process.env, simulatedEnvironment);
  const { seed, plant = {}, withoutActs = new Set(), withoutFaults = new Set() } = options;
  const startMs = startOf(seed);
  const scheduler = schedulerAt(startMs);
  const trace = traceOf({
    isOn: options.isTraced ?? false,
    sinceStartMs: () => scheduler.nowMs() - startMs,
  });
  const drawn =
    options.isCalm === true
      ? calm
      : drawProfile(randomOf(seed, "profile"), {
          fromMs: startMs,
          untilMs: startMs + faultsMs,
        });
  const profile: Profile = {
    ...drawn,
    ...Object.fromEntries(
      [...withoutFaults].map((kind) => [kind, kind === "outages" ? [] : 0] as const),
    ),
  };
  const activeProfile = (): Profile => (scheduler.nowMs() - startMs < faultsMs ? profile : calm);

  let violation: Violation | null = null;
  const claim = (invariant: string, finding: Finding): void => {
    if (finding === null || violation !== null) return;
    violation = { invariant, finding, sinceStartMs: scheduler.nowMs() - startMs };
    trace.line(() => `VIOLATION ${invariant}: ${finding}`);
  };
  const isBroken = (): boolean => violation !== null;

  const moments = momentsOf(scheduler);
  let issuedAtMs = startMs;
  const transitions: SeenTransition[] = [];
  const changes: SeenChange[] = [];
  const forgotten = new Map<ModelName, number>();
  const watchTransition = (transition: Transition): void => {
    const seen = { ...transition, atMs: scheduler.nowMs() };
    transitions.push(seen);
    if (seen.after === null && seen.before !== null) forgotten.set(seen.model, seen.atMs);
    const { entry } = transition.commit;
    trace.line(
      () =>
        `commit ${seen.model} ${entry.event.type} ${entry.event.id}: ${entry.decisions.map(({ decision }) => `${decision.do} (${decision.reason.slice(0, 160)})`).join("; ")}`,
    );
    for (const [name, holds] of Object.entries(invariants.transition))
      claim(name, holds(seen, world));
    for (const { decision } of entry.decisions) moments.reached(seen.model, decision.do);
  };
  const watchChange = (change: EndpointChange): void => {
    const seen = { ...change, issuedAtMs };
    changes.push(seen);
    for (const [name, holds] of Object.entries(invariants.change)) claim(name, holds(seen, world));
  };

  const store = memoryState(watchTransition);
  const leases = memoryLeases(scheduler.nowMs);
  const { anchors, anchored } = memoryAnchors(scheduler.nowMs);
  const topics = pubSub({ seed, scheduler, trace, profile: activeProfile });
  const cloud: CloudContext = { seed, scheduler, trace, profile: activeProfile, pubSub: topics };
  const jobs = pipelineJobs(cloud);
  const registry = modelRegistry(cloud);
  const endpoints = endpointWorld(cloud, registry, watchChange);
  const schedules = new Map<ModelName, readonly Schedule[]>();
  const consumed = new Map<string, Set<string>>();
  const sent: ContinuoEvent[] = [];
  const poison: string[] = [];
  const forged: { readonly id: string; status: number | null }[] = [];

  const world: World = {
    seed,
    scheduler,
    trace,
    profile: activeProfile,
    skewMsMax: profile.skewMsMax,
    store,
    anchored,
    pubSub: topics,
    jobs,
    registry,
    endpoints,
    schedules,
    transitions,
    changes,
    sent,
    poison,
    consumed,
    forged,
    forgottenSince: (model, atMs) => (forgotten.get(model) ?? -Infinity) > atMs,
    spentUsd: (model) => spentUsd(model),
  };

  /** A month begins when the first clock says so, and does not come back. */
  const spentUsd = (model: ModelName): number => {
    const since = forgotten.get(model) ?? -Infinity;
    let month = "";
    let total = 0;
    for (const seen of transitions) {
      if (seen.model !== model || seen.atMs <= since) continue;
      const now = new Date(seen.commit.entry.receivedAtMs).toISOString().slice(0, 7);
      if (now > month) total = 0;
      month = now > month ? now : month;
      const manifest = seen.before?.manifest;
      for (const { run, reservedUsd } of seen.commit.runs) {
        if (manifest === undefined || reservedUsd === 0) continue;
        const seconds = jobs.jobsOf(run).reduce((sum, { facts }) => sum + facts.machineSeconds, 0);
        total += settle(manifest, seconds, reservedUsd);
      }
    }
    return total;
  };

  const requestsPerSecond = (endpoint: string): number =>
    randomOf(seed, `traffic/${endpoint}`).pick([0, 5, 20, 20, 100]);
  let events = 0;
  let calls = 0;
  const base: Ports = {
    state: {
      ...store.state,
      transact: (...decision) => {
        events += 1;
        return store.state.transact(...decision);
      },
    },
    admission: store.admission,
    anchors,
    leases: leases.leases,
    bus: {
      publish: async (topic, message) => {
        topics.publish(topic, message);
      },
    },
    pipelines: jobs.port,
    registry: registry.port,
    endpoints: endpoints.port,
    metrics: trafficMetrics(cloud, endpoints, requestsPerSecond),
    objects: {
      read: async (uri) => (uri === templateUri(bucket) ? template : report),
      write: async () => undefined,
      list: async () => [],
    },
    schedules: {
      sync: async (model, wanted) => {
        schedules.set(model, [...wanted]);
      },
    },
    logs: { write: async () => undefined },
    predictionLog: { read: async () => [] },
    clock: scheduler.nowMs,
  };

  const fleet = fleetOf(randomOf(seed, "fleet"), () => activeProfile().skewMsMax, trace.count);
  const invoke = (
    label: string,
    task: (ports: Ports, invocation: Invocation) => Promise<unknown>,
    answer: (answer: "ack" | "nack") => void = () => undefined,
  ): void => {
    const invocation = fleet.invoke(label, randomOf(seed, label));
    const faulty = faultyPorts(
      {
        seed,
        base,
        scheduler,
        fleet,
        trace,
        profile: activeProfile,
        plannedCrash: () => {
          calls += 1;
          return options.crashAt?.call === calls ? `crash ${options.crashAt.when}` : null;
        },
        issued: (atMs) => {
          issuedAtMs = atMs;
        },
      },
      invocation,
    );
    const watched = watchFencedWrites(
      faulty,
      leases,
      (finding) => claim("anOldEpochNeverWrites", finding),
      trace.count,
    );
    const ports = plant.wrap?.(watched, invocation) ?? watched;
    task(ports, invocation).then(
      () => answer("ack"),
      (error: unknown) => {
        trace.line(() => `${invocation.process.name} ${label} failed: ${String(error)}`);
        answer("nack");
      },
    );
  };

  // A process keeps its gates as long as it lives; what a gate wants to do later dies with it.
  const gates = new WeakMap<Process, Gates>();
  const gatesOf = (process: Process): Gates => {
    const known = gates.get(process);
    if (known !== undefined) return known;
    const alerts = alertGate({
      instance: process.name,
      later: (delayMs, task) =>
        scheduler.after(delayMs, () => {
          if (!process.isDead) task();
        }),
    });
    const made = { alerts, submissions: submissionGate(() => defaultLimits) };
    gates.set(process, made);
    return made;
  };

  for (const { name, topic, handle } of simulatedFunctions(gatesOf)) {
    topics.subscribe(name, topic, (delivery, answer) => {
      if (plant.isAcknowledgedFirst === true) answer("ack");
      invoke(
        `${name}/${delivery.id}/${delivery.deliveryAttempt}`,
        async (ports, invocation) => {
          try {
            await handle(delivery, ports, invocation);
          } catch (error) {
            if (!(error instanceof InvalidEventError)) throw error;
            await sendToDeadLetters(name, error.message, delivery, ports);
          }
        },
        answer,
      );
    });
  }
  for (const topic of ["notification", "promotion"]) {
    const ids = new Set<string>();
    consumed.set(topic, ids);
    topics.subscribe(`consumer-of-${topic}`, topic, ({ data }, answer) => {
      const { id } = JSON.parse(data.toString("utf8")) as { readonly id: string };
      ids.add(id);
      answer("ack");
    });
  }

  const redriveAll = (): void => {
    for (const letter of store.letters.values()) {
      const isOurs = letter.attributes["continuo-reason"] === undefined;
      if (letter.redrivenAtMs !== null || !isOurs) continue;
      trace.count("redriven dead letter");
      invoke(`redrive/${letter.id}/${Math.floor(scheduler.nowMs())}`, (ports) =>
        redrive(letter, ports),
      );
    }
  };

  const hands: Hands = {
    world,
    ask: (event, model) => {
      // Whoever gets an error asks again; a process that dies leaves them without an answer.
      const attempt = (count: number): void =>
        invoke(
          `api/${event.id}/${count}`,
          (ports) => handleEvent(event, { function: "api", ports, models: [model] }),
          (answer) => {
            const isWorthwhile =
              answer === "nack" && (count < 3 || event.type === "manifest.applied");
            if (isWorthwhile) scheduler.after(minute, () => attempt(count + 1));
          },
        );
      attempt(1);
    },
    forge: (event, which) => {
      trace.count("push without a valid token");
      const push = { id: event.id, status: null };
      forged.push(push);
      invoke(event.id, (ports) => forgedPush(event, which, ports, push));
    },
    redriveAll,
    sent: (event) => {
      sent.push(event);
    },
    poisoned: (id) => {
      poison.push(id);
    },
  };

  const items = drawWorkload(seed, {
    spanMs: workMs,
    meddlesPerHour: profile.meddlesPerHour,
  }).filter(({ index }) => !withoutActs.has(index));
  for (const item of items) {
    const act = (): void => {
      // People go home with the faults, so that the rest is the control plane's own.
      if (scheduler.nowMs() - startMs < faultsMs) perform(hands, item);
    };
    if (typeof item.atMs === "number") scheduler.after(item.atMs, act);
    else moments.wait(item.atMs, act);
  }

  let minutes = 0;
  const everyMinute = (): void => {
    minutes += 1;
    const { tickMissed, tickDoubled } = activeProfile();
    const random = randomOf(seed, `minute/${minutes}`);
    const isMissed = random.chance(tickMissed);
    const copies = isMissed ? 0 : 1 + Number(random.chance(tickDoubled));
    if (isMissed) trace.count("missed tick");
    if (copies === 2) trace.count("doubled tick");
    for (let copy = 0; copy < copies; copy += 1) {
      topics.publish("tick", { data: Buffer.from(`{"n":${minutes}}`), attributes: {} });
    }
    if (minutes % 60 === 0) {
      topics.publish("reconcile", { data: Buffer.from(`{"n":${minutes}}`), attributes: {} });
    }
    if (minutes % 20 === 0 && activeProfile() === calm) redriveAll();
    for (const [name, holds] of Object.entries(invariants.minute)) claim(name, holds(world));
    scheduler.after(minute, everyMinute);
  };
  scheduler.after(minute, everyMinute);

  const isAtRest = (): boolean =>
    store.pending.size === 0 &&
    endpoints.operationsRunning() === 0 &&
    registry.uploadsRunning() === 0 &&
    everythingEndsOrWaitsForAPerson(world) === null;

  await scheduler.run(startMs + faultsMs, isBroken);
  let lookedAt = minutes;
  await scheduler.run(startMs + faultsMs + restMsMax, () => {
    if (isBroken()) return true;
    // Once a minute is often enough to see that nothing moves.
    if (minutes === lookedAt) return false;
    lookedAt = minutes;
    return isAtRest();
  });
  if (!isBroken()) await scheduler.run(scheduler.nowMs() + restMs, isBroken);
  for (const [name, holds] of Object.entries(invariants.rest)) claim(name, holds(world));

  return {
    seed,
    violation,
    events,
    steps: scheduler.steps(),
    calls,
    faults: trace.counts,
    profile,
    items,
    trace: trace.lines,
    transitions,
    world,
  };
};
