/**
 * A storm of alerts about one model, through Pub/Sub, a service that scales, and a store that takes its time: how much
 * of it reaches the store, and how long the model's neighbours wait meanwhile.
 */
import { cloudEvent } from "../../../events/sources/cloud-event.js";
import { monitoringAnomaly } from "../../../events/sources/cloud-logging.js";
import type { ModelName } from "../../../events/ids.js";
import { functions } from "../../../functions/manifest.js";
import type { Ports } from "../../../shared/ports/ports.js";
import type { State } from "../../../shared/ports/state.js";
import { alertGate } from "../../../shared/runtime/coalesce.js";
import { handleEvent } from "../../../shared/runtime/handle.js";
import { handlingThrough } from "../../../shared/runtime/edge.js";
import { tick } from "../../../shared/runtime/tick.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { storyOf, type Story } from "../../flow/story.js";
import { calm } from "../profile.js";
import { pubSub } from "../pub-sub.js";
import { randomOf, type Random } from "../random.js";
import { schedulerAt, type Scheduler } from "../scheduler.js";
import { traceOf } from "../trace.js";
import { counter, spread } from "./fleet.js";
import { instancesOf } from "./instances.js";

/** What a storm came to. */
export interface StormFigures {
  readonly alerts: number;
  /** Runs that it started. */
  readonly runs: number;
  /** Alerts of the stormy model that were journalled and decided. */
  readonly admitted: number;
  /** Alerts that were counted instead. */
  readonly counted: number;
  /** Writes of the model's document until its run was requested. */
  readonly modelWrites: number;
  /** The most writes that any document was asked for within a second. */
  readonly writesPerSecondMax: number;
  readonly deadLetters: number;
  /** From the last alert's publication to the last acknowledgement. */
  readonly absorbedMs: number;
  readonly neighbours: number;
  /** From publication to acknowledgement, of alerts about other models during the storm. */
  readonly neighbourP99Ms: number;
}

/** How to storm. */
export interface StormOptions {
  readonly alerts: number;
  /** Without the gate each alert is a transaction of its own: what the gate is for. */
  readonly isCoalesced: boolean;
}

const second = 1000;
const minute = 60 * second;
const stormMs = minute;
const neighbours = 100;
/** What a call of Firestore takes, from one region. */
const callMs = { least: 10, most: 60 } as const;
/** A document takes one write a second in the long run. */
const documentWriteMs = second;
/** Half a second is measured for the process and its first operation; the rest is what Cloud Run takes to place it. */
const coldStartMs = 2 * second;
/** Processor time of one push, its token's verification included. */
const cpuMs = 2;
/** A storm that is not over by then is not absorbed. */
const endMsMax = 7 * 24 * 60 * minute;

const drifting = manifestOf({
  triggers: { drift: "retrain", debounceSeconds: 60, debounceSecondsMax: 120, cooldownSeconds: 0 },
});

/** A log entry of Vertex AI's monitoring, as a sink delivers it. */
const anomaly = (index: number, deployedModelId: string, atMs: number): Buffer => {
  // Every hundredth alert is about another window: their contents differ.
  const startMs = Date.UTC(2026, 0, 1) + (index % 100) * 60 * minute;
  return Buffer.from(
    JSON.stringify({
      insertId: `storm-${index}`,
      logName: "projects/demo/logs/aiplatform.googleapis.com%2Fmodel_monitoring_anomaly",
      timestamp: new Date(atMs).toISOString(),
      jsonPayload: {
        "@type":
          "type.googleapis.com/google.cloud.aiplatform.logging.ModelMonitoringAnomaliesLogEntry",
        anomalyObjective: "RAW_FEATURE_DRIFT",
        startTime: new Date(startMs).toISOString(),
        endTime: new Date(startMs + 1).toISOString(),
        deployedModelId,
        featureAnomalies: [{ featureDisplayName: "age", deviation: 0.4, threshold: 0.3 }],
      },
    }),
  );
};

