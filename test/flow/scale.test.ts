/** The rules that keep the cost flat, counted: exact numbers on the virtual clock, over the real runtime. */
import { describe, expect, it } from "vitest";
import { modelName, type ModelName } from "../../events/ids.js";
import type { ContinuoEvent, EventOf } from "../../events/index.js";
import { monitoringAnomaly } from "../../events/sources/cloud-logging.js";
import { UnavailableError } from "../../shared/domain/errors.js";
import { runIdFor } from "../../shared/domain/ids.js";
import type { ModelState } from "../../shared/domain/state.js";
import type { Ports } from "../../shared/ports/ports.js";
import { admitWaiting, submissionGate } from "../../shared/runtime/admission.js";
import { alertGate } from "../../shared/runtime/coalesce.js";
import { handlingThrough } from "../../shared/runtime/edge.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import type { Delivery } from "../../shared/runtime/push.js";
import { defaultLimits } from "../../shared/runtime/quota.js";
import { reconcile, tick } from "../../shared/runtime/tick.js";
import { manifestOf } from "../fixtures/manifest.js";
import type { MemoryWorld } from "../fixtures/memory-ports.js";
import { arm, churn, storyOf, type Story } from "./story.js";

const minuteMs = 60_000;

/** Writes by document and second of the virtual clock. */
const watchWrites = (world: MemoryWorld) => {
  const perSecond = new Map<string, number>();
  const perDocument = new Map<string, number>();
  const add = (counts: Map<string, number>, key: string): void => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  world.writeWatchers.push((path) => {
    add(perDocument, path);
    add(perSecond, `${path}@${Math.floor(world.nowMs / 1000)}`);
  });
  return {
    of: (path: string) => perDocument.get(path) ?? 0,
    perSecondMax: () => Math.max(0, ...perSecond.values()),
  };
};

/** Puts copies of a state into the store under other names. */
const spread = async (
  { world }: Story,
  size: number,
  like: (model: ModelName, index: number) => ModelState,
): Promise<readonly ModelName[]> => {
  const names = Array.from({ length: size }, (_, index) => modelName.parse(`fleet-${index}`));
  for (const [index, name] of names.entries()) {
    await world.ports.state.transact(`seed-${name}`, name, () => ({
      entry: {
        key: `seed-${name}`,
        model: name,
        event: envelope(world, `seed-${name}`),
        receivedAtMs: world.nowMs,
        function: "test",
        decisions: [],
        isPending: false,
        stateVersion: 0,
        chain: null,
      },
      state: like(name, index),
      timers: [],
      runs: [],
      rollouts: [],
    }));
  }
  return names;
};

const envelope = ({ nowMs }: MemoryWorld, id: string): EventOf<"notification.raised"> => ({
  specversion: "1.0",
  type: "notification.raised",
  id,
  source: "test",
  time: new Date(nowMs).toISOString(),
  data: { model: churn, severity: "info", title: "seed", body: "seed" },
});

const request = (
  { nowMs }: MemoryWorld,
  id: string,
  data: EventOf<"training-run.requested">["data"],
): ContinuoEvent => ({
  specversion: "1.0",
  type: "training-run.requested",
  id,
  source: "test",
  time: new Date(nowMs).toISOString(),
  data,
});

/** A log entry of Vertex AI's monitoring, as a sink delivers it. */
const anomaly = (index: number, deployedModelId: string, atMs: number): Delivery => ({
  id: `m${index}`,
  publishTime: new Date(atMs).toISOString(),
  attributes: {},
  deliveryAttempt: 1,
  data: Buffer.from(
    JSON.stringify({
      insertId: `storm-${index}`,
      logName: "projects/demo/logs/aiplatform.googleapis.com%2Fmodel_monitoring_anomaly",
      timestamp: new Date(atMs).toISOString(),
      jsonPayload: {
        "@type":
          "type.googleapis.com/google.cloud.aiplatform.logging.ModelMonitoringAnomaliesLogEntry",
        anomalyObjective: "RAW_FEATURE_DRIFT",
        // Every hundredth alert is about another window: their contents differ.
        startTime: new Date(Date.UTC(2026, 0, 1) + (index % 100) * 3_600_000).toISOString(),
        endTime: new Date(Date.UTC(2026, 0, 1) + (index % 100) * 3_600_000 + 1).toISOString(),
        deployedModelId,
        featureAnomalies: [{ featureDisplayName: "age", deviation: 0.4, threshold: 0.3 }],
      },
    }),
  ),
});

