/** One attempt of a job: publish, or call. */
import type { CloudContext } from "../cloud.js";
import type { TokenSigner } from "../identity.js";
import { RpcError, statusCode, type StatusName } from "../protocol/service.js";
import { dateText } from "../protocol/time-text.js";
import { durationMs, timestampOf, type HttpTarget, type Job } from "./shapes.js";

/** How an attempt ended: google.rpc.Status, with code 0 for success. */
export interface AttemptStatus {
  readonly code: number;
  readonly message?: string;
}

const byHttpCode: Readonly<Record<number, StatusName>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

async function callHttp(
  job: Job,
  target: HttpTarget,
  scheduledMs: number,
  tokens: TokenSigner,
  stop: AbortSignal,
): Promise<AttemptStatus> {
  const uri = target.uri ?? "";
  const headers = new Headers(target.headers ?? {});
  if (!headers.has("content-type") && (target.body?.length ?? 0) > 0) {
    headers.set("content-type", "application/octet-stream");
  }
  headers.set("user-agent", "Google-Cloud-Scheduler");
  headers.set("x-cloudscheduler", "true");
  headers.set("x-cloudscheduler-jobname", job.name.slice(job.name.lastIndexOf("/") + 1));
  headers.set("x-cloudscheduler-scheduletime", dateText({ ...timestampOf(scheduledMs) }));
  const email = target.oidcToken?.serviceAccountEmail;
  if (email !== undefined) {
    const token = await tokens.token(email, target.oidcToken?.audience ?? uri);
    headers.set("authorization", `Bearer ${token}`);
  }
  const timeout = AbortSignal.timeout(durationMs(job.attemptDeadline, 180_000));
  const method = target.httpMethod ?? "POST";
  const hasBody = ["POST", "PUT", "PATCH"].includes(method);
  try {
    const response = await fetch(uri, {
      method,
      headers,
      redirect: "manual",
      signal: AbortSignal.any([timeout, stop]),
      ...(hasBody ? { body: new Uint8Array(target.body ?? Buffer.alloc(0)) } : {}),
    });
    await response.body?.cancel();
    if (response.ok) return { code: 0 };
    const name = byHttpCode[response.status] ?? "INTERNAL";
    return { code: statusCode[name], message: `${uri} answered HTTP ${response.status}` };
  } catch (error) {
    if (timeout.aborted) {
      return { code: statusCode.DEADLINE_EXCEEDED, message: `${uri} did not answer in time` };
    }
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const text = reason instanceof Error ? reason.message : String(reason);
    return { code: statusCode.UNAVAILABLE, message: `${uri} cannot be reached: ${text}` };
  }
}

/** Makes one attempt; never throws. */
export async function attempt(
  job: Job,
  scheduledMs: number,
  context: CloudContext,
  tokens: TokenSigner,
  stop: AbortSignal,
): Promise<AttemptStatus> {
  if (job.httpTarget !== undefined) {
    return callHttp(job, job.httpTarget, scheduledMs, tokens, stop);
  }
  const { topicName = "", data, attributes } = job.pubsubTarget ?? {};
  try {
    const message = { data: data ?? Buffer.alloc(0), attributes: attributes ?? {} };
    await context.services.pubsub.publish(topicName, [message]);
    return { code: 0 };
  } catch (error) {
    const code = error instanceof RpcError ? statusCode[error.status] : statusCode.INTERNAL;
    return { code, message: error instanceof Error ? error.message : String(error) };
  }
}
