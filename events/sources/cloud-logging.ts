/** Cloud Logging sinks: drift and skew alerts, pipeline states, and audit entries of Vertex AI. */
import { z } from "zod";
import { driftDetected, skewDetected } from "../alert.js";
import { modelVersionAliased, modelVersionRegistered } from "../model-version.js";
import { operationFinished } from "../operation.js";
import { pipelineJobChanged } from "../pipeline.js";
import { problemText, type Message, type Reading } from "./message.js";

const entry = z.looseObject({
  insertId: z.string().min(1),
  logName: z.string().min(1),
  timestamp: z.string(),
});

/** Logging deduplicates by insertId and timestamp; so do we. */
const envelope = (found: z.infer<typeof entry>, type: string) => ({
  specversion: "1.0",
  type,
  id: `${found.insertId}/${found.timestamp}`,
  source: `//logging.googleapis.com/${found.logName}`,
  time: found.timestamp,
});

const result = (
  parsed:
    | {
        readonly success: true;
        readonly data: Extract<Reading, { events: unknown }>["events"][number];
      }
    | { readonly success: false; readonly error: z.ZodError },
): Reading => (parsed.success ? { events: [parsed.data] } : { problem: problemText(parsed.error) });

const typed = z.looseObject({ jsonPayload: z.looseObject({ "@type": z.string() }) });

/** Whether an entry's payload says that it is of this type; whatever else it holds, it is then this source's. */
const isOfType = (body: unknown, type: string): boolean =>
  typed.safeParse(body).data?.jsonPayload["@type"].endsWith(`.${type}`) === true;

/** A JSON number, or one that was written as text. */
const number = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i, "must be a number")
    .transform(Number)
    .pipe(z.number()),
]);

const anomalyEntry = entry.extend({
  jsonPayload: z.looseObject({
    anomalyObjective: z.string(),
    startTime: z.string(),
    endTime: z.string(),
    deployedModelId: z.string().optional(),
    featureAnomalies: z.array(
      z.looseObject({
        featureDisplayName: z.string(),
        deviation: number,
        threshold: number,
      }),
    ),
  }),
});

const objectiveOf = (name: string): "feature" | "prediction" | "attribution" => {
  if (name.includes("ATTRIBUTION")) return "attribution";
  return name.includes("PREDICTION") ? "prediction" : "feature";
};

/** Vertex AI Model Monitoring found anomalies (version 1 of its log entries). */
export const monitoringAnomaly = (message: Message): Reading => {
  if (!isOfType(message.body, "ModelMonitoringAnomaliesLogEntry")) return null;
  const parsed = anomalyEntry.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  const { anomalyObjective, startTime, endTime, deployedModelId, featureAnomalies } =
    parsed.data.jsonPayload;
  const isSkew = anomalyObjective.includes("SKEW");
  const event = {
    ...envelope(parsed.data, isSkew ? "skew.detected" : "drift.detected"),
    data: {
      ...(deployedModelId === undefined ? {} : { deployedModelId }),
      objective: objectiveOf(anomalyObjective),
      window: { start: startTime, end: endTime },
      anomalies: featureAnomalies.map(({ featureDisplayName, deviation, threshold }) => ({
        feature: featureDisplayName,
        deviation,
        threshold,
      })),
    },
  };
  return result(isSkew ? skewDetected.safeParse(event) : driftDetected.safeParse(event));
};

const pipelineEntry = entry.extend({
  jsonPayload: z.looseObject({
    state: z.string().startsWith("PIPELINE_STATE_"),
  }),
  resource: z.looseObject({ labels: z.looseObject({ pipeline_job_id: z.string().min(1) }) }),
});

/** A PipelineJob changed its state. */
export const pipelineJobState = (message: Message): Reading => {
  if (!isOfType(message.body, "PipelineJobLogEntry")) return null;
  const parsed = pipelineEntry.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  return result(
    pipelineJobChanged.safeParse({
      ...envelope(parsed.data, "pipeline-job.changed"),
      data: {
        pipelineJob: parsed.data.resource.labels.pipeline_job_id,
        state: parsed.data.jsonPayload.state.replace("PIPELINE_STATE_", ""),
      },
    }),
  );
};

