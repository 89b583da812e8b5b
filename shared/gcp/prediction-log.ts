/** The PredictionLog port on JSON lines in a bucket, as a local cloud's endpoints write them. */
import { z } from "zod";
import { deployedModelId } from "../../events/ids.js";
import { ConfigError } from "../domain/errors.js";
import type { Objects } from "../ports/objects.js";
import type { LoggedPrediction, PredictionLog } from "../ports/prediction-log.js";
import { attempting } from "./errors.js";

const objectBytesMax = 64_000_000;
/** An object is named after the time it was written, which is later than what it holds by at most this. */
const flushDelayMsMax = 120_000;

const instance = z.record(z.string(), z.unknown());

const line = z.object({
  deployedModelId,
  time: z.string(),
  statusCode: z.number().default(200),
  requestId: z.string().optional(),
  request: z.object({ instances: z.array(instance).default([]) }),
  response: z.object({ predictions: z.array(z.unknown()).default([]) }).catch({ predictions: [] }),
});

const parseLine = (text: string): readonly LoggedPrediction[] => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [];
  }
  const parsed = line.safeParse(json);
  // Requests that failed, and rows that are no objects, tell nothing about the features.
  if (!parsed.success || parsed.data.statusCode >= 400) return [];
  const { time, request, response, requestId, ...rest } = parsed.data;
  const timeMs = Date.parse(time);
  return request.instances.map((row, index) => ({
    timeMs,
    deployedModelId: rest.deployedModelId,
    instance: row,
    prediction: response.predictions[index],
    ...(requestId === undefined ? {} : { requestId }),
  }));
};

/** When an object was written, read from its name; undefined for a foreign object. */
const writtenAtMs = (uri: string): number | undefined => {
  const time = /\/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)[^/]*\.jsonl$/.exec(uri)?.[1];
  return time === undefined ? undefined : Date.parse(time);
};

/** The PredictionLog port. */
export const predictionLog = (objects: Objects): PredictionLog => ({
  read: ({ location, endpoint, sinceMs, untilMs, rowsMax }) =>
    attempting(`read the prediction log of endpoint ${endpoint} at ${location}`, async () => {
      if (!location.startsWith("gs://")) {
        throw new ConfigError(
          `The prediction log at ${location} cannot be read: reading from BigQuery is not built yet. Use a gs:// folder for monitoring.predictionLog.`,
        );
      }
      const uris = await objects.list(`${location.replace(/\/+$/, "")}/${endpoint}/`);
      const wanted = uris.filter((uri) => {
        const atMs = writtenAtMs(uri);
        return atMs !== undefined && atMs >= sinceMs && atMs <= untilMs + flushDelayMsMax;
      });
      const found: LoggedPrediction[] = [];
      // Names sort by time: the newest objects come first until there are rows enough.
      for (const uri of wanted.toReversed()) {
        if (found.length >= rowsMax) break;
        const body = await objects.read(uri, objectBytesMax);
        found.push(
          ...(body?.toString("utf8").split("\n") ?? [])
            .flatMap((text) => (text === "" ? [] : parseLine(text)))
            .filter(({ timeMs }) => timeMs >= sinceMs && timeMs < untilMs),
        );
      }
      return found.toSorted((a, b) => a.timeMs - b.timeMs).slice(-rowsMax);
    }),
});
