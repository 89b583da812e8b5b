/** One prediction request: draw a deployed model by the traffic split, ask its container, count what came of it. */
import { RpcError } from "../../protocol/service.js";
import { drawDeployedModel } from "../endpoints/traffic.js";
import type { EndpointStore, StoredDeployedModel, StoredEndpoint } from "../endpoints/store.js";
import { httpCodeOf } from "../../protocol/failure.js";
import { asRpcError } from "../rest.js";
import type { Fleet } from "./fleet.js";
import type { PredictionLog } from "./prediction-log.js";
import type { UpstreamReply } from "./upstream.js";

/** Limit of a request and of an answer on a shared public endpoint. */
export const payloadBytesMax = 1_500_000;
const inferenceMsMax = 60_000;

/** A request as the container gets it. */
export interface ServeRequest {
  readonly endpointName: string;
  readonly contentType: string;
  readonly body: Buffer | string;
  /** How many predictions it asks for. */
  readonly instances: number;
  /** The request as the prediction log shows it. */
  readonly logged: () => unknown;
}

/** Who answered, and what. */
export interface Answer {
  readonly endpoint: StoredEndpoint;
  readonly deployed: StoredDeployedModel;
  readonly reply: UpstreamReply;
}

/** Reads the container's reply; throws an RpcError when it is not an answer. */
export type ReadReply<Result> = (answer: Answer) => {
  readonly result: Result;
  readonly logged: unknown;
};

/** Serves a request. */
export type Serve = <Result>(request: ServeRequest, read: ReadReply<Result>) => Promise<Result>;

/** Refuses what is larger than the platform takes. */
export const checkRequestSize = (bytes: number): void => {
  if (bytes > payloadBytesMax) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `The request size (${bytes} bytes) exceeds 1.500MB limit.`,
    );
  }
};

const drawFor = (endpoint: StoredEndpoint): StoredDeployedModel => {
  const id = drawDeployedModel(endpoint.trafficSplit, Math.random());
  const deployed = endpoint.deployedModels.find((model) => model.id === id);
  if (deployed === undefined) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      endpoint.deployedModels.length === 0
        ? `The Endpoint ${endpoint.name} has no deployed model: deploy one before sending it predictions.`
        : `The Endpoint ${endpoint.name} doesn't have traffic_split: give its deployed models traffic with UpdateEndpoint.`,
    );
  }
  return deployed;
};

/** Makes the serving of all endpoints. */
export const serving =
  (endpoints: EndpointStore, fleet: Fleet, log: PredictionLog, now: () => number): Serve =>
  async (request, read) => {
    const startMs = performance.now();
    const endpoint = endpoints.get(request.endpointName);
    const deployed = drawFor(endpoint);
    const found = fleet.find(endpoint.name, deployed.id);
    let modelMs: number | undefined;
    let code = 200;
    let logged: unknown;
    try {
      if (found === undefined) {
        throw new RpcError("UNAVAILABLE", `Deployed model ${deployed.id} has no model server.`);
      }
      const isReached = found.predictor.phase() === "healthy";
      const modelStartMs = performance.now();
      let reply: UpstreamReply;
      try {
        reply = await found.predictor.predict({
          contentType: request.contentType,
          body: request.body,
          timeoutMs: endpoint.inferenceTimeoutMs ?? inferenceMsMax,
          replyBytesMax: payloadBytesMax,
        });
      } finally {
        if (isReached) modelMs = performance.now() - modelStartMs;
      }
      code = reply.code;
      const answer = read({ endpoint, deployed, reply });
      logged = answer.logged;
      return answer.result;
    } catch (error) {
      if (code < 400) code = httpCodeOf(asRpcError(error).status);
      logged = { error: asRpcError(error).message };
      throw error;
    } finally {
      const totalMs = performance.now() - startMs;
      found?.metrics.record({
        code,
        instances: request.instances,
        totalMs,
        ...(modelMs === undefined ? {} : { modelMs }),
      });
      if (endpoint.predictionLog?.enabled === true) {
        log.record(endpoint.predictionLog, {
          endpoint: endpoint.name,
          deployedModelId: deployed.id,
          timeMs: now(),
          request: request.logged(),
          response: logged,
          statusCode: code,
          latencyMs: totalMs,
        });
      }
    }
  };
