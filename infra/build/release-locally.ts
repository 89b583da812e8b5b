/** A release to a local cloud that runs. */
import type { EventOf } from "../../events/index.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { releasePipeline, type ModelRepository } from "./model-repository.js";

/** Uploads a repository's pipeline to a local cloud and publishes its event; its images keep their names there. */
export const releaseLocally = (
  at: {
    readonly cloud: string;
    readonly project: string;
    readonly region: string;
    readonly bucket: string;
  },
  repository: ModelRepository,
): Promise<EventOf<"pipeline.released">> => {
  const ports = gcpPorts({
    projectId: at.project,
    region: at.region,
    bucket: at.bucket,
    identity: `continuo-build@${at.project}.iam.gserviceaccount.com`,
    localCloud: at.cloud,
  });
  const now = new Date().toISOString();
  return releasePipeline(ports, repository, repository.template, {
    build: `local-${now}`,
    time: now,
  });
};
