/** Vertex AI's recorded replies: what the service adds, when it answers at once, and what it says. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { errorBody, from, recordings, restCalls, type RestAnswer } from "./recordings.js";

const number = "123456789012";
const location = `projects/${testProject}/locations/us-central1`;
const numbered = `projects/${number}/locations/us-central1`;
const preview = "v1beta1";

let cloud: LocalCloud;
let folder: string;
const call = restCalls(() => cloud.port);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuo-recorded-"));
  const imagesFile = join(folder, "images.json");
  const alpine = { entrypoint: [], hostCommands: true };
  writeFileSync(imagesFile, JSON.stringify({ images: { alpine } }));
  cloud = await withLocalCloud(["vertex", "storage", "logging"], { imagesFile });
  await fetch(`${cloud.address}/storage/v1/b?project=${testProject}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "recorded" }),
  });
});
afterAll(async () => {
  await cloud.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Follows an operation as the recordings do, at its own name. */
const ended = async (name: unknown): Promise<RestAnswer["body"]> =>
  eventually("the operation's end", async () => {
    const { body } = await call("GET", `${preview}/${String(name)}?alt=json`);
    return body["done"] === true && body;
  });

describe("recorded endpoints", () => {
  const endpoints = `${preview}/${location}/endpoints`;
  const labels = { "managed-by": "somebody" };

  it(`creation is an operation of the endpoint, without etag and times in its response ${from(recordings.endpoint)}`, async () => {
    const given = { description: "example", displayName: "basic", labels };
    const made = await call("POST", `${endpoints}?alt=json&endpointId=recorded-one`, given);
    const name = `${numbered}/endpoints/recorded-one`;
    expect(made.code).toBe(200);
    expect(made.body["name"]).toMatch(new RegExp(`^${name}/operations/\\d+$`));
    expect(made.body["done"]).toBeUndefined();
    expect(made.body["metadata"]).toMatchObject({
      genericMetadata: { createTime: expect.any(String), updateTime: expect.any(String) },
    });
    const operation = await ended(made.body["name"]);
    const { "@type": type, ...response } = operation["response"] as Record<string, unknown>;
    expect(type).toMatch(
      /^type\.googleapis\.com\/google\.cloud\.aiplatform\.v1(beta1)?\.Endpoint$/,
    );
    expect(response).toEqual({ name, ...given });
    const { body } = await call("GET", `${endpoints}/recorded-one?alt=json`);
    expect(body).toEqual({
      name,
      ...given,
      etag: expect.any(String),
      createTime: expect.any(String),
      updateTime: expect.any(String),
    });
  });

  it(`a change is answered at once, and only the masked fields change ${from(recordings.endpointKey)}`, async () => {
    const given = { description: "example", displayName: "basic", labels };
    const made = await call("POST", `${endpoints}?endpointId=recorded-two`, given);
    await ended(made.body["name"]);
    const path = `${endpoints}/recorded-two?alt=json`;
    const before = await call("GET", path);
    const { code, body } = await call("PATCH", `${path}&updateMask=displayName`, {
      description: "not in the mask",
      displayName: "updated",
      labels: {},
    });
    expect(code).toBe(200);
    expect(body).toMatchObject({ ...given, displayName: "updated" });
    expect(body["createTime"]).toBe(before.body["createTime"]);
    expect(body["etag"]).not.toBe(before.body["etag"]);
    expect((await call("GET", path)).body).toEqual(body);
  });

  it(`deletion is done in its reply, as an operation of the location ${from(recordings.endpoint)}`, async () => {
    const made = await call("POST", `${endpoints}?endpointId=recorded-three`, { displayName: "x" });
    await ended(made.body["name"]);
    const { code, body } = await call("DELETE", `${endpoints}/recorded-three?alt=json`);
    expect(code).toBe(200);
    expect(body).toMatchObject({
      done: true,
      response: { "@type": "type.googleapis.com/google.protobuf.Empty" },
    });
    expect(body["name"]).toMatch(new RegExp(`^${numbered}/operations/\\d+$`));
    expect((await call("GET", `${endpoints}/recorded-three`)).body).toMatchObject({
      error: { code: 404, status: "NOT_FOUND" },
    });
    expect(await ended(body["name"])).toEqual(body);
  });
});

