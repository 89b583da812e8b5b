/** The Pipelines port on Vertex AI Pipelines. */
import type { protos } from "@google-cloud/aiplatform";
import { z } from "zod";
import { RejectedError } from "../domain/errors.js";
import type { PipelineJobFacts, TaskState } from "../domain/facts.js";
import type { Pipelines } from "../ports/vertex.js";
import type { GcpConfig } from "./config.js";
import { asCloudError, attempting } from "./errors.js";
import { installedImages, withImages } from "./installed-images.js";
import { readDataGate, readEvaluation } from "./run-artifacts.js";
import type { StorageObjects } from "./storage-objects.js";
import type { VertexApi } from "./vertex-api.js";

type PipelineJobMessage = protos.google.cloud.aiplatform.v1.IPipelineJob;
type RuntimeConfig = protos.google.cloud.aiplatform.v1.PipelineJob.IRuntimeConfig;

/** A PipelineJob in JSON, where a Struct and a Value are plain JSON. */
type PipelineJob = Omit<PipelineJobMessage, "pipelineSpec" | "runtimeConfig"> & {
  readonly pipelineSpec?: unknown;
  readonly runtimeConfig: Omit<RuntimeConfig, "parameterValues"> & {
    readonly parameterValues: Readonly<Record<string, unknown>>;
  };
};

const templateBytesMax = 8_000_000;
/** A run keeps its error in a document, beside much else. */
const errorLengthMax = 4000;

const artifactShape = z.object({
  uri: z.string().default(""),
  metadata: z.record(z.string(), z.unknown()).default({}),
});

const taskShape = z.object({
  taskName: z.string(),
  state: z.string().default("STATE_UNSPECIFIED"),
  startTime: z.string().optional(),
  endTime: z.string().optional(),
  error: z.object({ code: z.number().default(0), message: z.string().default("") }).optional(),
  execution: z.object({ schemaTitle: z.string().default("") }).prefault({}),
  outputs: z
    .record(z.string(), z.object({ artifacts: z.array(artifactShape).default([]) }))
    .default({}),
});

const jobShape = z.object({
  state: z.string().default("PIPELINE_STATE_UNSPECIFIED"),
  error: z.object({ message: z.string().default("") }).optional(),
  jobDetail: z.object({ taskDetails: z.array(taskShape).default([]) }).prefault({}),
});

type Task = z.infer<typeof taskShape>;
type Job = z.infer<typeof jobShape>;

const jobStates: Readonly<Record<string, PipelineJobFacts["state"]>> = {
  PIPELINE_STATE_QUEUED: "pending",
  PIPELINE_STATE_PENDING: "pending",
  PIPELINE_STATE_RUNNING: "running",
  PIPELINE_STATE_PAUSED: "running",
  PIPELINE_STATE_CANCELLING: "running",
  PIPELINE_STATE_SUCCEEDED: "succeeded",
  PIPELINE_STATE_FAILED: "failed",
  PIPELINE_STATE_CANCELLED: "cancelled",
};

// SKIPPED is a result taken from the cache; what a condition left out is NOT_TRIGGERED.
const taskStates: Readonly<Record<string, TaskState>> = {
  PENDING: "pending",
  RUNNING: "running",
  SUCCEEDED: "succeeded",
  SKIPPED: "succeeded",
  CANCEL_PENDING: "cancelled",
  CANCELLING: "cancelled",
  CANCELLED: "cancelled",
  FAILED: "failed",
  NOT_TRIGGERED: "skipped",
};

const taskStateOf = ({ state }: Task): TaskState => taskStates[state] ?? "pending";

/** Groups of tasks last as long as what is in them: counting them would count everything twice. */
const isGroup = ({ execution }: Task): boolean =>
  execution.schemaTitle === "system.DagExecution" || execution.schemaTitle === "system.Run";

const secondsOf = (task: Task): number => {
  const { state, startTime, endTime } = task;
  if (isGroup(task) || state === "SKIPPED" || startTime === undefined || endTime === undefined) {
    return 0;
  }
  return Math.max(0, (Date.parse(endTime) - Date.parse(startTime)) / 1000);
};

/** RESOURCE_EXHAUSTED, INTERNAL and UNAVAILABLE: a container that fails is FAILED_PRECONDITION. */
const retriableCodes: ReadonlySet<number> = new Set([8, 13, 14]);

/** Whether only the cloud is to blame for the tasks that failed. */
const isRetriable = (job: Job): boolean => {
  const failed = job.jobDetail.taskDetails.filter(
    (task) => task.state === "FAILED" && !isGroup(task),
  );
  return failed.length > 0 && failed.every(({ error }) => retriableCodes.has(error?.code ?? 0));
};

const errorOf = (job: Job): string | null => {
  const failures = job.jobDetail.taskDetails.flatMap((task) =>
    isGroup(task) || task.error === undefined || task.error.message === ""
      ? []
      : [`task ${task.taskName} failed: ${task.error.message}`],
  );
  // The job's own error says which tasks failed; what they said themselves is the reason.
  if (failures.length > 0) return [...new Set(failures)].join("; ").slice(0, errorLengthMax);
  return job.error === undefined || job.error.message === "" ? null : job.error.message;
};

const outputOf = (task: Task | undefined, name: string) => task?.outputs[name]?.artifacts[0];

const succeededTask = (job: Job, name: string): Task | undefined =>
  job.jobDetail.taskDetails.find(
    (task) => task.taskName === name && taskStateOf(task) === "succeeded",
  );

const dataGateOf = (job: Job, objects: StorageObjects): Promise<PipelineJobFacts["dataGate"]> => {
  const task = succeededTask(job, "profile");
  const verdict = outputOf(task, "anomalies");
  if (verdict === undefined) return Promise.resolve(null);
  return readDataGate(objects, {
    anomalies: verdict.uri,
    profile: outputOf(task, "profile")?.uri ?? "",
  });
};

