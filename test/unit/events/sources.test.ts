import { describe, expect, it } from "vitest";
import { airflow } from "../../../events/sources/airflow.js";
import { bigQuery } from "../../../events/sources/bigquery.js";
import { cloudBuild } from "../../../events/sources/cloud-build.js";
import { cloudEvent } from "../../../events/sources/cloud-event.js";
import {
  monitoringAnomaly,
  operationAudit,
  pipelineJobState,
  registryAudit,
} from "../../../events/sources/cloud-logging.js";
import { cloudMonitoring } from "../../../events/sources/cloud-monitoring.js";
import { cloudScheduler } from "../../../events/sources/cloud-scheduler.js";
import { cloudStorage } from "../../../events/sources/cloud-storage.js";
import type { Message, Reading, Source } from "../../../events/sources/message.js";
import { catalogue, topics, type ContinuoEvent } from "../../../events/index.js";
import { logged, message, pushed, sample } from "./payloads.js";

const ours = cloudEvent("dataset.arrived");

const sources: Readonly<Record<string, Source>> = {
  airflow,
  bigQuery,
  cloudBuild,
  monitoringAnomaly,
  operationAudit,
  pipelineJobState,
  registryAudit,
  cloudMonitoring,
  cloudScheduler,
  cloudStorage,
  ours,
};

const only = (reading: Reading): ContinuoEvent => {
  if (reading === null || !("events" in reading)) {
    throw new Error(`no events: ${JSON.stringify(reading)}`);
  }
  const [event, ...others] = reading.events;
  if (event === undefined || others.length > 0) throw new Error("not exactly one event");
  return event;
};

const problem = (reading: Reading): string => {
  if (reading === null || !("problem" in reading)) {
    throw new Error(`no problem: ${JSON.stringify(reading)}`);
  }
  return reading.problem;
};

/** An incident's sample as a policy with our label sends it. */
const incident = (changes: Readonly<Record<string, unknown>> = {}): unknown => {
  const { incident: found, version } = sample("monitoring_incident_v1.2_open") as {
    readonly incident: object;
    readonly version: string;
  };
  const labels = { "continuo-model": "churn" };
  return { version, incident: { ...found, policy_user_labels: labels, ...changes } };
};

/** A sample with one part replaced. */
const changed = (name: string, path: readonly string[], value: unknown): unknown => {
  const copy = structuredClone(sample(name)) as Record<string, unknown>;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  const last = path.at(-1) ?? "";
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
};

const build = (changes: Readonly<Record<string, unknown>>): Message => {
  const found = pushed("cloudbuild_topic_message");
  return { ...found, body: { ...(found.body as object), ...changes } };
};

