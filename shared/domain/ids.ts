/** Ids made from what they stand for, so that the same cause always makes the same id. */
import { createHash } from "node:crypto";
import type { ContinuoEvent } from "../../events/index.js";
import {
  deployedModelId,
  modelName,
  rolloutId,
  runId,
  type DeployedModelId,
  type ModelName,
  type RolloutId,
  type RunId,
} from "../../events/ids.js";

/** The first `length` hex digits of the SHA-256 of a text. */
export const shortHash = (text: string, length = 10): string =>
  createHash("sha256").update(text).digest("hex").slice(0, length);

/** The run that an event opens for a model. */
export const runIdFor = (model: ModelName, eventKey: string): RunId =>
  runId.parse(`${model}-r${shortHash(eventKey)}`);

/** The PipelineJob that a run has now: named like the run, and numbered once an earlier one has ended. */
export const jobIdOf = (run: {
  readonly run: RunId;
  readonly earlier?: { readonly count: number };
}): RunId =>
  run.earlier === undefined ? run.run : runId.parse(`${run.run}-${run.earlier.count + 1}`);

/** The rollout that a cause opens for a model. */
export const rolloutIdFor = (model: ModelName, cause: string): RolloutId =>
  rolloutId.parse(`${model}-o${shortHash(cause)}`);

/** What opens the rollout of an accepted run's version. */
export const acceptanceOf = (run: string): string => `run ${run} was accepted`;

/** The rollout that a run's version opened, if it ever came to that. */
export const rolloutIdOfRun = (model: ModelName, run: string, versionId: string): RolloutId =>
  rolloutIdFor(model, `${versionId}|${acceptanceOf(run)}`);

/** Vertex AI takes a caller's id of one to ten digits: a retried deployment finds the first one's. */
export const deployedModelIdFor = (rollout: RolloutId, environment: string): DeployedModelId =>
  deployedModelId.parse(
    String(
      1_000_000_000 +
        (Number.parseInt(shortHash(`${rollout}/${environment}`, 12), 16) % 9_000_000_000),
    ),
  );

/** The model that the id of a run or of its job names, or null when it is none of ours. */
export const modelOfRun = (run: string): ModelName | null => {
  const match = /^(?<model>[a-z][a-z0-9-]*)-r[0-9a-f]{10}(?:-\d+)?$/.exec(run);
  return modelName.safeParse(match?.groups?.["model"]).data ?? null;
};

/** The model that a rollout's id names, or null when it is none of ours. */
export const modelOfRollout = (rollout: string): ModelName | null => {
  const match = /^(?<model>[a-z][a-z0-9-]*)-o[0-9a-f]+$/.exec(rollout);
  return modelName.safeParse(match?.groups?.["model"]).data ?? null;
};

/** Identifies an event whatever carried it: source and id together, as CloudEvents defines. */
export const eventKey = (event: { readonly source: string; readonly id: string }): string =>
  `${event.source}|${event.id}`;

/** The chain of events that an event belongs to. */
export const correlationOf = (event: ContinuoEvent): string => event.correlationid ?? event.id;
