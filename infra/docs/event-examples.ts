/** One example of every event, shown in the catalogue's page; a test reads each with its schema. */
import type { z } from "zod";
import type { catalogue, EventType } from "../../events/index.js";

type Examples = {
  readonly [Type in EventType]: Omit<
    z.input<(typeof catalogue)[Type]["schema"]>,
    "specversion" | "type"
  >;
};

const window = { start: "2001-04-16T00:00:00Z", end: "2001-05-06T00:00:00Z" };
const ours = "continuo/flight-delay";
const run = "flight-delay-r5f2c81d09a";
const rollout = "flight-delay-o1b7e4420cd";
const model = "flight-delay";

/** Examples by type, without the fields that every example shares. */
export const eventExamples: Examples = {
  "dataset.arrived": {
    id: "ingest/2001-02",
    source: "airflow/flights",
    time: "2001-03-01T02:10:00Z",
    data: {
      dataset: "flights",
      uris: ["gs://my-project-data/flights/2001-02.parquet"],
      rows: 50_112,
      window: { start: "2001-02-01T00:00:00Z", end: "2001-03-01T00:00:00Z" },
    },
  },
  "schedule.fired": {
    id: "flight-delay/weekly/2001-03-05T06:00",
    source: "//cloudscheduler.googleapis.com",
    time: "2001-03-05T06:00:00.412Z",
    data: { model, schedule: "weekly" },
  },
  "drift.detected": {
    id: "continuo-9c1f0d2ab45e/2001-05-06T00:00:00Z",
    source:
      "//logging.googleapis.com/projects/my-project/logs/aiplatform.googleapis.com%2Fmodel_monitoring_anomaly",
    time: "2001-05-06T00:00:00Z",
    data: {
      deployedModelId: "4821907755",
      objective: "feature",
      window,
      anomalies: [{ feature: "distance", deviation: 0.214, threshold: 0.1 }],
    },
  },
  "skew.detected": {
    id: "b0e9c0e9@a1/2001-05-06T00:00:00Z",
    source:
      "//logging.googleapis.com/projects/my-project/logs/aiplatform.googleapis.com%2Fmodel_monitoring_anomaly",
    time: "2001-05-06T00:00:00Z",
    data: {
      deployedModelId: "4821907755",
      objective: "prediction",
      window,
      anomalies: [{ feature: "is_late", deviation: 0.35, threshold: 0.3 }],
    },
  },
  "performance.decayed": {
    id: "0.mtdi83m6w8ao",
    source: "//monitoring.googleapis.com",
    time: "2001-05-07T04:00:00Z",
    data: {
      model,
      metric: "auc",
      value: 0.655,
      threshold: 0.68,
      method: "labels",
      rows: 12_000,
      window,
    },
  },
  "pipeline.released": {
    id: "5b1f0c7e-6b6e-4d0d-9a53-3f6a2f0f6e11/SUCCESS",
    source: "//cloudbuild.googleapis.com",
    time: "2001-03-02T10:00:00Z",
    data: {
      model,
      template: "gs://my-project-continuo/templates/flight-delay-7d1a.json",
      digest: "sha256:7d1a0c4b2f5e9a63",
      build: "5b1f0c7e-6b6e-4d0d-9a53-3f6a2f0f6e11",
    },
  },
  "pipeline-job.changed": {
    id: "qd9wxhfd0x6n0/2001-03-01T02:31:09.114Z",
    source:
      "//logging.googleapis.com/projects/my-project/logs/aiplatform.googleapis.com%2Fpipeline_job_events",
    time: "2001-03-01T02:31:09.114Z",
    data: { pipelineJob: run, state: "SUCCEEDED" },
  },
  "training-run.requested": {
    id: "by-hand/2001-03-03T08:00:00Z",
    source: "gcloud/ada",
    time: "2001-03-03T08:00:00Z",
    data: { model, reason: "labels of January were corrected", by: "ada@example.com" },
  },
  "evaluation.completed": {
    id: `evaluation.completed/${run}`,
    source: ours,
    time: "2001-03-01T02:31:10Z",
    subject: model,
    causationid: "qd9wxhfd0x6n0/2001-03-01T02:31:09.114Z",
    correlationid: "ingest/2001-02",
    data: {
      model,
      run,
      report: "gs://my-project-continuo/pipeline-root/evaluation.json",
      outcome: "accept",
      reasons: ["auc 0.7012 against the champion's 0.6954 on 11,204 rows: not worse by 0.005"],
      numbers: { "challenger.auc": 0.7012, "champion.auc": 0.6954, rows: 11_204 },
      artifact: "gs://my-project-continuo/pipeline-root/model",
      artifactDigest: "sha256:0a1b2c3d4e5f",
    },
  },
  "model-version.registered": {
    id: "vertex-1/2001-03-01T02:32:00Z",
    source:
      "//logging.googleapis.com/projects/my-project/logs/cloudaudit.googleapis.com%2Factivity",
    time: "2001-03-01T02:32:00Z",
    data: { model, versionId: "2", principal: "continuo@my-project.iam.gserviceaccount.com" },
  },
  "model-version.aliased": {
    id: "vertex-2/2001-03-04T09:00:00Z",
    source:
      "//logging.googleapis.com/projects/my-project/logs/cloudaudit.googleapis.com%2Factivity",
    time: "2001-03-04T09:00:00Z",
    data: { model, versionId: "1", principal: "ada@example.com", aliases: ["challenger"] },
  },
  "operation.finished": {
    id: "vertex-3/2001-03-01T02:40:00Z",
    source:
      "//logging.googleapis.com/projects/my-project/logs/cloudaudit.googleapis.com%2Factivity",
    time: "2001-03-01T02:40:00Z",
    data: {
      operation: "projects/1/locations/us-central1/endpoints/flight-delay/operations/11",
      method: "DeployModel",
      resource: "projects/1/locations/us-central1/endpoints/flight-delay",
      principal: "continuo@my-project.iam.gserviceaccount.com",
      isSuccessful: true,
    },
  },
  "approval.given": {
    id: `approval/${rollout}/8c21`,
    source: "continuo/api",
    time: "2001-03-01T09:15:00Z",
    data: {
      model,
      rollout,
      decision: "approve",
      by: "ada@example.com",
      comment: "slices look fine",
    },
  },
  "notification.raised": {
    id: "notification.raised/41f2d0c9a7/3",
    source: ours,
    time: "2001-03-01T11:00:00Z",
    subject: model,
    causationid: "tick/7216/flight-delay",
    correlationid: "tick/7216/flight-delay",
    data: {
      model,
      severity: "info",
      title: "flight-delay: version 2 is champion",
      body: "step 100 % successful: no evidence that the challenger is worse",
    },
  },
  "model.promoted": {
    id: "model.promoted/flight-delay@2",
    source: ours,
    time: "2001-03-01T11:00:00Z",
    subject: model,
    data: { model, versionId: "2", run },
  },
  "command.issued": {
    id: "command/pause/5d90",
    source: "continuo/api",
    time: "2001-03-01T10:00:00Z",
    data: { model, command: "pause", by: "on-call@example.com", reason: "release freeze" },
  },
  "manifest.applied": {
    id: "manifest/flight-delay/1",
    source: "continuo/api",
    time: "2001-01-30T08:00:00Z",
    data: {
      model,
      version: 1,
      digest: "sha256:3e9a",
      by: "ada@example.com",
      manifest: { apiVersion: "continuo/v1", kind: "Model", name: model },
    },
  },
  "effect.rejected": {
    id: "41f2d0c9a7/2",
    source: ours,
    time: "2001-03-01T02:33:00Z",
    data: {
      model,
      decision: "deploy-model",
      about: rollout,
      message: "Machine type n1-standard-2 is not available in us-central1.",
    },
  },
  "model.visited": {
    id: "tick/7216/flight-delay",
    source: "continuo/tick",
    time: "2001-03-01T11:00:00Z",
    data: { model, by: "tick" },
  },
  "timer.fired": {
    id: "flight-delay/trigger/983412660000",
    source: "continuo/tick",
    time: "2001-03-01T02:11:00Z",
    data: {
      model,
      timer: "flight-delay/trigger",
      kind: "trigger",
      dueAt: "2001-03-01T02:11:00Z",
    },
  },
};

/** The example of one type as it travels. */
export const exampleOf = (type: EventType): Readonly<Record<string, unknown>> => ({
  specversion: "1.0",
  type,
  ...eventExamples[type],
});
