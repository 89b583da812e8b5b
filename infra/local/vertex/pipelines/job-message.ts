/** Pipeline jobs as the messages that clients read. */
import type { CloudSettings } from "../../cloud.js";
import { locationName } from "../names.js";
import { timestampOf, valueOf, type ProtoValue, type Timestamp } from "../messages.js";
import type { RuntimeArtifact, TaskValues } from "./placeholders.js";
import {
  isFinal,
  type JobRecord,
  type StoredJob,
  type StoredTask,
  type TaskState,
} from "./store.js";
import { idOf } from "./task-records.js";

interface Struct {
  readonly fields: Readonly<Record<string, ProtoValue>>;
}

/** A google.protobuf.Struct of plain JSON. */
export const structOf = (json: object): Struct => ({
  fields: Object.fromEntries(Object.entries(json).map(([key, value]) => [key, valueOf(value)])),
});

const time = (name: string, ms: number | undefined): Readonly<Record<string, Timestamp>> =>
  ms === undefined ? {} : { [name]: timestampOf(ms) };

const metadataStore = (settings: CloudSettings): string =>
  `${locationName(settings)}/metadataStores/default`;

const artifactMessage = (settings: CloudSettings, artifact: RuntimeArtifact) => ({
  name: `${metadataStore(settings)}/artifacts/${idOf(artifact.uri, artifact.name)}`,
  displayName: artifact.name,
  uri: artifact.uri,
  state: "LIVE",
  ...(artifact.type.schemaTitle === undefined ? {} : { schemaTitle: artifact.type.schemaTitle }),
  ...(artifact.type.schemaVersion === undefined
    ? {}
    : { schemaVersion: artifact.type.schemaVersion }),
  metadata: structOf(artifact.metadata),
});

const artifactLists = (settings: CloudSettings, values: TaskValues) =>
  Object.fromEntries(
    Object.entries(values.artifacts).map(([name, artifacts]) => [
      name,
      { artifacts: artifacts.map((artifact) => artifactMessage(settings, artifact)) },
    ]),
  );

const executionState = (state: TaskState): string => {
  switch (state) {
    case "PENDING":
      return "NEW";
    case "RUNNING":
    case "CANCELLING":
      return "RUNNING";
    case "SUCCEEDED":
      return "COMPLETE";
    case "SKIPPED":
      return "CACHED";
    case "FAILED":
      return "FAILED";
    case "CANCELLED":
    case "NOT_TRIGGERED":
      return "CANCELLED";
  }
};

