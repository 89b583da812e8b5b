/** The ids that travel in events, each with a type of its own so that none is mistaken for another. */
import { z } from "zod";

const printable = /^[^\p{Cc}\p{Cs}]*$/u;

/** Text of bounded length without control characters. */
export const text = (lengthMax: number) =>
  z.string().min(1).max(lengthMax).regex(printable, "must not hold control characters");

/** A model's name: the key of its state, its id in Vertex AI Model Registry, and a valid label value. */
export const modelName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/, "2 to 40 characters: a-z, 0-9 and -, starting with a-z")
  .brand<"ModelName">();

/** A training run's id, `<model>-r<hash>`: also its PipelineJob's id and its model version's alias. */
export const runId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,62}$/, "a run id such as churn-r0a1b2c3d4e")
  .brand<"RunId">();

/** A rollout's id, `<model>-o<hash>`. */
export const rolloutId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,62}$/, "a rollout id such as churn-o0a1b2c3d4e")
  .brand<"RolloutId">();

/** A model version's number in the registry. */
export const modelVersionId = text(32).brand<"ModelVersionId">();

/** The id of a model deployed to an endpoint. */
export const deployedModelId = text(64).brand<"DeployedModelId">();

export type ModelName = z.infer<typeof modelName>;
export type RunId = z.infer<typeof runId>;
export type RolloutId = z.infer<typeof rolloutId>;
export type ModelVersionId = z.infer<typeof modelVersionId>;
export type DeployedModelId = z.infer<typeof deployedModelId>;
