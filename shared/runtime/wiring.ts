/** The process's ports and settings, made on first use. */
import { gcpPorts } from "../gcp/ports.js";
import type { Ports } from "../ports/ports.js";
import { environment, type Config } from "./config.js";
import { withoutDomains } from "./without-domains.js";

withoutDomains();

let readOnce: Config | undefined;
let wiredOnce: Ports | undefined;

/** The settings of this process. */
export const config = (): Config => (readOnce ??= environment());

/** The ports of this process. */
export const ports = (): Ports => {
  const { projectId, region, bucket, identity, pipelineIdentity, slots, localCloud } = config();
  return (wiredOnce ??= gcpPorts({
    projectId,
    region,
    bucket,
    identity,
    pipelineIdentity,
    slots,
    ...(localCloud === undefined ? {} : { localCloud }),
  }));
};
