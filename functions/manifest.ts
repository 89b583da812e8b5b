/** The one list of what is deployed: functions, topics, sinks and system schedules. Terraform, Cloud Build and the laptop read it. */
import { auditPermissionsFor, permissionsFor, type Use } from "./permissions.js";

/** Every topic that must exist; a function, sink or schedule that names another one is refused. */
const topics = [
  "dataset",
  "schedule",
  "alert",
  "pipeline",
  "training-run",
  "pipeline-job",
  "evaluation",
  "model-version",
  "operation",
  "approval",
  "tick",
  "reconcile",
  "detect-drift",
  "dead-letter",
  "notification",
  "promotion",
] as const;

/** A topic by its short name. */
export type Topic = (typeof topics)[number];

/** One function: what calls it, what it runs with and what it may do. */
export interface FunctionSpec {
  /** Also the folder, the subscription and the route. */
  readonly name: string;
  /** A topic pushes to it, or people and programs call it. */
  readonly trigger: { readonly topic: Topic } | { readonly route: "api" | "console" };
  readonly memoryMib: number;
  readonly cpu: number;
  /** Also the time that Pub/Sub waits for an answer. */
  readonly timeoutSeconds: number;
  /** Requests that one instance takes at once. */
  readonly concurrency: number;
  readonly instancesMin: number;
  readonly instancesMax: number;
  /** Pub/Sub's retry back-off and how often a message is tried before it is dead-lettered. */
  readonly retry: {
    readonly minBackoffSeconds: number;
    readonly maxBackoffSeconds: number;
    readonly deliveryAttemptsMax: number;
  };
  /** Service account of its own, before the @. */
  readonly identity: string;
  /** What it calls; its permissions follow from it. */
  readonly uses: readonly Use[];
  /** Exact IAM permissions of its identity: those of storage count for the bucket, those of iam for the pipelines' identity. */
  readonly permissions: readonly string[];
  /** Permissions of its identity in the bucket of audit heads. */
  readonly auditPermissions: readonly string[];
  /** The only topics that it may publish to. */
  readonly publishes: readonly Topic[];
  /** Names of the environment variables that it is given. */
  readonly environment: readonly string[];
}

/** A Cloud Logging sink that feeds a topic. */
export interface SinkSpec {
  readonly name: string;
  readonly topic: Topic;
  readonly filter: string;
}

/** A Cloud Scheduler job of the system itself. */
export interface SystemSchedule {
  readonly name: string;
  readonly cron: string;
  readonly topic: Topic;
}

/** Topics that carry what nobody reacts to in a function of ours, or what several may send. */
const deadLetter: Topic = "dead-letter";
const promotion: Topic = "promotion";

/** What every function needs that handles events: the journal, the model's state, and the dead letters. */
const handling: readonly Use[] = [
  "state.transact",
  "state.record",
  "state.markDone",
  "state.entry",
  "state.model",
  "state.models",
  // A submission that meets a used-up quota closes it for everyone.
  "admission.change",
];
/** Effects on targets that cannot keep two writers apart. */
const leasing: readonly Use[] = ["leases.acquire", "leases.release"];
const registering: readonly Use[] = [
  ...leasing,
  // The serving image's digest lies in the bucket.
  "objects.read",
  "registry.uploading",
  "registry.version",
  "registry.upload",
];
/** What cannot be read is kept: its body in the bucket, a message in the topic. */
const deadLettering: readonly Use[] = ["bus.publish", "objects.write"];
/** What moves a rollout on, or takes it back. */
const rollingOut: readonly Use[] = [
  ...leasing,
  "endpoints.get",
  "endpoints.deploy",
  "endpoints.scale",
  "endpoints.setTrafficSplit",
  "endpoints.undeploy",
  "endpoints.predict",
  "metrics.counts",
  // Where the manifest asks for it: what both versions answered, and the labels that came.
  "predictionLog.read",
  "objects.list",
  "objects.read",
  "registry.setAliases",
  "registry.importEvaluation",
];
/** A run's version was found in the registry: its evaluation is shown there, and its rollout starts. */
const offering: readonly Use[] = [
  ...leasing,
  "objects.read",
  "registry.importEvaluation",
  "registry.setAliases",
  "endpoints.deploy",
];
const following: readonly Use[] = ["pipelines.get", "pipelines.cancel", "registry.version"];

