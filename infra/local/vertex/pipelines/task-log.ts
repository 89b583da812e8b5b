/** What a task prints: kept in a file of its own and sent to Cloud Logging, both within limits. */
import { createWriteStream, mkdirSync } from "node:fs";
import { finished } from "node:stream/promises";
import { dirname } from "node:path";
import type { CloudContext, LogEntryJson } from "../../cloud.js";

/** Who prints. */
export interface LogSource {
  /** Makes the entries' insert ids unique, and the same when a line is sent twice. */
  readonly key: string;
  readonly file: string;
  readonly logId: string;
  readonly resource: { readonly type: string; readonly labels: Readonly<Record<string, string>> };
  readonly labels: Readonly<Record<string, string>>;
}

/** The log of one container. */
export interface TaskLog {
  readonly line: (text: string, stream: "stdout" | "stderr") => void;
  /** A line of the platform's, which is no part of what the container printed. */
  readonly note: (text: string) => void;
  /** The end of what was printed, for error messages. */
  readonly tail: () => string;
  /** Writes out what is held; nothing may be added afterwards. */
  readonly close: () => Promise<void>;
}

const entriesMax = 1_000;
const batchMax = 100;
const batchDelayMs = 200;
const fileCharsMax = 1_048_576;
const tailLinesMax = 8;
const tailCharsMax = 1_000;
const tailLineCharsMax = 400;

/** Opens a log; a log that cannot be written is reported once and never fails the task. */
export const taskLog = (context: CloudContext, source: LogSource): TaskLog => {
  mkdirSync(dirname(source.file), { recursive: true });
  const file = createWriteStream(source.file, { flags: "a" });
  let isReported = false;
  const report = (error: unknown): void => {
    if (!isReported) context.log(`vertex: the log ${source.file} is incomplete: ${String(error)}`);
    isReported = true;
  };
  file.on("error", report);
  let fileChars = 0;
  let count = 0;
  let left: readonly string[] = [];
  let batch: LogEntryJson[] = [];
  let sent: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (batch.length === 0) return;
    const entries = batch;
    batch = [];
    sent = sent.then(() => context.services.logging.write(entries)).catch(report);
  };
  const entry = (text: string, severity: string): LogEntryJson => {
    const timestamp = new Date(context.now()).toISOString();
    return {
      logName: `projects/${context.settings.projectId}/logs/${source.logId}`,
      insertId: `${source.key}-${count}`,
      timestamp,
      receiveTimestamp: timestamp,
      severity,
      textPayload: text,
      resource: source.resource,
      labels: source.labels,
    };
  };
  const send = (text: string, severity: string): void => {
    batch.push(entry(text, severity));
    if (batch.length >= batchMax) flush();
    else timer ??= setTimeout(flush, batchDelayMs);
  };

  const keep = (text: string, severity: string): void => {
    count += 1;
    if (fileChars < fileCharsMax) file.write(`${text}\n`);
    fileChars += text.length + 1;
    if (count <= entriesMax) send(text, severity);
  };

  return {
    line: (text, stream) => {
      const short =
        text.length > tailLineCharsMax ? `${text.slice(0, tailLineCharsMax)} ...` : text;
      left = [...left, short].slice(-tailLinesMax);
      keep(text, stream === "stderr" ? "ERROR" : "INFO");
    },
    note: (text) => {
      keep(text, "INFO");
    },
    tail: () => (left.length === 0 ? "(it printed nothing)" : left.join("\n").slice(-tailCharsMax)),
    close: async () => {
      if (count > entriesMax) {
        send(`${count - entriesMax} more lines are not in this log; see ${source.file}`, "WARNING");
      }
      flush();
      if (fileChars > fileCharsMax) file.write("(the rest is left out)\n");
      file.end();
      await Promise.all([sent, finished(file).catch(report)]);
    },
  };
};
