/** Makes the cloud look like the topology: topics, subscriptions, sinks, schedules and the bucket. */
import type { GcpConfig } from "./config.js";
import { provisionBucket } from "./provision-bucket.js";
import { provisionPubsub } from "./provision-pubsub.js";
import { provisionSchedules } from "./provision-schedules.js";
import { provisionSinks } from "./provision-sinks.js";
import type { Changes, ProvisionOptions, Topology } from "./topology.js";

/**
 * Creates what is missing, updates what differs and deletes what is ours and no longer wanted; run again it changes
 * nothing. Returns a line for each change.
 */
export const provision = async (
  topology: Topology,
  config: GcpConfig,
  options: ProvisionOptions,
): Promise<Changes> => {
  // Sinks, schedules and notifications name topics, so the topics come first.
  const pubsub = await provisionPubsub(topology, config, options);
  const rest = await Promise.all([
    provisionSinks(topology, config),
    provisionSchedules(topology, config, options),
    provisionBucket(config, options),
  ]);
  return [...pubsub, ...rest.flat()];
};