describe("recorded custom jobs", () => {
  const customJobs = `${preview}/${location}/customJobs`;
  const ints = "?%24alt=json%3Benum-encoding%3Dint";

  it(`a name that is no number is not a name ${from(recordings.customJob)}`, async () => {
    const { code, body } = await call("GET", `${customJobs}/customjob-one${ints}`);
    expect(code).toBe(400);
    const message =
      "List of found errors:\t1.Field: name; Message: Invalid CustomJob resource name.\t";
    expect(body).toMatchObject(errorBody(400, "INVALID_ARGUMENT", message));
  });

  it(`creation is answered at once with a pending job on the service's disk ${from(recordings.customJob)}`, async () => {
    const pool = {
      containerSpec: { command: ["sh", "-c", "echo hello world"], imageUri: "alpine:latest" },
      machineSpec: { machineType: "n1-standard-4" },
      replicaCount: "1",
    };
    const jobSpec = { workerPoolSpecs: [pool] };
    const made = await call("POST", `${customJobs}${ints}`, { displayName: "minimal", jobSpec });
    expect(made).toEqual({
      code: 200,
      body: {
        name: expect.stringMatching(new RegExp(`^${numbered}/customJobs/\\d{19}$`)),
        displayName: "minimal",
        jobSpec: {
          workerPoolSpecs: [{ ...pool, diskSpec: { bootDiskSizeGb: 100, bootDiskType: "pd-ssd" } }],
        },
        state: 2,
        createTime: expect.any(String),
        updateTime: expect.any(String),
      },
    });
    const job = await eventually("the job's end", async () => {
      const { body } = await call("GET", `${preview}/${String(made.body["name"])}`);
      return String(body["state"]).endsWith("SUCCEEDED") && body;
    });
    expect(job).toMatchObject({ startTime: expect.any(String), endTime: expect.any(String) });
  });
});

describe("recorded pipeline jobs", () => {
  const pipelineJobs = `v1/${location}/pipelineJobs`;
  const pipelineSpec = (command: readonly string[]) => ({
    components: { hello: { executorLabel: "hello" } },
    deploymentSpec: { executors: { hello: { container: { command, image: "alpine:latest" } } } },
    pipelineInfo: { name: "hello-world-pipeline" },
    root: {
      dag: {
        tasks: {
          hello: {
            cachingOptions: { enableCache: true },
            componentRef: { name: "hello" },
            taskInfo: { name: "hello" },
          },
        },
      },
    },
    schemaVersion: "2.1.0",
  });

  it(`a missing one is told in these words ${from(recordings.pipelineJob)}`, async () => {
    const { code, body } = await call("GET", `${pipelineJobs}/nowhere`);
    expect(code).toBe(404);
    expect(body).toMatchObject(errorBody(404, "NOT_FOUND", "The PipelineJob does not exist."));
  });

  it(`creation adds a state, an account and a label; the end adds the contexts; deletion is done at once ${from(recordings.pipelineJob)}`, async () => {
    const given = {
      displayName: "Maximal Pipeline Job",
      labels: { foo: "bar" },
      pipelineSpec: pipelineSpec(["sh", "-c", "sleep 600"]),
      runtimeConfig: {
        failurePolicy: "PIPELINE_FAILURE_POLICY_FAIL_FAST",
        gcsOutputDirectory: "gs://recorded/output",
      },
    };
    const name = `${numbered}/pipelineJobs/recorded-job`;
    const made = await call("POST", `${pipelineJobs}?pipelineJobId=recorded-job`, given);
    expect(made).toEqual({
      code: 200,
      body: {
        ...given,
        name,
        labels: {
          foo: "bar",
          "vertex-ai-pipelines-run-billing-id": expect.stringMatching(/^\d+$/),
        },
        serviceAccount: `${number}-compute@developer.gserviceaccount.com`,
        state: "PIPELINE_STATE_PENDING",
        createTime: expect.any(String),
        updateTime: expect.any(String),
      },
    });
    const job = async () => (await call("GET", `v1/${name}`)).body;
    await eventually(
      "a running task",
      async () => (await job())["state"] === "PIPELINE_STATE_RUNNING",
    );
    expect(await call("POST", `v1/${name}:cancel`, {})).toEqual({ code: 200, body: {} });
    const cancelled = await eventually("the cancelled job", async () => {
      const body = await job();
      return body["state"] === "PIPELINE_STATE_CANCELLED" && body;
    });
    const contexts = `${numbered}/metadataStores/default/contexts`;
    expect(cancelled).toMatchObject({
      endTime: expect.any(String),
      jobDetail: {
        pipelineContext: {
          name: `${contexts}/hello-world-pipeline`,
          displayName: "hello-world-pipeline",
          schemaTitle: "system.Pipeline",
          schemaVersion: "0.0.1",
        },
        pipelineRunContext: {
          name: `${contexts}/recorded-job`,
          displayName: "recorded-job",
          parentContexts: [`${contexts}/hello-world-pipeline`],
          schemaTitle: "system.PipelineRun",
          schemaVersion: "0.0.1",
        },
      },
    });
    const { body } = await call("DELETE", `v1/${name}`);
    expect(body).toMatchObject({
      done: true,
      response: { "@type": "type.googleapis.com/google.protobuf.Empty" },
    });
    expect(body["name"]).toMatch(new RegExp(`^${numbered}/operations/\\d+$`));
    expect((await call("GET", `v1/${name}`)).code).toBe(404);
  });
});
