/** What containers write goes to Cloud Logging, at most so many lines a second; the rest is counted. */
import { randomUUID } from "node:crypto";
import type { CloudContext, LogEntryJson } from "../../cloud.js";

const linesPerSecondMax = 100;
const lineLengthMax = 4_000;
const flushMs = 1_000;

/** Who writes. */
export interface LogSource {
  readonly endpointId: string;
  readonly deployedModelId: string;
}

/** Collects lines of all containers. */
export interface ContainerLog {
  readonly line: (source: LogSource, line: string, severity: "INFO" | "ERROR" | "WARNING") => void;
  readonly start: () => void;
  readonly stop: () => Promise<void>;
}

/** Makes the log of an endpoint's containers. */
export const containerLog = (context: CloudContext): ContainerLog => {
  let entries: LogEntryJson[] = [];
  let timer: NodeJS.Timeout | undefined;
  const counts = new Map<string, { lines: number; readonly source: LogSource }>();
  const { projectId, projectNumber, region } = context.settings;

  const entryOf = (source: LogSource, message: string, severity: string): LogEntryJson => {
    const timestamp = new Date(context.now()).toISOString();
    return {
      logName: `projects/${projectId}/logs/aiplatform.googleapis.com%2Fprediction_container`,
      insertId: randomUUID(),
      timestamp,
      receiveTimestamp: timestamp,
      severity,
      resource: {
        type: "aiplatform.googleapis.com/Endpoint",
        labels: {
          resource_container: `projects/${projectNumber}`,
          location: region,
          endpoint_id: source.endpointId,
        },
      },
      labels: {
        deployed_model_id: source.deployedModelId,
        replica_id: `${source.deployedModelId}-0`,
      },
      jsonPayload: { message },
    };
  };

  const flush = async (): Promise<void> => {
    for (const { lines, source } of counts.values()) {
      if (lines > linesPerSecondMax) {
        entries.push(
          entryOf(source, `${lines - linesPerSecondMax} lines were dropped: too many`, "WARNING"),
        );
      }
    }
    counts.clear();
    if (entries.length === 0) return;
    const batch = entries;
    entries = [];
    try {
      await context.services.logging.write(batch);
    } catch (error) {
      context.log(`vertex: ${batch.length} lines of containers were not logged: ${String(error)}`);
    }
  };

  return {
    line: (source, line, severity) => {
      const key = `${source.endpointId}/${source.deployedModelId}`;
      const count = counts.get(key) ?? { lines: 0, source };
      count.lines += 1;
      counts.set(key, count);
      if (count.lines <= linesPerSecondMax) {
        entries.push(entryOf(source, line.slice(0, lineLengthMax), severity));
      }
    },
    start: () => {
      timer = setInterval(() => {
        void flush();
      }, flushMs);
      timer.unref();
    },
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
};