const evaluationOf = (
  job: Job,
  objects: StorageObjects,
): Promise<PipelineJobFacts["evaluation"]> => {
  const report = outputOf(succeededTask(job, "evaluate"), "evaluation");
  if (report === undefined) return Promise.resolve(null);
  const models = job.jobDetail.taskDetails.flatMap((task) => outputOf(task, "model") ?? []);
  const model = outputOf(succeededTask(job, "train"), "model") ?? models.at(-1);
  const digest = model?.metadata["sha256"];
  return readEvaluation(
    objects,
    { evaluation: report.uri, model: model?.uri ?? "" },
    typeof digest === "string" ? digest : null,
  );
};

/** What a job that succeeded found; a job whose artifacts cannot be read did not succeed for us. */
const withFindings = async (
  facts: PipelineJobFacts,
  job: Job,
  objects: StorageObjects,
): Promise<PipelineJobFacts> => {
  try {
    const [dataGate, evaluation] = await Promise.all([
      dataGateOf(job, objects),
      evaluationOf(job, objects),
    ]);
    return { ...facts, dataGate, evaluation };
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    return { ...facts, state: "failed", error: error.message };
  }
};

const specSource = async (
  objects: StorageObjects,
  template: string | null,
  spec: unknown,
): Promise<Pick<PipelineJob, "pipelineSpec" | "templateUri">> => {
  if (template === null) return { pipelineSpec: spec };
  // Vertex AI downloads templates from a registry only; a file in a bucket is read here and sent along.
  if (!template.startsWith("gs://")) return { templateUri: template };
  const body = await objects.read(template, templateBytesMax);
  if (body === null) {
    throw new RejectedError(
      `The pipeline template ${template} does not exist. Upload the compiled pipeline, or correct training.template.`,
    );
  }
  const { parseAllDocuments } = await import("yaml");
  const [first] = parseAllDocuments(body.toString("utf8"));
  const content: unknown = first?.errors.length === 0 ? first.toJS() : undefined;
  if (typeof content !== "object" || content === null) {
    throw new RejectedError(
      `The pipeline template ${template} is neither YAML nor JSON. Compile it with the Kubeflow compiler.`,
    );
  }
  return { pipelineSpec: "pipelineSpec" in content ? content.pipelineSpec : content };
};

const declaredParameters = z
  .looseObject({
    root: z.looseObject({
      inputDefinitions: z.looseObject({ parameters: z.record(z.string(), z.unknown()) }),
    }),
  })
  .transform(({ root }) => Object.keys(root.inputDefinitions.parameters));

/** Of what is offered, what a pipeline declares: Vertex AI refuses a job with any other parameter. */
const declaredOf = (
  offered: Readonly<Record<string, unknown>>,
  spec: unknown,
): Readonly<Record<string, unknown>> => {
  const declared = declaredParameters.catch([]).parse(spec);
  return Object.fromEntries(Object.entries(offered).filter(([name]) => declared.includes(name)));
};

/** The Pipelines port. */
export const vertexPipelines = (
  config: GcpConfig,
  api: VertexApi,
  objects: StorageObjects,
): Pipelines => {
  const find = async (run: string): Promise<Job | null> => {
    const found = await api.find(`pipelineJobs/${run}`);
    return found === null ? null : jobShape.parse(found);
  };
  return {
    submit: ({ run, template, parameters, offered = {}, labels }, spec) =>
      attempting(`submit PipelineJob ${run}`, async () => {
        const source = await specSource(objects, template, spec);
        const pipelineSpec = await withImages(
          source.pipelineSpec,
          installedImages(objects, config.bucket),
        );
        const root = `gs://${config.bucket}/pipeline-root`;
        // Where this installation keeps what runs share is nothing that a decision knows.
        const known = { champion_scores_uri: `${root}/champion-scores/`, ...offered };
        const body: PipelineJob = {
          ...source,
          ...(pipelineSpec === undefined ? {} : { pipelineSpec }),
          displayName: run,
          runtimeConfig: {
            gcsOutputDirectory: root,
            parameterValues: { ...declaredOf(known, pipelineSpec), ...parameters },
          },
          labels: { ...labels },
          serviceAccount: config.pipelineIdentity ?? config.identity,
        };
        try {
          const query = { pipelineJobId: run };
          await api.request("POST", "pipelineJobs", { query, body, isRepeatable: true });
        } catch (error) {
          if (asCloudError(error).status !== "ALREADY_EXISTS") throw error;
        }
      }),

    get: (run) =>
      attempting(`read PipelineJob ${run}`, async () => {
        const job = await find(run);
        if (job === null) return null;
        const tasks = job.jobDetail.taskDetails;
        const facts = {
          state: jobStates[job.state] ?? "pending",
          error: errorOf(job),
          isRetriable: isRetriable(job),
          tasks: Object.fromEntries(tasks.map((task) => [task.taskName, taskStateOf(task)])),
          dataGate: null,
          evaluation: null,
          machineSeconds: tasks.reduce((total, task) => total + secondsOf(task), 0),
        };
        return facts.state === "succeeded" ? withFindings(facts, job, objects) : facts;
      }),

    cancel: (run) =>
      attempting(`cancel PipelineJob ${run}`, async () => {
        try {
          await api.request("POST", `pipelineJobs/${run}:cancel`, { body: {}, isRepeatable: true });
        } catch (error) {
          const job = asCloudError(error).status === "NOT_FOUND" ? null : await find(run);
          const hasEnded =
            job === null ||
            ["succeeded", "failed", "cancelled"].includes(jobStates[job.state] ?? "");
          if (!hasEnded) throw error;
        }
      }),
  };
};
