/** Translates what Google's clients and REST APIs throw into our errors. */
import { z } from "zod";
import {
  ConfigError,
  ConflictError,
  InvalidEventError,
  InvariantError,
  RejectedError,
  UnavailableError,
} from "../domain/errors.js";

/** Canonical status names by code, https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const statusNames = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** A canonical status of Google's APIs. */
export type CloudStatus = (typeof statusNames)[number];

/** An error as one of Google's APIs reported it, before it means anything to us. Never leaves shared/gcp. */
export class CloudError extends Error {
  override readonly name = "CloudError";
  readonly status: CloudStatus;
  /** How long the API asks us to wait, when it says so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: CloudStatus,
    message: string,
    options?: ErrorOptions & { readonly retryAfterMs?: number | undefined },
  ) {
    super(message, options);
    this.status = status;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

const statusByHttpCode: Readonly<Record<number, CloudStatus>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  412: "FAILED_PRECONDITION",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** The canonical status that an HTTP status stands for when the body names none. */
const statusOfHttp = (code: number): CloudStatus =>
  statusByHttpCode[code] ?? (code >= 500 ? "INTERNAL" : "INVALID_ARGUMENT");

const errorBody = z.object({
  error: z.object({
    message: z.string().default(""),
    status: z.enum(statusNames).optional().catch(undefined),
    details: z.array(z.record(z.string(), z.unknown())).default([]).catch([]),
  }),
});

const retryInfoMs = (details: readonly Readonly<Record<string, unknown>>[]): number | undefined => {
  const info = details.find((detail) => String(detail["@type"]).endsWith("google.rpc.RetryInfo"));
  const delay = info?.["retryDelay"];
  const seconds = typeof delay === "string" ? /^(\d+(?:\.\d+)?)s$/.exec(delay)?.[1] : undefined;
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
};

const retryAfterHeaderMs = (header: string | null): number | undefined =>
  header !== null && /^\d+$/.test(header) ? Number(header) * 1000 : undefined;

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Reads the error that a REST API answered with. */
export const cloudErrorOfHttp = (
  code: number,
  body: string,
  retryAfterHeader: string | null,
): CloudError => {
  const parsed = errorBody.safeParse(parseJson(body));
  const error = parsed.success ? parsed.data.error : undefined;
  return new CloudError(
    error?.status ?? statusOfHttp(code),
    error?.message ?? `HTTP ${String(code)}: ${body.slice(0, 500)}`,
    { retryAfterMs: retryInfoMs(error?.details ?? []) ?? retryAfterHeaderMs(retryAfterHeader) },
  );
};

const grpcError = z.object({
  code: z.int().min(1).max(16),
  details: z.string().optional().catch(undefined),
  message: z.string().default(""),
});

const networkError = z.object({ code: z.string(), message: z.string().default("") });

/** What Google's clients say when their own attempts ran out: the last attempt's error lies inside. */
const attemptsRanOut =
  /^Total timeout of API \S+ exceeded (?<ms>\d+) milliseconds retrying error Error: \d+ (?<status>[A-Z_]+): (?<message>.+?)\s+before any response was received/s;

/** The last attempt's error without the list of all before it; null for any other error. */
const lastAttempt = (text: string, cause: unknown): CloudError | null => {
  const { ms, status, message } = attemptsRanOut.exec(text)?.groups ?? {};
  const known = statusNames.find((name) => name === status);
  return known === undefined || message === undefined
    ? null
    : new CloudError(known, `${message} (tried for ${String(Number(ms) / 1000)} s)`, { cause });
};

/** Whatever was thrown, as a CloudError; what no API reported (a refused connection, a timeout) is UNAVAILABLE. */
export const asCloudError = (error: unknown): CloudError => {
  if (error instanceof CloudError) return error;
  const grpc = grpcError.safeParse(error);
  if (grpc.success) {
    const { code, details, message } = grpc.data;
    return (
      lastAttempt(message, error) ??
      new CloudError(statusNames[code] ?? "UNKNOWN", details ?? message, { cause: error })
    );
  }
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const network = networkError.safeParse(cause);
  const text = error instanceof Error ? error.message : String(error);
  return new CloudError(
    error instanceof Error && error.name === "TimeoutError" ? "DEADLINE_EXCEEDED" : "UNAVAILABLE",
    network.success ? `${text} (${network.data.code})` : text,
    { cause: error },
  );
};

const runningOperation =
  /operations\/[\w-]+|(?:another|other|concurrent|pending|running|ongoing) (?:\w+ )?operation|operation[^.]* (?:is|already) (?:\w+ )?(?:running|in progress|pending|underway)|(?:is|being) (?:currently )?(?:deployed|undeployed|updated|mutated) (?:by|to) /i;

/** Whether a FAILED_PRECONDITION only says that another operation must end first. */
export const namesRunningOperation = (message: string): boolean => runningOperation.test(message);

/** Takes out whatever could be a credential. */
const withoutTokens = (text: string): string =>
  text
    .replace(/\b(bearer)\s+[\w.~+/=:@-]+/gi, "$1 (removed)")
    .replace(/\bya29\.[\w.-]+/g, "(token removed)")
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "(token removed)");

