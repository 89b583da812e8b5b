/** The Schedules port on Cloud Scheduler: a manifest's cron is a job that publishes to topic `schedule`. */
import type { ModelName } from "../../events/ids.js";
import { RejectedError } from "../domain/errors.js";
import type { Schedule, Schedules } from "../ports/schedules.js";
import type { GcpConfig } from "./config.js";
import type { Rest } from "./rest.js";
import { jobPrefix, schedulerJobs, type FoundJob, type JobSpec } from "./scheduler-jobs.js";

/** The id of the Scheduler job of one schedule. */
const scheduleJobId = (model: ModelName, schedule: string): string =>
  `${jobPrefix}${model}-${schedule}`;

const specOf = (model: ModelName, { name, cron, timeZone }: Schedule): JobSpec => ({
  id: scheduleJobId(model, name),
  description: `Schedule ${name} of model ${model}, made by Continuo`,
  cron,
  timeZone,
  topic: "schedule",
  message: { kind: "schedule", model, schedule: name },
});

const isOfModel = ({ message }: FoundJob, model: ModelName): boolean =>
  message["kind"] === "schedule" && message["model"] === model;

/** Names are joined by hyphens that they may hold themselves, so two schedules can want one id. */
const refuseTakenIds = (
  model: ModelName,
  specs: readonly JobSpec[],
  jobs: readonly FoundJob[],
): void => {
  const taken = jobs.find(
    (job) => !isOfModel(job, model) && specs.some((spec) => spec.id === job.id),
  );
  if (taken === undefined) return;
  throw new RejectedError(
    `Scheduler job ${taken.id} belongs to ${taken.message["model"] ?? "the system"}, so model ${model} cannot have it. Rename the schedule in the manifest.`,
  );
};

/** The Schedules port. */
export const schedulerSchedules = (config: GcpConfig, rest: Rest): Schedules => {
  const jobs = schedulerJobs(config, rest);
  return {
    sync: async (model, schedules, fence = () => undefined) => {
      const specs = schedules.map((schedule) => specOf(model, schedule));
      const found = await jobs.list();
      refuseTakenIds(model, specs, found);
      fence();
      const byId = new Map(found.map((job) => [job.id, job]));
      await Promise.all([
        ...specs.map(async (spec) => {
          const job = byId.get(spec.id);
          if (job === undefined) await jobs.create(spec);
          else if (!job.equals(spec)) await jobs.update(spec);
        }),
        ...found
          .filter((job) => isOfModel(job, model) && !specs.some(({ id }) => id === job.id))
          .map(({ id }) => jobs.remove(id)),
      ]);
    },
  };
};
