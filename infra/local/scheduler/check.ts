/** What Cloud Scheduler refuses. */
import { RpcError } from "../protocol/service.js";
import { parseSchedule } from "./schedule.js";
import { durationMs, type Job } from "./shapes.js";

const namePattern =
  /^projects\/([a-z0-9][a-z0-9.:-]{0,61})\/locations\/([a-z0-9-]{1,63})\/jobs\/([A-Za-z0-9_-]{1,500})$/;
const parentPattern = /^projects\/([a-z0-9][a-z0-9.:-]{0,61})\/locations\/([a-z0-9-]{1,63})$/;
const bodyBytesMax = 1024 * 1024;
const retriesMax = 5;

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

/** Names with the project's id in place of its number. */
export function schedulerNames(projectId: string, projectNumber: string) {
  const asId = (given: string): string => (given === projectNumber ? projectId : given);
  return {
    job: (name: string | undefined): string => {
      const found = namePattern.exec(name ?? "");
      if (found === null) {
        throw invalid(
          `Job name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/jobs/<JOB_ID>" (given: "${name ?? ""}"). JOB_ID has letters, digits, - and _.`,
        );
      }
      return `projects/${asId(found[1] ?? "")}/locations/${found[2] ?? ""}/jobs/${found[3] ?? ""}`;
    },
    parent: (name: string | undefined): string => {
      const found = parentPattern.exec(name ?? "");
      if (found === null) {
        throw invalid(
          `Parent must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>" (given: "${name ?? ""}").`,
        );
      }
      return `projects/${asId(found[1] ?? "")}/locations/${found[2] ?? ""}`;
    },
  };
}

function checkHttp(job: Job): void {
  const target = job.httpTarget;
  if (target === undefined) return;
  const url = URL.canParse(target.uri ?? "") ? new URL(target.uri ?? "") : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw invalid(
      `HttpTarget.uri must be a valid http:// or https:// URL (given: "${target.uri ?? ""}").`,
    );
  }
  const method = target.httpMethod ?? "POST";
  if ((target.body?.length ?? 0) > 0 && !["POST", "PUT", "PATCH"].includes(method)) {
    throw invalid(`HttpTarget.body may only be set with POST, PUT or PATCH, not with ${method}.`);
  }
  if (target.oauthToken !== undefined) {
    throw new RpcError(
      "UNIMPLEMENTED",
      "The local Cloud Scheduler signs OpenID Connect tokens only; use HttpTarget.oidc_token.",
    );
  }
  if (
    target.oidcToken !== undefined &&
    !(target.oidcToken.serviceAccountEmail ?? "").includes("@")
  ) {
    throw invalid(
      "HttpTarget.oidc_token.service_account_email must be a service account's address.",
    );
  }
}

function checkRetry(job: Job): void {
  const count = job.retryConfig?.retryCount ?? 0;
  if (count < 0 || count > retriesMax) {
    throw invalid(`RetryConfig.retry_count must be between 0 and ${retriesMax} (given: ${count}).`);
  }
  const minMs = durationMs(job.retryConfig?.minBackoffDuration, 5000);
  const maxMs = durationMs(job.retryConfig?.maxBackoffDuration, 3_600_000);
  if (minMs < 0 || minMs > maxMs) {
    throw invalid("RetryConfig.min_backoff_duration must not exceed max_backoff_duration.");
  }
}

/** Checks a job; returns it with the defaults that the real service shows. */
export function checkJob(job: Job): Job {
  const targets = [job.pubsubTarget, job.httpTarget, job.appEngineHttpTarget].filter(
    (target) => target !== undefined,
  );
  if (targets.length !== 1) {
    throw invalid("Job must have exactly one target: pubsub_target or http_target.");
  }
  if (job.appEngineHttpTarget !== undefined) {
    throw new RpcError(
      "UNIMPLEMENTED",
      "The local Cloud Scheduler has no App Engine; use pubsub_target or http_target.",
    );
  }
  if ((job.description ?? "").length > 500) {
    throw invalid("Job.description may have at most 500 characters.");
  }
  const timeZone = (job.timeZone ?? "") === "" ? "UTC" : (job.timeZone ?? "UTC");
  if ((job.schedule ?? "") === "") {
    throw invalid('Job.schedule must be set, for example "*/5 * * * *".');
  }
  parseSchedule(job.schedule ?? "", timeZone);
  checkHttp(job);
  checkRetry(job);
  const body = job.httpTarget?.body ?? job.pubsubTarget?.data;
  if ((body?.length ?? 0) > bodyBytesMax) throw invalid("The target's body exceeds 1 MB.");
  const topic = job.pubsubTarget;
  if (topic !== undefined) {
    if (!/^projects\/[^/]+\/topics\/[^/]+$/.test(topic.topicName ?? "")) {
      throw invalid(
        `PubsubTarget.topic_name must be formatted: "projects/<PROJECT_ID>/topics/<TOPIC_ID>" (given: "${topic.topicName ?? ""}").`,
      );
    }
    if ((topic.data?.length ?? 0) === 0 && Object.keys(topic.attributes ?? {}).length === 0) {
      throw invalid("PubsubTarget must contain either non-empty data, or at least one attribute.");
    }
  }
  const deadlineMs = durationMs(job.attemptDeadline, 180_000);
  if (job.httpTarget !== undefined && (deadlineMs < 15_000 || deadlineMs > 1_800_000)) {
    throw invalid("Job.attempt_deadline must be between 15 s and 30 min.");
  }
  return {
    ...job,
    timeZone,
    ...(job.httpTarget === undefined
      ? {}
      : {
          httpTarget: { ...job.httpTarget, httpMethod: job.httpTarget.httpMethod ?? "POST" },
          attemptDeadline: job.attemptDeadline ?? { seconds: "180" },
        }),
    retryConfig: {
      maxRetryDuration: {},
      minBackoffDuration: { seconds: "5" },
      maxBackoffDuration: { seconds: "3600" },
      maxDoublings: 5,
      ...job.retryConfig,
    },
  };
}
