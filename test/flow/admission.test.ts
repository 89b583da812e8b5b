import { describe, expect, it } from "vitest";
import { anyEvent, type ContinuoEvent } from "../../events/index.js";
import { modelName } from "../../events/ids.js";
import { UnavailableError } from "../../shared/domain/errors.js";
import type { Ports } from "../../shared/ports/ports.js";
import { submissionGate } from "../../shared/runtime/admission.js";
import { findRun } from "../../shared/runtime/api/runs.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import { defaultLimits, type AdmissionLimits } from "../../shared/runtime/quota.js";
import { tick } from "../../shared/runtime/tick.js";
import { templateUri } from "../../shared/runtime/training-spec.js";
import { manifestOf } from "../fixtures/manifest.js";
import { memoryWorld, type MemoryWorld } from "../fixtures/memory-ports.js";
import { testEnvironment } from "./story.js";

const minuteMs = 60_000;

/** A region of Vertex AI that takes so many submissions in any minute. */
const withQuota = (world: MemoryWorld, perMinuteMax: number) => {
  const accepted: number[] = [];
  let refused = 0;
  let beforeSubmit = async (): Promise<void> => undefined;
  const ports: Ports = {
    ...world.ports,
    pipelines: {
      ...world.ports.pipelines,
      submit: async (...request) => {
        await beforeSubmit();
        const recent = accepted.filter((atMs) => atMs > world.nowMs - minuteMs);
        if (recent.length >= perMinuteMax) {
          refused += 1;
          throw new UnavailableError("Quota exceeded", { isQuota: true });
        }
        accepted.push(world.nowMs);
        await world.ports.pipelines.submit(...request);
      },
    },
  };
  return {
    ports,
    accepted,
    refused: () => refused,
    slowly: (wait: () => Promise<void>) => {
      beforeSubmit = wait;
    },
  };
};

const fleetOf = async (size: number, changes: Parameters<typeof manifestOf>[0] = {}) => {
  Object.assign(process.env, testEnvironment);
  const world = memoryWorld();
  await world.ports.objects.write(
    templateUri(testEnvironment.CONTINUO_BUCKET),
    Buffer.from(
      JSON.stringify({
        deploymentSpec: { executors: { "exec-train": { container: { image: "x" } } } },
      }),
    ),
    "application/json",
  );
  const models = Array.from({ length: size }, (_, index) => modelName.parse(`model-${index}`));
  const envelope = (id: string) => ({
    specversion: "1.0" as const,
    id,
    source: "test",
    time: new Date(world.nowMs).toISOString(),
  });
  for (const model of models) {
    const manifest = manifestOf({ name: model, ...changes });
    await handleEvent(
      {
        ...envelope(`manifest/${model}`),
        type: "manifest.applied",
        data: { model, version: 1, digest: "m1", by: "test", manifest },
      },
      { function: "test", ports: world.ports },
    );
  }
  await handleEvent(
    {
      ...envelope("data"),
      type: "dataset.arrived",
      data: { dataset: "customers", uris: ["gs://demo-continuo/january.parquet"] },
    },
    { function: "test", ports: world.ports },
  );
  const requests = world.published
    .splice(0)
    .filter(({ topic }) => topic === "training-run")
    .map(({ body }) => anyEvent.parse(body));
  return { world, models, requests };
};

const ticking =
  (world: MemoryWorld, ports: Ports, limits: AdmissionLimits = defaultLimits) =>
  async (seconds = 60): Promise<void> => {
    world.nowMs += seconds * 1000;
    await tick(`t${world.nowMs}`, ports, limits);
  };

const submissions = ({ effects }: MemoryWorld): number =>
  effects.filter((effect) => effect.startsWith("submit")).length;

const handling = (ports: Ports, limits = defaultLimits) => {
  const gate = submissionGate(() => limits);
  return (event: ContinuoEvent) => gate.handle(event, { function: "test", ports });
};

