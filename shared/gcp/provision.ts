/** Makes the cloud look like the topology: topics, subscriptions, sinks, schedules, the bucket and the database. */
import type { GcpConfig } from "./config.js";
import { provisionBucket } from "./provision-bucket.js";
import { provisionDatabase } from "./provision-database.js";
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
    provisionDatabase(config),
  ]);
  return [...pubsub, ...rest.flat()];
};
