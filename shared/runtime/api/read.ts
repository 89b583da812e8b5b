/** Reading what a request says. */
import { z } from "zod";
import { modelName, rolloutId, runId } from "../../../events/ids.js";
import type { ModelName, RolloutId, RunId } from "../../../events/ids.js";
import type { ModelState } from "../../domain/state.js";
import type { ApiContext, ApiRequest } from "./context.js";
import { badRequest, notFound } from "./errors.js";

const issues = (error: z.ZodError): string =>
  error.issues
    .map(({ path, message }) => `${path.length === 0 ? "" : `${path.join(".")}: `}${message}`)
    .join("; ");

/** A value that a schema accepts, or a refusal that names what is wrong. */
export const readAs = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.infer<Schema> => {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw badRequest(`${what}: ${issues(parsed.error)}`);
  return parsed.data;
};

/** The request's body as JSON of a schema. */
export const readBody = <Schema extends z.ZodType>(
  schema: Schema,
  request: ApiRequest,
): z.infer<Schema> => {
  let value: unknown;
  try {
    value = JSON.parse(request.body === "" ? "{}" : request.body);
  } catch (error) {
    throw badRequest(
      `the body is no JSON: ${error instanceof Error ? error.message : "unreadable"}`,
    );
  }
  return readAs(schema, value, "the body");
};

/** A model's name from a path or a query. */
const readModel = (value: string | null | undefined): ModelName =>
  readAs(modelName, value, "the model's name");

/** A run's id from a path. */
export const readRun = (value: string | null | undefined): RunId =>
  readAs(runId, value, "the run's id");

/** A rollout's id from a path. */
export const readRollout = (value: string | null | undefined): RolloutId =>
  readAs(rolloutId, value, "the rollout's id");

/** The `model` of a query; undefined means all. */
export const queryModel = (request: ApiRequest): ModelName | undefined => {
  const value = request.query.get("model");
  return value === null || value === "" ? undefined : readModel(value);
};

/** The `limit` of a query, 1 to 500. */
export const queryLimit = (request: ApiRequest, fallback: number): number =>
  readAs(z.coerce.number().int().min(1).max(500), request.query.get("limit") ?? fallback, "limit");

/** An instant of a query, as milliseconds or as RFC 3339. */
export const queryInstant = (request: ApiRequest, name: string): number | undefined => {
  const value = request.query.get(name);
  if (value === null || value === "") return undefined;
  const parsed = /^\d+$/.test(value) ? Number(value) : Date.parse(value);
  if (!Number.isFinite(parsed)) {
    throw badRequest(
      `${name}: must be milliseconds since 1970 or an instant such as 2026-01-31T12:00:00Z`,
    );
  }
  return parsed;
};

/** The state of a model that must exist. */
export const existingModel = async (
  { ports }: ApiContext,
  value: string | undefined,
): Promise<ModelState> => {
  const model = readModel(value);
  const state = await ports.state.model(model);
  if (state === null) {
    throw notFound(`there is no model "${model}"; "continuo models" lists them`);
  }
  return state;
};
