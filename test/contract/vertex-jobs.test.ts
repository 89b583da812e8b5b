import { helpers, type protos } from "@google-cloud/aiplatform";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { eventually } from "./local-cloud.js";
import { startPipelinesWorld, type PipelinesWorld } from "./vertex-pipelines-world.js";

type CustomJob = protos.google.cloud.aiplatform.v1.ICustomJob;
type BatchPredictionJob = protos.google.cloud.aiplatform.v1.IBatchPredictionJob;

let world: PipelinesWorld;
beforeAll(async () => {
  world = await startPipelinesWorld();
});
afterAll(async () => {
  await world.stop();
});

const hasEnded = (state: unknown): boolean =>
  /SUCCEEDED|FAILED|CANCELLED$/.test(String(state)) && !/CANCELLING/.test(String(state));

const pool = (args: readonly string[], more: object = {}) => ({
  machineSpec: { machineType: "n1-standard-4" },
  replicaCount: 1,
  containerSpec: { imageUri: "shell:1", args: [...args] },
  ...more,
});

const createCustomJob = async (
  name: string,
  pools: readonly object[],
  more: { readonly labels?: Record<string, string>; readonly timeoutSeconds?: number } = {},
): Promise<CustomJob> => {
  const [job] = await world.jobs.createCustomJob({
    parent: world.parent,
    customJob: {
      displayName: name,
      labels: more.labels ?? {},
      jobSpec: {
        workerPoolSpecs: [...pools],
        baseOutputDirectory: { outputUriPrefix: `gs://artifacts/jobs/${name}` },
        ...(more.timeoutSeconds === undefined
          ? {}
          : { scheduling: { timeout: { seconds: more.timeoutSeconds } } }),
      },
    },
  });
  return job;
};

const customJobEnded = (name: string): Promise<CustomJob> =>
  eventually(`custom job ${name} ends`, async () => {
    const [job] = await world.jobs.getCustomJob({ name });
    return hasEnded(job.state) && job;
  });

const node = (script: string): object => ({
  machineSpec: {
    machineType: "n1-standard-4",
    acceleratorType: "NVIDIA_TESLA_T4",
    acceleratorCount: 1,
  },
  replicaCount: 1,
  containerSpec: { imageUri: "shell", command: [process.execPath, "-e"], args: [script] },
});

test("a custom job gets Vertex AI's environment and writes to its model directory", async () => {
  const script = `
    const { env } = process;
    const [, bucket, path] = /^gs:\\/\\/([^/]+)\\/(.*)$/.exec(env.AIP_MODEL_DIR);
    const body = JSON.stringify({ model: env.AIP_MODEL_DIR, cluster: JSON.parse(env.CLUSTER_SPEC), keys: Object.keys(env) });
    const name = encodeURIComponent(path + "env.json");
    const url = env.STORAGE_EMULATOR_HOST + "/upload/storage/v1/b/" + bucket + "/o?uploadType=media&name=" + name;
    fetch(url, { method: "POST", body }).then((reply) => process.exit(reply.ok ? 0 : 1));`;
  const created = await createCustomJob("env", [node(script)], { labels: { run: "env" } });
  expect(String(created.state)).toBe("JOB_STATE_PENDING");
  const job = await customJobEnded(created.name ?? "");
  expect(job.error?.message).toBeUndefined();
  expect(String(job.state)).toBe("JOB_STATE_SUCCEEDED");
  const written = z
    .object({
      model: z.string(),
      keys: z.array(z.string()),
      cluster: z.looseObject({
        task: z.unknown(),
        cluster: z.record(z.string(), z.array(z.string())),
      }),
    })
    .parse(
      JSON.parse((await world.objects.read("artifacts", "jobs/env/model/env.json")).toString()),
    );
  expect(written.model).toBe("gs://artifacts/jobs/env/model/");
  expect(written.cluster.task).toEqual({ type: "workerpool0", index: 0 });
  expect(written.cluster.cluster["workerpool0"]).toHaveLength(1);
  expect(written.keys).toEqual(
    expect.arrayContaining(["CLOUD_ML_JOB_ID", "TF_CONFIG", "AIP_CHECKPOINT_DIR"]),
  );
  expect(written.keys).not.toContain("VITEST");

  const [listed] = await world.jobs.listCustomJobs({
    parent: world.parent,
    filter: "labels.run=env",
  });
  expect(listed.map(({ name }) => name)).toEqual([job.name]);
  const [rest] = await world.restJobs.getCustomJob({ name: job.name ?? "" });
  expect(rest.jobSpec?.workerPoolSpecs?.[0]?.machineSpec?.machineType).toBe("n1-standard-4");
  const [operation] = await world.jobs.deleteCustomJob({ name: job.name ?? "" });
  await operation.promise();
  await expect(world.jobs.getCustomJob({ name: job.name ?? "" })).rejects.toMatchObject({
    code: 5,
  });
});