const readings: readonly {
  readonly name: string;
  readonly read: (messageId: string) => Reading;
  readonly type: ContinuoEvent["type"];
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}[] = [
  {
    name: "a finalised object is a dataset version named by its address and generation",
    read: (id) => cloudStorage(pushed("gcs_notification_pubsub_finalize", id)),
    type: "dataset.arrived",
    id: "sample-bucket/folder/Test.cs/1587627537231057",
    data: {
      dataset: "gs://sample-bucket/folder/Test.cs",
      uris: ["gs://sample-bucket/folder/Test.cs"],
      objects: [
        {
          uri: "gs://sample-bucket/folder/Test.cs",
          generation: "1587627537231057",
          crc32c: "rTVTeQ==",
        },
      ],
    },
  },
  {
    name: "an ended transfer is a dataset version of its destination",
    read: (id) => bigQuery(pushed("bigquery_dts_transfer_run_finished", id)),
    type: "dataset.arrived",
    id: "projects/339327924971/locations/us/transferConfigs/6352b26f-0000-2354-bc6a-0/runs/63a1",
    data: { dataset: "bq://339327924971.features", uris: ["bq://339327924971.features"] },
  },
  {
    name: "a load job in the audit log is a dataset version of its table",
    read: (id) => bigQuery(logged("bigquery_auditlog_insertjob_load_v2", id)),
    type: "dataset.arrived",
    id: "projects/demo/jobs/bquxjob_1/events",
    data: { dataset: "bq://demo.raw.events", rows: 12_000 },
  },
  {
    name: "a DAG's message is a dataset version named by its run",
    read: (id) => airflow(pushed("airflow_pubsubpublish_message", id)),
    type: "dataset.arrived",
    id: "train_features/scheduled__2026-01-02T03:00:00+00:00",
    data: { dataset: "airflow://train_features" },
  },
  {
    name: "a schedule's job is named by its minute",
    read: (id) => cloudScheduler(pushed("scheduler_continuo_schedule", id)),
    type: "schedule.fired",
    id: "churn/weekly/2026-01-02T03:04",
    data: { model: "churn", schedule: "weekly" },
  },
  {
    name: "a monitoring anomaly on features against training data is skew",
    read: (id) => monitoringAnomaly(logged("vertex_monitoring_v1_anomaly_logentry", id)),
    type: "skew.detected",
    id: "b0e9c0e9-0979-4aff-a5d3-4c0912469f9a@a1/2022-02-03T19:00:00Z",
    data: {
      deployedModelId: "1645828169292316672",
      objective: "feature",
      window: { start: "2022-02-03T18:00:00Z", end: "2022-02-03T19:00:00Z" },
      anomalies: [
        { feature: "age", deviation: 0.9, threshold: 0.7 },
        { feature: "education", deviation: 0.6, threshold: 0.3 },
      ],
    },
  },
  {
    name: "the same anomaly through the sink's own envelope is the same event",
    read: () => monitoringAnomaly(pushed("logging_sink_pubsub_anomaly_push")),
    type: "skew.detected",
    id: "b0e9c0e9-0979-4aff-a5d3-4c0912469f9a@a1/2022-02-03T19:00:00Z",
    data: { deployedModelId: "1645828169292316672" },
  },
  {
    name: "a pipeline's state names its job, not its pipeline",
    read: (id) => pipelineJobState(logged("vertex_pipelinejob_state_logentry", id)),
    type: "pipeline-job.changed",
    id: "qd9wxhfd0x6n0/2026-01-02T03:30:00Z",
    data: { pipelineJob: "lead-scoring-train-20260102030405", state: "SUCCEEDED" },
  },
  {
    name: "the last entry of an upload names the version",
    read: (id) => registryAudit(logged("vertex_audit_UploadModel_last", id)),
    type: "model-version.registered",
    id: "vertex-1/2026-07-01T09:00:00Z",
    data: { model: "churn", versionId: "3", principal: "mlops@example.com" },
  },
  {
    name: "merged aliases keep their order and their minus signs",
    read: (id) => registryAudit(logged("vertex_audit_MergeVersionAliases", id)),
    type: "model-version.aliased",
    id: "vertex-1/2026-07-01T09:00:00Z",
    data: { model: "churn", versionId: "3", aliases: ["champion", "-challenger"] },
  },
  {
    name: "an ended deployment is an operation that succeeded",
    read: (id) => operationAudit(logged("vertex_audit_DeployModel_last", id)),
    type: "operation.finished",
    id: "vertex-9D0/2026-07-01T09:00:00Z",
    data: { method: "DeployModel", isSuccessful: true },
  },
  {
    name: "an ended undeployment is an operation that succeeded",
    read: (id) => operationAudit(logged("vertex_audit_UndeployModel_last", id)),
    type: "operation.finished",
    id: "vertex-9U0/2026-07-01T09:00:00Z",
    data: { method: "UndeployModel", isSuccessful: true },
  },
  {
    name: "a deployment that failed says so in Vertex AI's words",
    read: (id) => operationAudit(logged("vertex_audit_DeployModel_failed", id)),
    type: "operation.finished",
    id: "vertex-9D9/2026-07-01T09:00:00Z",
    data: {
      method: "DeployModel",
      isSuccessful: false,
      message: "Model server exited unexpectedly.",
    },
  },
  {
    name: "a labelled policy's incident is decay; its texts become numbers",
    read: (id) => cloudMonitoring(message(incident(), { messageId: id })),
    type: "performance.decayed",
    id: "0.mtdi83m6w8ao",
    data: { model: "churn", value: 0.79, threshold: 0.5 },
  },
  {
    name: "a tagged build releases a pipeline",
    read: (id) =>
      cloudBuild({
        ...build({ tags: ["continuo-model-churn"], finishTime: "2026-01-02T03:04:05Z" }),
        id,
      }),
    type: "pipeline.released",
    id: "b-1/SUCCESS",
    data: { model: "churn", digest: "b-1", build: "b-1" },
  },
];

