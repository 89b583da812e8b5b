/** The last step of a build: a training run that it asks for and waits for. */
import { z } from "zod";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { restClient } from "../../shared/gcp/rest.js";
import { vertexApi } from "../../shared/gcp/vertex-api.js";
import type { BuildConfig } from "./config.js";

const jobList = z.object({
  pipelineJobs: z
    .array(z.object({ name: z.string(), state: z.string().default(""), createTime: z.string() }))
    .default([]),
});
const ended = /_(?:SUCCEEDED|FAILED|CANCELLED)$/;
const limitMs = 50 * 60_000;
const lookEveryMs = 10_000;

/** Asks for a run of one model and waits until its PipelineJob has ended; throws unless it succeeded. */
export const waitForRun = async (
  gcp: GcpConfig,
  { model, build }: Pick<BuildConfig, "model" | "build">,
  tell: (line: string) => void,
): Promise<void> => {
  if (model === "") {
    tell("no run is asked for: _MODEL is empty");
    return;
  }
  const askedAt = new Date().toISOString();
  const event = {
    specversion: "1.0",
    type: "training-run.requested",
    id: `${build}/run`,
    source: "//cloudbuild.googleapis.com",
    time: askedAt,
    data: { model, reason: `build ${build}`, by: gcp.identity },
  };
  await gcpPorts(gcp).bus.publish("training-run", {
    data: Buffer.from(JSON.stringify(event)),
    attributes: {},
  });
  const api = vertexApi(gcp, restClient(gcp));
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    const query = { filter: `labels.continuo-model=${model}`, pageSize: 100 };
    const { pipelineJobs } = jobList.parse(await api.request("GET", "pipelineJobs", { query }));
    const job = pipelineJobs.find(
      ({ createTime }) => Date.parse(createTime) >= Date.parse(askedAt),
    );
    if (job !== undefined && ended.test(job.state)) {
      tell(`${job.name}: ${job.state}`);
      if (job.state.endsWith("_SUCCEEDED")) return;
      throw new Error(`the run of ${model} did not succeed: ${job.state}`);
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  throw new Error(`no run of ${model} has ended within ${limitMs / 60_000} minutes`);
};