const advice: Readonly<Partial<Record<CloudStatus, string>>> = {
  INVALID_ARGUMENT: "Correct the request's values; the same request will be refused again.",
  NOT_FOUND: "Check the name, or create it with `continuo apply`.",
  ALREADY_EXISTS: "Choose another name, or remove the existing one.",
  PERMISSION_DENIED: "Grant our service account the permission that the message names.",
  UNAUTHENTICATED: "Check the credentials of our service account.",
  FAILED_PRECONDITION: "Bring the resource into the state that the message asks for.",
  UNIMPLEMENTED: "This cloud does not offer the call.",
  RESOURCE_EXHAUSTED: "A quota is used up: it is tried again later, or ask for more quota.",
};

const rejected: ReadonlySet<CloudStatus> = new Set([
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "FAILED_PRECONDITION",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
]);

const isOurs = (error: unknown): error is Error =>
  error instanceof ConflictError ||
  error instanceof RejectedError ||
  error instanceof UnavailableError ||
  error instanceof ConfigError ||
  error instanceof InvariantError ||
  error instanceof InvalidEventError;

/** What is known about an attempt besides its error. */
interface Attempt {
  /** The resource is younger than ten minutes, so that NOT_FOUND may only mean "not visible yet". */
  readonly isRecent?: boolean;
  /** It read the state that it decided on, so that ABORTED means "decide again"; elsewhere it means "try again". */
  readonly isDecision?: boolean;
}

/** The error that the edges understand; `what` names the attempt with its ids, as in "deploy 123 to churn-prod". */
export const translated = (
  what: string,
  error: unknown,
  { isRecent = false, isDecision = false }: Attempt = {},
): Error => {
  if (isOurs(error)) return error;
  const cloud = asCloudError(error);
  const { status } = cloud;
  const isWaiting =
    // A transaction that took too long: the same work in a new one may succeed.
    (status === "INVALID_ARGUMENT" && /transaction has expired/.test(cloud.message)) ||
    (status === "FAILED_PRECONDITION" && namesRunningOperation(cloud.message)) ||
    (isRecent && (status === "NOT_FOUND" || status === "PERMISSION_DENIED"));
  const hint = isWaiting ? undefined : advice[status];
  const message = withoutTokens(
    `Could not ${what}: ${status}: ${cloud.message}${hint === undefined ? "" : ` ${hint}`}`,
  );
  if (status === "ABORTED" && isDecision) return new ConflictError(message, { cause: cloud });
  if (rejected.has(status) && !isWaiting) return new RejectedError(message, { cause: cloud });
  const retryAfterMs = cloud.retryAfterMs ?? (status === "RESOURCE_EXHAUSTED" ? 10_000 : undefined);
  return new UnavailableError(message, {
    cause: cloud,
    isQuota: status === "RESOURCE_EXHAUSTED",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
};

/** Runs an attempt and throws only errors that the edges understand. */
export const attempting = async <Result>(
  what: string,
  attempt: () => Promise<Result>,
): Promise<Result> => {
  try {
    return await attempt();
  } catch (error) {
    throw translated(what, error);
  }
};
