import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { eventually } from "./local-cloud.js";
import {
  metadataOf,
  startPipelinesWorld,
  statesOf,
  structOf,
  taskOf,
  type PipelinesWorld,
} from "./vertex-pipelines-world.js";

const entriesReply = z.object({ entries: z.array(z.record(z.string(), z.unknown())).optional() });

let world: PipelinesWorld;
beforeAll(async () => {
  world = await startPipelinesWorld();
});
afterAll(async () => {
  await world.stop();
});

const fixture = (name: string): object =>
  parse(readFileSync(new URL(`../fixtures/pipelines/${name}.yaml`, import.meta.url), "utf8"));

/** The fixture with every container's image replaced by the tests' shell. */
const runnable = (name: string): object =>
  JSON.parse(JSON.stringify(fixture(name)).replaceAll(/"image":"[^"]+"/g, '"image":"shell"'));

test("a duplicate id is refused, whichever way it is sent", async () => {
  const spec = runnable("hello_world");
  const created = await world.submit("twice", spec, { labels: { run: "r1" } });
  expect(created.name).toBe("projects/123456789012/locations/us-central1/pipelineJobs/twice");
  expect(String(created.state)).toBe("PIPELINE_STATE_PENDING");
  await expect(world.submit("twice", spec)).rejects.toMatchObject({ code: 6 });
  await expect(
    world.restPipelines.createPipelineJob({
      parent: world.parent,
      pipelineJobId: "twice",
      pipelineJob: {
        pipelineSpec: structOf(spec),
        runtimeConfig: { gcsOutputDirectory: "gs://artifacts/root" },
      },
    }),
  ).rejects.toMatchObject({ code: 409 });
  const job = await world.ended("twice");
  expect(String(job.state)).toBe("PIPELINE_STATE_SUCCEEDED");
  expect(statesOf(job)).toEqual({ echo: "SUCCEEDED" });
});

test("the same job reads the same over REST", async () => {
  await world.submit("over-rest", runnable("arguments_parameters"), {
    parameters: { param2: "world" },
  });
  const job = await world.ended("over-rest");
  const [rest] = await world.restPipelines.getPipelineJob({ name: world.nameOf("over-rest") });
  expect(rest.jobDetail?.taskDetails?.map(({ taskName, state }) => [taskName, state])).toEqual([
    ["echo", "SUCCEEDED"],
  ]);
  expect(metadataOf(job, "echo")).toMatchObject({
    "input:param1": "hello",
    "input:param2": "world",
  });
});

test.each([
  ["Hello_World", { code: 3 }],
  ["-x", { code: 3 }],
  ["a".repeat(128), { code: 3 }],
])("the id %s is refused", async (id, failure) => {
  await expect(world.submit(id, runnable("hello_world"))).rejects.toMatchObject(failure);
});

test("a template is read from storage, and its digest is shown", async () => {
  const text = readFileSync(
    new URL("../fixtures/pipelines/pipeline_with_after.yaml", import.meta.url),
    "utf8",
  );
  await world.objects.write(
    "artifacts",
    "t/after.yaml",
    Buffer.from(text.replaceAll("alpine", "shell")),
  );
  const [created] = await world.pipelines.createPipelineJob({
    parent: world.parent,
    pipelineJobId: "from-template",
    pipelineJob: {
      templateUri: "gs://artifacts/t/after.yaml",
      runtimeConfig: { gcsOutputDirectory: "gs://artifacts/root" },
    },
  });
  expect(created.templateMetadata?.version).toMatch(/^sha256:[0-9a-f]{64}$/);
  const job = await world.ended("from-template");
  expect(statesOf(job)).toEqual({
    "print-text": "SUCCEEDED",
    "print-text-2": "SUCCEEDED",
    "print-text-3": "SUCCEEDED",
  });
  const ends = (name: string): number =>
    Number(taskOf(job, name).endTime?.seconds) * 1e9 + Number(taskOf(job, name).endTime?.nanos);
  const starts = (name: string): number =>
    Number(taskOf(job, name).startTime?.seconds) * 1e9 + Number(taskOf(job, name).startTime?.nanos);
  expect(starts("print-text-3")).toBeGreaterThanOrEqual(ends("print-text-2"));
});

test("a missing template is refused with its address", async () => {
  await expect(
    world.pipelines.createPipelineJob({
      parent: world.parent,
      pipelineJob: {
        templateUri: "gs://artifacts/none.yaml",
        runtimeConfig: { gcsOutputDirectory: "gs://artifacts/root" },
      },
    }),
  ).rejects.toThrow(/gs:\/\/artifacts\/none\.yaml/);
});

test("each state of a job is a log entry in Vertex AI's form", async () => {
  await world.submit("logged", runnable("hello_world"));
  await world.ended("logged");
  const entries = await eventually("three entries", async () => {
    const response = await fetch(`${world.cloud.address}/v2/entries:list`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        resourceNames: [`projects/${world.cloud.projectId}`],
        filter:
          'resource.type="aiplatform.googleapis.com/PipelineJob" AND resource.labels.pipeline_job_id="logged"',
      }),
    });
    const { entries: found } = entriesReply.parse(await response.json());
    return found?.length === 3 && found;
  });
  expect(entries[2]).toMatchObject({
    logName: `projects/${world.cloud.projectId}/logs/aiplatform.googleapis.com%2Fpipeline_job_events`,
    jsonPayload: {
      "@type": "type.googleapis.com/google.cloud.aiplatform.logging.PipelineJobLogEntry",
      pipelineName: "echo",
      state: "PIPELINE_STATE_SUCCEEDED",
    },
    resource: {
      labels: {
        resource_container: "projects/123456789012",
        location: "us-central1",
        pipeline_job_id: "logged",
      },
    },
  });
});

