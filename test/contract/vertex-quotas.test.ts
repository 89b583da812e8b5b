/** Limits of Vertex AI that can be set low, and times that can be set long. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { v1 } from "@google-cloud/aiplatform";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../../infra/local/config.js";
import { eventually, testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { restCalls } from "./recordings.js";

const parent = `projects/${testProject}/locations/us-central1`;
const minuteMs = 60_000;

let folder: string;
let imagesFile: string;
const running: LocalCloud[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuo-quotas-"));
  imagesFile = join(folder, "images.json");
  const shell = { entrypoint: ["sh", "-c"], hostCommands: true };
  writeFileSync(imagesFile, JSON.stringify({ images: { shell } }));
});
afterEach(async () => {
  for (const cloud of running.splice(0)) await cloud.stop();
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const start = async (
  settings: Parameters<typeof withLocalCloud>[1] = {},
): Promise<LocalCloud & { readonly call: ReturnType<typeof restCalls> }> => {
  const cloud = await withLocalCloud(["vertex", "storage", "logging"], { imagesFile, ...settings });
  running.push(cloud);
  return { ...cloud, call: restCalls(() => cloud.port) };
};

const customJob = (script: string, accelerators = 0) => ({
  displayName: "job",
  jobSpec: {
    workerPoolSpecs: [
      {
        replicaCount: 1,
        machineSpec: {
          machineType: "n1-standard-4",
          ...(accelerators === 0
            ? {}
            : { acceleratorType: "NVIDIA_TESLA_T4" as const, acceleratorCount: accelerators }),
        },
        containerSpec: { imageUri: "shell:1", args: [script] },
      },
    ],
  },
});

describe("submissions in a minute", () => {
  it("are refused beyond the quota of the region, whatever they submit, and taken again a minute later", async () => {
    let nowMs = Date.now();
    const { call, grpcOptions, ...cloud } = await start({
      submissionsPerMinuteMax: 2,
      now: () => nowMs,
    });
    const customJobs = `v1/${parent}/customJobs`;
    expect((await call("POST", customJobs, customJob("true"))).code).toBe(200);
    const endpoint = { displayName: "counted" };
    expect((await call("POST", `v1/${parent}/endpoints`, endpoint)).code).toBe(200);
    const refused = await call("POST", customJobs, customJob("true"));
    expect(refused.code).toBe(429);
    expect(refused.body["error"]).toMatchObject({
      status: "RESOURCE_EXHAUSTED",
      message: expect.stringMatching(
        /^Quota exceeded for quota metric 'Job or LRO submission requests'.*'project_number:123456789012'\. Try again in \d+ s\.$/,
      ),
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "RATE_LIMIT_EXCEEDED",
          metadata: { quota_limit_value: "2", quota_location: "us-central1" },
        },
      ],
    });
    const client = new v1.JobServiceClient(grpcOptions);
    await expect(client.createCustomJob({ parent, customJob: customJob("true") })).rejects.toThrow(
      "RESOURCE_EXHAUSTED",
    );
    await client.close();
    expect((await call("GET", customJobs)).code).toBe(200);
    const entry = await eventually("the refusal's audit entry", async () => {
      const { body } = await call("POST", "v2/entries:list", {
        resourceNames: [`projects/${testProject}`],
        filter: 'protoPayload.methodName:"CreateCustomJob" AND severity=ERROR',
      });
      return (body["entries"] as readonly Record<string, unknown>[] | undefined)?.[0];
    });
    expect(entry["protoPayload"]).toMatchObject({ status: { code: 8 } });
    nowMs += minuteMs;
    expect((await call("POST", customJobs, customJob("true"))).code).toBe(200);
    expect(cloud.lines.filter((line) => line.includes("inside the local cloud"))).toEqual([]);
  });

  it("have no limit unless one is set", () => {
    expect(readConfig([], {})).not.toHaveProperty("submissionsPerMinuteMax");
    expect(readConfig([], { CONTINUO_LOCAL_SUBMISSIONS_PER_MINUTE: "3" })).toMatchObject({
      submissionsPerMinuteMax: 3,
    });
    expect(() => readConfig(["--submissions-per-minute", "many"], {})).toThrow(
      "--submissions-per-minute (or CONTINUO_LOCAL_SUBMISSIONS_PER_MINUTE): must be a number, or empty for no limit. Example: --submissions-per-minute 60",
    );
  });
});

describe("accelerators in use at once", () => {
  it("refuse a job beyond the quota of their type until another one ends", async () => {
    const { call } = await start({ acceleratorsMax: { NVIDIA_TESLA_T4: 2 } });
    const customJobs = `v1/${parent}/customJobs`;
    const first = await call("POST", customJobs, customJob("sleep 600", 2));
    expect(first.code).toBe(200);
    const refused = await call("POST", customJobs, customJob("true", 1));
    expect(refused.code).toBe(429);
    expect(refused.body["error"]).toMatchObject({
      status: "RESOURCE_EXHAUSTED",
      message:
        "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus",
    });
    expect((await call("POST", customJobs, customJob("true"))).code).toBe(200);
    await call("POST", `v1/${String(first.body["name"])}:cancel`, {});
    await eventually("room for another job", async () => {
      const { code } = await call("POST", customJobs, customJob("true", 2));
      return code === 200;
    });
  });

  it("fail a pipeline's task that asks for more than there are", async () => {
    const { call, address } = await start({ acceleratorsMax: { NVIDIA_TESLA_T4: 0 } });
    await fetch(`${address}/storage/v1/b?project=${testProject}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "root" }),
    });
    const container = {
      image: "shell:1",
      args: ["true"],
      resources: { accelerator: { type: "NVIDIA_TESLA_T4", count: "1" } },
    };
    const made = await call("POST", `v1/${parent}/pipelineJobs?pipelineJobId=on-gpu`, {
      runtimeConfig: { gcsOutputDirectory: "gs://root/out" },
      pipelineSpec: {
        schemaVersion: "2.1.0",
        pipelineInfo: { name: "gpu" },
        components: { train: { executorLabel: "train" } },
        deploymentSpec: { executors: { train: { container } } },
        root: {
          dag: {
            tasks: { train: { taskInfo: { name: "train" }, componentRef: { name: "train" } } },
          },
        },
      },
    });
    expect(made.code).toBe(200);
    const job = await eventually("the failed job", async () => {
      const { body } = await call("GET", `v1/${String(made.body["name"])}`);
      return body["state"] === "PIPELINE_STATE_FAILED" && body;
    });
    expect(JSON.stringify(job["jobDetail"])).toContain(
      "aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus",
    );
  });

  it("are set by type", () => {
    expect(readConfig(["--accelerator-quota", "NVIDIA_L4=1,TPU_V3=0"], {})).toMatchObject({
      acceleratorsMax: { NVIDIA_L4: 1, TPU_V3: 0 },
    });
    expect(() => readConfig(["--accelerator-quota", "many"], {})).toThrow("must name accelerators");
  });
});

describe("a finished operation", () => {
  it("is there for its life, and then neither read nor listed, also after a restart", async () => {
    let nowMs = Date.now();
    const settings = { operationLifeMs: 10 * minuteMs, now: () => nowMs };
    const first = await start(settings);
    const made = await first.call("POST", `v1/${parent}/endpoints`, { displayName: "kept" });
    const name = String(made.body["name"]);
    const read = async ({ call }: typeof first) => call("GET", `v1/${name}`);
    await eventually("the end", async () => (await read(first)).body["done"] === true);
    nowMs += 9 * minuteMs;
    expect((await read(first)).code).toBe(200);
    nowMs += minuteMs;
    expect((await read(first)).code).toBe(404);
    const list = await first.call("GET", `v1/${parent}/operations`);
    expect(list.body["operations"] ?? []).toEqual([]);
    await first.stop({ keep: true });
    running.length = 0;
    const again = await start({ ...settings, folder: first.folder });
    expect((await read(again)).code).toBe(404);
  });
});
