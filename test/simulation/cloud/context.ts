/** What every part of the simulated cloud shares, and how it tells of itself: log entries as Google's sinks send them. */
import type { Profile } from "../profile.js";
import type { PubSub } from "../pub-sub.js";
import { randomOf } from "../random.js";
import type { Scheduler } from "../scheduler.js";
import type { Trace } from "../trace.js";

/** The world around the cloud. */
export interface CloudContext {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly profile: () => Profile;
  readonly pubSub: PubSub;
}

/** The identity that the functions call with. */
export const ownPrincipal = "continuo@demo-project.iam.gserviceaccount.com";
/** The identity of people who act behind the control plane's back. */
export const personPrincipal = "someone@example.com";

const parent = "projects/1/locations/us-central1";

const emit = (
  { seed, scheduler, trace, profile, pubSub }: CloudContext,
  topic: string,
  insertId: string,
  entry: Readonly<Record<string, unknown>>,
): void => {
  if (randomOf(seed, `log/${insertId}`).chance(profile().eventLost)) {
    trace.count("event of the cloud lost");
    return;
  }
  const timestamp = new Date(scheduler.nowMs()).toISOString();
  pubSub.publish(topic, {
    data: Buffer.from(JSON.stringify({ insertId, timestamp, ...entry })),
    attributes: {},
  });
};

/** A PipelineJob entered a state. */
export const tellJobState = (context: CloudContext, run: string, state: string): void =>
  emit(context, "pipeline-job", `job/${run}/${state}`, {
    logName: "projects/demo/logs/aiplatform.googleapis.com%2Fpipeline_job_events",
    jsonPayload: {
      "@type": "type.googleapis.com/google.cloud.aiplatform.logging.PipelineJobLogEntry",
      state: `PIPELINE_STATE_${state}`,
    },
    resource: { labels: { pipeline_job_id: run } },
  });

const audit = (
  context: CloudContext,
  topic: string,
  insertId: string,
  payload: Readonly<Record<string, unknown>>,
  operation?: string,
): void =>
  emit(context, topic, insertId, {
    logName: "projects/demo/logs/cloudaudit.googleapis.com%2Factivity",
    protoPayload: { serviceName: "aiplatform.googleapis.com", ...payload },
    ...(operation === undefined ? {} : { operation: { id: operation, last: true } }),
  });

/** A version was uploaded. */
export const tellUpload = (
  context: CloudContext,
  version: { readonly model: string; readonly id: string; readonly by: string },
): void =>
  audit(
    context,
    "model-version",
    `upload/${version.model}/${version.id}`,
    {
      methodName: "google.cloud.aiplatform.v1.ModelService.UploadModel",
      resourceName: `${parent}/models/${version.model}`,
      authenticationInfo: { principalEmail: version.by },
      response: { model: `${parent}/models/${version.model}`, modelVersionId: version.id },
    },
    `${parent}/models/${version.model}/operations/upload-${version.id}`,
  );

/** Aliases of a version were merged. */
export const tellAliases = (
  context: CloudContext,
  change: {
    readonly model: string;
    readonly id: string;
    readonly aliases: readonly string[];
    readonly by: string;
    readonly count: number;
  },
): void => {
  const name = `${parent}/models/${change.model}@${change.id}`;
  audit(context, "model-version", `aliases/${change.model}/${change.count}`, {
    methodName: "google.cloud.aiplatform.v1.ModelService.MergeVersionAliases",
    resourceName: name,
    authenticationInfo: { principalEmail: change.by },
    request: { name, versionAliases: change.aliases },
    response: { versionId: change.id },
  });
};

/** A deployment or undeployment ended. */
export const tellOperation = (
  context: CloudContext,
  operation: {
    readonly name: string;
    readonly method: "DeployModel" | "UndeployModel" | "MutateDeployedModel";
    readonly endpoint: string;
    readonly error: string | null;
  },
): void =>
  audit(
    context,
    "operation",
    operation.name,
    {
      methodName: `google.cloud.aiplatform.v1.EndpointService.${operation.method}`,
      resourceName: `${parent}/endpoints/${operation.endpoint}`,
      authenticationInfo: { principalEmail: ownPrincipal },
      status: operation.error === null ? {} : { code: 9, message: operation.error },
    },
    operation.name,
  );
