/**
 * The REST forms of Predict and RawPredict. They bypass the general protobuf conversion: prediction is the one call
 * that comes thousands of times a second, and its Values are plain JSON on both of its ends anyway.
 */
import type { CloudContext } from "../../cloud.js";
import { RpcError, type HttpRoute } from "../../protocol/service.js";
import { lastSegment, parseName } from "../names.js";
import { readBody, sendError, sendJson } from "../rest.js";
import { predict, refuseFailure, type PredictBody } from "./predict.js";
import { checkRequestSize, payloadBytesMax, type Serve } from "./serve.js";

const pathPattern =
  /^\/v1(?:beta1)?\/(projects\/[^/]+\/locations\/[^/]+\/endpoints\/[^/:]+):(predict|rawPredict)$/;
const knownNamesMax = 1_000;

const fieldNames = new Set(["instances", "parameters", "labels"]);

/** Reads a request's body as strictly as the service does: a misspelt field is refused and not ignored. */
export const parsePredictBody = (text: string): PredictBody => {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid JSON payload received. ${cause instanceof Error ? cause.message : ""}`,
      { cause },
    );
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new RpcError("INVALID_ARGUMENT", "Invalid JSON payload received. Expected an object.");
  }
  for (const key in body) {
    if (!fieldNames.has(key)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid JSON payload received. Unknown name "${key}": Cannot find field.`,
      );
    }
  }
  const instances: unknown = "instances" in body ? body.instances : undefined;
  if (!Array.isArray(instances) || instances.length === 0) {
    throw new RpcError("INVALID_ARGUMENT", "instances is required and must be a list with items.");
  }
  return "parameters" in body ? { instances, parameters: body.parameters } : { instances };
};

/** Makes the routes. */
export const predictionRoute = (context: CloudContext, serve: Serve): HttpRoute => {
  const names = new Map<string, { readonly endpoint: string; readonly isRaw: boolean }>();

  const targetOf = (
    path: string,
  ): { readonly endpoint: string; readonly isRaw: boolean } | undefined => {
    const known = names.get(path);
    if (known !== undefined) return known;
    const match = pathPattern.exec(path);
    if (match === null) return undefined;
    const { name } = parseName(context.settings, "endpoints", match[1]);
    const target = { endpoint: name, isRaw: match[2] === "rawPredict" };
    if (names.size >= knownNamesMax) names.clear();
    names.set(path, target);
    return target;
  };

  return {
    matches: (method, pathname) =>
      method === "POST" && (names.has(pathname) || pathPattern.test(pathname)),
    handle: async (request, response) => {
      try {
        const [path = ""] = (request.url ?? "").split("?", 1);
        const declared = Number(request.headers["content-length"] ?? 0);
        const body = await readBody(request, payloadBytesMax);
        if (body === undefined) checkRequestSize(Math.max(declared, payloadBytesMax + 1));
        const target = targetOf(path);
        if (target === undefined || body === undefined) {
          throw new RpcError("NOT_FOUND", `${path} is not an endpoint.`);
        }
        if (!target.isRaw) {
          const content = parsePredictBody(body.toString("utf8"));
          const reply = await predict(serve, target.endpoint, content, body);
          sendJson(response, 200, JSON.stringify(reply));
          return;
        }
        const { reply, deployed, endpoint } = await serve(
          {
            endpointName: target.endpoint,
            contentType: request.headers["content-type"] ?? "application/octet-stream",
            body,
            instances: 1,
            logged: () => body.toString("utf8"),
          },
          (answer) => {
            refuseFailure(answer);
            return { result: answer, logged: answer.reply.body.toString("utf8") };
          },
        );
        response.writeHead(200, {
          "content-type": reply.contentType,
          "content-length": reply.body.length,
          "x-vertex-ai-endpoint-id": lastSegment(endpoint.name),
          "x-vertex-ai-deployed-model-id": deployed.id,
        });
        response.end(reply.body);
      } catch (error) {
        if (!response.headersSent) sendError(response, error);
      }
    },
  };
};
