/** The one list of what is deployed: functions, topics, sinks and system schedules. Terraform, Cloud Build and the laptop read it. */

/** One function: what calls it and what it may do. */
export interface FunctionSpec {
  /** Also the folder, the subscription and the route. */
  readonly name: string;
  /** A topic pushes to it, or people and programs call it. */
  readonly trigger: { readonly topic: string } | { readonly route: "api" | "console" };
  readonly memoryMib: number;
  readonly timeoutSeconds: number;
  /** Pub/Sub's retry back-off and how often a message is tried before it is dead-lettered. */
  readonly retry: {
    readonly minBackoffSeconds: number;
    readonly maxBackoffSeconds: number;
    readonly deliveryAttemptsMax: number;
  };
  /** Exact IAM permissions of its own identity. */
  readonly permissions: readonly string[];
}

/** A Cloud Logging sink that feeds a topic. */
export interface SinkSpec {
  readonly name: string;
  readonly topic: string;
  readonly filter: string;
}

/** A Cloud Scheduler job of the system itself. */
export interface SystemSchedule {
  readonly name: string;
  readonly cron: string;
  readonly topic: string;
}

const state = [
  "datastore.entities.get",
  "datastore.entities.list",
  "datastore.entities.create",
  "datastore.entities.update",
  "datastore.entities.delete",
];
const publish = ["pubsub.topics.publish"];
const training = [
  "aiplatform.pipelineJobs.create",
  "aiplatform.pipelineJobs.get",
  "aiplatform.pipelineJobs.cancel",
  "storage.objects.get",
];
const registry = ["aiplatform.models.upload", "aiplatform.models.get", "aiplatform.models.update"];
const serving = [
  "aiplatform.endpoints.create",
  "aiplatform.endpoints.get",
  "aiplatform.endpoints.deploy",
  "aiplatform.endpoints.undeploy",
  "aiplatform.endpoints.update",
  "aiplatform.endpoints.predict",
];
const metrics = ["monitoring.timeSeries.list"];

const onTopic = (name: string, topic: string, permissions: readonly string[]): FunctionSpec => ({
  name,
  trigger: { topic },
  memoryMib: 512,
  timeoutSeconds: 120,
  retry: { minBackoffSeconds: 1, maxBackoffSeconds: 600, deliveryAttemptsMax: 10 },
  permissions: [...state, ...publish, ...permissions],
});

/** Every function. */
export const functions: readonly FunctionSpec[] = [
  onTopic("on-dataset-arrived", "dataset", []),
  onTopic("on-schedule-fired", "schedule", []),
  onTopic("on-alert-fired", "alert", []),
  onTopic("on-pipeline-released", "pipeline", []),
  onTopic("on-training-run-requested", "training-run", [...training]),
  onTopic("on-pipeline-job-changed", "pipeline-job", [...training]),
  onTopic("on-evaluation-completed", "evaluation", [...registry]),
  onTopic("on-model-version-registered", "model-version", [...registry, ...serving]),
  onTopic("on-operation-finished", "operation", [...registry, ...serving, "storage.objects.get"]),
  onTopic("on-approval-given", "approval", [...serving]),
  onTopic("tick", "tick", [...training, ...registry, ...serving, ...metrics]),
  onTopic("reconcile", "reconcile", [...training, ...registry, ...serving, ...metrics]),
  onTopic("detect-drift", "detect-drift", [
    "storage.objects.get",
    "storage.objects.list",
    "logging.logEntries.create",
  ]),
  onTopic("on-dead-letter", "dead-letter", []),
  onTopic("notify", "notification", []),
  {
    name: "api",
    trigger: { route: "api" },
    memoryMib: 512,
    timeoutSeconds: 60,
    retry: { minBackoffSeconds: 1, maxBackoffSeconds: 600, deliveryAttemptsMax: 10 },
    permissions: [
      ...state,
      ...publish,
      ...serving,
      "cloudscheduler.jobs.create",
      "cloudscheduler.jobs.update",
      "cloudscheduler.jobs.delete",
      "cloudscheduler.jobs.list",
      "storage.objects.get",
    ],
  },
  {
    name: "console",
    trigger: { route: "console" },
    memoryMib: 256,
    timeoutSeconds: 3600,
    retry: { minBackoffSeconds: 1, maxBackoffSeconds: 600, deliveryAttemptsMax: 10 },
    permissions: state.slice(0, 2),
  },
];

const audit =
  'logName:"cloudaudit.googleapis.com%2Factivity" AND protoPayload.serviceName="aiplatform.googleapis.com"';
const methods = (...names: readonly string[]) =>
  `(${names.map((name) => `protoPayload.methodName:"${name}"`).join(" OR ")})`;

/** Sinks: how Google Cloud's own log entries become messages. */
export const sinks: readonly SinkSpec[] = [
  {
    name: "model-monitoring-anomalies",
    topic: "alert",
    filter: 'logName:"aiplatform.googleapis.com%2Fmodel_monitoring_anomaly"',
  },
  {
    name: "pipeline-job-states",
    topic: "pipeline-job",
    filter: 'logName:"aiplatform.googleapis.com%2Fpipeline_job_events" AND jsonPayload.state:*',
  },
  {
    name: "model-registry-changes",
    topic: "model-version",
    filter: `${audit} AND (${methods("MergeVersionAliases")} OR (${methods("UploadModel")} AND operation.last=true))`,
  },
  {
    name: "endpoint-operations",
    topic: "operation",
    filter: `${audit} AND ${methods("DeployModel", "UndeployModel", "MutateDeployedModel")} AND operation.last=true`,
  },
];

/** The three jobs that the system owns, however many models there are. */
export const systemSchedules: readonly SystemSchedule[] = [
  { name: "continuo-tick", cron: "* * * * *", topic: "tick" },
  { name: "continuo-reconcile", cron: "7 * * * *", topic: "reconcile" },
  { name: "continuo-detect-drift", cron: "37 3 * * *", topic: "detect-drift" },
];

/** Every topic that must exist. */
export const topicNames: readonly string[] = [
  ...new Set([
    ...functions.flatMap(({ trigger }) => ("topic" in trigger ? [trigger.topic] : [])),
    "promotion",
  ]),
];
