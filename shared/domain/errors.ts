/** The errors that may be thrown. Everything else that can happen is a decision or an event. */

abstract class ContinuoError extends Error {
  /** Stable, for logs and metrics. */
  abstract readonly code: string;
}

/** The message does not match its schema: acknowledged, and copied to the dead-letter topic. */
export class InvalidEventError extends ContinuoError {
  override readonly name = "InvalidEventError";
  readonly code = "invalid-event";
}

/** The cloud said no for good. */
export class RejectedError extends ContinuoError {
  override readonly name = "RejectedError";
  readonly code = "rejected";
}

/** Somebody else moved the state: decide again. */
export class ConflictError extends ContinuoError {
  override readonly name = "ConflictError";
  readonly code = "conflict";
}

/** May work later. */
export class UnavailableError extends ContinuoError {
  override readonly name = "UnavailableError";
  readonly code = "unavailable";
  readonly retryAfterMs: number;
  /** A quota is used up: asking again at once only uses up more of it. */
  readonly isQuota: boolean;

  constructor(
    message: string,
    options?: ErrorOptions & { readonly retryAfterMs?: number; readonly isQuota?: boolean },
  ) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs ?? 1000;
    this.isQuota = options?.isQuota ?? false;
  }
}

/** The process cannot run like this. */
export class ConfigError extends ContinuoError {
  override readonly name = "ConfigError";
  readonly code = "config";
}

/** We have a bug. */
export class InvariantError extends ContinuoError {
  override readonly name = "InvariantError";
  readonly code = "invariant";
}

/** Throws InvariantError unless a claim that must hold does. */
export function invariant(claim: boolean, why: string): asserts claim {
  if (!claim) throw new InvariantError(why);
}
