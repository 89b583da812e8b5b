import { describe, expect, it } from "vitest";
import { modelName, type ModelName } from "../../events/ids.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import { defaultLimits } from "../../shared/runtime/quota.js";
import { tickWorker } from "../../shared/runtime/tick-workers.js";
import { reconcile, tick } from "../../shared/runtime/tick.js";
import { manifestOf } from "../fixtures/manifest.js";
import { memoryWorld, type MemoryWorld } from "../fixtures/memory-ports.js";
import { testEnvironment } from "./story.js";

const debounced = { debounceSeconds: 60, debounceSecondsMax: 60, cooldownSeconds: 0 };

/** A fleet in which every model's trigger waits for its debounce to end. */
const waitingFleet = async (size: number): Promise<MemoryWorld> => {
  Object.assign(process.env, testEnvironment);
  const world = memoryWorld();
  const envelope = (id: string) => ({
    specversion: "1.0" as const,
    id,
    source: "test",
    time: new Date(world.nowMs).toISOString(),
  });
  const options = { function: "test", ports: world.ports };
  for (let index = 0; index < size; index += 1) {
    const model = modelName.parse(`model-${index}`);
    const manifest = manifestOf({ name: model, triggers: debounced });
    const data = { model, version: 1, digest: "m1", by: "test", manifest };
    await handleEvent(
      { ...envelope(`manifest/${model}`), type: "manifest.applied", data },
      options,
    );
  }
  await handleEvent(
    {
      ...envelope("data"),
      type: "dataset.arrived",
      data: { dataset: "customers", uris: ["gs://demo-continuo/january.parquet"] },
    },
    options,
  );
  return world;
};

const started = (world: MemoryWorld): ReadonlySet<ModelName> =>
  new Set([...world.models.values()].flatMap(({ model, run }) => (run === null ? [] : [model])));

describe("partitions", () => {
  it("share the open work: each model is taken by one of them", async () => {
    const world = await waitingFleet(100);
    world.nowMs += 61_000;
    const shares: number[] = [];
    for (let index = 0; index < 16; index += 1) {
      const before = started(world).size;
      await tick(`tick-${index}`, world.ports, {
        ...defaultLimits,
        partition: { index, count: 16 },
      });
      shares.push(started(world).size - before);
    }
    expect(shares.reduce((total, share) => total + share, 0)).toBe(100);
    // A model's timer and its visit may lie in two partitions; whichever comes first starts the run.
    expect(shares.filter((share) => share > 0).length).toBeGreaterThan(8);
  });

  it("a message of Cloud Scheduler becomes one for each worker", async () => {
    const world = await waitingFleet(20);
    world.nowMs += 61_000;
    const work = tickWorker();
    const settings = { ...defaultLimits, tickPartitions: 4 };
    const message = (id: string, body: unknown) => ({ id, publishTime: "", attributes: {}, body });
    await work(message("first", { kind: "tick" }), world.ports, settings);
    const shares = world.published.splice(0).filter(({ topic }) => topic === "tick");
    expect(shares).toHaveLength(4);
    expect(started(world).size).toBe(0);
    await Promise.all(
      shares.map(({ body }, index) => work(message(`share-${index}`, body), world.ports, settings)),
    );
    expect(started(world).size).toBe(20);
  });

  it("takes more work than fits into one page", async () => {
    const world = await waitingFleet(1100);
    world.nowMs += 61_000;
    await tick("one", world.ports);
    expect(started(world).size).toBe(1100);
    const { nowMs } = world;
    const reads = world.reads();
    await reconcile("one", world.ports);
    expect(world.reads() - reads).toBeGreaterThan(2200);
    expect(world.nowMs).toBe(nowMs);
  });

  it("an idle tick writes nothing and reads one document per query", async () => {
    const world = memoryWorld();
    const [reads, writes] = [world.reads(), world.writes()];
    await tick("idle", world.ports);
    // Pending effects, due timers, open models, and the queue.
    expect([world.reads() - reads, world.writes() - writes]).toEqual([4, 0]);
  });
});