test("jobs are listed by label, state and time, in pages", async () => {
  await world.submit("listed-a", runnable("hello_world"), { labels: { batch: "list" } });
  await world.submit("listed-b", runnable("hello_world"), { labels: { batch: "list" } });
  await world.ended("listed-a");
  await world.ended("listed-b");
  const listed = async (filter: string): Promise<readonly string[]> => {
    const [jobs] = await world.pipelines.listPipelineJobs({ parent: world.parent, filter });
    return jobs.map(({ displayName }) => displayName ?? "");
  };
  expect(await listed("labels.batch=list")).toEqual(["listed-b", "listed-a"]);
  expect(await listed('labels.batch="list" AND state="PIPELINE_STATE_FAILED"')).toEqual([]);
  expect(await listed('display_name="listed-a" AND create_time>"2020-01-01T00:00:00Z"')).toEqual([
    "listed-a",
  ]);
  await expect(listed("colour=red")).rejects.toMatchObject({ code: 3 });
  const [first, , page] = await world.pipelines.listPipelineJobs(
    { parent: world.parent, filter: "labels.batch=list", pageSize: 1 },
    { autoPaginate: false },
  );
  expect(first.map(({ displayName }) => displayName)).toEqual(["listed-b"]);
  const [second] = await world.pipelines.listPipelineJobs(
    {
      parent: world.parent,
      filter: "labels.batch=list",
      pageSize: 1,
      pageToken: page?.nextPageToken ?? "",
    },
    { autoPaginate: false },
  );
  expect(second.map(({ displayName }) => displayName)).toEqual(["listed-a"]);
});

const sleeper = (script: string): object => ({
  pipelineInfo: { name: "sleeper" },
  schemaVersion: "2.1.0",
  root: { dag: { tasks: { sleep: { componentRef: { name: "comp-sleep" } } } } },
  components: { "comp-sleep": { executorLabel: "exec-sleep" } },
  deploymentSpec: {
    executors: { "exec-sleep": { container: { image: "shell", args: [script] } } },
  },
});

test("a cancelled job ends its container and can be deleted", async () => {
  await world.submit("cancelled", sleeper("sleep 600"));
  await eventually(
    "the task runs",
    async () => statesOf(await world.get("cancelled"))["sleep"] === "RUNNING",
  );
  await expect(
    world.pipelines.deletePipelineJob({ name: world.nameOf("cancelled") }),
  ).rejects.toMatchObject({ code: 9 });
  await world.pipelines.cancelPipelineJob({ name: world.nameOf("cancelled") });
  const job = await world.ended("cancelled");
  expect(String(job.state)).toBe("PIPELINE_STATE_CANCELLED");
  expect(job.error?.code).toBe(1);
  expect(statesOf(job)).toEqual({ sleep: "CANCELLED" });
  const [operation] = await world.pipelines.deletePipelineJob({ name: world.nameOf("cancelled") });
  await operation.promise();
  await expect(world.get("cancelled")).rejects.toMatchObject({ code: 5 });
});

test("an unknown image fails the task and names the list of images", async () => {
  await world.submit("no-image", fixture("hello_world"));
  const job = await world.ended("no-image");
  expect(String(job.state)).toBe("PIPELINE_STATE_FAILED");
  expect(job.error?.message).toContain("[echo]");
  expect(taskOf(job, "echo").error?.message).toContain(world.imagesFile);
});

test("an unknown field of a pipeline is refused with its place", async () => {
  const spec = { ...runnable("hello_world"), surprise: true };
  await expect(world.submit("unknown-field", spec)).rejects.toThrow(/surprise/);
});

test("a running job is taken up again after the cloud was stopped", async () => {
  const other = await startPipelinesWorld();
  await other.submit("resumed", {
    ...sleeper(
      `echo run >> ${other.cloud.folder}/runs; test "$(wc -l < ${other.cloud.folder}/runs)" -gt 1 || sleep 600`,
    ),
  });
  await eventually("the container runs", () => existsSync(join(other.cloud.folder, "runs")));
  await other.stop({ keep: true });
  const again = await startPipelinesWorld({ folder: other.cloud.folder });
  const job = await again.ended("resumed");
  expect(String(job.state)).toBe("PIPELINE_STATE_SUCCEEDED");
  await again.stop();
});
