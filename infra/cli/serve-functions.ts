/** The functions' process: every function of the list behind one loopback port. */
import process from "node:process";
import { parseArgs } from "node:util";
import { functionRouter } from "../../shared/runtime/function-router.js";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    /** Names of the functions, separated by commas. */
    functions: { type: "string", default: "" },
  },
});
const names = values.functions.split(",").filter((name) => name !== "");

for (const name of names) {
  await import(`../../functions/${name}/index.ts`);
}

const server = functionRouter(names);
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
const stop = (): void => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), drainMs).unref();
};
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