/** The same about another model, as one of our own detectors tells it. */
const neighbourAlert = (model: ModelName, atMs: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      specversion: "1.0",
      type: "drift.detected",
      id: `alert/${model}`,
      source: "scale",
      time: new Date(atMs).toISOString(),
      data: {
        model,
        objective: "feature",
        window: {
          start: new Date(atMs - minute).toISOString(),
          end: new Date(atMs).toISOString(),
        },
        anomalies: [{ feature: "age", deviation: 0.4, threshold: 0.3 }],
      },
    }),
  );

/** The store with the time that it takes: transactions on one model go one by one, its writes a second apart. */
const slowState = (
  state: State,
  scheduler: Scheduler,
  random: Random,
  asked: (path: string, atMs: number) => void,
): State => {
  const freeAtMs = new Map<ModelName, number>();
  const writtenAtMs = new Map<ModelName, number>();
  const pass = (ms: number): Promise<void> =>
    new Promise((resolve) => scheduler.after(ms, resolve));
  const call = (): number => random.between(callMs.least, callMs.most);
  const after =
    <Args extends readonly unknown[], Result>(method: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      await pass(call());
      return method(...args);
    };
  return {
    ...state,
    model: after(state.model),
    models: after(state.models),
    modelPage: after(state.modelPage),
    entry: after(state.entry),
    pendingEntries: after(state.pendingEntries),
    dueTimers: after(state.dueTimers),
    markDone: after(state.markDone),
    record: after(state.record),
    countAlerts: async (count) => {
      asked(`alertCounts/${count.id}`, scheduler.nowMs());
      await pass(call());
      return state.countAlerts(count);
    },
    transact: async (key, model, decide) => {
      const askedAtMs = scheduler.nowMs();
      const untilMs = Math.max(askedAtMs, freeAtMs.get(model) ?? 0) + call();
      freeAtMs.set(model, untilMs);
      await pass(untilMs - askedAtMs);
      const result = await state.transact(key, model, decide);
      if (result.outcome !== "committed" || result.commit.state === undefined) return result;
      asked(`models/${model}`, askedAtMs);
      const nowMs = scheduler.nowMs();
      const restedAtMs = Math.max(nowMs, (writtenAtMs.get(model) ?? 0) + documentWriteMs);
      writtenAtMs.set(model, restedAtMs);
      freeAtMs.set(model, Math.max(freeAtMs.get(model) ?? 0, restedAtMs));
      await pass(restedAtMs - nowMs);
      return result;
    },
  };
};

/** A model whose champion serves. */
const calmStory = async (): Promise<Story> => {
  const story = await storyOf(drifting);
  await story.arrive("january");
  await story.pass(121);
  await story.endJob({
    dataGate: { verdict: "go", reasons: [], profileUri: "gs://profiles/january" },
    evaluation: {
      report: "gs://demo-continuo/report.json",
      outcome: "accept",
      reasons: [],
      numbers: {},
      artifact: "gs://demo-continuo/model",
      artifactDigest: "sha256:1",
    },
  });
  for (let visit = 0; visit < 9; visit += 1) await story.pass(1);
  return story;
};

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? 0;

