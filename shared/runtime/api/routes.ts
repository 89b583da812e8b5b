/** The table of routes. */
import { getChain } from "./chain.js";
import { postApproval, postCommand, postRun } from "./commands.js";
import type { ApiContext, ApiReply, ApiRequest, Handler } from "./context.js";
import { getDeadLetter, listDeadLetters, redriveDeadLetter } from "./dead-letters.js";
import { ApiError, badRequest } from "./errors.js";
import { getManifest, postManifest } from "./manifests.js";
import { forgetModel, getModel, getMonitoring, listModels, predict } from "./models.js";
import { publish } from "./publish.js";
import { getRollout, getRun, listRollouts, listRuns } from "./runs.js";
import { getMetrics, getStatus } from "./status.js";
import { getEvent, getTimeline, streamTimeline } from "./timeline.js";
import { explain } from "./why.js";

/** Method and path, with parameters after a colon. */
const routes: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ["GET", "/status", getStatus],
  ["GET", "/metrics", getMetrics],
  ["GET", "/models", listModels],
  ["GET", "/models/:model", getModel],
  ["DELETE", "/models/:model", forgetModel],
  ["GET", "/models/:model/chain", getChain],
  ["GET", "/models/:model/monitoring", getMonitoring],
  ["POST", "/models/:model/commands", postCommand],
  ["POST", "/models/:model/runs", postRun],
  ["POST", "/models/:model/predict", predict],
  ["GET", "/runs", listRuns],
  ["GET", "/runs/:run", getRun],
  ["GET", "/rollouts", listRollouts],
  ["GET", "/rollouts/:rollout", getRollout],
  ["GET", "/timeline", getTimeline],
  ["GET", "/timeline/stream", streamTimeline],
  ["GET", "/events/:key", getEvent],
  ["GET", "/why/:id", explain],
  ["GET", "/dead-letters", listDeadLetters],
  ["GET", "/dead-letters/:id", getDeadLetter],
  ["POST", "/dead-letters/:id/redrive", redriveDeadLetter],
  ["POST", "/manifests", postManifest],
  ["GET", "/manifests/:model", getManifest],
  ["POST", "/approvals", postApproval],
  ["POST", "/publish", publish],
];

/** A part of a path without its escapes. */
export const decode = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw badRequest(`the path holds a broken escape: ${String(error)}`);
  }
};

const match = (pattern: string, path: string): Readonly<Record<string, string>> | null => {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return null;
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":") && value !== "") parameters[part.slice(1)] = decode(value);
    else if (part !== value) return null;
  }
  return parameters;
};

/** Finds the route of a request and runs it; throws ApiError for what is refused. */
export const route = async (context: ApiContext, request: ApiRequest): Promise<ApiReply> => {
  const path = request.path.length > 1 ? request.path.replace(/\/$/, "") : request.path;
  const found = routes.flatMap(([method, pattern, handler]) => {
    const parameters = match(pattern, path);
    return parameters === null ? [] : [{ method, handler, parameters }];
  });
  if (found.length === 0) throw new ApiError(404, "no-such-route", `there is nothing at ${path}`);
  const chosen = found.find(({ method }) => method === request.method);
  if (chosen === undefined) {
    const allowed = found.map(({ method }) => method).join(", ");
    throw new ApiError(405, "method-not-allowed", `${path} answers ${allowed}`);
  }
  return chosen.handler(context, request, chosen.parameters);
};
