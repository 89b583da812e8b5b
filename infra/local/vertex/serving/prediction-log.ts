/**
 * Request-response logging. Google writes it to BigQuery, which does not exist here: it becomes JSON lines in Cloud
 * Storage instead, in a form of this local cloud's own (the media type says so), one new object per batch.
 */
import { randomUUID } from "node:crypto";
import type { CloudContext } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";
import type { PredictionLogConfig } from "../messages.js";
import { parseGcsUri } from "../models/artifacts.js";
import { lastSegment } from "../names.js";

const flushMs = 1_000;
const linesPerObjectMax = 500;
const bufferedLinesMax = 50_000;
const contentType = "application/x-local-prediction-log+jsonl";

/** One answered request. */
export interface LoggedPrediction {
  readonly endpoint: string;
  readonly deployedModelId: string;
  readonly timeMs: number;
  readonly request: unknown;
  readonly response: unknown;
  readonly statusCode: number;
  readonly latencyMs: number;
}

/** Writes sampled requests and their answers. */
export interface PredictionLog {
  readonly record: (config: PredictionLogConfig, prediction: LoggedPrediction) => void;
  readonly start: () => void;
  readonly stop: () => Promise<void>;
}

/** Checks a logging configuration of an endpoint. */
export const checkPredictionLog = (config: PredictionLogConfig | undefined): void => {
  if (config?.enabled !== true) return;
  const rate = config.samplingRate ?? 0;
  if (!(rate > 0 && rate <= 1)) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid predict_request_response_logging_config.sampling_rate ${rate}: it must be above 0 and at most 1.`,
    );
  }
  const uri = config.bigqueryDestination?.outputUri ?? "";
  if (uri.startsWith("bq://") || uri === "") {
    throw new RpcError(
      "UNIMPLEMENTED",
      `Request-response logging to BigQuery ("${uri}") is not available in the local cloud: set bigquery_destination.output_uri to gs://{bucket} and it writes JSON lines there.`,
    );
  }
  parseGcsUri("predict_request_response_logging_config.bigquery_destination.output_uri", uri);
};

interface Buffered {
  readonly bucket: string;
  readonly folder: string;
  readonly lines: string[];
}

/** Makes the log. */
export const predictionLog = (context: CloudContext): PredictionLog => {
  const buffers = new Map<string, Buffered>();
  let buffered = 0;
  let dropped = 0;
  let objects = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const write = async (buffer: Buffered, lines: readonly string[]): Promise<void> => {
    objects += 1;
    const time = new Date(context.now()).toISOString();
    const name = `${buffer.folder}/${time}-${objects}.jsonl`;
    try {
      await context.services.storage.write(
        buffer.bucket,
        name,
        Buffer.from(`${lines.join("\n")}\n`),
        contentType,
      );
    } catch (error) {
      context.log(`vertex: ${lines.length} predictions were not logged: ${String(error)}`);
    }
  };

  const flush = (): void => {
    if (dropped > 0) {
      context.log(`vertex: ${dropped} predictions were not logged: storage is too slow`);
      dropped = 0;
    }
    for (const [key, buffer] of buffers) {
      const lines = buffer.lines.splice(0);
      if (lines.length === 0) {
        buffers.delete(key);
        continue;
      }
      // One write at a time, so that a slow disk delays the log and not the predictions.
      writing = writing.then(async () => {
        for (let start = 0; start < lines.length; start += linesPerObjectMax) {
          const batch = lines.slice(start, start + linesPerObjectMax);
          await write(buffer, batch);
          buffered -= batch.length;
        }
      });
    }
  };

  return {
    record: (config, prediction) => {
      if (Math.random() >= (config.samplingRate ?? 0)) return;
      if (buffered >= bufferedLinesMax) {
        dropped += 1;
        return;
      }
      const uri = config.bigqueryDestination?.outputUri ?? "";
      const key = `${uri} ${prediction.endpoint}`;
      let buffer = buffers.get(key);
      if (buffer === undefined) {
        const { bucket, path } = parseGcsUri("output_uri", uri);
        const endpointId = lastSegment(prediction.endpoint);
        buffer = { bucket, folder: path === "" ? endpointId : `${path}/${endpointId}`, lines: [] };
        buffers.set(key, buffer);
      }
      buffered += 1;
      const count = buffer.lines.push(
        JSON.stringify({
          endpoint: prediction.endpoint,
          deployedModelId: prediction.deployedModelId,
          time: new Date(prediction.timeMs).toISOString(),
          requestId: randomUUID(),
          request: prediction.request,
          response: prediction.response,
          statusCode: prediction.statusCode,
          latencyMs: Math.round(prediction.latencyMs * 1000) / 1000,
        }),
      );
      if (count >= linesPerObjectMax) flush();
    },
    start: () => {
      timer = setInterval(flush, flushMs);
      timer.unref();
    },
    stop: async () => {
      clearInterval(timer);
      flush();
      await writing;
    },
  };
};