/** Lets one model's alerts storm for a minute. */
export const alertStorm = async ({ alerts, isCoalesced }: StormOptions): Promise<StormFigures> => {
  const story = await calmStory();
  const { world } = story;
  const { champion, model: stormy } = story.model();
  const deployed = champion?.deployed["production"];
  if (deployed === undefined) throw new Error("there is no champion");
  const others = await spread(world, neighbours, (model) => ({ ...story.model(), model }));
  const journalled = new Set(world.journal.keys());
  const jobsBefore = world.jobs.size;

  const startMs = world.nowMs;
  const scheduler = schedulerAt(startMs);
  const trace = traceOf({ isOn: false, sinceStartMs: scheduler.nowMs });
  const topics = pubSub({ seed: 1, scheduler, trace, profile: () => calm });
  const perSecond = counter();
  let isRequested = false;
  let modelWrites = 0;
  const asked = (path: string, atMs: number): void => {
    perSecond.add(`${path}@${Math.floor((atMs - startMs) / second)}`);
    if (path === `models/${stormy}` && !isRequested) modelWrites += 1;
    isRequested ||= (world.models.get(stormy)?.run ?? null) !== null;
  };
  const ports: Ports = {
    ...world.ports,
    state: slowState(world.ports.state, scheduler, randomOf(1, "store"), asked),
    clock: () => Math.floor(scheduler.nowMs()),
  };

  const spec = functions.find(({ name }) => name === "on-alert-fired");
  if (spec === undefined) throw new Error("no function reacts to alerts");
  const sources = [cloudEvent("drift.detected"), monitoringAnomaly];
  const service = instancesOf(scheduler, { ...spec, coldStartMs, cpuMs }, (index) => {
    const later = scheduler.after;
    const gate = alertGate({ instance: `i${index}`, later });
    const through = isCoalesced ? gate.handle : handleEvent;
    return { gate, handle: handlingThrough(through, spec.name, ...sources) };
  });

  const publishedAtMs = new Map<string, number>();
  const waits: number[] = [];
  let lastAtMs = startMs;
  topics.subscribe(spec.name, spec.name, (delivery, answer) =>
    service.request(({ handle }, answered) => {
      const end = (what: "ack" | "nack") => (): void => {
        answered();
        answer(what);
        if (what === "nack") return;
        lastAtMs = scheduler.nowMs();
        const sinceMs = publishedAtMs.get(delivery.attributes["neighbour"] ?? "");
        if (sinceMs !== undefined) waits.push(lastAtMs - sinceMs);
      };
      handle(delivery, ports).then(end("ack"), end("nack"));
    }),
  );
  let deadLetters = 0;
  topics.subscribe("dead-letters", "dead-letter", (_letter, answer) => {
    deadLetters += 1;
    answer("ack");
  });

  for (let index = 0; index < alerts; index += 1) {
    scheduler.after((index * stormMs) / alerts, () =>
      topics.publish(spec.name, { data: anomaly(index, deployed, startMs), attributes: {} }),
    );
  }
  for (const [index, model] of others.entries()) {
    scheduler.after(((index + 0.5) * stormMs) / neighbours, () => {
      publishedAtMs.set(model, scheduler.nowMs());
      const data = neighbourAlert(model, Math.floor(scheduler.nowMs()));
      topics.publish(spec.name, { data, attributes: { neighbour: model } });
    });
  }
  await scheduler.run(startMs + stormMs);
  await scheduler.run(startMs + endMsMax, () => topics.unacknowledged() === 0);
  const absorbedMs = lastAtMs - (startMs + stormMs);

  // What instances know alone is stored within seconds; the debounce ends, and the tick starts the run.
  const settled = (task: Promise<unknown>): Promise<void> => {
    let isOver = false;
    const over = task.finally(() => {
      isOver = true;
    });
    return scheduler
      .run(scheduler.nowMs() + minute, () => isOver)
      .then(async () => void (await over));
  };
  await settled(Promise.all(service.held().map(({ gate }) => gate.flush(ports))));
  for (let visit = 1; visit <= 3; visit += 1) {
    await scheduler.run(startMs + stormMs + visit * minute);
    await settled(tick(`storm-${visit}`, ports));
    world.nowMs = Math.floor(scheduler.nowMs());
    await story.deliver();
  }
  const counts = [...world.alertCounts.values()].filter(({ model }) => model === stormy);
  return {
    alerts,
    runs: [...world.jobs.keys()].slice(jobsBefore).filter((run) => run.startsWith(`${stormy}-`))
      .length,
    admitted: [...world.journal.values()].filter(
      ({ key, model, event }) =>
        !journalled.has(key) && model === stormy && event.type === "drift.detected",
    ).length,
    counted: counts.reduce((total, { count }) => total + count, 0),
    modelWrites,
    writesPerSecondMax: perSecond.max(),
    deadLetters,
    absorbedMs,
    neighbours: waits.length,
    neighbourP99Ms: percentile(waits, 0.99),
  };
};
