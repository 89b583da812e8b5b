/** The local cloud's process: `tsx infra/local/main.ts --folder .continuo --port 8790 --images images.json`. */
import process from "node:process";
import { readConfig } from "./config.js";
import { ConfigError } from "./errors.js";
import { isStorageTrouble } from "./protocol/failure.js";
import { startCloud } from "./server.js";

const stopLimitMs = 10_000;

const log = (line: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
};

function exitWith(error: unknown): never {
  // A wrong setting is told plainly; anything else is ours and needs its stack.
  log(
    error instanceof ConfigError
      ? error.message
      : error instanceof Error
        ? (error.stack ?? "")
        : String(error),
  );
  process.exit(error instanceof ConfigError ? 2 : 1);
}

process.on("unhandledRejection", (error) => {
  log(`unhandled: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
});

process.on("uncaughtException", (error) => {
  log(`uncaught: ${error.stack ?? error.message}`);
  // A full disk passes; anything else leaves us in a state that nobody knows. What was acknowledged is safe.
  if (!isStorageTrouble(error)) process.exit(1);
});

try {
  const cloud = await startCloud({ ...readConfig(process.argv.slice(2)), log });
  let isStopping = false;
  const stop = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => {
      log("stopping took too long");
      process.exit(1);
    }, stopLimitMs).unref();
    await cloud.stop();
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  process.on("SIGINT", () => void stop());
  process.stdout.write(
    `${JSON.stringify({ ready: true, address: cloud.address, pid: process.pid })}\n`,
  );
} catch (error) {
  exitWith(error);
}
