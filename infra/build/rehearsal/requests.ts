/** One request to each function that makes it do its work. */
import type { EventType } from "../../../events/index.js";
import { sessionCookie } from "../../../shared/runtime/console/session.js";
import { exampleOf } from "../../docs/event-examples.js";

/** The event that each event function is sent; the others are sent an empty message. */
const eventOf: Readonly<Record<string, EventType>> = {
  "on-dataset-arrived": "dataset.arrived",
  "on-schedule-fired": "schedule.fired",
  "on-alert-fired": "performance.decayed",
  "on-pipeline-released": "pipeline.released",
  "on-training-run-requested": "training-run.requested",
  "on-pipeline-job-changed": "pipeline-job.changed",
  "on-evaluation-completed": "evaluation.completed",
  "on-model-version-registered": "model-version.registered",
  "on-operation-finished": "operation.finished",
  "on-approval-given": "approval.given",
  notify: "notification.raised",
};

/** The event that a function is sent, as if it had happened now. */
export const exampleEvent = (name: string, id: string): Readonly<Record<string, unknown>> => {
  const type = eventOf[name];
  return type === undefined ? {} : { ...exampleOf(type), id, time: new Date().toISOString() };
};

/** A request of a person or a program. */
export interface PlainRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks the api by its token. */
export const apiRequest = (
  token: string,
  host: string,
  method: "GET" | "POST",
  path: string,
): PlainRequest => ({ method, path, headers: { host, authorization: `Bearer ${token}` } });

/** Asks for a page of the console, by the cookie of whoever has signed in. */
export const consoleRequest = (token: string, host: string, path: string): PlainRequest => ({
  method: "GET",
  path,
  headers: { host, cookie: sessionCookie(token, host, false).split(";")[0] ?? "" },
});

/** A push of one message to a function's subscription. */
export const pushRequest = (
  subscription: string,
  authorization: string,
  messageId: string,
  data: unknown,
): PlainRequest => ({
  method: "POST",
  path: "/",
  headers: { authorization, "content-type": "application/json" },
  body: JSON.stringify({
    message: {
      messageId,
      publishTime: new Date().toISOString(),
      data: Buffer.from(JSON.stringify(data)).toString("base64"),
    },
    subscription,
  }),
});