describe("the admission queue", () => {
  it("submits at once while nothing waits", async () => {
    const { world, requests } = await fleetOf(3);
    const handle = handling(world.ports);
    for (const event of requests) await handle(event);
    expect(submissions(world)).toBe(3);
    expect(world.submissions.size).toBe(0);
  });

  it("queues beyond this minute's quota, and admits in order of arrival at 54 a minute", async () => {
    const { world, requests } = await fleetOf(200);
    const quota = withQuota(world, 60);
    const handle = handling(quota.ports);
    for (const event of requests) await handle(event);
    expect(submissions(world)).toBe(54);
    const perMinute = [];
    for (const pass = ticking(world, quota.ports); world.submissions.size > 0;) {
      const before = submissions(world);
      await pass();
      perMinute.push(submissions(world) - before);
    }
    expect(perMinute).toEqual([54, 54, 38]);
    expect(quota.refused()).toBe(0);
  });

  it("a used-up quota closes it for a minute and costs no delivery attempt", async () => {
    const { world, requests } = await fleetOf(40);
    const quota = withQuota(world, 10);
    const handle = handling(quota.ports);
    for (const event of requests) await handle(event);
    expect(quota.refused()).toBe(1);
    expect(submissions(world)).toBe(10);
    expect(world.submissions.size).toBe(29);
    const pass = ticking(world, quota.ports, { ...defaultLimits, submissionsPerMinuteMax: 10 });
    await pass(30);
    expect(submissions(world)).toBe(10);
    for (let minute = 0; minute < 5; minute += 1) await pass();
    expect(submissions(world)).toBe(40);
    expect(quota.refused()).toBe(1);
    expect([...world.pending]).toEqual([]);
  });

  it("of many requests at once on one instance one learns that the quota is used up", async () => {
    const { world, requests } = await fleetOf(8);
    const quota = withQuota(world, 0);
    quota.slowly(() => new Promise((resolve) => setImmediate(resolve)));
    const handle = handling(quota.ports);
    await Promise.all(requests.map(handle));
    expect(quota.refused()).toBe(1);
    expect(world.submissions.size).toBe(7);
  });

  it("never submits a run that was cancelled while it waited", async () => {
    const { world, requests, models } = await fleetOf(60);
    const handle = handling(world.ports);
    for (const event of requests) await handle(event);
    const [waiting] = [...world.submissions.values()];
    if (waiting === undefined) throw new Error("nothing waits");
    const { model, run } = waiting;
    await handleEvent(
      {
        specversion: "1.0",
        type: "command.issued",
        id: "cancel",
        source: "test",
        time: new Date(world.nowMs).toISOString(),
        data: { model, command: "cancel-run", by: "ann" },
      },
      { function: "test", ports: world.ports, models: [model] },
    );
    await ticking(world, world.ports)();
    expect(world.submissions.size).toBe(0);
    expect(submissions(world)).toBe(models.length - 1);
    expect(world.jobs.has(run)).toBe(false);
  });

  it("a crash between submission and record is made up for by the next tick", async () => {
    const { world, requests } = await fleetOf(56);
    const handle = handling(world.ports);
    for (const event of requests) await handle(event);
    let isCrashing = true;
    const ports: Ports = {
      ...world.ports,
      admission: {
        ...world.ports.admission,
        remove: (event) =>
          isCrashing ? Promise.reject(new Error("killed")) : world.ports.admission.remove(event),
      },
    };
    const pass = ticking(world, ports);
    await pass();
    expect(world.submissions.size).toBe(2);
    isCrashing = false;
    await pass();
    expect(world.submissions.size).toBe(0);
    expect(submissions(world)).toBe(56);
  });

  it("lets only so many jobs use an accelerator at once, and others pass them by", async () => {
    const machine = { type: "n1-standard-4", accelerator: { type: "NVIDIA_TESLA_T4", count: 1 } };
    const { world, requests } = await fleetOf(5, {
      training: { machine },
      budget: { usdPerRunMax: 1000, usdPerMonthMax: 10_000 },
    });
    const limits = { ...defaultLimits, acceleratorJobsMax: { NVIDIA_TESLA_T4: 2 } };
    const handle = handling(world.ports, limits);
    for (const event of requests) await handle(event);
    expect(submissions(world)).toBe(0);
    const pass = ticking(world, world.ports, limits);
    await pass();
    await pass();
    expect(submissions(world)).toBe(2);
    const [run] = [...world.jobs.keys()];
    const job = run === undefined ? undefined : world.jobs.get(run);
    if (run === undefined || job === undefined) throw new Error("no job");
    world.jobs.set(run, { ...job, state: "failed", error: "broken" });
    // Nobody told of its end: the tick looks for it now and then.
    for (let minute = 0; minute < 12; minute += 1) await pass();
    expect(submissions(world)).toBe(3);
    expect(world.submissions.size).toBe(2);
  });

  it("tells a waiting run its place", async () => {
    const { world, requests } = await fleetOf(57);
    const handle = handling(world.ports);
    for (const event of requests) {
      await handle(event);
      world.nowMs += 1;
    }
    const last = [...world.submissions.values()].at(-1)?.run ?? "none";
    expect(await findRun({ ports: world.ports }, last)).toMatchObject({
      phase: "requested",
      queuePlace: 3,
    });
  });
});
