/** Provisioning in a process of its own, so that the clients it loads take no memory afterwards. */
import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { z } from "zod";
import { failed } from "../errors.js";

const run = promisify(execFile);
const timeoutMs = 60_000;
const reply = z.object({ changes: z.array(z.string()) });

/** Makes topics, subscriptions, sinks, schedules, bucket and template; answers a line for each change. */
export const provisionOnce = async (options: {
  readonly program: string;
  readonly template: string;
  readonly functions: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}): Promise<readonly string[]> => {
  const { program, template, functions, env } = options;
  const args = [program, "--functions", functions.join(","), "--template", template];
  try {
    const { stdout } = await run(process.execPath, args, {
      env,
      timeout: timeoutMs,
      maxBuffer: 4 * 1024 * 1024,
    });
    return reply.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}")).changes;
  } catch (error) {
    throw failed(
      `topics and subscriptions could not be made: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
};
