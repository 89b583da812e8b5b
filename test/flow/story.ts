/** Moves a memory world through the loop: publishes, delivers, ends jobs, lets time pass. */
import { anyEvent, type ContinuoEvent } from "../../events/index.js";
import { modelName } from "../../events/ids.js";
import type { PipelineJobFacts } from "../../shared/domain/facts.js";
import type { EvaluationSummary, ModelState } from "../../shared/domain/state.js";
import type { Ports } from "../../shared/ports/ports.js";
import type { Manifest } from "../../shared/manifest/schema.js";
import { jobIdOf } from "../../shared/domain/ids.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import { tick } from "../../shared/runtime/tick.js";
import { templateUri } from "../../shared/runtime/training-spec.js";
import { memoryWorld, type MemoryWorld } from "../fixtures/memory-ports.js";

export const churn = modelName.parse("churn");

/** Settings that the runtime reads; nothing in these tests reaches a cloud. */
export const testEnvironment = {
  CONTINUO_PROJECT: "demo",
  CONTINUO_BUCKET: "demo-continuo",
  CONTINUO_IDENTITY: "continuo@demo.iam.gserviceaccount.com",
  CONTINUO_PUSH_AUDIENCE: "http://127.0.0.1:1",
  CONTINUO_PUSH_IDENTITY: "push@demo.iam.gserviceaccount.com",
} as const;

const accepted: EvaluationSummary = {
  report: "gs://demo-continuo/report.json",
  outcome: "accept",
  reasons: ["the challenger is better"],
  numbers: { "challenger.auc": 0.7 },
  artifact: "gs://demo-continuo/model",
  artifactDigest: "sha256:1",
};

/** A loop with one applied manifest, moved step by step. */
export interface Story {
  readonly world: MemoryWorld;
  readonly model: () => ModelState;
  readonly handle: (event: ContinuoEvent) => Promise<void>;
  /** Publishes nothing itself: hands every published event to its handler until none is left. */
  readonly deliver: () => Promise<void>;
  readonly arrive: (name: string) => Promise<void>;
  readonly endJob: (end: Partial<PipelineJobFacts>) => Promise<void>;
  readonly pass: (seconds: number) => Promise<void>;
  /** Trains and registers the next version, up to the start of its rollout. */
  readonly train: (name: string) => Promise<void>;
  /** Trains a version and lets it become the first champion. */
  readonly firstChampion: () => Promise<void>;
}

const envelope = (world: MemoryWorld, id: string) => ({
  specversion: "1.0" as const,
  id,
  source: "test",
  time: new Date(world.nowMs).toISOString(),
});

/** What a story may do otherwise. */
export interface StoryOptions {
  /** The ports that the functions see, made from those of the world. */
  readonly through?: (ports: Ports) => Ports;
  /** Called when handling an event throws; `again` delivers it once more. Without it the story fails. */
  readonly onFailure?: (
    error: unknown,
    again: () => Promise<void>,
    world: MemoryWorld,
  ) => Promise<void>;
}

/** Starts a story with the manifest applied. */
export const storyOf = async (manifest: Manifest, options: StoryOptions = {}): Promise<Story> => {
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
  await world.ports.objects.write(
    accepted.report,
    Buffer.from(JSON.stringify({ sample: [{ age: 40 }] })),
    "application/json",
  );
  let visits = 0;
  const ports = options.through?.(world.ports) ?? world.ports;
  const handleOnce = async (event: ContinuoEvent): Promise<void> => {
    await handleEvent(event, { function: "test", ports });
  };
  const handle = async (event: ContinuoEvent): Promise<void> => {
    try {
      await handleOnce(event);
    } catch (error) {
      if (options.onFailure === undefined) throw error;
      await options.onFailure(error, () => handleOnce(event), world);
    }
  };
  const deliver = async (): Promise<void> => {
    for (let next = world.published.shift(); next !== undefined; next = world.published.shift()) {
      if (next.topic === "notification" || next.topic === "promotion") continue;
      await handle(anyEvent.parse(next.body));
    }
  };
  const model = (): ModelState => {
    const state = world.models.get(churn);
    if (state === undefined) throw new Error("the model has no state");
    return state;
  };
  const arrive = async (name: string): Promise<void> => {
    const uri = `gs://demo-continuo/${name}.parquet`;
    const data = { dataset: "customers", uris: [uri] };
    await handle({ ...envelope(world, `data/${name}`), type: "dataset.arrived", data });
    await deliver();
  };
  const pass = async (seconds: number): Promise<void> => {
    world.nowMs += seconds * 1000;
    visits += 1;
    await tick(`visit-${visits}`, ports);
    await deliver();
  };
  const endJob = async (end: Partial<PipelineJobFacts>): Promise<void> => {
    const live = model().run;
    const run = live === null ? undefined : jobIdOf(live);
    const job = run === undefined ? undefined : world.jobs.get(run);
    if (run === undefined || job === undefined) throw new Error("no job is running");
    world.jobs.set(run, { ...job, state: "succeeded", machineSeconds: 60, ...end });
    await handle({
      ...envelope(world, `job/${run}`),
      type: "pipeline-job.changed",
      data: { pipelineJob: run, state: "SUCCEEDED" },
    });
    await deliver();
  };
  const train = async (name: string): Promise<void> => {
    await arrive(name);
    const gate = { verdict: "go" as const, reasons: [], profileUri: `gs://profiles/${name}` };
    const evaluation = { ...accepted, artifact: `gs://demo-continuo/model-${name}` };
    await endJob({ dataGate: gate, evaluation });
    await pass(1);
  };
  const story: Story = {
    world,
    model,
    handle,
    deliver,
    arrive,
    endJob,
    pass,
    train,
    firstChampion: async () => {
      await train("january");
      for (let visit = 0; visit < 8 && model().rollout !== null; visit += 1) await pass(1);
    },
  };
  await handle({
    ...envelope(world, "manifest/1"),
    type: "manifest.applied",
    data: { model: churn, version: 1, digest: "m1", by: "test", manifest },
  });
  return story;
};

/** Counts of one arm with equal latencies. */
export const arm = (requests: number, errors = 0) => ({
  requests,
  errors,
  latencies: [requests, 0, 0, 0, 0, 0],
});