test("the first replica that fails ends the job with its reason", async () => {
  const created = await createCustomJob("fails", [
    pool(["sleep 600"]),
    pool(["echo no memory >&2; exit 7"], { replicaCount: 2 }),
  ]);
  const job = await customJobEnded(created.name ?? "");
  expect(String(job.state)).toBe("JOB_STATE_FAILED");
  expect(job.error?.message).toMatch(/workerpool1-\d exited with code 7.*no memory/s);
});

test("a job that takes longer than its timeout is stopped", async () => {
  const created = await createCustomJob("late", [pool(["sleep 600"])], { timeoutSeconds: 1 });
  const job = await customJobEnded(created.name ?? "");
  expect(String(job.state)).toBe("JOB_STATE_FAILED");
  expect(job.error).toMatchObject({ code: 4 });
});

test("a cancelled job is cancelled", async () => {
  const created = await createCustomJob("cancelled", [pool(["sleep 600"])]);
  const name = created.name ?? "";
  await world.jobs.cancelCustomJob({ name });
  const job = await customJobEnded(name);
  expect(String(job.state)).toBe("JOB_STATE_CANCELLED");
  await expect(world.jobs.cancelCustomJob({ name })).rejects.toMatchObject({ code: 9 });
});

test.each([
  ["no machine", [pool(["true"], { machineSpec: {} })], 3],
  ["no image", [pool(["true"], { containerSpec: {} })], 3],
  ["two primaries", [pool(["true"], { replicaCount: 2 })], 3],
  [
    "a made-up accelerator count",
    [
      pool(["true"], {
        machineSpec: { machineType: "n1-standard-4", acceleratorType: "NVIDIA_TESLA_T4" },
      }),
    ],
    3,
  ],
  [
    "a Python package",
    [
      {
        machineSpec: { machineType: "n1-standard-4" },
        pythonPackageSpec: { executorImageUri: "x", packageUris: ["gs://a/b"], pythonModule: "m" },
      },
    ],
    12,
  ],
  ["no pool", [], 3],
])("a custom job with %s is refused", async (_, pools, code) => {
  await expect(createCustomJob("refused", pools)).rejects.toMatchObject({ code });
});

test("kinds of jobs that are not built say so", async () => {
  await expect(
    world.jobs.createNasJob({ parent: world.parent, nasJob: { displayName: "x" } }),
  ).rejects.toMatchObject({ code: 12 });
});

const predictorSpec = {
  imageUri: "predictor",
  predictRoute: "/predict",
  healthRoute: "/health",
};

const createBatch = async (name: string, more: object): Promise<BatchPredictionJob> => {
  const [job] = await world.jobs.createBatchPredictionJob({
    parent: world.parent,
    batchPredictionJob: {
      displayName: name,
      inputConfig: {
        instancesFormat: "jsonl",
        gcsSource: { uris: [`gs://artifacts/in/${name}*.jsonl`] },
      },
      outputConfig: {
        predictionsFormat: "jsonl",
        gcsDestination: { outputUriPrefix: `gs://artifacts/out/${name}` },
      },
      dedicatedResources: { machineSpec: { machineType: "n1-standard-2" } },
      ...more,
    },
  });
  return job;
};

const batchEnded = (name: string): Promise<BatchPredictionJob> =>
  eventually(
    `batch prediction ${name} ends`,
    async () => {
      const [job] = await world.jobs.getBatchPredictionJob({ name });
      return hasEnded(job.state) && job;
    },
    20_000,
  );

const lines = async (
  directory: string | null | undefined,
  file: string,
): Promise<readonly unknown[]> => {
  const [, bucket = "", path = ""] = /^gs:\/\/([^/]+)\/(.*)$/.exec(directory ?? "") ?? [];
  const body = await world.objects.read(bucket, `${path}/${file}`);
  return body
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line));
};

