/** Long-running operations: durable, resumed after a crash, polled over gRPC and over the clients' REST paths. */
import { EventEmitter } from "node:events";
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { RpcError, statusCode } from "../protocol/service.js";
import { writeAudit } from "./audit.js";
import { documentTable } from "./documents.js";
import { timestampOf, typeUrl, type ProtoAny, type RpcStatus } from "./messages.js";
import { canonicalName, generateId, lastSegment, locationName } from "./names.js";
import { asRpcError } from "./rest.js";

/** google.longrunning.Operation. */
export interface OperationMessage {
  readonly name: string;
  readonly metadata: ProtoAny;
  readonly done?: true;
  readonly error?: RpcStatus;
  readonly response?: ProtoAny;
}

/** What a finished operation leaves. */
export interface OperationOutcome {
  readonly response: ProtoAny;
  /** The resource that the last audit entry names. */
  readonly resourceName: string;
}

/** An operation while it runs. */
export interface RunningOperation {
  readonly name: string;
  /** Aborted by CancelOperation, and when the cloud stops (then the operation is resumed at the next start). */
  readonly signal: AbortSignal;
  /** Adds fields to the metadata that pollers see. */
  readonly report: (fields: Readonly<Record<string, unknown>>) => void;
}

/** A kind of operation. */
export interface OperationTask<Input> {
  /** Full method name; it identifies the kind, also after a restart. */
  readonly method: string;
  /** Message name of the metadata, for example `UploadModelOperationMetadata`. */
  readonly metadataType: string;
  /** Does the work; run again from the start when a crash interrupted it, so it must bear being repeated. */
  readonly run: (input: Input, operation: RunningOperation) => Promise<OperationOutcome>;
}

/** One operation to start. */
export interface OperationStart<Input> {
  /** Canonical name of the resource that the operation belongs to. */
  readonly under: string;
  /** JSON; all that `run` needs. */
  readonly input: Input;
  readonly request: unknown;
  readonly principal: string;
  /** The resource that the first audit entry names; `under` when absent. */
  readonly auditResource?: string;
  /** Done before the reply, as deletions are; such an operation belongs to the location. */
  readonly isImmediate?: boolean;
}

interface StoredOperation {
  readonly message: OperationMessage;
  readonly method: string;
  readonly input: unknown;
  readonly principal: string;
  readonly auditResource: string;
  readonly createdMs: number;
  /** When it was done. */
  readonly endedMs?: number;
}

/** The operations of one local cloud. */
export interface Operations {
  /** Makes a kind of operation known and returns what starts one. */
  readonly define: <Input>(
    task: OperationTask<Input>,
  ) => (start: OperationStart<Input>) => Promise<OperationMessage>;
  /** Runs again what a crash interrupted. */
  readonly resume: () => void;
  /** Interrupts what runs, to be resumed at the next start. */
  readonly stop: () => Promise<void>;
  readonly get: (name: string) => OperationMessage;
  readonly list: (parent: string) => readonly OperationMessage[];
  readonly wait: (
    name: string,
    timeoutMs: number,
    signal: AbortSignal,
  ) => Promise<OperationMessage>;
  readonly cancel: (name: string) => void;
  readonly remove: (name: string) => void;
  /** The name of the running operation of a resource, if there is one. */
  readonly runningUnder: (resource: string) => string | undefined;
}

/** Operation ids are unique by themselves, and some clients poll without the resource that they belong to. */
const keyOf = (name: string): string => lastSegment(name);

const lifeMsDefault = 30 * 86_400_000;
const purgeMs = 60_000;

