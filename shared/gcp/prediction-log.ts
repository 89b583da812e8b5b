/**
 * The PredictionLog port: a table of BigQuery, as Vertex AI writes it, or JSON lines in a folder of the bucket, as a
 * local cloud's endpoints write them.
 */
import { z } from "zod";
import { deployedModelId } from "../../events/ids.js";
import { ConfigError } from "../domain/errors.js";
import type { Objects } from "../ports/objects.js";
import type { LoggedPrediction, PredictionLog } from "../ports/prediction-log.js";
import type { GcpConfig } from "./config.js";
import { attempting } from "./errors.js";
import { predictionsOf } from "./prediction-payload.js";
import { firstOrLast, readPredictionTable } from "./prediction-table.js";
import type { Rest } from "./rest.js";

const objectBytesMax = 64_000_000;
/** An object is named after the time it was written, which is later than what it holds by at most this. */
const flushDelayMsMax = 120_000;

const line = z.object({
  deployedModelId,
  time: z.string(),
  statusCode: z.number().default(200),
  requestId: z.string().optional(),
  request: z.object({ instances: z.array(z.unknown()).default([]) }),
  response: z
    .object({
      predictions: z.array(z.unknown()).default([]),
      explanations: z.array(z.unknown()).default([]),
    })
    .catch({ predictions: [], explanations: [] }),
});

const parseLine = (text: string): readonly LoggedPrediction[] => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [];
  }
  const parsed = line.safeParse(json);
  // Requests that failed tell nothing about the features.
  if (!parsed.success || parsed.data.statusCode >= 400) return [];
  const { time, request, response, requestId, ...rest } = parsed.data;
  return predictionsOf(
    { instances: request.instances, ...response },
    {
      timeMs: Date.parse(time),
      deployedModelId: rest.deployedModelId,
      ...(requestId === undefined ? {} : { requestId }),
    },
  );
};

/** When an object was written, read from its name; undefined for a foreign object. */
const writtenAtMs = (uri: string): number | undefined => {
  const time = /\/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)[^/]*\.jsonl$/.exec(uri)?.[1];
  return time === undefined ? undefined : Date.parse(time);
};

type PredictionQuery = Parameters<PredictionLog["read"]>[0];

const readFolder = async (
  objects: Objects,
  query: PredictionQuery,
): Promise<readonly LoggedPrediction[]> => {
  const { location, endpoint, sinceMs, untilMs, rowsMax, isFirst = false } = query;
  const isWanted = ({ timeMs, deployedModelId: id }: LoggedPrediction): boolean =>
    timeMs >= sinceMs &&
    timeMs < untilMs &&
    (query.deployedModelId === undefined || query.deployedModelId === id);
  const uris = await objects.list(`${location.replace(/\/+$/, "")}/${endpoint}/`);
  const wanted = uris.filter((uri) => {
    const atMs = writtenAtMs(uri);
    return atMs !== undefined && atMs >= sinceMs && atMs <= untilMs + flushDelayMsMax;
  });
  const found: LoggedPrediction[] = [];
  // Names sort by time: objects are read from the wanted end until there are rows enough.
  for (const uri of isFirst ? wanted : wanted.toReversed()) {
    if (found.length >= rowsMax) break;
    const body = await objects.read(uri, objectBytesMax);
    found.push(
      ...(body?.toString("utf8").split("\n") ?? [])
        .flatMap((text) => (text === "" ? [] : parseLine(text)))
        .filter(isWanted),
    );
  }
  return firstOrLast(found, query);
};

/** The PredictionLog port. */
export const predictionLog = (config: GcpConfig, rest: Rest, objects: Objects): PredictionLog => ({
  read: (query) =>
    attempting(
      `read the prediction log of endpoint ${query.endpoint} at ${query.location}`,
      async () => {
        if (query.location.startsWith("gs://")) return readFolder(objects, query);
        if (query.location.startsWith("bq://")) return readPredictionTable(config, rest, query);
        throw new ConfigError(
          `The prediction log at ${query.location} cannot be read. Use bq://project.dataset.table, or a gs:// folder on a local cloud, for monitoring.predictionLog.`,
        );
      },
    ),
});
