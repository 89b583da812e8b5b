/** google.logging.v2.LoggingServiceV2: writing, listing and deleting entries. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { RpcError, statusCode, type ServiceImplementation } from "../protocol/service.js";
import type { CheckedEntry, EntryPosition, EntryStore } from "./entries.js";
import type { EntryCodec, EntryJson } from "./entry-codec.js";
import { matcherOf, timeBoundsOf } from "./filter/matcher.js";
import { logNameOf, pageSizeOf, parentOf } from "./names.js";

const entriesPerPage = 50;
const entriesPerPageMax = 1000;
const scannedPerPageMax = 20_000;
const scanBatch = 1000;
const namesPerPage = 1000;

/** Stores checked entries and feeds the sinks; given by the product. */
export type StoreEntries = (entries: readonly CheckedEntry[]) => void;

interface WriteRequest {
  readonly logName?: string;
  readonly resource?: object;
  readonly labels?: Readonly<Record<string, string>>;
  readonly entries?: readonly Readonly<Record<string, unknown>>[];
  readonly partialSuccess?: boolean;
  readonly dryRun?: boolean;
}

interface ListRequest {
  readonly resourceNames?: readonly string[];
  readonly filter?: string;
  readonly orderBy?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

interface ListLogsRequest {
  readonly parent?: string;
  readonly resourceNames?: readonly string[];
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** What the methods stand on. */
export interface EntryMethodParts {
  readonly context: CloudContext;
  readonly codec: EntryCodec;
  readonly entries: EntryStore;
  readonly store: StoreEntries;
}

const refuse = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const readOrder = (orderBy: string | undefined): boolean => {
  const order = (orderBy ?? "").trim().replaceAll(/\s+/g, " ");
  if (order === "" || order === "timestamp" || order === "timestamp asc") return false;
  if (order === "timestamp desc") return true;
  throw refuse(`Invalid order_by "${order}": write "timestamp asc" or "timestamp desc".`);
};

const tokenSchema = z.tuple([z.string(), z.string(), z.number()]);

/**
 * A page token carries a digest of what gives its position a meaning. The filter is left out: the official client
 * rewrites the filter of every page it is asked for, with a new bound on the time.
 */
const pageTokens = (query: object) => {
  const digest = createHash("sha256")
    .update(JSON.stringify(query))
    .digest("base64url")
    .slice(0, 12);
  return {
    write: ({ time, id }: EntryPosition): string =>
      Buffer.from(JSON.stringify([digest, time, id])).toString("base64url"),
    read: (token: string | undefined): EntryPosition | undefined => {
      if (token === undefined || token === "") return undefined;
      try {
        const text = Buffer.from(token, "base64url").toString("utf8");
        const [theirs, time, id] = tokenSchema.parse(JSON.parse(text));
        if (theirs === digest) return { time, id };
      } catch {
        // Falls through to the same refusal as a token of another query.
      }
      throw refuse("page_token is invalid: use the token of the page before with the same query.");
    },
  };
};

/** Lets other requests in between two batches of a long search. */
const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** Makes the service. */
export const loggingService = (parts: EntryMethodParts): ServiceImplementation => {
  const { context, codec, entries: stored, store } = parts;

  const complete = (request: WriteRequest, entry: Readonly<Record<string, unknown>>): EntryJson => {
    const { logName, resource, labels } = request;
    const own = z.record(z.string(), z.string()).catch({}).parse(entry["labels"]);
    const merged = { ...labels, ...own };
    return codec.toJson({
      ...entry,
      ...(entry["logName"] === undefined && logName !== undefined ? { logName } : {}),
      ...(entry["resource"] === undefined && resource !== undefined ? { resource } : {}),
      ...(Object.keys(merged).length > 0 ? { labels: merged } : {}),
    });
  };

  const write = (request: WriteRequest): object => {
    const checked: CheckedEntry[] = [];
    const failures = new Map<number, RpcError>();
    for (const [index, entry] of (request.entries ?? []).entries()) {
      try {
        checked.push(stored.check(complete(request, entry)));
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        failures.set(index, error);
      }
    }
    const [first] = failures.values();
    const isStoring = request.dryRun !== true && (first === undefined || request.partialSuccess);
    if (isStoring) store(checked);
    if (first === undefined) return {};
    const logEntryErrors = Object.fromEntries(
      [...failures].map(([index, error]) => [
        index,
        { code: statusCode[error.status], message: error.message },
      ]),
    );
    const type = "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors";
    throw new RpcError(first.status, first.message, {
      cause: first,
      details: [{ "@type": type, logEntryErrors }],
    });
  };

  const list = async (request: ListRequest): Promise<object> => {
    const names = request.resourceNames ?? [];
    if (names.length === 0) throw refuse("resource_names must name at least one project.");
    const parents = [...new Set(names.map((name) => parentOf(context, name)))];
    const filter = request.filter ?? "";
    const matches = matcherOf(filter);
    const isNewestFirst = readOrder(request.orderBy);
    const limit = pageSizeOf(request.pageSize, entriesPerPage, entriesPerPageMax);
    const tokens = pageTokens({ parents, isNewestFirst });
    const scope = { parents, ...timeBoundsOf(filter), isNewestFirst, limit: scanBatch };
    const found: EntryJson[] = [];
    let after = tokens.read(request.pageToken);
    for (let scanned = 0; ;) {
      const rows = stored.read({ ...scope, after });
      for (const row of rows) {
        if (!matches(row.json)) {
          after = row;
          continue;
        }
        // One entry beyond the page proves that there is another page.
        if (found.length === limit && after !== undefined) return page(found, tokens.write(after));
        found.push(row.json);
        after = row;
      }
      scanned += rows.length;
      if (rows.length < scanBatch || after === undefined) return page(found, undefined);
      // A page that found little in a great deal ends early; its token continues the search.
      if (scanned >= scannedPerPageMax) return page(found, tokens.write(after));
      await breathe();
    }
  };

  const page = (found: readonly EntryJson[], nextPageToken: string | undefined): object => ({
    entries: found.map((entry) => codec.toMessage(entry)),
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
  });

  const listLogs = (request: ListLogsRequest): object => {
    const asked = [request.parent, ...(request.resourceNames ?? [])].filter(
      (name) => name !== undefined && name !== "",
    );
    if (asked.length === 0) throw refuse("parent must name a project.");
    const parents = [...new Set(asked.map((name) => parentOf(context, String(name))))];
    const limit = pageSizeOf(request.pageSize, namesPerPage, namesPerPage);
    const after = Buffer.from(request.pageToken ?? "", "base64url").toString("utf8");
    const found = stored.logNames(parents, after, limit + 1);
    const logNames = found.slice(0, limit);
    const last = logNames.at(-1);
    return {
      logNames,
      ...(found.length > limit && last !== undefined
        ? { nextPageToken: Buffer.from(last).toString("base64url") }
        : {}),
    };
  };

  return {
    service: "google.logging.v2.LoggingServiceV2",
    types: ["google.logging.v2.WriteLogEntriesPartialErrors"],
    unary: {
      WriteLogEntries: (request: WriteRequest) => write(request),
      ListLogEntries: (request: ListRequest) => list(request),
      ListLogs: (request: ListLogsRequest) => listLogs(request),
      DeleteLog: ({ logName = "" }: { readonly logName?: string }) => {
        if (!stored.deleteLog(logNameOf(context, logName))) {
          throw new RpcError("NOT_FOUND", `Log ${logName} does not exist.`);
        }
        return {};
      },
    },
  };
};