describe("the sources", () => {
  it.each(readings)("$name", ({ read, type, id, data }) => {
    const event = only(read("1"));
    expect(event).toMatchObject({ type, id, data });
    // A redelivery, a publisher's retry and a dead letter's return all carry new message ids.
    expect(only(read("2"))).toEqual(event);
    expect(catalogue[event.type].schema.safeParse(event).error).toBeUndefined();
    expect(topics).toContain(catalogue[event.type].topic);
  });

  it("our own event is read as it is", () => {
    const event = {
      specversion: "1.0",
      type: "dataset.arrived",
      id: "load-7",
      source: "etl",
      time: "2026-01-02T03:04:05Z",
      data: { dataset: "flights", uris: ["gs://b/jan.parquet"] },
    };
    expect(only(ours(message(event)))).toEqual(event);
  });

  const silent: readonly (readonly [string, Reading])[] = [
    ["the first entry of an upload", registryAudit(logged("vertex_audit_UploadModel_first"))],
    [
      "an upload that failed",
      registryAudit(
        message(
          changed("vertex_audit_UploadModel_last", ["protoPayload", "status"], {
            code: 3,
            message: "bad",
          }),
        ),
      ),
    ],
    [
      "a version of a model whose name ours cannot have",
      registryAudit(
        message(
          changed(
            "vertex_audit_UploadModel_last",
            ["protoPayload", "response", "model"],
            "projects/1/locations/us-central1/models/7313",
          ),
        ),
      ),
    ],
    [
      "a deployment's entry that names no operation",
      operationAudit(message(changed("vertex_audit_DeployModel_last", ["operation"], undefined))),
    ],
    [
      "the first entry of a deployment",
      operationAudit(
        message(changed("vertex_audit_DeployModel_last", ["operation"], { id: "o", first: true })),
      ),
    ],
    [
      "a deleted object",
      cloudStorage({
        ...pushed("gcs_notification_pubsub_finalize"),
        attributes: {
          ...pushed("gcs_notification_pubsub_finalize").attributes,
          eventType: "OBJECT_DELETE",
        },
      }),
    ],
    [
      "the empty object by which the console makes a folder",
      cloudStorage({
        ...pushed("gcs_notification_pubsub_finalize"),
        attributes: {
          ...pushed("gcs_notification_pubsub_finalize").attributes,
          objectId: "incoming/",
        },
      }),
    ],
    [
      "a transfer that failed",
      bigQuery({
        ...pushed("bigquery_dts_transfer_run_finished"),
        body: {
          ...(pushed("bigquery_dts_transfer_run_finished").body as object),
          state: "FAILED",
        },
      }),
    ],
    [
      "a BigQuery job that changed no table",
      bigQuery(
        message(
          changed("bigquery_auditlog_insertjob_load_v2", ["protoPayload", "metadata"], {
            jobInsertion: {},
          }),
        ),
      ),
    ],
    ["a build without our tag", cloudBuild(pushed("cloudbuild_topic_message"))],
    [
      "a build that is still working",
      cloudBuild(build({ status: "WORKING", tags: ["continuo-model-churn"] })),
    ],
    [
      "an incident of a policy without our label",
      cloudMonitoring(logged("monitoring_incident_v1.2_open")),
    ],
    ["a closed incident", cloudMonitoring(message(incident({ state: "closed" })))],
    [
      "the console's test notification",
      cloudMonitoring(message({ ...(incident({ state: "OPEN" }) as object), version: "test" })),
    ],
  ];

  it.each(silent)("%s means nothing", (_name, reading) => {
    expect(reading).toEqual({ events: [] });
  });

  const drift = (objective: string): ContinuoEvent =>
    only(
      monitoringAnomaly(
        message(
          changed(
            "vertex_monitoring_v1_anomaly_logentry",
            ["jsonPayload", "anomalyObjective"],
            objective,
          ),
        ),
      ),
    );

  it.each([
    ["RAW_FEATURE_DRIFT", "drift.detected", "feature"],
    ["RAW_FEATURE_SKEW", "skew.detected", "feature"],
    ["FEATURE_ATTRIBUTION_DRIFT", "drift.detected", "attribution"],
    ["FEATURE_ATTRIBUTION_SKEW", "skew.detected", "attribution"],
    ["PREDICTION_DRIFT", "drift.detected", "prediction"],
  ])("objective %s is %s of %s", (objective, type, about) => {
    expect(drift(objective)).toMatchObject({ type, data: { objective: about } });
  });

  it("two entries with distinct insertIds are two events; the policy sees that their window is one", () => {
    const other = changed("vertex_monitoring_v1_anomaly_logentry", ["insertId"], "another");
    expect(only(monitoringAnomaly(message(other))).id).not.toBe(
      only(monitoringAnomaly(logged("vertex_monitoring_v1_anomaly_logentry"))).id,
    );
  });

  it("the same schedule in the next minute is another event", () => {
    const body = { kind: "schedule", model: "churn", schedule: "weekly" };
    const at = (publishTime: string): string =>
      only(cloudScheduler(message(body, { publishTime }))).id;
    expect(at("2026-01-02T03:04:59.9Z")).toBe(at("2026-01-02T03:04:00.1Z"));
    expect(at("2026-01-02T03:05:00.0Z")).not.toBe(at("2026-01-02T03:04:59.9Z"));
  });

  it("an overwritten object is another version", () => {
    const first = pushed("gcs_notification_pubsub_finalize");
    const attributes = { ...first.attributes, objectGeneration: "1587627539999999" };
    expect(only(cloudStorage({ ...first, attributes })).id).not.toBe(only(cloudStorage(first)).id);
  });

  it("an object's name may hold spaces and be as long as Cloud Storage allows", () => {
    const first = pushed("gcs_notification_pubsub_finalize");
    for (const objectId of ["my folder/a file.csv", `${"x".repeat(1020)}.csv`]) {
      const event = only(cloudStorage({ ...first, attributes: { ...first.attributes, objectId } }));
      expect(event.data).toMatchObject({ uris: [`gs://sample-bucket/${objectId}`] });
    }
  });

  const broken: readonly (readonly [string, () => Reading, RegExp])[] = [
    [
      "a notification without a generation",
      () => {
        const found = pushed("gcs_notification_pubsub_finalize");
        const { objectGeneration: _, ...attributes } = found.attributes;
        return cloudStorage({ ...found, attributes });
      },
      /objectGeneration/,
    ],
    [
      "a transfer without a destination",
      () =>
        bigQuery({
          ...pushed("bigquery_dts_transfer_run_finished"),
          body: { name: "projects/1/transferConfigs/c/runs/r", state: "SUCCEEDED" },
        }),
      /destinationDatasetId/,
    ],
    [
      "a table change without its job",
      () =>
        bigQuery(
          message(
            changed(
              "bigquery_auditlog_insertjob_load_v2",
              ["protoPayload", "metadata", "tableDataChange", "jobName"],
              undefined,
            ),
          ),
        ),
      /jobName/,
    ],
    [
      "more rows than any table has",
      () =>
        bigQuery(
          message(
            changed(
              "bigquery_auditlog_insertjob_load_v2",
              ["protoPayload", "metadata", "tableDataChange", "insertedRowsCount"],
              "9".repeat(40),
            ),
          ),
        ),
      /rows/,
    ],
    [
      "an anomaly entry without anomalies",
      () =>
        monitoringAnomaly(
          message(
            changed(
              "vertex_monitoring_v1_anomaly_logentry",
              ["jsonPayload", "featureAnomalies"],
              undefined,
            ),
          ),
        ),
      /featureAnomalies/,
    ],
    [
      "an anomaly whose distance is no number",
      () =>
        monitoringAnomaly(
          message(
            changed(
              "vertex_monitoring_v1_anomaly_logentry",
              ["jsonPayload", "featureAnomalies"],
              [{ featureDisplayName: "age", deviation: "NaN", threshold: 0.3 }],
            ),
          ),
        ),
      /deviation/,
    ],
    [
      "a log entry of the year 1970",
      () =>
        monitoringAnomaly(
          message(
            changed("vertex_monitoring_v1_anomaly_logentry", ["timestamp"], "1970-01-01T00:00:00Z"),
          ),
        ),
      /2000 and 2100/,
    ],
    [
      "a pipeline state that Vertex AI does not have",
      () =>
        pipelineJobState(
          message(
            changed(
              "vertex_pipelinejob_state_logentry",
              ["jsonPayload", "state"],
              "PIPELINE_STATE_LOST",
            ),
          ),
        ),
      /state/,
    ],
    [
      "a pipeline state without its job",
      () =>
        pipelineJobState(
          message(
            changed(
              "vertex_pipelinejob_state_logentry",
              ["resource", "labels", "pipeline_job_id"],
              undefined,
            ),
          ),
        ),
      /pipeline_job_id/,
    ],
    [
      "an upload whose last entry names no version",
      () =>
        registryAudit(
          message(changed("vertex_audit_UploadModel_last", ["protoPayload", "response"], null)),
        ),
      /response/,
    ],
    [
      "merged aliases without their request",
      () =>
        registryAudit(
          message(
            changed("vertex_audit_MergeVersionAliases", ["protoPayload", "request"], undefined),
          ),
        ),
      /request/,
    ],
    [
      "an audit entry without an insertId",
      () =>
        operationAudit(message(changed("vertex_audit_DeployModel_last", ["insertId"], undefined))),
      /insertId/,
    ],
    ["a build without an id", () => cloudBuild(build({ id: undefined })), /id/],
    [
      "a build tagged with a name that no model has",
      () => cloudBuild(build({ tags: ["continuo-model-CHURN"] })),
      /data\.model/,
    ],
    [
      "an incident without a value",
      () => cloudMonitoring(message(incident({ observed_value: null }))),
      /value/,
    ],
    [
      "an incident that began after the end of time",
      () => cloudMonitoring(message(incident({ started_at: 1e18 }))),
      /started_at/,
    ],
    ["a DAG's message without a run", () => airflow(message({ dag_id: "train" })), /run_id/],
    [
      "a DAG run named by half a character",
      () => airflow(message({ dag_id: "train", run_id: "\uD800" })),
      /run_id/,
    ],
    [
      "a schedule of a name that no model has",
      () => cloudScheduler(message({ kind: "schedule", model: "X", schedule: "weekly" })),
      /model/,
    ],
    [
      "a schedule with a field too many",
      () => cloudScheduler(message({ kind: "schedule", model: "churn", schedule: "w", by: "me" })),
      /by/,
    ],
    ["an event of another type", () => ours(message({ specversion: "1.0", type: "x.y" })), /x\.y/],
    [
      "an event of a future version",
      () => ours(message({ specversion: "2.0", type: "dataset.arrived" })),
      /specversion/,
    ],
    [
      "an event with an unknown field",
      () =>
        ours(
          message({
            specversion: "1.0",
            type: "dataset.arrived",
            id: "1",
            source: "s",
            time: "2026-01-01T00:00:00Z",
            data: { dataset: "d", uris: ["gs://b/o"], colour: "red" },
          }),
        ),
      /colour/,
    ],
    [
      "an event of another publisher's catalogue",
      () => ours(message(sample("cloudevent_storage_finalized"))),
      /google\.cloud\.storage/,
    ],
  ];

  it.each(broken)("%s is a problem that names what is wrong", (_name, read, expected) => {
    expect(problem(read())).toMatch(expected);
  });

  const foreign: readonly (readonly [string, Message, readonly string[]])[] = [
    [
      "gcs_notification_pubsub_finalize",
      pushed("gcs_notification_pubsub_finalize"),
      ["cloudStorage"],
    ],
    [
      "bigquery_dts_transfer_run_finished",
      pushed("bigquery_dts_transfer_run_finished"),
      ["bigQuery"],
    ],
    [
      "bigquery_auditlog_insertjob_load_v2",
      logged("bigquery_auditlog_insertjob_load_v2"),
      ["bigQuery"],
    ],
    ["airflow_pubsubpublish_message", pushed("airflow_pubsubpublish_message"), ["airflow"]],
    ["scheduler_pubsub_message", pushed("scheduler_pubsub_message"), []],
    ["scheduler_continuo_schedule", pushed("scheduler_continuo_schedule"), ["cloudScheduler"]],
    [
      "vertex_monitoring_v1_anomaly_logentry",
      logged("vertex_monitoring_v1_anomaly_logentry"),
      ["monitoringAnomaly"],
    ],
    ["vertex_monitoring_v2_alert_api", logged("vertex_monitoring_v2_alert_api"), []],
    [
      "vertex_pipelinejob_state_logentry",
      logged("vertex_pipelinejob_state_logentry"),
      ["pipelineJobState"],
    ],
    [
      "vertex_audit_UploadModel_last",
      logged("vertex_audit_UploadModel_last"),
      ["registryAudit", "operationAudit"],
    ],
    ["vertex_audit_DeployModel_last", logged("vertex_audit_DeployModel_last"), ["operationAudit"]],
    ["monitoring_incident_v1.2_open", logged("monitoring_incident_v1.2_open"), ["cloudMonitoring"]],
    ["cloudbuild_topic_message", pushed("cloudbuild_topic_message"), ["cloudBuild"]],
    ["cloudevent_storage_finalized", logged("cloudevent_storage_finalized"), ["ours"]],
    ["pubsub_push_oidc_jwt_claims", logged("pubsub_push_oidc_jwt_claims"), []],
  ];

  it.each(foreign)("%s is read by its own source alone", (_name, found, readers) => {
    const known = Object.entries(sources).flatMap(([name, source]) =>
      source(found) === null ? [] : [name],
    );
    expect(known.toSorted()).toEqual(readers.toSorted());
  });
});

it("an endpoint's traffic that was set is an operation that ended at once", () => {
  const { operation: _none, ...body } = changed(
    "vertex_audit_DeployModel_last",
    ["protoPayload", "methodName"],
    "google.cloud.aiplatform.v1.EndpointService.UpdateEndpoint",
  ) as Record<string, unknown>;
  const read = operationAudit(message(body));
  expect(read).toMatchObject({
    events: [
      {
        type: "operation.finished",
        data: { method: "UpdateEndpoint", operation: "update/vertex-9D0", isSuccessful: true },
      },
    ],
  });
});
