/** Cron schedules of manifests. */
import type { ModelName } from "../../events/ids.js";
import type { Fence } from "./leases.js";

/** One schedule of one model. */
export interface Schedule {
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
}

/** Cloud Scheduler jobs that publish `schedule.fired`. */
export interface Schedules {
  /** Makes the model's jobs equal to the list: creates, updates and deletes. */
  readonly sync: (model: ModelName, schedules: readonly Schedule[], fence?: Fence) => Promise<void>;
}
