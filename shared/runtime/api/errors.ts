/** Replies that are refusals. */
import {
  ConflictError,
  InvalidEventError,
  RejectedError,
  UnavailableError,
} from "../../domain/errors.js";

/** A request that is refused, with its HTTP status and a stable code. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly details: unknown;

  constructor(status: number, code: string, message: string, details?: unknown) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** A request that cannot be understood. */
export const badRequest = (message: string, details?: unknown): ApiError =>
  new ApiError(400, "bad-request", message, details);

/** Something that does not exist. */
export const notFound = (message: string): ApiError => new ApiError(404, "not-found", message);

/** Any error as a refusal; what is unknown says nothing of its inside. */
export const asApiError = (error: unknown): ApiError => {
  if (error instanceof ApiError) return error;
  if (error instanceof RejectedError) return new ApiError(422, error.code, error.message);
  if (error instanceof InvalidEventError) return badRequest(error.message);
  if (error instanceof ConflictError) {
    return new ApiError(409, error.code, `${error.message}; try again`);
  }
  if (error instanceof UnavailableError) {
    return new ApiError(503, error.code, `${error.message}; try again in a moment`);
  }
  return new ApiError(500, "internal", "an unexpected error happened; the function's log names it");
};
