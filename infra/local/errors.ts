/** The one error of starting up. */

/** The local cloud cannot run like this; the message says what to change. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "CONFIG";
}
