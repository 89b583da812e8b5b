/** Quotas of Vertex AI, without limit unless they are set: submissions in a minute, accelerators in use at once. */
import type { CloudContext, CloudSettings } from "../cloud.js";
import { RpcError, type ServiceImplementation, type UnaryHandler } from "../protocol/service.js";

/** Accelerators of one type that somebody uses or asks for. */
export interface Accelerators {
  readonly type: string;
  readonly count: number;
}

const minuteMs = 60_000;

/** What the service counts as the submission of a job or of a long-running operation. */
const submitting =
  /^(?:Create(?:PipelineJob|CustomJob|HyperparameterTuningJob|BatchPredictionJob|Endpoint)|UploadModel|DeployModel|UndeployModel|MutateDeployedModel)$/;

const quotaError = (
  settings: CloudSettings,
  message: string,
  metric: string,
  limit: string,
  value: number,
): RpcError =>
  new RpcError("RESOURCE_EXHAUSTED", message, {
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "RATE_LIMIT_EXCEEDED",
        domain: "googleapis.com",
        metadata: {
          service: "aiplatform.googleapis.com",
          consumer: `projects/${settings.projectNumber}`,
          quota_metric: `aiplatform.googleapis.com/${metric}`,
          quota_limit: limit,
          quota_limit_value: String(value),
          quota_location: settings.region,
        },
      },
    ],
  });

/** The quotas of one local cloud. */
export interface Quotas {
  /** Counts a submission, or refuses it with the time to wait. */
  readonly takeSubmission: () => void;
  /** Refuses accelerators that are not free. */
  readonly checkAccelerators: (wanted: readonly Accelerators[]) => void;
  /** Makes known who uses accelerators; asked whenever somebody wants some. */
  readonly countUsersOf: (users: () => readonly Accelerators[]) => void;
}

const canonicalType = (type: string): string => type.toUpperCase().replaceAll("-", "_");

const acceleratorMetric = (type: string): string => {
  const name = type.toLowerCase().replace(/^nvidia_tesla_/, "nvidia_");
  return `custom_model_training_${name}${name.startsWith("nvidia_") ? "_gpus" : ""}`;
};

const sumOf = (all: readonly Accelerators[], type: string): number =>
  all.filter((one) => canonicalType(one.type) === type).reduce((sum, { count }) => sum + count, 0);

const makeQuotas = ({ settings, now }: CloudContext): Quotas => {
  const users: (() => readonly Accelerators[])[] = [];
  let submittedMs: readonly number[] = [];
  return {
    takeSubmission: () => {
      const limit = settings.submissionsPerMinuteMax;
      if (limit === undefined) return;
      const nowMs = now();
      submittedMs = submittedMs.filter((ms) => ms > nowMs - minuteMs);
      if (submittedMs.length >= limit) {
        const waitMs = (submittedMs[0] ?? nowMs) + minuteMs - nowMs;
        throw quotaError(
          settings,
          `Quota exceeded for quota metric 'Job or LRO submission requests' and limit 'Job or LRO submission requests per minute per region' of service 'aiplatform.googleapis.com' for consumer 'project_number:${settings.projectNumber}'. Try again in ${Math.ceil(waitMs / 1000)} s.`,
          "job_or_lro_submission_requests",
          "JobOrLroSubmissionRequestsPerMinutePerProjectPerRegion",
          limit,
        );
      }
      submittedMs = [...submittedMs, nowMs];
    },
    checkAccelerators: (wanted) => {
      const limits = Object.entries(settings.acceleratorsMax ?? {});
      if (limits.length === 0 || wanted.length === 0) return;
      const used = users.flatMap((list) => list());
      for (const [type, limit] of limits) {
        const asked = sumOf(wanted, type);
        if (asked === 0 || asked + sumOf(used, type) <= limit) continue;
        const metric = acceleratorMetric(type);
        throw quotaError(
          settings,
          `The following quota metrics exceed quota limits: aiplatform.googleapis.com/${metric}`,
          metric,
          `${type}PerProjectPerRegion`,
          limit,
        );
      }
    },
    countUsersOf: (list) => {
      users.push(list);
    },
  };
};

const made = new WeakMap<CloudContext["db"], Quotas>();

/** The quotas of a cloud, shared by all Vertex AI services. */
export const quotasOf = (context: CloudContext): Quotas => {
  const quotas = made.get(context.db) ?? makeQuotas(context);
  made.set(context.db, quotas);
  return quotas;
};

/** Makes a service's submissions count. */
export const limitSubmissions = (
  context: CloudContext,
  implementation: ServiceImplementation,
): ServiceImplementation => {
  const counted = ([name, handler]: readonly [string, UnaryHandler]): [string, UnaryHandler] =>
    submitting.test(name)
      ? [
          name,
          (request, call) => {
            quotasOf(context).takeSubmission();
            return handler(request, call);
          },
        ]
      : [name, handler];
  return {
    ...implementation,
    unary: Object.fromEntries(Object.entries(implementation.unary ?? {}).map(counted)),
  };
};
