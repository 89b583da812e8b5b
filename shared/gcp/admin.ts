/** What people's tools need beyond the ports. */
import { gcpPorts } from "./ports.js";
import type { GcpConfig } from "./config.js";
import type { Objects } from "../ports/objects.js";
import { schedulerJobs } from "./scheduler-jobs.js";

/** Publishing, firing a schedule now, and files. */
export interface Admin {
  readonly publish: (
    topic: string,
    data: Buffer,
    attributes?: Readonly<Record<string, string>>,
  ) => Promise<void>;
  /** Fires a Scheduler job by its id, for example `continuo-tick`. */
  readonly runScheduleNow: (name: string) => Promise<void>;
  readonly objects: Objects;
}

/** Makes the tools' access to the cloud. */
export const gcpAdmin = (config: GcpConfig): Admin => {
  const { bus, objects } = gcpPorts(config);
  const jobs = schedulerJobs(config);
  return {
    publish: (topic, data, attributes = {}) => bus.publish(topic, { data, attributes }),
    runScheduleNow: (name) => jobs.run(name),
    objects,
  };
};
