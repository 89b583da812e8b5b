/** A local cloud with official clients of pipelines and jobs, and images that run shell commands. */
import { helpers, v1, type protos } from "@google-cloud/aiplatform";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { CloudSettings } from "../../infra/local/cloud.js";
import { jsonOfValue, type ProtoValue } from "../../infra/local/vertex/messages.js";
import { eventually, withLocalCloud } from "./local-cloud.js";

const predictorFile = fileURLToPath(new URL("vertex-endpoints-predictor.mjs", import.meta.url));

/** Images of the tests: any command of a shell, a fixed one, and the tiny model server. */
const shellImages = {
  shell: { entrypoint: ["sh", "-c"], hostCommands: true },
  fixed: { entrypoint: ["sh", "-c", "echo fixed"] },
  predictor: { entrypoint: [process.execPath, predictorFile] },
};

type ClientOptions = NonNullable<ConstructorParameters<typeof v1.PipelineServiceClient>[0]>;

// The clients bring a google-auth-library of their own, whose types do not meet those of the installed one.
const clientOptions = z.custom<ClientOptions>();

/** A pipeline job as the official client returns it. */
export type SeenPipelineJob = protos.google.cloud.aiplatform.v1.IPipelineJob;

// The declared results of the clients' helper are wider than what it returns for JSON.
const protoValue = z.custom<protos.google.protobuf.IValue>();

const protoJson = z.custom<ProtoValue>();

/** Plain JSON as the Struct that the client sends. */
export const structOf = (json: object): protos.google.protobuf.IStruct =>
  protoValue.parse(helpers.toValue(json)).structValue ?? {};

/** What the tests work with. */
export type PipelinesWorld = Awaited<ReturnType<typeof startPipelinesWorld>>;

/** Starts the world; `folder` continues an earlier one. */
export const startPipelinesWorld = async (
  settings: Partial<CloudSettings> & { readonly images?: object } = {},
) => {
  const { images = shellImages, ...rest } = settings;
  const imagesFolder = mkdtempSync(join(tmpdir(), "continuo-images-"));
  const imagesFile = join(imagesFolder, "images.json");
  writeFileSync(imagesFile, JSON.stringify({ images }));
  const cloud = await withLocalCloud(["pubsub", "storage", "logging", "vertex"], {
    imagesFile,
    ...rest,
  });
  const pipelines = new v1.PipelineServiceClient(cloud.grpcOptions);
  const jobs = new v1.JobServiceClient(cloud.grpcOptions);
  const models = new v1.ModelServiceClient(cloud.grpcOptions);
  const restPipelines = new v1.PipelineServiceClient(clientOptions.parse(cloud.restOptions));
  const restJobs = new v1.JobServiceClient(clientOptions.parse(cloud.restOptions));
  const parent = `projects/${cloud.projectId}/locations/us-central1`;
  const nameOf = (id: string): string => `${parent}/pipelineJobs/${id}`;
  await fetch(`${cloud.address}/storage/v1/b?project=${cloud.projectId}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "artifacts" }),
  });
  const get = async (id: string): Promise<SeenPipelineJob> => {
    const [job] = await pipelines.getPipelineJob({ name: nameOf(id) });
    return job;
  };
  return {
    cloud,
    parent,
    nameOf,
    pipelines,
    jobs,
    models,
    restPipelines,
    restJobs,
    get,
    imagesFile,
    objects: cloud.context.services.storage,
    submit: async (
      id: string,
      spec: object,
      more: {
        readonly parameters?: object;
        readonly failFast?: boolean;
        readonly labels?: Readonly<Record<string, string>>;
      } = {},
    ) => {
      const [job] = await pipelines.createPipelineJob({
        parent,
        pipelineJobId: id,
        pipelineJob: {
          displayName: id,
          pipelineSpec: structOf(spec),
          labels: more.labels ?? {},
          runtimeConfig: {
            gcsOutputDirectory: "gs://artifacts/root",
            parameterValues: Object.fromEntries(
              Object.entries(more.parameters ?? {}).map(([name, value]) => [
                name,
                protoValue.parse(helpers.toValue(value)),
              ]),
            ),
            ...(more.failFast === true
              ? { failurePolicy: "PIPELINE_FAILURE_POLICY_FAIL_FAST" as const }
              : {}),
          },
        },
      });
      return job;
    },
    ended: (id: string) =>
      eventually(
        `pipeline job ${id} ends`,
        async () => {
          const job = await get(id);
          return /SUCCEEDED|FAILED|CANCELLED/.test(String(job.state)) && job;
        },
        20_000,
      ),
    stop: async (options?: { readonly keep?: boolean }) => {
      const clients = [pipelines, jobs, models, restPipelines, restJobs];
      await Promise.all(clients.map((client) => client.close()));
      await cloud.stop(options);
      rmSync(imagesFolder, { recursive: true, force: true });
    },
  };
};

/** States by the tasks' unique names. */
export const statesOf = (job: SeenPipelineJob): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (job.jobDetail?.taskDetails ?? []).map((task) => [
      task.taskUniqueName ?? "",
      String(task.state),
    ]),
  );

/** A task by its unique name. */
export const taskOf = (job: SeenPipelineJob, name: string) => {
  const task = job.jobDetail?.taskDetails?.find(({ taskUniqueName }) => taskUniqueName === name);
  if (task === undefined) throw new Error(`no task ${name}: ${JSON.stringify(statesOf(job))}`);
  return task;
};

/** The values that a task was given and gave, by `input:x` and `output:x`. */
export const metadataOf = (job: SeenPipelineJob, name: string): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(taskOf(job, name).execution?.metadata?.fields ?? {}).map(([key, value]) => [
      key,
      jsonOfValue(protoJson.parse(value)),
    ]),
  );
