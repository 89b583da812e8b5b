/**
 * Predictions that Vertex AI logged to BigQuery. One row is one request: endpoint, deployed_model_id, logging_time,
 * request_id, and request_payload and response_payload, lists of JSON texts: either a whole body ("instances",
 * "predictions") or one element for each instance. Both forms are read.
 */
import { z } from "zod";
import { deployedModelId } from "../../events/ids.js";
import { RejectedError } from "../domain/errors.js";
import type { LoggedPrediction, PredictionLog } from "../ports/prediction-log.js";
import { queryPages, type Query, type QueryRow } from "./bigquery-query.js";
import type { GcpConfig } from "./config.js";
import { predictionsOf, type Payload } from "./prediction-payload.js";
import type { Rest } from "./rest.js";

type PredictionQuery = Parameters<PredictionLog["read"]>[0];

/** The name that Vertex AI gives a table when only its dataset is named. */
const tableDefault = "request_response_logging";

const address =
  /^bq:\/\/(?<project>(?:[a-z0-9.-]{1,100}:)?[a-z0-9-]{1,63})\.(?<dataset>\w{1,1024})(?:\.(?<table>[\w-]{1,1024}))?$/;

/** The table's name in SQL, from `bq://project.dataset` or `bq://project.dataset.table`. */
const tableOf = (location: string): string => {
  const groups = address.exec(location)?.groups;
  if (groups === undefined) {
    throw new RejectedError(
      `${location} names no table. Write bq://project.dataset or bq://project.dataset.table for monitoring.predictionLog.`,
    );
  }
  const { project = "", dataset = "", table = tableDefault } = groups;
  return `\`${project}.${dataset}.${table}\``;
};

/** What a query asks for of predictions in any order, oldest first. */
export const firstOrLast = (
  found: readonly LoggedPrediction[],
  { rowsMax, isFirst = false }: PredictionQuery,
): readonly LoggedPrediction[] => {
  const sorted = found.toSorted((a, b) => a.timeMs - b.timeMs);
  return isFirst ? sorted.slice(0, rowsMax) : sorted.slice(-rowsMax);
};

/** The newest requests of an endpoint in a span of time, or the first ones. */
export const predictionQuery = (query: PredictionQuery): Query => ({
  sql: [
    "SELECT logging_time, deployed_model_id, CAST(request_id AS STRING) AS request_id, request_payload, response_payload",
    `FROM ${tableOf(query.location)}`,
    "WHERE logging_time >= @since AND logging_time < @until",
    "AND REGEXP_EXTRACT(CAST(endpoint AS STRING), r'[^/]+$') = @endpoint",
    ...(query.deployedModelId === undefined ? [] : ["AND deployed_model_id = @deployedModel"]),
    `ORDER BY logging_time ${query.isFirst === true ? "ASC" : "DESC"}`,
    // A request has one instance at least.
    `LIMIT ${String(query.rowsMax)}`,
  ].join("\n"),
  parameters: {
    since: { type: "TIMESTAMP", value: new Date(query.sinceMs).toISOString() },
    until: { type: "TIMESTAMP", value: new Date(query.untilMs).toISOString() },
    endpoint: { type: "STRING", value: query.endpoint },
    ...(query.deployedModelId === undefined
      ? {}
      : { deployedModel: { type: "STRING" as const, value: query.deployedModelId } }),
  },
});

const row = z.object({
  logging_time: z.string().regex(/^-?\d+$/),
  deployed_model_id: deployedModelId,
  request_id: z.string().nullish(),
  request_payload: z.array(z.string()).nullish(),
  response_payload: z.array(z.string().nullable()).nullish(),
});

const parsedTexts = (texts: readonly (string | null)[]): readonly unknown[] =>
  texts.map((text) => {
    try {
      return JSON.parse(text ?? "null") as unknown;
    } catch {
      // A container may answer with a text that is no JSON.
      return text;
    }
  });

const body = z.record(z.string(), z.unknown());

/** What whole bodies hold under a key; null when none of them has it. */
const elements = (
  values: readonly unknown[],
  key: "instances" | "predictions" | "explanations",
): readonly unknown[] | null => {
  const found = values.flatMap((value) => body.safeParse(value).data?.[key] ?? []);
  return found.length === 0 ? null : found;
};

const payloadOf = (request: readonly unknown[], response: readonly unknown[]): Payload => ({
  instances: elements(request, "instances") ?? request,
  predictions: elements(response, "predictions") ?? response,
  explanations: elements(response, "explanations") ?? [],
});

const predictionsOfRow = (found: QueryRow): readonly LoggedPrediction[] => {
  const parsed = row.safeParse(found);
  if (!parsed.success) return [];
  const { logging_time, deployed_model_id, request_id, request_payload, response_payload } =
    parsed.data;
  const response = parsedTexts(response_payload ?? []);
  // A request that failed tells nothing about the features: its response is an error, or none.
  const hasFailed = response.every(
    (one) => one === null || (typeof one === "object" && "error" in one),
  );
  if (hasFailed) return [];
  return predictionsOf(payloadOf(parsedTexts(request_payload ?? []), response), {
    timeMs: Math.floor(Number(logging_time) / 1000),
    deployedModelId: deployed_model_id,
    ...(request_id == null ? {} : { requestId: request_id }),
  });
};

/** The wanted predictions of a table, oldest first. */
export const readPredictionTable = async (
  config: GcpConfig,
  rest: Rest,
  query: PredictionQuery,
): Promise<readonly LoggedPrediction[]> => {
  const found: LoggedPrediction[] = [];
  for await (const page of queryPages(config, rest, predictionQuery(query))) {
    found.push(...page.flatMap(predictionsOfRow));
    // Pages come in the wanted order, so what is left lies beyond what is wanted.
    if (found.length >= query.rowsMax) break;
  }
  return firstOrLast(found, query);
};