const drifting = manifestOf({
  triggers: { drift: "retrain", debounceSeconds: 60, debounceSecondsMax: 120, cooldownSeconds: 0 },
});

describe("at scale", { timeout: 120_000 }, () => {
  it("100,000 alerts on one model in a minute are one run", async () => {
    const story = await storyOf(drifting);
    await story.arrive("january");
    await story.pass(121);
    const gate = { verdict: "go" as const, reasons: [], profileUri: "gs://profiles/january" };
    const evaluation = {
      report: "gs://demo-continuo/report.json",
      outcome: "accept" as const,
      reasons: [],
      numbers: {},
      artifact: "gs://demo-continuo/model",
      artifactDigest: "sha256:1",
    };
    await story.endJob({ dataGate: gate, evaluation });
    for (let visit = 0; visit < 9; visit += 1) await story.pass(1);
    const champion = story.model().champion?.deployed["production"];
    if (champion === undefined) throw new Error("there is no champion");
    const { world } = story;
    const runsBefore = world.jobs.size;
    const journalBefore = world.journal.size;
    const writes = watchWrites(world);
    const size = 100_000;
    const gates = Array.from({ length: 20 }, (_, index) =>
      alertGate({ instance: `i${index}`, later: () => undefined }),
    );
    const instances = gates.map((one) =>
      handlingThrough(one.handle, "on-alert-fired", monitoringAnomaly),
    );
    const startMs = world.nowMs;
    for (let second = 0; second < 60; second += 1) {
      world.nowMs = startMs + second * 1000;
      const from = Math.floor((size * second) / 60);
      const until = Math.floor((size * (second + 1)) / 60);
      await Promise.all(
        Array.from({ length: until - from }, async (_, offset) =>
          instances[(from + offset) % instances.length]?.(
            anomaly(from + offset, champion, startMs),
            world.ports,
          ),
        ),
      );
    }
    world.nowMs += 1000;
    for (const one of gates) await one.flush(world.ports);
    const counted = [...world.alertCounts.values()].reduce((total, { count }) => total + count, 0);
    const admitted = world.journal.size - journalBefore;
    expect({ admitted, counted }).toEqual({ admitted: 1, counted: size - 1 });
    expect({
      ofTheModel: writes.of("models/churn"),
      ofAnyDocumentInASecond: writes.perSecondMax(),
    }).toEqual({ ofTheModel: 1, ofAnyDocumentInASecond: 1 });
    await story.pass(60);
    expect(world.jobs.size - runsBefore).toBe(1);
    expect(story.model().run).toMatchObject({ kind: "drift" });
    expect(world.letters.size).toBe(0);
  });

  it("10,000 runs at once are submitted 54 a minute, without one refusal", async () => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    const { world } = story;
    const { run } = story.model();
    if (run === null) throw new Error("there is no run");
    world.effects.length = 0;
    const size = 10_000;
    const names = await spread(story, size, (model) => ({
      ...story.model(),
      model,
      manifest: { ...story.model().manifest, name: model },
      run: { ...run, phase: "requested", run: runIdFor(model, "burst") },
    }));
    const accepted: number[] = [];
    let refused = 0;
    const ports: Ports = {
      ...world.ports,
      pipelines: {
        ...world.ports.pipelines,
        submit: async (...submission) => {
          const recent = accepted.slice(-60).filter((atMs) => atMs > world.nowMs - minuteMs);
          if (recent.length >= 60) {
            refused += 1;
            throw new UnavailableError("Quota exceeded", { isQuota: true });
          }
          accepted.push(world.nowMs);
          await world.ports.pipelines.submit(...submission);
        },
      },
    };
    const gates = Array.from({ length: 100 }, () => submissionGate(() => defaultLimits));
    const startMs = world.nowMs;
    await Promise.all(
      names.map(async (model, index) =>
        gates[index % gates.length]?.handle(
          request(world, `burst-${model}`, {
            model,
            run: runIdFor(model, "burst"),
            reason: "burst",
          }),
          { function: "on-training-run-requested", ports },
        ),
      ),
    );
    let minutes = 0;
    const perMinute: number[] = [accepted.length];
    while (world.submissions.size > 0 && minutes < 200) {
      minutes += 1;
      world.nowMs = startMs + minutes * minuteMs;
      const before = accepted.length;
      await admitWaiting({ function: "tick", ports }, defaultLimits);
      perMinute.push(accepted.length - before);
    }
    expect({ submitted: new Set(world.effects).size, refused, minutes }).toEqual({
      submitted: size,
      refused: 0,
      minutes: 186,
    });
    expect(Math.max(...perMinute)).toBe(54);
    expect(world.pending.size).toBe(0);
  });

  it("an event that changes something costs a read and three writes, an ignored one 1/1, a duplicate no write", async () => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    await story.endJob({ state: "failed", error: "not this time" });
    const { world } = story;
    const cost = async (event: ContinuoEvent) => {
      const [reads, writes] = [world.reads(), world.writes()];
      await handleEvent(event, { function: "test", ports: world.ports });
      return { reads: world.reads() - reads, writes: world.writes() - writes };
    };
    const asked = request(world, "by-hand", { model: churn, reason: "by hand", by: "ann" });
    // The timer that the new run clears counts apart.
    const timers = 1;
    expect(await cost(asked)).toEqual({ reads: 1, writes: 3 + timers });
    expect((await cost(asked)).writes).toBe(0);
    const unknown = { model: churn, schedule: "of-no-manifest" };
    const fired = { ...asked, id: "fired", type: "schedule.fired" as const, data: unknown };
    expect(await cost(fired)).toEqual({ reads: 1, writes: 1 });
    expect((await cost(fired)).writes).toBe(0);
  });

  it("a tick over 10,000 rollouts on 16 partitions writes nothing while nothing is conclusive", async () => {
    const story = await storyOf(
      manifestOf({
        rollout: {
          steps: [10, 100],
          bakeSeconds: 3600,
          analysis: { ingestDelaySeconds: 0, requestsMin: 5000, inconclusiveSecondsMax: 7200 },
        },
      }),
    );
    await story.firstChampion();
    await story.train("february");
    for (let visit = 0; visit < 9 && story.model().rollout?.phase !== "progressing"; visit += 1) {
      await story.pass(1);
    }
    const { world } = story;
    const { champion, rollout } = story.model();
    const [first, second] = [champion?.deployed["production"], rollout?.deployed["production"]];
    if (first === undefined || second === undefined) throw new Error("no rollout progresses");
    world.series = { [first]: arm(9), [second]: arm(1) };
    await story.pass(60);
    await spread(story, 10_000, (model) => ({ ...story.model(), model }));
    const before = { writes: world.writes(), published: world.published.length };
    world.nowMs += minuteMs;
    let seen = 0;
    const ports: Ports = {
      ...world.ports,
      metrics: {
        counts: (query) => {
          seen += 1;
          return world.ports.metrics.counts(query);
        },
      },
    };
    for (let index = 0; index < 16; index += 1) {
      await tick(`t${index}`, ports, { ...defaultLimits, partition: { index, count: 16 } });
    }
    expect(seen).toBe(10_001);
    expect({ writes: world.writes(), published: world.published.length }).toEqual(before);
  });

  it.each([10, 2000])("a day of %d idle models writes nothing", async (size) => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    const { world } = story;
    await spread(story, size, (model) => ({ ...story.model(), model }));
    // The hour in which they changed anchors their heads.
    await reconcile("busy", world.ports);
    expect(world.anchored.size).toBe(size + 1);
    const writes = world.writes();
    let [ticks, reads] = [0, 0];
    for (let minute = 0; minute < 1440; minute += 1) {
      world.nowMs += minuteMs;
      const readsBefore = world.reads();
      await tick(`idle-${minute}`, world.ports);
      reads += world.reads() - readsBefore;
      ticks += 1;
    }
    await reconcile("idle", world.ports);
    // Pending effects, due timers, open models and the queue: one read each, however many models there are.
    expect({ writes: world.writes() - writes, readsPerQuery: reads / 4 }).toEqual({
      writes: 0,
      readsPerQuery: 1440,
    });
    expect(world.anchored.size).toBe(size + 1);
    expect(ticks).toBe(1440);
  });
});
