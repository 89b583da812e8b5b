/** Predict in JSON: what the container is sent and what its reply becomes, whichever way the request came. */
import { RpcError } from "../../protocol/service.js";
import { statusOfHttpCode } from "../rest.js";
import type { Answer, ReadReply, Serve } from "./serve.js";

const errorTextMax = 4_000;

/** The body of a prediction request. */
export interface PredictBody {
  readonly instances: readonly unknown[];
  readonly parameters?: unknown;
}

/** google.cloud.aiplatform.v1.PredictResponse with plain JSON for its Values. */
export interface PredictReply {
  readonly predictions: readonly unknown[];
  readonly deployedModelId: string;
  readonly model: string;
  readonly modelDisplayName: string;
  readonly modelVersionId: string;
  readonly metadata?: unknown;
}

/** What a model server's failure becomes. */
export const refuseFailure = ({ deployed, reply }: Answer): void => {
  if (reply.code >= 200 && reply.code < 300) return;
  const text = reply.body.toString("utf8").slice(0, errorTextMax);
  throw new RpcError(
    statusOfHttpCode(reply.code),
    text === "" ? `The model server of ${deployed.id} answered ${reply.code}.` : text,
  );
};

const readPredictions: ReadReply<PredictReply> = (answer) => {
  refuseFailure(answer);
  const { deployed, reply } = answer;
  let body: unknown;
  try {
    body = JSON.parse(reply.body.toString("utf8"));
  } catch (cause) {
    throw new RpcError(
      "INTERNAL",
      `The model server of ${deployed.id} answered with something that is not JSON.`,
      { cause },
    );
  }
  const content = typeof body === "object" && body !== null ? body : {};
  const predictions: unknown = "predictions" in content ? content.predictions : undefined;
  if (!Array.isArray(predictions)) {
    throw new RpcError(
      "INTERNAL",
      `The model server of ${deployed.id} answered without a list of "predictions".`,
    );
  }
  return {
    result: {
      predictions,
      deployedModelId: deployed.id,
      model: deployed.model,
      modelDisplayName: deployed.modelDisplayName,
      modelVersionId: deployed.modelVersionId,
      ...("metadata" in content ? { metadata: content.metadata } : {}),
    },
    logged: { predictions },
  };
};

/** Sends a prediction request; `body` is the JSON text when the caller has it already. */
export const predict = (
  serve: Serve,
  endpointName: string,
  content: PredictBody,
  body: Buffer | string,
): Promise<PredictReply> =>
  serve(
    {
      endpointName,
      contentType: "application/json",
      body,
      instances: content.instances.length,
      logged: () => content,
    },
    readPredictions,
  );
