/** BigQuery: ended transfers (also scheduled queries) and load jobs seen in the audit log. */
import { z } from "zod";
import { datasetArrived } from "../dataset.js";
import { problemText, type Message, type Reading } from "./message.js";

/** https://cloud.google.com/bigquery/docs/transfer-run-notifications */
const transferRun = z.looseObject({
  name: z.string().regex(/\/transferConfigs\/[^/]+\/runs\/[^/]+$/),
  destinationDatasetId: z.string().min(1),
  state: z.string(),
  endTime: z.string().optional(),
  params: z.looseObject({ destination_table_name_template: z.string().optional() }).optional(),
});

/** https://cloud.google.com/bigquery/docs/reference/auditlogs (BigQueryAuditMetadata) */
const ofBigQuery = z.looseObject({
  protoPayload: z.looseObject({
    serviceName: z.literal("bigquery.googleapis.com"),
    metadata: z.looseObject({ tableDataChange: z.unknown().optional() }).nullish(),
  }),
});

const loadAudit = z.looseObject({
  timestamp: z.string(),
  protoPayload: z.looseObject({
    resourceName: z.string().regex(/^projects\/[^/]+\/datasets\/[^/]+\/tables\/[^/]+$/),
    metadata: z.looseObject({
      tableDataChange: z.looseObject({
        insertedRowsCount: z.string().regex(/^\d+$/).optional(),
        jobName: z.string().min(1),
      }),
    }),
  }),
});

const arrived = (fields: {
  readonly id: string;
  readonly source: string;
  readonly time: string;
  readonly table: string;
  readonly rows?: number;
}): Reading => {
  const event = datasetArrived.safeParse({
    specversion: "1.0",
    type: "dataset.arrived",
    id: fields.id,
    source: fields.source,
    time: fields.time,
    data: {
      dataset: fields.table,
      uris: [fields.table],
      // A table's content changes under one address: the job that wrote it is what identifies the version.
      fingerprint: fields.id.slice(-128),
      ...(fields.rows === undefined ? {} : { rows: fields.rows }),
    },
  });
  return event.success ? { events: [event.data] } : { problem: problemText(event.error) };
};

/** A transfer run or a load job ended well. */
export const bigQuery = (message: Message): Reading => {
  if (message.attributes["eventType"] === "TRANSFER_RUN_FINISHED") {
    const run = transferRun.safeParse(message.body);
    if (!run.success) return { problem: problemText(run.error) };
    const { name, destinationDatasetId, state, endTime, params } = run.data;
    if (state !== "SUCCEEDED") return { events: [] };
    const project = name.split("/")[1] ?? "unknown";
    const table = params?.destination_table_name_template;
    return arrived({
      id: name,
      source: "//bigquerydatatransfer.googleapis.com",
      time: endTime ?? message.publishTime,
      table: `bq://${project}.${destinationDatasetId}${table === undefined ? "" : `.${table}`}`,
    });
  }
  const head = ofBigQuery.safeParse(message.body);
  if (!head.success) return null;
  // Queries and tables made without rows write entries too: they bring no data.
  if (head.data.protoPayload.metadata?.tableDataChange === undefined) return { events: [] };
  const audit = loadAudit.safeParse(message.body);
  if (!audit.success) return { problem: problemText(audit.error) };
  const { resourceName, metadata } = audit.data.protoPayload;
  const [, project, , dataset, , table] = resourceName.split("/");
  const { jobName, insertedRowsCount } = metadata.tableDataChange;
  return arrived({
    id: `${jobName}/${table}`,
    source: "//bigquery.googleapis.com",
    time: audit.data.timestamp,
    table: `bq://${project}.${dataset}.${table}`,
    ...(insertedRowsCount === undefined ? {} : { rows: Number(insertedRowsCount) }),
  });
};
