/** Cloud Scheduler jobs of ours, each of which publishes one message to a topic. */
import type { CloudSchedulerClient, protos } from "@google-cloud/scheduler";
import {
  grpcCallOptions,
  grpcClientOptions,
  lazily,
  locationName,
  type GcpConfig,
} from "./config.js";
import { asCloudError, attempting } from "./errors.js";

type Job = protos.google.cloud.scheduler.v1.IJob;

/** One job. */
export interface JobSpec {
  readonly id: string;
  readonly description: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly topic: string;
  /** Sent as the message's attributes and as its JSON body. */
  readonly message: Readonly<Record<string, string>>;
}

/** A job of ours as it is. */
export interface FoundJob {
  readonly id: string;
  readonly message: Readonly<Record<string, string>>;
  /** Whether it already is what a spec says. */
  readonly equals: (spec: JobSpec) => boolean;
}

/** Jobs of ours. */
export interface SchedulerJobs {
  /** Every job whose name starts with `continuo-`. */
  readonly list: () => Promise<readonly FoundJob[]>;
  readonly create: (spec: JobSpec) => Promise<void>;
  readonly update: (spec: JobSpec) => Promise<void>;
  /** Deletes a job; one that is gone is left so. */
  readonly remove: (id: string) => Promise<void>;
  /** Fires a job now, as Scheduler's own RunJob does. */
  readonly run: (id: string) => Promise<void>;
}

/** Labels are not offered on jobs: ours are known by this prefix. */
export const jobPrefix = "continuo-";

/** A firing that Pub/Sub refuses for a moment is tried again; the default is never. */
const retryCount = 3;

const comparable = (job: Job): string => {
  const attributes = Object.entries(job.pubsubTarget?.attributes ?? {}).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return JSON.stringify([
    job.description ?? "",
    job.schedule,
    job.timeZone,
    job.pubsubTarget?.topicName,
    attributes,
    Buffer.from(job.pubsubTarget?.data ?? "").toString("base64"),
  ]);
};

const jobOf = (config: GcpConfig, spec: JobSpec): Job => ({
  name: `${locationName(config)}/jobs/${spec.id}`,
  description: spec.description,
  schedule: spec.cron,
  timeZone: spec.timeZone,
  pubsubTarget: {
    topicName: `projects/${config.projectId}/topics/${spec.topic}`,
    data: Buffer.from(JSON.stringify(spec.message)),
    attributes: { ...spec.message },
  },
  retryConfig: { retryCount },
});

const schedulerClient = async (config: GcpConfig): Promise<CloudSchedulerClient> => {
  const [{ CloudSchedulerClient: Client }, options] = await Promise.all([
    import("@google-cloud/scheduler"),
    grpcClientOptions(config),
  ]);
  return new Client(options);
};

/** Access to our jobs. */
export const schedulerJobs = (config: GcpConfig): SchedulerJobs => {
  const client = lazily(() => schedulerClient(config));
  const options = grpcCallOptions(config);
  const nameOf = (id: string): string => `${locationName(config)}/jobs/${id}`;
  return {
    list: () =>
      attempting(`list Scheduler jobs in ${config.region}`, async () => {
        const [jobs] = await (await client()).listJobs({ parent: locationName(config) }, options);
        return jobs.flatMap((job) => {
          const id = job.name?.slice(job.name.lastIndexOf("/") + 1) ?? "";
          return id.startsWith(jobPrefix)
            ? {
                id,
                message: job.pubsubTarget?.attributes ?? {},
                equals: (spec: JobSpec) => comparable(job) === comparable(jobOf(config, spec)),
              }
            : [];
        });
      }),
    create: (spec) =>
      attempting(`create Scheduler job ${spec.id}`, async () => {
        await (
          await client()
        ).createJob({ parent: locationName(config), job: jobOf(config, spec) }, options);
      }),
    update: (spec) =>
      attempting(`update Scheduler job ${spec.id}`, async () => {
        await (
          await client()
        ).updateJob(
          {
            job: jobOf(config, spec),
            updateMask: {
              paths: ["description", "schedule", "time_zone", "pubsub_target", "retry_config"],
            },
          },
          options,
        );
      }),
    remove: (id) =>
      attempting(`delete Scheduler job ${id}`, async () => {
        try {
          await (await client()).deleteJob({ name: nameOf(id) }, options);
        } catch (error) {
          if (asCloudError(error).status !== "NOT_FOUND") throw error;
        }
      }),
    run: (id) =>
      attempting(`run Scheduler job ${id}`, async () => {
        await (await client()).runJob({ name: nameOf(id) }, options);
      }),
  };
};
