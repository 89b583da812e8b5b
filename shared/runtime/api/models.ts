/** Models: list, detail, prediction, forgetting. */
import { z } from "zod";
import type { Handler } from "./context.js";
import { ok } from "./context.js";
import { issueCommand } from "./commands.js";
import { ApiError } from "./errors.js";
import { existingModel, readBody } from "./read.js";
import { newestReport } from "../monitoring/reports.js";
import { modelDetail, modelView } from "./views.js";

/** GET /models */
export const listModels: Handler = async ({ ports }) => {
  const states = await ports.state.models({ by: "all" });
  return ok({
    models: states.map(modelView).toSorted((left, right) => left.model.localeCompare(right.model)),
  });
};

/** GET /models/:model, with what its endpoints really serve. */
export const getModel: Handler = async (context, _request, { model }) => {
  const state = await existingModel(context, model);
  const detail = modelDetail(state);
  const endpoints = await Promise.all(
    detail.endpoints.map(async (endpoint) => {
      try {
        const facts = await context.ports.endpoints.get(endpoint.endpoint);
        return {
          ...endpoint,
          deployed: facts?.deployed ?? [],
          trafficSplit: facts?.trafficSplit ?? {},
          problem: facts === null ? "does not exist yet" : null,
        };
      } catch (error) {
        context.report(error);
        return { ...endpoint, deployed: [], trafficSplit: {}, problem: "could not be read" };
      }
    }),
  );
  return ok({ ...detail, endpoints });
};

/** A person waits for the answer. */
const predictMsMax = 30_000;

const predictBody = z.strictObject({
  instances: z.array(z.unknown()).min(1).max(1000),
  /** Another environment than production. */
  environment: z.string().optional(),
});

/** POST /models/:model/predict: asks the production endpoint as a client would. */
export const predict: Handler = async (context, request, { model }) => {
  const state = await existingModel(context, model);
  const { instances, environment } = readBody(predictBody, request);
  const { environments } = state.manifest.promotion;
  const target =
    environment === undefined
      ? environments.at(-1)
      : environments.find(({ name }) => name === environment);
  if (target === undefined) {
    throw new ApiError(
      404,
      "not-found",
      `${state.model} has no environment "${environment}"; it has ${environments.map(({ name }) => name).join(", ")}`,
    );
  }
  const answer = await context.ports.endpoints.predict(target.endpoint, instances, predictMsMax);
  return ok({ endpoint: target.endpoint, environment: target.name, ...answer });
};

/** GET /models/:model/monitoring: the newest look at what its champion served. */
export const getMonitoring: Handler = async (context, _request, { model }) => {
  const state = await existingModel(context, model);
  const newest = await newestReport(state.model, context.ports);
  return ok({
    model: state.model,
    isAsked: Object.keys(state.manifest.monitoring).some((name) =>
      ["drift", "skew", "quality"].includes(name),
    ),
    reports: newest?.reports ?? 0,
    report: newest?.report ?? null,
  });
};

/** DELETE /models/:model: forgets it; what is deployed stays until a person undeploys it. */
export const forgetModel: Handler = async (context, request, { model }) => {
  const state = await existingModel(context, model);
  return issueCommand(context, state.model, "forget", request.query.get("reason") ?? undefined);
};
