/** The system's own Scheduler jobs. */
import type { GcpConfig } from "./config.js";
import { schedulerJobs, type JobSpec } from "./scheduler-jobs.js";
import type { Changes, ProvisionOptions, SystemScheduleTopology, Topology } from "./topology.js";

const specOf = ({ name, cron, topic }: SystemScheduleTopology, timeZone: string): JobSpec => ({
  id: name,
  description: `Publishes to ${topic}, made by Continuo`,
  cron,
  timeZone,
  topic,
  message: { kind: topic },
});

/** Makes the system's jobs as the topology says; models' own schedules are left alone. */
export const provisionSchedules = async (
  topology: Topology,
  config: GcpConfig,
  { scheduleTimeZone = "Etc/UTC" }: ProvisionOptions,
): Promise<Changes> => {
  const jobs = schedulerJobs(config);
  const found = new Map((await jobs.list()).map((job) => [job.id, job]));
  const specs = topology.systemSchedules.map((schedule) => specOf(schedule, scheduleTimeZone));
  const ensured = specs.map(async (spec): Promise<Changes> => {
    const job = found.get(spec.id);
    if (job?.equals(spec) === true) return [];
    await (job === undefined ? jobs.create(spec) : jobs.update(spec));
    return [`${job === undefined ? "created" : "updated"} schedule ${spec.id}`];
  });
  const removed = [...found.values()]
    .filter(({ id, message }) => {
      const isSystem = message["kind"] !== undefined && message["kind"] !== "schedule";
      return isSystem && !specs.some((spec) => spec.id === id);
    })
    .map(async ({ id }): Promise<Changes> => {
      await jobs.remove(id);
      return [`deleted schedule ${id}`];
    });
  return (await Promise.all([...ensured, ...removed])).flat();
};