const environment = [
  "CONTINUO_PROJECT",
  "CONTINUO_REGION",
  "CONTINUO_BUCKET",
  "CONTINUO_IDENTITY",
  "CONTINUO_PIPELINE_IDENTITY",
  "CONTINUO_PUSH_AUDIENCE",
  "CONTINUO_PUSH_IDENTITY",
  "CONTINUO_SLOTS",
  "CONTINUO_TICK_PARTITIONS",
  "CONTINUO_SUBMISSIONS_PER_MINUTE",
  "CONTINUO_ACCELERATOR_JOBS",
];

const retry = { minBackoffSeconds: 1, maxBackoffSeconds: 600, deliveryAttemptsMax: 10 };

type Part = Pick<FunctionSpec, "name" | "trigger" | "uses" | "publishes"> & Partial<FunctionSpec>;

const functionOf = (part: Part): FunctionSpec => ({
  memoryMib: 512,
  cpu: 1,
  timeoutSeconds: 120,
  concurrency: 20,
  instancesMin: 0,
  instancesMax: 20,
  retry,
  environment,
  // A service account's id has at least six characters.
  identity: `fn-${part.name}`,
  permissions: permissionsFor(part.uses),
  auditPermissions: auditPermissionsFor(part.uses),
  ...part,
});

/** A function that reacts to a topic's messages. */
const onTopic = (
  name: string,
  topic: Topic,
  { uses, publishes, ...rest }: Pick<FunctionSpec, "uses" | "publishes"> & Partial<FunctionSpec>,
): FunctionSpec =>
  functionOf({
    name,
    trigger: { topic },
    uses: [...deadLettering, ...uses],
    publishes: [deadLetter, ...publishes],
    ...rest,
  });

const reactions: readonly FunctionSpec[] = [
  onTopic("on-dataset-arrived", "dataset", {
    uses: handling,
    publishes: ["training-run", "notification"],
  }),
  onTopic("on-schedule-fired", "schedule", {
    uses: handling,
    publishes: ["training-run", "notification"],
  }),
  // Alerts come in storms.
  onTopic("on-alert-fired", "alert", {
    uses: [...handling, "state.countAlerts"],
    publishes: ["training-run", "notification"],
    concurrency: 80,
  }),
  onTopic("on-pipeline-released", "pipeline", {
    uses: handling,
    publishes: ["training-run", "notification"],
  }),
  onTopic("on-training-run-requested", "training-run", {
    uses: [
      ...handling,
      "admission.enqueue",
      "admission.waiting",
      "objects.read",
      "pipelines.submit",
    ],
    publishes: ["training-run", "notification"],
  }),
  onTopic("on-pipeline-job-changed", "pipeline-job", {
    uses: [...handling, ...following, ...offering],
    publishes: ["evaluation", "training-run", "notification"],
  }),
  onTopic("on-evaluation-completed", "evaluation", {
    uses: [...handling, ...registering],
    publishes: ["training-run", "notification"],
  }),
  onTopic("on-model-version-registered", "model-version", {
    uses: [...handling, ...offering, "registry.version"],
    publishes: ["training-run", "notification"],
  }),
  onTopic("on-operation-finished", "operation", {
    uses: [...handling, ...rollingOut],
    publishes: ["training-run", "notification", promotion],
  }),
  onTopic("on-approval-given", "approval", {
    uses: [...handling, ...leasing, "endpoints.deploy", "registry.setAliases"],
    publishes: ["training-run", "notification"],
  }),
  // An instance skips a tick of a partition whose tick it still works on; sixteen partitions fit side by side.
  onTopic("tick", "tick", {
    uses: [
      ...handling,
      ...following,
      ...rollingOut,
      "state.pendingEntries",
      "state.modelPage",
      "state.dueTimers",
      "admission.waiting",
      "admission.ledger",
      "admission.remove",
      "pipelines.submit",
      ...registering,
      "registry.remove",
      "endpoints.ensure",
      "schedules.sync",
      // What is left of a model that was forgotten: its last head is anchored too.
      "anchors.write",
    ],
    publishes: ["evaluation", "training-run", "notification", promotion],
    concurrency: 4,
    instancesMax: 4,
  }),
  onTopic("reconcile", "reconcile", {
    uses: [
      ...handling,
      ...following,
      ...rollingOut,
      "state.modelPage",
      "registry.uploads",
      "registry.remove",
      "state.unanchored",
      "state.markAnchored",
      "anchors.write",
    ],
    publishes: ["evaluation", "training-run", "notification", promotion],
    timeoutSeconds: 540,
    concurrency: 1,
    instancesMax: 1,
  }),
  // It holds the rows of two windows.
  onTopic("detect-drift", "detect-drift", {
    uses: [
      "state.models",
      "predictionLog.read",
      "logs.write",
      "objects.read",
      "objects.list",
      "objects.write",
    ],
    publishes: ["alert"],
    memoryMib: 1024,
    timeoutSeconds: 540,
    concurrency: 1,
    instancesMax: 1,
  }),
  onTopic("on-dead-letter", deadLetter, { uses: ["state.addDeadLetter"], publishes: [] }),
  onTopic("notify", "notification", { uses: [], publishes: [], memoryMib: 256 }),
];

