/** Cloud Scheduler jobs of ours, each of which publishes one message to a topic; over REST, with the official types. */
import type { protos } from "@google-cloud/scheduler";
import { z } from "zod";
import { baseUrl, locationName, type GcpConfig } from "./config.js";
import { asCloudError, attempting } from "./errors.js";
import { restClient, type Rest } from "./rest.js";

type Job = protos.google.cloud.scheduler.v1.IJob;

/** A job as the API answers it. */
const jobShape = z.object({
  name: z.string(),
  description: z.string().default(""),
  schedule: z.string().default(""),
  timeZone: z.string().default(""),
  pubsubTarget: z
    .object({
      topicName: z.string().default(""),
      data: z.string().default(""),
      attributes: z.record(z.string(), z.string()).default({}),
    })
    .nullable()
    .default(null),
});

const listShape = z.object({
  jobs: z.array(jobShape).default([]),
  nextPageToken: z.string().default(""),
});

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

const comparable = ({ description, schedule, timeZone, pubsubTarget }: Job): string => {
  const attributes = Object.entries(pubsubTarget?.attributes ?? {}).toSorted(([one], [other]) =>
    one < other ? -1 : 1,
  );
  const { topicName, data } = pubsubTarget ?? {};
  return JSON.stringify([description, schedule, timeZone, topicName, attributes, data]);
};

const jobOf = (config: GcpConfig, spec: JobSpec): Job => ({
  name: `${locationName(config)}/jobs/${spec.id}`,
  description: spec.description,
  schedule: spec.cron,
  timeZone: spec.timeZone,
  pubsubTarget: {
    topicName: `projects/${config.projectId}/topics/${spec.topic}`,
    data: Buffer.from(JSON.stringify(spec.message)).toString("base64"),
    attributes: { ...spec.message },
  },
  retryConfig: { retryCount },
});

const updatedFields = "description,schedule,timeZone,pubsubTarget,retryConfig";
const pageSize = 500;
const pagesMax = 100;
/** All repetitions together end before the lease does under which they are sent. */
const repeatedMs = 4000;

/** Access to our jobs. */
export const schedulerJobs = (
  config: GcpConfig,
  rest: Rest = restClient(config),
): SchedulerJobs => {
  const base = `${baseUrl(config, "cloudscheduler")}/v1`;
  const jobsUrl = `${base}/${locationName(config)}/jobs`;
  const url = (id: string): string => `${jobsUrl}/${encodeURIComponent(id)}`;

  const listed = async (): Promise<readonly z.infer<typeof jobShape>[]> => {
    const found: z.infer<typeof jobShape>[] = [];
    let pageToken = "";
    for (let page = 0; page < pagesMax; page += 1) {
      const query = { pageSize, ...(pageToken === "" ? {} : { pageToken }) };
      const answer = listShape.parse(await rest.json({ method: "GET", url: jobsUrl, query }));
      found.push(...answer.jobs);
      pageToken = answer.nextPageToken;
      if (pageToken === "") break;
    }
    return found;
  };

  return {
    list: () =>
      attempting(`list Scheduler jobs in ${config.region}`, async () =>
        (await listed()).flatMap((job) => {
          const id = job.name.slice(job.name.lastIndexOf("/") + 1);
          return id.startsWith(jobPrefix)
            ? {
                id,
                message: job.pubsubTarget?.attributes ?? {},
                equals: (spec: JobSpec) => comparable(job) === comparable(jobOf(config, spec)),
              }
            : [];
        }),
      ),
    create: (spec) =>
      attempting(`create Scheduler job ${spec.id}`, async () => {
        await rest.call({ method: "POST", url: jobsUrl, body: jobOf(config, spec) });
      }),
    update: (spec) =>
      attempting(`update Scheduler job ${spec.id}`, async () => {
        await rest.call({
          method: "PATCH",
          url: url(spec.id),
          query: { updateMask: updatedFields },
          body: jobOf(config, spec),
          isRepeatable: true,
          deadlineMs: repeatedMs,
        });
      }),
    remove: (id) =>
      attempting(`delete Scheduler job ${id}`, async () => {
        try {
          await rest.call({
            method: "DELETE",
            url: url(id),
            isRepeatable: true,
            deadlineMs: repeatedMs,
          });
        } catch (error) {
          if (asCloudError(error).status !== "NOT_FOUND") throw error;
        }
      }),
    run: (id) =>
      attempting(`run Scheduler job ${id}`, async () => {
        await rest.call({ method: "POST", url: `${url(id)}:run`, body: {} });
      }),
  };
};
