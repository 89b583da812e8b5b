import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { CallContext, UnaryHandler } from "../../infra/local/protocol/service.js";
import { containersOf } from "../../infra/local/vertex/containers.js";
import { valueOf } from "../../infra/local/vertex/messages.js";
import { structOf } from "../../infra/local/vertex/pipelines/job-message.js";
import type { PipelineLimits } from "../../infra/local/vertex/pipelines/jobs.js";
import { pipelineProduct } from "../../infra/local/vertex/pipelines/service.js";
import { memoryCloud } from "./vertex-jobs-memory-cloud.js";

const call: CallContext = {
  principal: "tester@example.com",
  transport: "grpc",
  signal: new AbortController().signal,
  headers: {},
};

const taskSchema = z.looseObject({
  taskId: z.string(),
  parentTaskId: z.string().optional(),
  taskName: z.string(),
  taskUniqueName: z.string(),
  state: z.string(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
  execution: z.looseObject({ metadata: z.object({ fields: z.record(z.string(), z.unknown()) }) }),
  outputs: z.record(
    z.string(),
    z.object({ artifacts: z.array(z.looseObject({ uri: z.string() })) }),
  ),
  pipelineTaskStatus: z.array(z.looseObject({ state: z.string() })),
});

const jobSchema = z.looseObject({
  name: z.string(),
  state: z.string(),
  labels: z.record(z.string(), z.string()),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
  jobDetail: z.object({ taskDetails: z.array(taskSchema) }).optional(),
});

/** A job as the client sees it. */
export type SeenJob = z.infer<typeof jobSchema>;

/** The pipeline service over memory, with an allow-list that has one image for shell commands. */
export const pipelineWorld = (
  options: Partial<PipelineLimits> = {},
  old?: { readonly cloud: ReturnType<typeof memoryCloud>; readonly folder: string },
) => {
  const folder = old?.folder ?? mkdtempSync(join(tmpdir(), "continuo-pipelines-"));
  const imagesFile = join(folder, "images.json");
  writeFileSync(
    imagesFile,
    JSON.stringify({ images: { shell: { entrypoint: ["sh", "-c"], hostCommands: true } } }),
  );
  const cloud = old?.cloud ?? memoryCloud(folder, imagesFile);
  const product = pipelineProduct(cloud.context, options);
  const handlers = z
    .record(z.string(), z.custom<UnaryHandler<object>>())
    .parse(product.services[0]?.unary);
  const send = async (method: string, request: object): Promise<unknown> => {
    const handler = handlers[method];
    if (handler === undefined) throw new Error(`no handler ${method}`);
    return handler(request, call);
  };
  const parent = "projects/demo/locations/us-central1";
  const get = async (id: string): Promise<SeenJob> =>
    jobSchema.parse(await send("GetPipelineJob", { name: `${parent}/pipelineJobs/${id}` }));
  return {
    cloud,
    folder,
    parent,
    send,
    get,
    submit: async (
      id: string,
      spec: object,
      more: {
        readonly parameters?: object;
        readonly failurePolicy?: string;
        readonly labels?: object;
      } = {},
    ) =>
      jobSchema.parse(
        await send("CreatePipelineJob", {
          parent,
          pipelineJobId: id,
          pipelineJob: {
            displayName: id,
            pipelineSpec: structOf(spec),
            labels: more.labels ?? {},
            runtimeConfig: {
              gcsOutputDirectory: "gs://bucket/root",
              parameterValues: Object.fromEntries(
                Object.entries(more.parameters ?? {}).map(([name, value]) => [
                  name,
                  valueOf(value),
                ]),
              ),
              ...(more.failurePolicy === undefined ? {} : { failurePolicy: more.failurePolicy }),
            },
          },
        }),
      ),
    ended: async (id: string): Promise<SeenJob> => {
      const deadline = performance.now() + 60_000;
      for (;;) {
        const job = await get(id);
        if (/SUCCEEDED|FAILED|CANCELLED/.test(job.state)) return job;
        if (performance.now() > deadline) throw new Error(`${id} is still ${job.state}`);
        await new Promise((resolve) => {
          setTimeout(resolve, 10);
        });
      }
    },
    start: async () => product.start?.(),
    stop: async () => {
      await product.stop?.();
      await containersOf(cloud.context).stopAll(100);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};

/** States by task path. */
export const statesOf = (job: SeenJob): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (job.jobDetail?.taskDetails ?? []).map((task) => [task.taskUniqueName, task.state]),
  );

/** A task by its path. */
export const taskOf = (job: SeenJob, path: string): z.infer<typeof taskSchema> => {
  const task = job.jobDetail?.taskDetails.find(({ taskUniqueName }) => taskUniqueName === path);
  if (task === undefined) throw new Error(`no task ${path} in ${JSON.stringify(statesOf(job))}`);
  return task;
};

interface ShellTask {
  readonly script: string;
  readonly after?: readonly string[];
  readonly inputs?: object;
  readonly inputDefinitions?: object;
  readonly outputs?: object;
  readonly args?: readonly string[];
  readonly task?: object;
}

/** A pipeline of shell scripts; `$0`, `$1`, ... are the arguments. */
export const shellPipeline = (tasks: Readonly<Record<string, ShellTask>>, root: object = {}) => ({
  pipelineInfo: { name: "shell-pipeline" },
  schemaVersion: "2.1.0",
  root: {
    dag: {
      tasks: Object.fromEntries(
        Object.entries(tasks).map(([name, task]) => [
          name,
          {
            componentRef: { name: `comp-${name}` },
            taskInfo: { name },
            ...(task.after === undefined ? {} : { dependentTasks: task.after }),
            ...(task.inputs === undefined ? {} : { inputs: task.inputs }),
            ...task.task,
          },
        ]),
      ),
    },
    ...root,
  },
  components: Object.fromEntries(
    Object.entries(tasks).map(([name, task]) => [
      `comp-${name}`,
      {
        executorLabel: `exec-${name}`,
        ...(task.inputDefinitions === undefined ? {} : { inputDefinitions: task.inputDefinitions }),
        ...(task.outputs === undefined ? {} : { outputDefinitions: task.outputs }),
      },
    ]),
  ),
  deploymentSpec: {
    executors: Object.fromEntries(
      Object.entries(tasks).map(([name, task]) => [
        `exec-${name}`,
        { container: { image: "shell:1", args: [task.script, ...(task.args ?? [])] } },
      ]),
    ),
  },
});
