/** What goes back to the caller when a call fails, whatever the transport. */
import { RpcError, statusCode, type StatusName } from "./service.js";

const httpCodes: Readonly<Record<StatusName, number>> = {
  OK: 200,
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** The HTTP status that stands for a canonical status. */
export const httpCodeOf = (status: StatusName): number => httpCodes[status];

/** A failure in both transports' terms. */
export interface Failure {
  readonly status: StatusName;
  readonly code: number;
  readonly httpCode: number;
  readonly message: string;
  readonly details: readonly Readonly<Record<string, unknown>>[];
}

/** The folder cannot be written: the caller may try again once somebody has made room. */
export function isStorageTrouble(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^(SQLITE_(FULL|IOERR|READONLY|CANTOPEN)|ENOSPC|EDQUOT|EFBIG|EROFS)/.test(code);
}

/** Translates anything thrown; what is not an RpcError is a mistake of ours, logged and told as INTERNAL. */
export function toFailure(error: unknown, call: string, log: (line: string) => void): Failure {
  if (error instanceof RpcError) {
    return {
      status: error.status,
      code: statusCode[error.status],
      httpCode: httpCodes[error.status],
      message: error.message,
      details: error.details,
    };
  }
  if (isStorageTrouble(error)) {
    const reason = error instanceof Error ? error.message : String(error);
    log(`${call} cannot write: ${reason}`);
    return {
      status: "UNAVAILABLE",
      code: statusCode.UNAVAILABLE,
      httpCode: 503,
      message: `The local cloud cannot write to its folder (${reason}). Nothing was stored; free some disk space and try again.`,
      details: [],
    };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log(`${call} failed inside the local cloud: ${text}`);
  return {
    status: "INTERNAL",
    code: statusCode.INTERNAL,
    httpCode: 500,
    message: `${call} failed inside the local cloud: ${error instanceof Error ? error.message : String(error)}`,
    details: [],
  };
}

/** The caller that a bearer token `local:<email>` names. */
export function principalOf(authorization: string | undefined): string {
  const match = /^Bearer local:(\S{1,256})$/i.exec(authorization ?? "");
  return match?.[1] ?? "anonymous";
}
