/** Errors of the Cloud Storage JSON API and their translation from what the machine threw. */
import { RpcError, type StatusName } from "../protocol/service.js";

/** A refusal in Google's JSON form, https://cloud.google.com/storage/docs/json_api/v1/status-codes */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly httpCode: number;
  readonly reason: string;

  constructor(httpCode: number, reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.httpCode = httpCode;
    this.reason = reason;
  }
}

/** The request itself is wrong. */
export const invalid = (message: string): StorageError => new StorageError(400, "invalid", message);

/** The named thing does not exist. */
export const notFound = (message: string): StorageError =>
  new StorageError(404, "notFound", message);

/** A precondition did not hold for a write. */
export const conditionNotMet = (): StorageError =>
  new StorageError(
    412,
    "conditionNotMet",
    "At least one of the pre-conditions you specified did not hold.",
  );

/** What Cloud Storage can do and this local one cannot. */
export const notImplemented = (message: string): StorageError =>
  new StorageError(501, "notImplemented", message);

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

const fullDiskCodes = /^(ENOSPC|EDQUOT|EFBIG|SQLITE_FULL|SQLITE_IOERR)/;
const readOnlyCodes: ReadonlySet<string> = new Set(["EROFS", "EACCES", "EPERM", "SQLITE_READONLY"]);

/** Gives any thrown thing the form a client understands; a full disk may be retried, a read-only one needs a person. */
export const asStorageError = (error: unknown, folder: string): StorageError => {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (fullDiskCodes.test(code)) {
    return new StorageError(
      503,
      "backendError",
      `The disk that holds ${folder} is full (${code}); nothing was stored. Free some space and retry.`,
      { cause: error },
    );
  }
  if (readOnlyCodes.has(code)) {
    return new StorageError(
      500,
      "backendError",
      `The folder ${folder} cannot be written (${code}); nothing was stored. Make it writable and retry.`,
      { cause: error },
    );
  }
  return new StorageError(500, "backendError", `Internal error: ${text}`, { cause: error });
};

const statusOfHttp: Readonly<Record<number, StatusName>> = {
  400: "INVALID_ARGUMENT",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ALREADY_EXISTS",
  412: "FAILED_PRECONDITION",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
};

/** The same refusal for callers inside the local cloud. */
export const asRpcError = (error: StorageError): RpcError =>
  new RpcError(statusOfHttp[error.httpCode] ?? "INTERNAL", error.message, { cause: error });

/** The JSON body of a refusal. */
export const errorBody = (error: StorageError): object => ({
  error: {
    code: error.httpCode,
    message: error.message,
    errors: [{ message: error.message, domain: "global", reason: error.reason }],
  },
});