const auditHead = z.looseObject({
  protoPayload: z.looseObject({
    serviceName: z.literal("aiplatform.googleapis.com"),
    methodName: z.string().min(1),
  }),
});

/** The method of a Vertex AI audit entry without its service; null for any other message. */
const auditedMethod = (body: unknown): string | null =>
  auditHead.safeParse(body).data?.protoPayload.methodName.split(".").at(-1) ?? null;

const auditEntry = entry.extend({
  protoPayload: z.looseObject({
    resourceName: z.string().default(""),
    authenticationInfo: z.looseObject({ principalEmail: z.string().min(1) }).nullish(),
    status: z
      .looseObject({ code: z.number().optional(), message: z.string().optional() })
      .nullish(),
    // Entries of failed calls have no response, and those that end an operation no request.
    request: z.unknown().optional(),
    response: z.unknown().optional(),
  }),
  operation: z
    .looseObject({ id: z.string(), first: z.boolean().optional(), last: z.boolean().optional() })
    .nullish(),
});

const uploaded = z.object({
  response: z.looseObject({ model: z.string(), modelVersionId: z.string() }),
});
const merged = z.object({
  request: z.looseObject({ name: z.string(), versionAliases: z.array(z.string()) }),
  response: z.looseObject({ versionId: z.string().optional() }).catch({}),
});

const modelOf = (name: string): string =>
  /\/models\/(?<model>[^/@]+)/.exec(name)?.groups?.["model"] ?? name;

const versionOf = (name: string): string =>
  /@(?<version>[^/]+)$/.exec(name)?.groups?.["version"] ?? "";

/** The registry changed: a version was uploaded, or aliases were merged. Calls that failed changed nothing. */
export const registryAudit = (message: Message): Reading => {
  const method = auditedMethod(message.body);
  if (method !== "UploadModel" && method !== "MergeVersionAliases") return null;
  const parsed = auditEntry.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  const { protoPayload, operation } = parsed.data;
  const principal = protoPayload.authenticationInfo?.principalEmail ?? "unknown";
  if ((protoPayload.status?.code ?? 0) !== 0) return { events: [] };
  if (method === "UploadModel") {
    // Long operations write two entries; only the last one knows the version.
    if (operation?.last !== true) return { events: [] };
    const upload = uploaded.safeParse(protoPayload);
    if (!upload.success) return { problem: problemText(upload.error) };
    const { model, modelVersionId } = upload.data.response;
    return foreign(
      modelVersionRegistered.safeParse({
        ...envelope(parsed.data, "model-version.registered"),
        data: { model: modelOf(model), versionId: modelVersionId, principal },
      }),
    );
  }
  const merge = merged.safeParse(protoPayload);
  if (!merge.success) return { problem: problemText(merge.error) };
  const { name, versionAliases } = merge.data.request;
  return foreign(
    modelVersionAliased.safeParse({
      ...envelope(parsed.data, "model-version.aliased"),
      data: {
        model: modelOf(name),
        versionId: merge.data.response.versionId ?? versionOf(name),
        principal,
        aliases: versionAliases,
      },
    }),
  );
};

/** A project's registry also holds models with names that ours never have: they are nobody's event. */
const foreign = (parsed: Parameters<typeof result>[0]): Reading =>
  !parsed.success && parsed.error.issues.every(({ path }) => path.join(".") === "data.model")
    ? { events: [] }
    : result(parsed);

/** A deployment or undeployment ended, or an endpoint's traffic was set, which is done at once. */
export const operationAudit = (message: Message): Reading => {
  const method = auditedMethod(message.body);
  if (method === null) return null;
  const parsed = auditEntry.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  const { protoPayload, operation } = parsed.data;
  const id = method === "UpdateEndpoint" ? `update/${parsed.data.insertId}` : operation?.id;
  if (id === undefined || (operation && operation.last !== true)) return { events: [] };
  const code = protoPayload.status?.code ?? 0;
  return result(
    operationFinished.safeParse({
      ...envelope(parsed.data, "operation.finished"),
      data: {
        operation: id,
        method,
        resource: protoPayload.resourceName,
        principal: protoPayload.authenticationInfo?.principalEmail ?? "unknown",
        isSuccessful: code === 0,
        ...(protoPayload.status?.message
          ? { message: protoPayload.status.message.slice(0, 2000) }
          : {}),
      },
    }),
  );
};