/** Every topic that must exist. */
export const topicNames: readonly string[] = topics;

/** Topics that carry our own events alone: Pub/Sub checks their messages against a schema when they are published. */
export const topicsWithSchema: readonly Topic[] = [
  "training-run",
  "evaluation",
  "approval",
  "notification",
  promotion,
];

/** What people may do: read everything, apply manifests, command, predict, and send dead letters again. */
const operating: readonly Use[] = [
  ...handling,
  ...leasing,
  "state.timeline",
  "state.chain",
  "state.alertCounts",
  "admission.length",
  "admission.place",
  "state.run",
  "state.runs",
  "state.rollout",
  "state.rollouts",
  "state.deadLetters",
  "state.deadLetter",
  "state.markRedriven",
  "bus.publish",
  "objects.read",
  "objects.list",
  "anchors.list",
  "anchors.write",
  "pipelines.cancel",
  "registry.setAliases",
  "endpoints.ensure",
  "endpoints.get",
  "endpoints.deploy",
  "endpoints.scale",
  "endpoints.undeploy",
  "endpoints.setTrafficSplit",
  "endpoints.predict",
  "schedules.sync",
];

/** Every function. */
export const functions: readonly FunctionSpec[] = [
  ...reactions,
  functionOf({
    name: "api",
    trigger: { route: "api" },
    uses: operating,
    publishes: topics,
    timeoutSeconds: 60,
    concurrency: 40,
    instancesMax: 5,
  }),
  // The console's pages call the api's routes in its own process; its stream of events stays open.
  functionOf({
    name: "console",
    trigger: { route: "console" },
    uses: operating,
    publishes: topics,
    timeoutSeconds: 3600,
    concurrency: 80,
    instancesMax: 3,
    environment: [...environment, "CONTINUO_CONSOLE_URL"],
  }),
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
    filter: `${audit} AND ((${methods("DeployModel", "UndeployModel", "MutateDeployedModel")} AND operation.last=true) OR ${methods("UpdateEndpoint")})`,
  },
];

/** Where BigQuery's loads announce new data; Google Cloud only, and only for the datasets that are named there. */
export const bigQueryArrivals: SinkSpec = {
  name: "bigquery-arrivals",
  topic: "dataset",
  filter:
    'logName:"cloudaudit.googleapis.com%2Fdata_access" AND protoPayload.serviceName="bigquery.googleapis.com" AND protoPayload.metadata.tableDataChange.jobName:*',
};

/** The three jobs that the system owns, however many models there are. */
export const systemSchedules: readonly SystemSchedule[] = [
  { name: "continuo-tick", cron: "* * * * *", topic: "tick" },
  { name: "continuo-reconcile", cron: "7 * * * *", topic: "reconcile" },
  { name: "continuo-detect-drift", cron: "37 3 * * *", topic: "detect-drift" },
];
