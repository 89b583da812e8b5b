/** The Pipelines, Registry, Endpoints, Metrics and PredictionLog ports on Vertex AI, against the local cloud. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { deployedModelId, modelName, modelVersionId, runId } from "../../events/ids.js";
import type { RunId } from "../../events/ids.js";
import { RejectedError, UnavailableError } from "../../shared/domain/errors.js";
import type { PipelineJobFacts } from "../../shared/domain/facts.js";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { provisionBucket } from "../../shared/gcp/provision-bucket.js";
import type { MetricQuery } from "../../shared/ports/metrics.js";
import type { Ports } from "../../shared/ports/ports.js";
import type { Deployment, VersionUpload } from "../../shared/ports/vertex.js";
import { eventually, withLocalCloud, type LocalCloud } from "./local-cloud.js";

const predictorFile = fileURLToPath(new URL("vertex-endpoints-predictor.mjs", import.meta.url));
const imagesFolder = mkdtempSync(join(tmpdir(), "continuo-images-"));

let cloud: LocalCloud;
let config: GcpConfig;
let ports: Ports;

beforeAll(async () => {
  const imagesFile = join(imagesFolder, "images.json");
  const images = {
    shell: { entrypoint: ["sh", "-c"], hostCommands: true },
    predictor: { entrypoint: [process.execPath, predictorFile] },
  };
  writeFileSync(imagesFile, JSON.stringify({ images }));
  cloud = await withLocalCloud(["pubsub", "storage", "logging", "monitoring", "vertex"], {
    imagesFile,
    metricPeriodMs: 100,
  });
  config = {
    projectId: cloud.projectId,
    region: "us-central1",
    bucket: "demo-bucket",
    identity: "continuo@demo-project.iam.gserviceaccount.com",
    localCloud: cloud.address,
  };
  ports = gcpPorts(config);
  await provisionBucket(config, { pushBaseUrl: "http://127.0.0.1:9", pushIdentity: "p@x" });
});

afterAll(async () => {
  await cloud.stop();
  rmSync(imagesFolder, { recursive: true, force: true });
});

const metrics = {
  auc: 0.7,
  averagePrecision: 0.4,
  logLoss: 0.5,
  brier: 0.1,
  accuracy: 0.8,
  calibrationError: 0.01,
};

const evaluation = {
  formatVersion: 1,
  rows: 100,
  positives: 20,
  challenger: metrics,
  constant: { ...metrics, auc: 0.5 },
  thresholds: [],
  comparison: {
    against: "constant",
    test: "delong",
    metric: "auc",
    mode: "superiority",
    margin: 0,
    alpha: 0.05,
    improvement: 0.2,
    standardError: 0.01,
    interval: [0.18, 0.22],
    pValue: 0.001,
    isAccepted: true,
    power: 0.99,
    powerEffect: 0.01,
    detectable: 0.02,
  },
  slices: [],
  calibration: [],
  curve: [],
  confusion: {
    threshold: 0.5,
    truePositives: 1,
    falsePositives: 1,
    falseNegatives: 1,
    trueNegatives: 1,
  },
  verdict: { outcome: "accept", reasons: ["auc 0.7 is above 0.65"] },
  scoresDigest: "abc",
  models: { challenger: "model" },
};

const anomalies = {
  formatVersion: 1,
  dataset: "flights",
  verdict: "ask",
  anomalies: [
    { kind: "drift", severity: "ask", message: "distance drifted", column: "distance" },
    { kind: "drift", severity: "note", message: "month drifted a little" },
  ],
};

const countsOf = async (query: MetricQuery) => {
  const [answer] = await ports.metrics.counts([query]);
  if (answer === undefined || "error" in answer) throw answer?.error ?? new Error("no answer");
  return answer.counts;
};

const artifact = { artifactType: { schemaTitle: "system.Artifact", schemaVersion: "0.0.1" } };
const path = (name: string): string => `{{$.outputs.artifacts['${name}'].path}}`;
const write = (name: string, content: unknown): string =>
  `mkdir -p $(dirname ${path(name)}) && printf '%s' '${JSON.stringify(content)}' > ${path(name)}`;

interface TaskOptions {
  readonly command: string;
  readonly outputs: readonly string[];
  readonly after?: readonly string[];
}

const pipeline = (tasks: Readonly<Record<string, TaskOptions>>) => ({
  schemaVersion: "2.1.0",
  sdkVersion: "kfp-2.7.0",
  pipelineInfo: { name: "training" },
  deploymentSpec: {
    executors: Object.fromEntries(
      Object.entries(tasks).map(([name, { command }]) => [
        `exec-${name}`,
        { container: { image: "shell", command: ["sh", "-c"], args: [command] } },
      ]),
    ),
  },
  components: Object.fromEntries(
    Object.entries(tasks).map(([name, { outputs }]) => [
      `comp-${name}`,
      {
        executorLabel: `exec-${name}`,
        outputDefinitions: {
          artifacts: Object.fromEntries(outputs.map((output) => [output, artifact])),
        },
      },
    ]),
  ),
  root: {
    dag: {
      tasks: Object.fromEntries(
        Object.entries(tasks).map(([name, { after = [] }]) => [
          name,
          {
            taskInfo: { name },
            componentRef: { name: `comp-${name}` },
            ...(after.length === 0 ? {} : { dependentTasks: after }),
          },
        ]),
      ),
    },
  },
});

const training = pipeline({
  profile: {
    command: `${write("profile", {})} && ${write("anomalies", anomalies)}`,
    outputs: ["profile", "anomalies"],
  },
  train: {
    command: `mkdir -p ${path("model")} && echo '{"value":"a"}' > ${path("model")}/model.json`,
    outputs: ["model"],
    after: ["profile"],
  },
  evaluate: { command: write("evaluation", evaluation), outputs: ["evaluation"], after: ["train"] },
});

const request = (run: RunId) => ({
  run,
  template: null,
  parameters: {},
  labels: { "continuo-run": run },
});

const ended = (run: RunId): Promise<PipelineJobFacts> =>
  eventually(`${run} ends`, async () => {
    const job = await ports.pipelines.get(run);
    return job !== null && !["pending", "running"].includes(job.state) && job;
  });

describe("pipelines", () => {
  it("submits a run once, and reads what its tasks found", async () => {
    const run = runId.parse("late-flights-r0000000001");
    expect(await ports.pipelines.get(run)).toBeNull();
    await ports.pipelines.submit(request(run), training);
    await ports.pipelines.submit(request(run), training);
    const job = await ended(run);
    expect(job).toMatchObject({
      state: "succeeded",
      error: null,
      tasks: { profile: "succeeded", train: "succeeded", evaluate: "succeeded" },
      dataGate: { verdict: "ask", reasons: ["distance drifted"] },
      evaluation: {
        outcome: "accept",
        reasons: ["auc 0.7 is above 0.65"],
        numbers: {
          rows: 100,
          "challenger.auc": 0.7,
          "constant.auc": 0.5,
          "comparison.improvement": 0.2,
          "comparison.lower": 0.18,
        },
      },
    });
    expect(job.dataGate?.profileUri).toMatch(/^gs:\/\/demo-bucket\/pipeline-root\/.*profile/);
    expect(job.evaluation?.report).toMatch(/^gs:\/\/demo-bucket\/pipeline-root\/.*evaluation/);
    expect(job.evaluation?.artifact).toMatch(/^gs:\/\/demo-bucket\/pipeline-root\/.*model/);
    expect(job.evaluation?.artifactDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(job.machineSeconds).toBeGreaterThan(0);
    expect(job.machineSeconds).toBeLessThan(30);
    // Cancelling what has ended changes nothing.
    await ports.pipelines.cancel(run);
  });

  it("tells which task failed, and how", async () => {
    const run = runId.parse("late-flights-r0000000002");
    const spec = pipeline({ train: { command: "exit 3", outputs: [] } });
    await ports.pipelines.submit(request(run), spec);
    const job = await ended(run);
    expect(job).toMatchObject({ state: "failed", tasks: { train: "failed" }, evaluation: null });
    expect(job.error).toMatch(/train/);
  });

  it("takes a run whose evaluation cannot be read for failed, and says why", async () => {
    const run = runId.parse("late-flights-r0000000007");
    const spec = pipeline({
      evaluate: { command: write("evaluation", { verdict: "fine" }), outputs: ["evaluation"] },
    });
    await ports.pipelines.submit(request(run), spec);
    const job = await ended(run);
    expect(job).toMatchObject({ state: "failed", evaluation: null });
    expect(job.error).toMatch(
      /is no evaluation.json as it should be. Check the image that wrote it. rows: Invalid input: .*; verdict: /,
    );
  });

  it("keeps the first of very many reasons, so that a run still fits into its document", async () => {
    const run = runId.parse("late-flights-r0000000008");
    const reasons = Array.from({ length: 60 }, (_, index) => `reason ${index} ${"x".repeat(1500)}`);
    const verdict = { ...evaluation.verdict, reasons };
    const spec = pipeline({
      train: { command: `echo m > ${path("model")}`, outputs: ["model"] },
      evaluate: {
        command: write("evaluation", { ...evaluation, verdict }),
        outputs: ["evaluation"],
        after: ["train"],
      },
    });
    await ports.pipelines.submit(request(run), spec);
    const kept = (await ended(run)).evaluation?.reasons ?? [];
    expect(kept).toHaveLength(21);
    expect(kept.at(-1)).toMatch(/^and 40 more; gs:.* lists them all$/);
    expect(JSON.stringify(kept).length).toBeLessThan(25_000);
  });

  it("cancels a run, and leaves a run that does not exist alone", async () => {
    const run = runId.parse("late-flights-r0000000003");
    const spec = pipeline({ train: { command: "sleep 60", outputs: [] } });
    await ports.pipelines.submit(request(run), spec);
    await eventually("training", async () => {
      const job = await ports.pipelines.get(run);
      return job?.tasks["train"] === "running";
    });
    await ports.pipelines.cancel(run);
    expect(await ended(run)).toMatchObject({ state: "cancelled" });
    await ports.pipelines.cancel(runId.parse("late-flights-r0000000004"));
  });

  it("sends a template from the bucket along, and names one that is missing", async () => {
    const run = runId.parse("late-flights-r0000000005");
    const template = "gs://demo-bucket/templates/train.json";
    const spec = pipeline({ train: { command: "true", outputs: [] } });
    await ports.objects.write(template, Buffer.from(JSON.stringify(spec)), "application/json");
    await ports.pipelines.submit({ ...request(run), template }, undefined);
    expect(await ended(run)).toMatchObject({ state: "succeeded" });
    const missing = { ...request(run), template: "gs://demo-bucket/templates/none.json" };
    await expect(ports.pipelines.submit(missing, undefined)).rejects.toThrow(/none.json does not/);
  });

  it("gives a template what it declares of what is offered, and the manifest's own parameters first", async () => {
    const run = runId.parse("late-flights-r0000000009");
    const template = "gs://demo-bucket/templates/own.json";
    const plain = pipeline({ train: { command: "true", outputs: [] } });
    const parameterType = "STRING";
    const spec = {
      ...plain,
      root: {
        ...plain.root,
        inputDefinitions: { parameters: { data: { parameterType }, owner: { parameterType } } },
      },
    };
    await ports.objects.write(template, Buffer.from(JSON.stringify(spec)), "application/json");
    const asked = { ...request(run), template, parameters: { owner: "us" } };
    const offered = { data: "gs://data/a.csv", owner: "nobody", undeclared: "x" };
    await ports.pipelines.submit({ ...asked, offered }, undefined);
    const name = `projects/${config.projectId}/locations/${config.region}/pipelineJobs/${run}`;
    const job: unknown = await (await fetch(`${cloud.address}/v1/${name}`)).json();
    expect(job).toMatchObject({
      runtimeConfig: { parameterValues: { data: "gs://data/a.csv", owner: "us" } },
    });
    expect(await ended(run)).toMatchObject({ state: "succeeded" });
  });

  it("refuses a broken spec for good", async () => {
    const run = runId.parse("late-flights-r0000000006");
    const attempt = ports.pipelines.submit(request(run), { root: {} });
    await expect(attempt).rejects.toThrow(RejectedError);
    await expect(attempt).rejects.toThrow(/submit PipelineJob late-flights-r0000000006/);
  });
});

const model = modelName.parse("late-flights");
const digest = "0123456789abcdef".repeat(4);

const version = (alias: string): VersionUpload => ({
  model,
  alias,
  artifactUri: "gs://demo-bucket/models/a",
  artifactDigest: digest,
  image: "predictor",
  healthRoute: "/health",
  predictRoute: "/predict",
  env: { MODE: "test" },
  labels: { "continuo-model": model },
});

const registered = (alias: string) =>
  eventually(`version ${alias}`, async () => (await ports.registry.version(model, alias)) ?? false);

describe("the registry", () => {
  it("uploads a version once, finds it by alias and by id, and moves aliases", async () => {
    await ports.objects.write(
      "gs://demo-bucket/models/a/model.json",
      Buffer.from('{"value":"a"}'),
      "application/json",
    );
    expect(await ports.registry.version(model, "run-a")).toBeNull();
    await ports.registry.upload(version("run-a"));
    const first = await registered("run-a");
    expect(first).toMatchObject({
      versionId: "1",
      artifactUri: "gs://demo-bucket/models/a",
      artifactDigest: digest,
      servingImage: "predictor",
    });
    expect(first.aliases).toEqual(expect.arrayContaining(["run-a", "default"]));
    expect(await ports.registry.uploading(model)).toBeNull();
    await ports.registry.upload(version("run-b"));
    const second = await registered("run-b");
    expect(second.versionId).toBe("2");
    expect(await ports.registry.version(model, "3")).toBeNull();
    await ports.registry.setAliases(model, second.versionId, ["champion", "default"]);
    await ports.registry.setAliases(model, second.versionId, ["champion", "default"]);
    expect((await ports.registry.version(model, "champion"))?.versionId).toBe("2");
    await ports.registry.setAliases(model, second.versionId, ["-champion"]);
    expect(await ports.registry.version(model, "champion")).toBeNull();
  });

  it("shows a version's evaluation once, in Vertex AI's own form", async () => {
    const shown = modelName.parse("shown-model");
    const report = "gs://demo-bucket/reports/evaluation.json";
    const rewrite = (content: unknown) =>
      ports.objects.write(report, Buffer.from(JSON.stringify(content)), "application/json");
    await rewrite(evaluation);
    await ports.registry.upload({ ...version("run-shown"), model: shown });
    const { versionId } = await eventually(
      "the version",
      async () => (await ports.registry.version(shown, "run-shown")) ?? false,
    );
    await ports.registry.importEvaluation(shown, versionId, { name: "run-shown", report });
    await ports.registry.importEvaluation(shown, versionId, { name: "run-shown", report });
    const listed = await fetch(
      `${cloud.address}/v1/projects/${cloud.projectId}/locations/us-central1/models/${shown}/evaluations`,
    );
    expect(await listed.json()).toMatchObject({
      modelEvaluations: [
        {
          displayName: "run-shown",
          metricsSchemaUri:
            "gs://google-cloud-aiplatform/schema/modelevaluation/classification_metrics_1.0.0.yaml",
          metrics: {
            auRoc: 0.7,
            auPrc: 0.4,
            logLoss: 0.5,
            confusionMatrix: {
              rows: [
                [1, 1],
                [1, 1],
              ],
            },
          },
          metadata: { report, outcome: "accept" },
        },
      ],
    });
    await rewrite({ ...evaluation, task: "ranking" });
    await ports.registry.importEvaluation(shown, versionId, { name: "a-ranking", report });
    await rewrite({ verdict: "fine" });
    await expect(
      ports.registry.importEvaluation(shown, versionId, { name: "broken", report }),
    ).rejects.toThrow(/no evaluation.json as it should be/);
    await expect(
      ports.registry.importEvaluation(shown, modelVersionId.parse("9"), { name: "x", report }),
    ).rejects.toBeInstanceOf(RejectedError);
  });

  it("lists what runs uploaded, and removes one without an alias", async () => {
    const extra = modelName.parse("extra-model");
    const run = runId.parse("extra-model-r0000000001");
    const labels = { "continuo-model": extra, "continuo-run": run };
    expect(await ports.registry.uploads(extra)).toEqual([]);
    await ports.registry.upload({ ...version("run-one"), model: extra });
    await eventually("the first", async () => (await ports.registry.version(extra, "1")) !== null);
    await ports.registry.upload({ ...version("run-two"), model: extra, labels });
    const second = await eventually(
      "the second",
      async () => (await ports.registry.version(extra, "run-two")) ?? false,
    );
    expect(await ports.registry.uploads(extra)).toEqual([{ ...second, run }]);
    await ports.registry.remove(extra, second.versionId);
    expect(await ports.registry.version(extra, "run-two")).toEqual(second);
    await ports.registry.setAliases(extra, second.versionId, ["-run-two"]);
    await ports.registry.remove(extra, second.versionId);
    await eventually(
      "its removal",
      async () => (await ports.registry.version(extra, second.versionId)) === null,
    );
    await ports.registry.remove(extra, second.versionId);
    expect(await ports.registry.version(extra, "1")).not.toBeNull();
  });

  it("never makes a model twice, however many upload its first version at once", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 4 }, () =>
        ports.registry.upload({ ...version("run-once"), model: modelName.parse("other-model") }),
      ),
    );
    const refusals = outcomes.flatMap((one): readonly unknown[] =>
      one.status === "rejected" ? [one.reason] : [],
    );
    expect(refusals.length).toBeLessThan(outcomes.length);
    expect(refusals.every((reason) => reason instanceof UnavailableError)).toBe(true);
    await eventually("the version", async () => {
      const found = await ports.registry.version(modelName.parse("other-model"), "run-once");
      return found !== null;
    });
    expect(await ports.registry.version(modelName.parse("other-model"), "2")).toBeNull();
  });
});

const endpoint = "late-flights-prod";
const championId = deployedModelId.parse("1000000001");
const challengerId = deployedModelId.parse("1000000002");
const brokenId = deployedModelId.parse("1000000003");

const deployment = (change: Partial<Deployment>): Deployment => ({
  endpoint,
  model,
  versionId: modelVersionId.parse("1"),
  deployedModelId: championId,
  machineType: "n1-standard-2",
  replicasMin: 1,
  replicasMax: 1,
  ...change,
});

const deployed = (id: string) =>
  eventually(`${id} is deployed`, async () => {
    const facts = await ports.endpoints.get(endpoint);
    return facts?.deployed.some((one) => one === id) === true && facts;
  });

describe("endpoints", () => {
  it("creates an endpoint once", async () => {
    expect(await ports.endpoints.get(endpoint)).toBeNull();
    const options = {
      labels: { "continuo-model": model },
      predictionLog: "gs://demo-bucket/predictions",
      samplingRate: 1,
    };
    await Promise.all([
      ports.endpoints.ensure(endpoint, options),
      ports.endpoints.ensure(endpoint, options),
    ]);
    await ports.endpoints.ensure(endpoint, options);
    expect(await ports.endpoints.get(endpoint)).toEqual({
      deployed: [],
      trafficSplit: {},
      operation: null,
      failures: {},
      replicas: {},
    });
  });

  it("gives an endpoint that exists the labels of a later manifest, and leaves those of others", async () => {
    const url = `${cloud.address}/v1/projects/${cloud.projectId}/locations/us-central1/endpoints/${endpoint}`;
    const stored = z.object({ labels: z.record(z.string(), z.string()), updateTime: z.string() });
    const read = async () => stored.parse(await (await fetch(url)).json());
    await fetch(`${url}?updateMask=labels`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ labels: { ...(await read()).labels, theirs: "stays", team: "a" } }),
    });
    const options = { labels: { "continuo-model": model, team: "b" }, samplingRate: 1 };
    await ports.endpoints.ensure(endpoint, options);
    const labelled = await read();
    expect(labelled.labels).toEqual({ "continuo-model": model, team: "b", theirs: "stays" });
    await ports.endpoints.ensure(endpoint, options);
    expect(await read()).toEqual(labelled);
  });

  it("deploys without traffic, once, and waits while another deployment runs", async () => {
    await ports.endpoints.deploy(deployment({}));
    await ports.endpoints.deploy(deployment({}));
    await expect(
      ports.endpoints.deploy(deployment({ deployedModelId: challengerId })),
    ).rejects.toThrow(UnavailableError);
    expect(await deployed(championId)).toMatchObject({ trafficSplit: {}, failures: {} });
    await ports.endpoints.deploy(deployment({}));
    await ports.endpoints.deploy(
      deployment({ deployedModelId: challengerId, versionId: modelVersionId.parse("2") }),
    );
    expect((await deployed(challengerId)).deployed).toEqual([championId, challengerId]);
  });

  it("changes the traffic split only from what was expected", async () => {
    const all = { [championId]: 100 };
    const canary = { [championId]: 90, [challengerId]: 10 };
    await ports.endpoints.setTrafficSplit(endpoint, all, {});
    await ports.endpoints.setTrafficSplit(endpoint, all, {});
    expect((await ports.endpoints.get(endpoint))?.trafficSplit).toEqual(all);
    await ports.endpoints.setTrafficSplit(endpoint, canary, { ...all, [challengerId]: 0 });
    const stale = ports.endpoints.setTrafficSplit(
      endpoint,
      { [championId]: 50, [challengerId]: 50 },
      all,
    );
    await expect(stale).rejects.toThrow(RejectedError);
    await expect(stale).rejects.toThrow(/somebody else changed it/);
    expect((await ports.endpoints.get(endpoint))?.trafficSplit).toEqual(canary);
  });

  it("lets exactly one of two different changes win", async () => {
    const before = { [championId]: 90, [challengerId]: 10 };
    const outcomes = await Promise.allSettled([
      ports.endpoints.setTrafficSplit(endpoint, { [championId]: 80, [challengerId]: 20 }, before),
      ports.endpoints.setTrafficSplit(endpoint, { [championId]: 100 }, before),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const now = (await ports.endpoints.get(endpoint))?.trafficSplit ?? {};
    await ports.endpoints.setTrafficSplit(endpoint, { [championId]: 100 }, now);
  });

  it("scales a deployed model once, and leaves the traffic alone", async () => {
    const before = await ports.endpoints.get(endpoint);
    expect(before?.replicas[challengerId]).toEqual({ min: 1, max: 1, available: 1 });
    const wanted = { endpoint, deployedModelId: challengerId, replicasMin: 3, replicasMax: 5 };
    await ports.endpoints.scale(wanted);
    const facts = await eventually("the replicas serve", async () => {
      const found = await ports.endpoints.get(endpoint);
      return found?.replicas[challengerId]?.available === 3 && found.operation === null && found;
    });
    expect(facts.replicas[challengerId]).toEqual({ min: 3, max: 5, available: 3 });
    expect(facts.trafficSplit).toEqual(before?.trafficSplit);
    await ports.endpoints.scale(wanted);
    expect((await ports.endpoints.get(endpoint))?.operation).toBeNull();
    await ports.endpoints.scale({ ...wanted, deployedModelId: deployedModelId.parse("99") });
    const impossible = ports.endpoints.scale({ ...wanted, replicasMin: 6 });
    await expect(impossible).rejects.toThrow(RejectedError);
  });

  it("predicts, and reports a refused request instead of throwing", async () => {
    const good = await ports.endpoints.predict(endpoint, [{ distance: 1 }], 10_000);
    expect(good).toMatchObject({ status: 200, body: { deployedModelId: championId } });
    expect(good.latencyMs).toBeGreaterThan(0);
    expect((await ports.endpoints.predict(endpoint, [{ status: 500 }], 10_000)).status).toBe(500);
    expect((await ports.endpoints.predict("no-such-endpoint", [{}], 10_000)).status).toBe(404);
  });

  it("counts requests, errors and latencies per deployed model in whole windows", async () => {
    const counts = await eventually("the metrics", async () => {
      const found = await countsOf({ endpoint, sinceMs: 0, untilMs: Date.now() });
      return (found?.arms[championId]?.requests ?? 0) >= 2 && found;
    });
    const arm = counts?.arms[championId];
    expect(arm).toMatchObject({ requests: 2, errors: 1 });
    expect(arm?.latencies).toHaveLength((counts?.bounds.length ?? 0) + 1);
    const inWindows = counts?.windows.map((window) => window[championId]?.requests ?? 0) ?? [];
    expect(inWindows.reduce((sum, requests) => sum + requests, 0)).toBe(arm?.requests);
    const usage = counts?.usage[championId] ?? [];
    expect(usage.some(({ memoryBytes = 0 }) => memoryBytes > 2 ** 20)).toBe(true);
    expect(usage.map(({ atMs }) => atMs)).toEqual(
      usage.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
    );
    expect(arm?.latencies.reduce((sum, count) => sum + count, 0)).toBe(2);
    const later = { endpoint, sinceMs: counts?.endMs ?? 0, untilMs: Date.now() + 60_000 };
    expect(await countsOf(later)).toBeNull();
    expect(await countsOf({ endpoint, sinceMs: 10, untilMs: 10 })).toBeNull();
  });

  it("reads a metric of the user's own beside them, by the label that names the deployed model", async () => {
    const of = [championId, challengerId];
    const conversion = { metric: "custom.googleapis.com/shop/conversion", label: "served_by", of };
    const nobody = await eventually("the requests", async () =>
      countsOf({ endpoint, sinceMs: 0, untilMs: Date.now(), business: conversion }),
    );
    expect(nobody?.business).toEqual({ points: {}, problem: null });
    const writePoint = async (type: string, labels: object, kind: object): Promise<void> => {
      const response = await fetch(`${cloud.address}/v3/projects/${cloud.projectId}/timeSeries`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          timeSeries: [{ metric: { type, labels }, resource: { type: "global" }, ...kind }],
        }),
      });
      expect(response.status).toBe(200);
    };
    const atMs = Date.now();
    const gauge = (doubleValue: number) => ({
      points: [{ interval: { endTime: new Date(atMs).toISOString() }, value: { doubleValue } }],
    });
    await writePoint(conversion.metric, { served_by: championId }, gauge(0.25));
    await writePoint(conversion.metric, { served_by: challengerId }, gauge(0.5));
    const found = await eventually("the points", async () => {
      const query = { endpoint, sinceMs: 0, untilMs: Date.now(), business: conversion };
      const points = (await countsOf(query))?.business?.points ?? {};
      return Object.keys(points).length === 2 && points;
    });
    expect(found).toEqual({
      [championId]: [{ atMs, value: 0.25 }],
      [challengerId]: [{ atMs, value: 0.5 }],
    });
    const problemOf = async (metric: string, label: string) =>
      eventually("what is wrong with it", async () => {
        const query = {
          endpoint,
          sinceMs: 0,
          untilMs: Date.now(),
          business: { metric, label, of },
        };
        return (await countsOf(query))?.business?.problem;
      });
    expect(await problemOf(conversion.metric, "arm")).toBe(
      "no series of custom.googleapis.com/shop/conversion has the label arm",
    );
    const sales = "custom.googleapis.com/shop/sales";
    const startTime = new Date(atMs - 60_000).toISOString();
    const endTime = new Date(atMs).toISOString();
    await writePoint(
      sales,
      { served_by: championId },
      {
        metricKind: "CUMULATIVE",
        points: [{ interval: { startTime, endTime }, value: { int64Value: "7" } }],
      },
    );
    expect(await problemOf(sales, "served_by")).toContain("a count grows with the traffic");
  });

  it("reads the logged predictions that succeeded", async () => {
    const rows = await eventually("the prediction log", async () => {
      const found = await ports.predictionLog.read({
        location: "gs://demo-bucket/predictions",
        endpoint,
        sinceMs: Date.now() - 600_000,
        untilMs: Date.now(),
        rowsMax: 100,
      });
      return found.length > 0 && found;
    });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ deployedModelId: championId, instance: { distance: 1 } });
    expect(rows[0]?.prediction).toMatchObject({ model: "a" });
    const inBigQuery = ports.predictionLog.read({
      location: "bq://project.dataset.table",
      endpoint,
      sinceMs: 0,
      untilMs: 1,
      rowsMax: 1,
    });
    // The local cloud has no BigQuery; tests of its own show how it is read.
    await expect(inBigQuery).rejects.toThrow(/bq:\/\/project\.dataset\.table/);
  });

  it("refuses to undeploy what has traffic, and undeploys the rest once", async () => {
    await expect(ports.endpoints.undeploy(endpoint, championId)).rejects.toThrow(RejectedError);
    await ports.endpoints.undeploy(endpoint, challengerId);
    await eventually("the challenger is gone", async () => {
      const facts = await ports.endpoints.get(endpoint);
      return facts?.operation === null && !facts.deployed.includes(challengerId);
    });
    await ports.endpoints.undeploy(endpoint, challengerId);
    await ports.endpoints.undeploy("no-such-endpoint", challengerId);
  });

  it("reports a deployment that failed under its own id, and does not repeat it", async () => {
    await ports.registry.upload({ ...version("run-broken"), env: { BEHAVIOUR: "exits" } });
    const broken = await registered("run-broken");
    const wanted = deployment({ deployedModelId: brokenId, versionId: broken.versionId });
    await ports.endpoints.deploy(wanted);
    const facts = await eventually("the failure", async () => {
      const found = await ports.endpoints.get(endpoint);
      return found?.failures[brokenId] !== undefined && found;
    });
    expect(facts.failures[brokenId]).toMatch(/exit/);
    expect(Object.keys(facts.failures)).toEqual([brokenId]);
    expect(facts.deployed).toEqual([championId]);
    await ports.endpoints.deploy(wanted);
    expect((await ports.endpoints.get(endpoint))?.operation).toBeNull();
  });

  it("refuses to deploy what does not exist, with what to do", async () => {
    const nowhere = ports.endpoints.deploy(deployment({ endpoint: "no-such-endpoint" }));
    await expect(nowhere).rejects.toThrow(/continuo apply/);
  });
});

describe("objects", () => {
  it("reads what was written, lists it in order, and refuses what is too large or no address", async () => {
    const uri = "gs://demo-bucket/odd names/ü+?#&.txt";
    await ports.objects.write(uri, Buffer.from("hello"), "text/plain");
    await ports.objects.write("gs://demo-bucket/odd names/a", Buffer.alloc(0), "text/plain");
    expect((await ports.objects.read(uri, 5))?.toString("utf8")).toBe("hello");
    expect(await ports.objects.read("gs://demo-bucket/odd names/a", 5)).toHaveLength(0);
    expect(await ports.objects.list("gs://demo-bucket/odd names/")).toEqual([
      "gs://demo-bucket/odd names/a",
      uri,
    ]);
    expect(await ports.objects.read("gs://demo-bucket/none", 5)).toBeNull();
    const large = ports.objects.read(uri, 4);
    await expect(large).rejects.toThrow(RejectedError);
    await expect(large).rejects.toThrow(/is 5 bytes large; at most 4/);
    await expect(ports.objects.read("bq://a.b", 4)).rejects.toThrow(/gs:\/\/bucket/);
  });
});