test("a batch prediction scores files with a model that is not registered", async () => {
  await world.objects.write("artifacts", "models/seven/model.json", Buffer.from('{"value":7}'));
  const instances = Array.from({ length: 150 }, (_, index) => ({ x: index }));
  const half = (from: number, to: number) =>
    Buffer.from(
      instances
        .slice(from, to)
        .map((line) => JSON.stringify(line))
        .join("\n"),
    );
  await world.objects.write("artifacts", "in/unmanaged-1.jsonl", half(0, 70));
  await world.objects.write("artifacts", "in/unmanaged-2.jsonl", half(70, 150));
  const created = await createBatch("unmanaged", {
    unmanagedContainerModel: {
      artifactUri: "gs://artifacts/models/seven",
      containerSpec: predictorSpec,
    },
    modelParameters: helpers.toValue({ threshold: 1 }),
  });
  const job = await batchEnded(created.name ?? "");
  expect(job.error?.message).toBeUndefined();
  expect(String(job.state)).toBe("JOB_STATE_SUCCEEDED");
  expect(Number(job.completionStats?.successfulCount)).toBe(150);
  expect(job.outputInfo?.gcsOutputDirectory).toMatch(
    /^gs:\/\/artifacts\/out\/unmanaged\/prediction-.+-\d{4}-/,
  );
  const results = await lines(
    job.outputInfo?.gcsOutputDirectory,
    "prediction.results-00000-of-00001",
  );
  expect(results).toEqual(
    instances.map((instance) => ({
      instance,
      prediction: { model: 7, instance, parameters: { threshold: 1 } },
    })),
  );
});

test("bad lines and failed batches are written apart, the rest is predicted", async () => {
  await world.objects.write(
    "artifacts",
    "in/partly.jsonl",
    Buffer.from('{"x":1}\nnot json\n{"status":418}\n{"x":2}\n'),
  );
  const created = await createBatch("partly", {
    unmanagedContainerModel: { containerSpec: predictorSpec },
    manualBatchTuningParameters: { batchSize: 1 },
  });
  const job = await batchEnded(created.name ?? "");
  expect(String(job.state)).toBe("JOB_STATE_PARTIALLY_SUCCEEDED");
  expect(
    [job.completionStats?.successfulCount, job.completionStats?.failedCount].map(Number),
  ).toEqual([2, 2]);
  const directory = job.outputInfo?.gcsOutputDirectory;
  expect(await lines(directory, "prediction.errors_stats-00000-of-00001")).toMatchObject([
    { instance: "not json", error: { code: 3 } },
    { instance: { status: 418 }, error: { message: expect.stringContaining("418") } },
  ]);
  expect(await lines(directory, "prediction.results-00000-of-00001")).toMatchObject([
    { instance: { x: 1 } },
    { instance: { x: 2 } },
  ]);
});

test("a registered model predicts with its own artifacts, chosen by alias", async () => {
  await world.objects.write("artifacts", "models/nine/model.json", Buffer.from('{"value":9}'));
  await world.objects.write("artifacts", "in/registered.jsonl", Buffer.from('{"a":1,"id":"k1"}\n'));
  const [operation] = await world.models.uploadModel({
    parent: world.parent,
    modelId: "nine",
    model: {
      displayName: "nine",
      artifactUri: "gs://artifacts/models/nine",
      containerSpec: predictorSpec,
    },
  });
  await operation.promise();
  const created = await createBatch("registered", {
    model: `${world.parent}/models/nine@default`,
    instanceConfig: { keyField: "id" },
  });
  expect(created.modelVersionId).toBe("1");
  const job = await batchEnded(created.name ?? "");
  expect(job.outputInfo?.gcsOutputDirectory).toContain("/prediction-nine-");
  expect(
    await lines(job.outputInfo?.gcsOutputDirectory, "prediction.results-00000-of-00001"),
  ).toEqual([{ key: "k1", prediction: { model: 9, instance: { a: 1 }, parameters: null } }]);
  await expect(
    createBatch("registered", { model: `${world.parent}/models/none` }),
  ).rejects.toMatchObject({ code: 5 });
});

test("a model server that never becomes healthy fails the job with its last words", async () => {
  await world.objects.write("artifacts", "in/sick.jsonl", Buffer.from("{}\n"));
  const created = await createBatch("sick", {
    unmanagedContainerModel: {
      containerSpec: { ...predictorSpec, env: [{ name: "BEHAVIOUR", value: "exits" }] },
    },
  });
  const job = await batchEnded(created.name ?? "");
  expect(String(job.state)).toBe("JOB_STATE_FAILED");
  expect(job.error?.message).toContain("the model file is corrupt");
});

test("input that does not exist fails the job with its address", async () => {
  const created = await createBatch("absent", {
    unmanagedContainerModel: { containerSpec: predictorSpec },
  });
  const job = await batchEnded(created.name ?? "");
  expect(String(job.state)).toBe("JOB_STATE_FAILED");
  expect(job.error?.message).toContain("gs://artifacts/in/absent*.jsonl");
});
