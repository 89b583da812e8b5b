/** The fields of a LogEntry as queries see them: which exist, and what stands for an absent one. */
import { RpcError } from "../../protocol/service.js";

/** Severities by rank, https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#logseverity */
export const severityRanks: ReadonlyMap<string, number> = new Map([
  ["DEFAULT", 0],
  ["DEBUG", 100],
  ["INFO", 200],
  ["NOTICE", 300],
  ["WARNING", 400],
  ["ERROR", 500],
  ["CRITICAL", 600],
  ["ALERT", 700],
  ["EMERGENCY", 800],
]);

/** What an absent field compares as: its type's default, or nothing at all. */
export type Absent = string | number | boolean | undefined;

const text = "";
const message = (fields: Readonly<Record<string, Absent>>) => fields;

const known: Readonly<Record<string, Absent | Readonly<Record<string, Absent>>>> = {
  logName: text,
  insertId: text,
  timestamp: text,
  receiveTimestamp: text,
  severity: "DEFAULT",
  trace: text,
  spanId: text,
  traceSampled: false,
  textPayload: undefined,
  jsonPayload: undefined,
  protoPayload: undefined,
  labels: undefined,
  resource: message({ type: text, labels: undefined }),
  httpRequest: message({
    requestMethod: text,
    requestUrl: text,
    requestSize: 0,
    status: 0,
    responseSize: 0,
    userAgent: text,
    remoteIp: text,
    serverIp: text,
    referer: text,
    latency: text,
    cacheLookup: false,
    cacheHit: false,
    cacheValidatedWithOriginServer: false,
    cacheFillBytes: 0,
    protocol: text,
  }),
  operation: message({ id: text, producer: text, first: false, last: false }),
  sourceLocation: message({ file: text, line: 0, function: text }),
  split: message({ uid: text, index: 0, totalSplits: 0 }),
};

const toCamel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** A path with its first segments in JSON spelling, and what its absence means. */
export interface KnownPath {
  readonly path: readonly string[];
  readonly absent: Absent;
}

const own = <Value>(fields: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;

/** Checks a path against LogEntry; payloads and labels may hold anything. */
export const knownPath = (given: readonly string[]): KnownPath => {
  const [first = "", second, ...rest] = given;
  const root = toCamel(first);
  const unknown = () =>
    new RpcError("INVALID_ARGUMENT", `Unparseable filter: unknown field "${given.join(".")}".`);
  if (!Object.hasOwn(known, root)) throw unknown();
  const field = own(known, root);
  const isFree = field === undefined && root !== "textPayload";
  if (isFree) return { path: [root, ...given.slice(1)], absent: undefined };
  if (typeof field !== "object") {
    if (second !== undefined) throw unknown();
    return { path: [root], absent: field };
  }
  if (second === undefined) return { path: [root], absent: undefined };
  const child = toCamel(second);
  if (!Object.hasOwn(field, child)) throw unknown();
  const isLabels = root === "resource" && child === "labels";
  if (rest.length > 0 && !isLabels) throw unknown();
  return { path: [root, child, ...rest], absent: own(field, child) };
};
