/**
 * Which deployment an operation was. Vertex AI's operations do not say which deployed model they were about, so every
 * attempt leaves a label `deploy-<deployed model id>` on its endpoint before it starts. Its value is the latest time
 * that Vertex AI had shown of the endpoint by then: an operation belongs to the newest label that is not younger than
 * it. Only one operation at a time can change an endpoint, and both times come from Vertex AI's own clock.
 */
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import type { VertexOperation } from "./vertex-api.js";

const prefix = "deploy-";
const attemptsMax = 10;

/** One attempt to deploy, with its operation when it started one. */
export interface DeploymentAttempt {
  readonly id: DeployedModelId;
  readonly sinceMs: number;
  readonly operation?: VertexOperation;
}

const labelledAttempts = (
  labels: Readonly<Record<string, string>>,
): readonly { readonly id: DeployedModelId; readonly sinceMs: number }[] =>
  Object.entries(labels)
    .flatMap(([key, value]) => {
      if (!key.startsWith(prefix)) return [];
      const id = deployedModelId.safeParse(key.slice(prefix.length));
      return id.success && /^\d{1,16}$/.test(value)
        ? [{ id: id.data, sinceMs: Number(value) }]
        : [];
    })
    .toSorted((a, b) => a.sinceMs - b.sinceMs);

/** The attempts that an endpoint's labels name, oldest first, each with its newest operation. */
export const deploymentAttempts = (
  labels: Readonly<Record<string, string>>,
  operations: readonly VertexOperation[],
): readonly DeploymentAttempt[] => {
  const attempts = labelledAttempts(labels);
  const deployments = operations.filter(({ kind }) => kind === "DeployModelOperationMetadata");
  return attempts.map(({ id, sinceMs }, index) => {
    const untilMs = attempts[index + 1]?.sinceMs ?? Infinity;
    const operation = deployments.findLast(
      ({ createdAtMs }) => createdAtMs >= sinceMs && createdAtMs < untilMs,
    );
    return { id, sinceMs, ...(operation === undefined ? {} : { operation }) };
  });
};

/** The endpoint's labels with one more attempt; the oldest attempts make room. */
export const labelsWithAttempt = (
  endpoint: {
    readonly labels: Readonly<Record<string, string>>;
    readonly updateTime?: string | undefined;
  },
  operations: readonly VertexOperation[],
  id: DeployedModelId,
): Record<string, string> => {
  const before = labelledAttempts(endpoint.labels);
  const others = Object.entries(endpoint.labels).filter(
    ([key]) => !before.some((attempt) => key === `${prefix}${attempt.id}`),
  );
  const kept = before.filter((attempt) => attempt.id !== id).slice(1 - attemptsMax);
  // One millisecond later than anything seen, so that what came before is never taken for this attempt's.
  const sinceMs =
    1 +
    Math.max(
      endpoint.updateTime === undefined ? 0 : Date.parse(endpoint.updateTime),
      ...operations.map(({ createdAtMs }) => createdAtMs),
      ...kept.map((attempt) => attempt.sinceMs),
    );
  return Object.fromEntries([
    ...others,
    ...kept.map((attempt) => [`${prefix}${attempt.id}`, String(attempt.sinceMs)]),
    [`${prefix}${id}`, String(sinceMs)],
  ]);
};
