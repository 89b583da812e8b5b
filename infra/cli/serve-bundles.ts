/**
 * The functions as they are deployed: each in a process of its own, started by its first request from its own bundle
 * through functions-framework, behind one loopback port.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { isListening } from "../build/listening.js";
import { pathRouter, refuse } from "../../shared/runtime/path-router.js";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    /** Names of the functions, separated by commas. */
    functions: { type: "string", default: "" },
    /** The folder that holds each function's folder. */
    bundles: { type: "string", default: "" },
    /** Module that ends a process when its parent is gone. */
    "stop-with-parent": { type: "string", default: "" },
  },
});
const names = values.functions.split(",").filter((name) => name !== "");
const startLimitMs = 30_000;
const lookEveryMs = 5;

// Sockets in a folder of our own: no port of a function is open to others.
const sockets = mkdtempSync(join(tmpdir(), "continuo-functions-"));
const socketOf = (name: string): string => join(sockets, `${name}.sock`);

const processes = new Map<string, Promise<ChildProcess>>();

const startProcess = async (name: string): Promise<ChildProcess> => {
  const folder = join(values.bundles, name);
  rmSync(socketOf(name), { force: true });
  const child = spawn(
    process.execPath,
    ["--enable-source-maps", "--import", values["stop-with-parent"], join(folder, "main.cjs")],
    {
      env: {
        ...process.env,
        PORT: socketOf(name),
        FUNCTION_TARGET: name,
        FUNCTION_SOURCE: join(folder, "index.cjs"),
      },
      stdio: ["pipe", "inherit", "inherit"],
    },
  );
  // The next request starts another one, as Cloud Run would.
  child.once("exit", () => processes.delete(name));
  const deadline = performance.now() + startLimitMs;
  while (!(await isListening({ path: socketOf(name) }))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`function ${name} does not start from ${folder}`);
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  return child;
};

const started = (name: string): Promise<ChildProcess> => {
  const known = processes.get(name);
  if (known !== undefined) return known;
  const starting = startProcess(name);
  processes.set(name, starting);
  starting.catch(() => processes.delete(name));
  return starting;
};

const forward = (name: string, request: IncomingMessage, response: ServerResponse): void => {
  const { method, url, headers } = request;
  const sent = httpRequest({ socketPath: socketOf(name), method, path: url, headers }, (reply) => {
    response.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(response);
    reply.once("error", () => response.destroy());
  });
  sent.once("error", (error) => {
    if (response.headersSent) response.destroy();
    else refuse(response, 502, "no-answer", `function ${name} did not answer: ${error.message}`);
  });
  response.once("close", () => sent.destroy());
  request.pipe(sent);
};

const server = pathRouter(names, (name, request, response) => {
  started(name).then(
    () => {
      forward(name, request, response);
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      process.stderr.write(`${message}\n`);
      refuse(response, 503, "no-process", message);
    },
  );
});
server.once("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(Number(values.port), "127.0.0.1", () => {
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  process.stdout.write(`${JSON.stringify({ ready: true, address: `http://127.0.0.1:${port}` })}\n`);
});

/** Replies in progress are finished first; Pub/Sub delivers the rest again. */
const drainMs = 1500;
const end = (): void => {
  rmSync(sockets, { recursive: true, force: true });
  // Each function's process ends with our end of its pipe.
  process.exit(0);
};
const stop = (): void => {
  server.close(end);
  server.closeIdleConnections();
  setTimeout(end, drainMs).unref();
};
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