const prefixed = (prefix: string, values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}:${name}`, value]));

const executionMessage = (settings: CloudSettings, task: StoredTask) => ({
  name: `${metadataStore(settings)}/executions/${task.id}`,
  displayName: task.name,
  state: executionState(task.state),
  schemaTitle: task.kind === "dag" ? "system.DagExecution" : "system.ContainerExecution",
  schemaVersion: "0.0.1",
  ...time("createTime", task.createMs),
  ...time("updateTime", task.endMs ?? task.startMs ?? task.createMs),
  metadata: structOf({
    ...prefixed("input", task.inputs.parameters),
    ...prefixed("output", task.outputs.parameters),
    ...(task.image === undefined ? {} : { image: task.image }),
    ...(task.resources === undefined ? {} : { resources: task.resources, executed_on: "CPU" }),
    ...(task.error === undefined ? {} : { error: task.error.message }),
  }),
});

const taskMessage = (settings: CloudSettings, task: StoredTask) => ({
  taskId: task.id,
  ...(task.parentId === undefined ? {} : { parentTaskId: task.parentId }),
  taskName: task.name,
  taskUniqueName: task.path,
  state: task.state,
  ...time("createTime", task.createMs),
  ...time("startTime", task.startMs),
  ...time("endTime", task.endMs),
  ...(task.error === undefined ? {} : { error: task.error }),
  execution: executionMessage(settings, task),
  inputs: artifactLists(settings, task.inputs),
  outputs: artifactLists(settings, task.outputs),
  pipelineTaskStatus: task.statuses.map(({ state, atMs, error }) => ({
    updateTime: timestampOf(atMs),
    state,
    ...(error === undefined ? {} : { error }),
  })),
});

/** A job as ListPipelineJobs shows it, without its tasks. */
export const jobMessage = (job: StoredJob): Readonly<Record<string, unknown>> => ({
  name: job.name,
  displayName: job.displayName,
  ...time("createTime", job.createMs),
  ...time("startTime", job.startMs),
  ...time("endTime", job.endMs),
  ...time("updateTime", job.updateMs),
  pipelineSpec: structOf(job.spec),
  state: `PIPELINE_STATE_${job.state}`,
  ...(job.error === undefined ? {} : { error: job.error }),
  labels: job.labels,
  runtimeConfig: {
    gcsOutputDirectory: job.pipelineRoot,
    parameterValues: Object.fromEntries(
      Object.entries(job.parameters).map(([name, value]) => [name, valueOf(value)]),
    ),
    ...(job.failurePolicy === undefined ? {} : { failurePolicy: job.failurePolicy }),
  },
  ...(job.serviceAccount === undefined ? {} : { serviceAccount: job.serviceAccount }),
  ...(job.network === undefined ? {} : { network: job.network }),
  ...(job.templateUri === undefined ? {} : { templateUri: job.templateUri }),
  ...(job.templateVersion === undefined
    ? {}
    : { templateMetadata: { version: job.templateVersion } }),
});

/** The contexts that a run and its pipeline have in the metadata store, once the run has begun. */
const contextMessages = (settings: CloudSettings, job: StoredJob) => {
  if (job.startMs === undefined) return {};
  const pipeline = `${metadataStore(settings)}/contexts/${job.pipelineName}`;
  const common = {
    schemaVersion: "0.0.1",
    metadata: structOf({}),
    etag: String(job.startMs),
    ...time("createTime", job.startMs),
    ...time("updateTime", job.startMs),
  };
  return {
    pipelineContext: {
      ...common,
      name: pipeline,
      displayName: job.pipelineName,
      schemaTitle: "system.Pipeline",
    },
    pipelineRunContext: {
      ...common,
      name: `${metadataStore(settings)}/contexts/${job.id}`,
      displayName: job.id,
      parentContexts: [pipeline],
      schemaTitle: "system.PipelineRun",
    },
  };
};

/** A job as GetPipelineJob shows it. */
export const jobMessageWithTasks = (
  settings: CloudSettings,
  job: StoredJob,
  tasks: readonly StoredTask[],
): Readonly<Record<string, unknown>> => ({
  ...jobMessage(job),
  jobDetail: {
    ...contextMessages(settings, job),
    taskDetails: tasks.map((task) => taskMessage(settings, task)),
  },
});

const ms = (value: number | undefined) => (value === undefined ? undefined : { ms: value });

/** The fields of a job that a list filter may name; null for an unknown one. */
export const jobField = (job: JobRecord, field: string) => {
  const label = /^labels[.](.+)$/.exec(field)?.[1];
  if (label !== undefined) return Object.hasOwn(job.labels, label) ? job.labels[label] : undefined;
  switch (field) {
    case "state":
      return `PIPELINE_STATE_${job.state}`;
    case "display_name":
      return job.displayName;
    case "pipeline_name":
      return job.pipelineName;
    case "pipeline_job_user_id":
      return job.id;
    case "template_uri":
      return job.templateUri;
    case "template_metadata.version":
      return job.templateVersion;
    case "create_time":
      return ms(job.createMs);
    case "update_time":
      return ms(job.updateMs);
    case "start_time":
      return ms(job.startMs);
    case "end_time":
      return ms(job.endMs);
    default:
      return null;
  }
};

/** Whether the job has ended. */
export const hasEnded = (job: JobRecord): boolean => isFinal(job.state);
