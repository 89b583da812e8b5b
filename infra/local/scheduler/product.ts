/** Cloud Scheduler of the local cloud: cron with time zones, Pub/Sub and HTTP targets. */
import type { CloudContext, CloudProduct } from "../cloud.js";
import type { TokenSigner } from "../identity.js";
import { maskedFields, page, patched } from "../protocol/masks.js";
import { RpcError } from "../protocol/service.js";
import { checkJob, schedulerNames } from "./check.js";
import { schedulerEngine } from "./engine.js";
import type { Job } from "./shapes.js";

interface Named {
  readonly name?: string;
}

const changeable = [
  "description",
  "pubsubTarget",
  "httpTarget",
  "schedule",
  "timeZone",
  "retryConfig",
  "attemptDeadline",
];

/** Fields that callers may send and the service alone decides. */
function withoutOutput(job: Job): Job {
  const {
    userUpdateTime: _userUpdateTime,
    state: _state,
    status: _status,
    scheduleTime: _scheduleTime,
    lastAttemptTime: _lastAttemptTime,
    ...rest
  } = job;
  return rest;
}

/** Makes Cloud Scheduler; `tokens` signs what its HTTP targets receive. */
export function schedulerProduct(context: CloudContext, tokens: TokenSigner): CloudProduct {
  const { projectId, projectNumber } = context.settings;
  const names = schedulerNames(projectId, projectNumber);
  const engine = schedulerEngine(context, tokens);

  const setState = (name: string, from: Job["state"], to: "ENABLED" | "PAUSED"): Job => {
    const job = engine.get(name);
    if (job.state === to) return job;
    if (job.state !== from) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `The job ${name} is ${job.state ?? "in no state"}.`,
      );
    }
    return engine.save({ ...job, state: to });
  };

  return {
    services: [
      {
        service: "google.cloud.scheduler.v1.CloudScheduler",
        unary: {
          ListJobs: (request: {
            readonly parent?: string;
            readonly pageSize?: number;
            readonly pageToken?: string;
          }) => {
            const all = engine.list(names.parent(request.parent));
            const { items, nextPageToken } = page(all, (job) => job.name, request);
            return { jobs: items, nextPageToken };
          },
          GetJob: ({ name }: Named) => engine.get(names.job(name)),
          CreateJob: (request: { readonly parent?: string; readonly job?: Job }) => {
            const parent = names.parent(request.parent);
            const given = request.job ?? { name: "" };
            // A job without a name gets one, as the real service does.
            const name =
              given.name === undefined || given.name === ""
                ? `${parent}/jobs/job-${context.now().toString(36)}`
                : names.job(given.name);
            if (!name.startsWith(`${parent}/jobs/`)) {
              throw new RpcError(
                "INVALID_ARGUMENT",
                `The job's name must begin with the parent ${parent}/jobs/ (given: "${name}").`,
              );
            }
            return engine.create(checkJob({ ...withoutOutput(given), name }));
          },
          UpdateJob: (request: {
            readonly job?: Job;
            readonly updateMask?: { readonly paths?: readonly string[] };
          }) => {
            const name = names.job(request.job?.name);
            const current = engine.get(name);
            // Without a mask every field that may change is taken.
            const fields =
              (request.updateMask?.paths ?? []).length === 0
                ? changeable
                : maskedFields(request.updateMask, changeable, "Job");
            const changed = patched(current, withoutOutput(request.job ?? { name }), fields);
            return engine.save(checkJob(changed));
          },
          DeleteJob: ({ name }: Named) => {
            engine.drop(names.job(name));
            return {};
          },
          PauseJob: ({ name }: Named) => setState(names.job(name), "ENABLED", "PAUSED"),
          ResumeJob: ({ name }: Named) => setState(names.job(name), "PAUSED", "ENABLED"),
          RunJob: ({ name }: Named) => engine.runNow(names.job(name)),
        },
      },
    ],
    start: engine.start,
    stop: engine.stop,
  };
}
