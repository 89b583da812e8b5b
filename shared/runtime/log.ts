/** One line of JSON per event, as Cloud Logging reads it from a function's standard output. */

/** Severities of Cloud Logging. */
type Severity = "DEBUG" | "INFO" | "NOTICE" | "WARNING" | "ERROR" | "CRITICAL";

const lineLengthMax = 1000;

/** Writes one structured line; values are cut so that a line stays near one kilobyte. */
export const log = (
  severity: Severity,
  message: string,
  fields: Readonly<Record<string, string | number | boolean | null>> = {},
): void => {
  const line = JSON.stringify({ severity, message: message.slice(0, lineLengthMax), ...fields });
  process.stdout.write(`${line}\n`);
};
