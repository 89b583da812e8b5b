/** The launcher image: runs a custom, batch prediction or tuning job as a pipeline's task. */
import { argv } from "node:process";
import { z } from "zod";
import { parseFlags, parseJson, runImage } from "../arguments.js";
import { writeLocal } from "../io.js";
import { launcherConfig } from "./config.js";
import { launchJob } from "./launch.js";
import { googleToken, vertexRest } from "./vertex-rest.js";

const flags = z.object({
  type: z.enum(["CustomJob", "BatchPredictionJob", "HyperparameterTuningJob"]),
  project: z.string().min(1),
  location: z.string().min(1),
  /** The job as JSON, as Vertex AI's REST API takes it. */
  payload: z.string(),
  /** Equal for every attempt at the same work, for example the pipeline job's and the task's name. */
  key: z.string().min(1),
  /** Path of a file that gets the job's resource name. */
  resource: z.string().default(""),
});

await runImage("launcher", async () => {
  const options = parseFlags(argv.slice(2), flags);
  const config = launcherConfig();
  const payload = parseJson(options.payload, "--payload", z.record(z.string(), z.unknown()));
  const host = config.endpoint ?? `https://${options.location}-aiplatform.googleapis.com`;
  const base = `${host.replace(/\/$/, "")}/v1/projects/${options.project}/locations/${options.location}`;
  const isLocal = host.startsWith("http:");
  const request = vertexRest(base, isLocal ? () => Promise.resolve(undefined) : googleToken);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const job = await launchJob(request, {
    kind: options.type,
    payload,
    key: options.key,
    pollMs: config.pollMs,
    signal: stop.signal,
    log: (message) => console.log(JSON.stringify({ message })),
  });
  if (options.resource !== "") await writeLocal(options.resource, job.name);
});
