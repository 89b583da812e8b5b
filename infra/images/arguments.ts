/** Command lines of the images: `--name value` flags, errors that name the flag, exit codes. */
import { parseArgs } from "node:util";
import { z } from "zod";

/** A message for the person who started the container; printed without a stack trace. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly code = "IMAGE";
}

/** Reads `--name value` flags by a zod object schema; unknown or missing flags are errors. */
export function parseFlags<Shape extends z.ZodRawShape>(
  argv: readonly string[],
  schema: z.ZodObject<Shape>,
): z.infer<z.ZodObject<Shape>> {
  const names = Object.keys(schema.shape);
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true });
    return schema.parse(values);
  } catch (cause) {
    const flags = names.map((name) => `--${name}`).join(" ");
    throw new ImageError(`${explain(cause)}; flags: ${flags}`, { cause });
  }
}

/** One line for a thrown value; zod's issues become "name: problem". */
export function explain(cause: unknown): string {
  if (cause instanceof z.ZodError) {
    return cause.issues
      .slice(0, 10)
      .map((issue) => `${issue.path.join(".") || "value"}: ${issue.message}`)
      .join("; ");
  }
  return cause instanceof Error ? cause.message : String(cause);
}

/** Text that must be JSON of the given schema; the error names what was read. */
export function parseJson<Output>(text: string, what: string, schema: z.ZodType<Output>): Output {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ImageError(`${what} is not JSON: ${explain(cause)}`, { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new ImageError(`${what} is not valid: ${explain(result.error)}`, { cause: result.error });
  }
  return result.data;
}

/** Runs an image's main function: an error is one line on stderr and exit code 1. */
export async function runImage(name: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (cause) {
    const isKnown = cause instanceof ImageError;
    const detail =
      isKnown || !(cause instanceof Error) ? explain(cause) : (cause.stack ?? cause.message);
    console.error(`${name}: ${detail}`);
    process.exitCode = 1;
  }
}