const makeOperations = (context: CloudContext): Operations => {
  const table = documentTable<StoredOperation>(context.db, "vertex_operations");
  const tasks = new Map<
    string,
    (input: unknown, operation: RunningOperation) => Promise<OperationOutcome>
  >();
  const running = new Map<
    string,
    { readonly abort: AbortController; readonly ended: Promise<void> }
  >();
  const finished = new EventEmitter();
  finished.setMaxListeners(0);
  let isStopping = false;

  let purgedMs = Number.NEGATIVE_INFINITY;

  const isPurged = ({ message, endedMs, createdMs }: StoredOperation): boolean =>
    message.done === true &&
    (endedMs ?? createdMs) + (context.settings.operationLifeMs ?? lifeMsDefault) <= context.now();

  /** Drops what is past its life, once a minute at most. */
  const purge = (): void => {
    const now = context.now();
    if (now < purgedMs + purgeMs) return;
    purgedMs = now;
    for (const { key, document } of table.list("")) if (isPurged(document)) table.remove(key);
  };

  const read = (name: string): StoredOperation => {
    const stored = table.get(keyOf(canonicalName(context.settings, name)));
    if (stored === undefined || isPurged(stored)) {
      throw new RpcError("NOT_FOUND", `Operation "${name}" does not exist.`);
    }
    return stored;
  };

  const update = (name: string, change: Partial<OperationMessage>): StoredOperation => {
    const stored = read(name);
    const { genericMetadata, ...rest } = { ...stored.message.metadata, ...change.metadata };
    const metadata: ProtoAny = {
      ...rest,
      "@type": stored.message.metadata["@type"],
      genericMetadata: {
        ...(typeof genericMetadata === "object" ? genericMetadata : {}),
        updateTime: timestampOf(context.now()),
      },
    };
    const next: StoredOperation = {
      ...stored,
      message: { ...stored.message, ...change, metadata },
      ...(change.done === true ? { endedMs: context.now() } : {}),
    };
    table.put(keyOf(name), next);
    return next;
  };

  const finish = async (
    name: string,
    result: { readonly outcome: OperationOutcome } | { readonly failure: RpcStatus },
  ): Promise<void> => {
    const stored = update(
      name,
      "outcome" in result
        ? { done: true, response: result.outcome.response }
        : { done: true, error: result.failure },
    );
    running.delete(name);
    finished.emit(name);
    await writeAudit(context, {
      method: stored.method,
      principal: stored.principal,
      operation: { id: name, position: "last" },
      ...("outcome" in result
        ? { resourceName: result.outcome.resourceName, response: result.outcome.response }
        : { resourceName: stored.auditResource, failure: result.failure }),
    });
  };

  const execute = async (stored: StoredOperation, signal: AbortSignal): Promise<void> => {
    const { name } = stored.message;
    const run = tasks.get(stored.method);
    // The caller sees the operation before its end, as it would on the real service.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      if (run === undefined) {
        throw new RpcError("INTERNAL", `No service here knows operations of ${stored.method}.`);
      }
      const outcome = await run(stored.input, {
        name,
        signal,
        report: (fields) => {
          update(name, { metadata: { ...fields, "@type": stored.message.metadata["@type"] } });
        },
      });
      await finish(name, { outcome });
    } catch (error) {
      if (isStopping) return;
      const { status, message } = asRpcError(error);
      const failure = signal.aborted
        ? { code: statusCode.CANCELLED, message: `The operation was cancelled: ${message}` }
        : { code: statusCode[status], message };
      context.log(`vertex: ${stored.method} failed: ${failure.message}`);
      await finish(name, { failure });
    }
  };

  const launch = async (stored: StoredOperation): Promise<void> => {
    const abort = new AbortController();
    const ended = execute(stored, abort.signal).catch((error: unknown) => {
      context.log(`vertex: operation ${stored.message.name} was not recorded: ${String(error)}`);
    });
    running.set(stored.message.name, { abort, ended });
    await ended;
  };

  return {
    define: <Input>(task: OperationTask<Input>) => {
      const input = z.custom<Input>();
      tasks.set(task.method, (stored, operation) => task.run(input.parse(stored), operation));
      return async (start: OperationStart<Input>) => {
        const isImmediate = start.isImmediate === true;
        const parent = isImmediate ? locationName(context.settings) : start.under;
        const name = `${parent}/operations/${generateId()}`;
        const now = timestampOf(context.now());
        const stored: StoredOperation = {
          message: {
            name,
            metadata: {
              "@type": typeUrl(task.metadataType),
              genericMetadata: { createTime: now, updateTime: now },
            },
          },
          method: task.method,
          input: start.input,
          principal: start.principal,
          auditResource: start.auditResource ?? start.under,
          createdMs: context.now(),
        };
        purge();
        table.put(keyOf(name), stored);
        const ended = launch(stored);
        await writeAudit(context, {
          method: task.method,
          principal: start.principal,
          resourceName: stored.auditResource,
          request: start.request,
          response: { name },
          operation: { id: name, position: "first" },
        });
        if (!isImmediate) return stored.message;
        await ended;
        return read(name).message;
      };
    },
    resume: () => {
      for (const { document } of table.list("")) {
        const { message } = document;
        if (message.done !== true && !running.has(message.name)) {
          context.log(`vertex: resuming ${document.method} (${message.name})`);
          void launch(document);
        }
      }
    },
    stop: async () => {
      isStopping = true;
      const all = [...running.values()];
      for (const { abort } of all) abort.abort(new Error("the cloud is stopping"));
      await Promise.all(all.map(({ ended }) => ended));
    },
    get: (name) => read(name).message,
    list: (parent) =>
      table
        .list("")
        .filter(({ document }) => !isPurged(document))
        .filter(({ document }) =>
          document.message.name.startsWith(`${canonicalName(context.settings, parent)}/`),
        )
        .toSorted((left, right) => right.document.createdMs - left.document.createdMs)
        .map(({ document }) => document.message),
    wait: (name, timeoutMs, signal) =>
      new Promise((resolve) => {
        const current = read(name).message;
        if (current.done === true) {
          resolve(current);
          return;
        }
        const answer = (): void => {
          clearTimeout(timer);
          finished.off(current.name, answer);
          signal.removeEventListener("abort", answer);
          resolve(read(name).message);
        };
        const timer = setTimeout(answer, timeoutMs);
        finished.on(current.name, answer);
        signal.addEventListener("abort", answer);
      }),
    cancel: (name) => {
      running.get(read(name).message.name)?.abort.abort(new Error("CancelOperation was called"));
    },
    remove: (name) => {
      const { message } = read(name);
      if (message.done !== true) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `Operation "${message.name}" is still running: cancel it or wait for its end before deleting it.`,
        );
      }
      table.remove(keyOf(message.name));
    },
    runningUnder: (resource) =>
      [...running.keys()].find((name) => name.startsWith(`${resource}/operations/`)),
  };
};

const made = new WeakMap<CloudContext["db"], Operations>();

/** The operations of a cloud, shared by all Vertex AI services. */
export const operationsOf = (context: CloudContext): Operations => {
  const known = made.get(context.db);
  if (known !== undefined) return known;
  const operations = makeOperations(context);
  made.set(context.db, operations);
  return operations;
};
