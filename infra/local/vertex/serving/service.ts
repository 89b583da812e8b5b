/** google.cloud.aiplatform.v1.PredictionService, as far as it is served: Predict and RawPredict. */
import type { CloudContext } from "../../cloud.js";
import { RpcError, type ServiceImplementation } from "../../protocol/service.js";
import { jsonOfValue, valueOf, type ProtoValue } from "../messages.js";
import { parseName } from "../names.js";
import { predict, refuseFailure, type PredictBody } from "./predict.js";
import { checkRequestSize, type Serve } from "./serve.js";

interface PredictRequest {
  readonly endpoint?: string;
  readonly instances?: readonly ProtoValue[];
  readonly parameters?: ProtoValue;
}

interface RawPredictRequest {
  readonly endpoint?: string;
  readonly httpBody?: { readonly contentType?: string; readonly data?: Buffer };
}

/** Makes the service. */
export const predictionService = (context: CloudContext, serve: Serve): ServiceImplementation => ({
  service: "google.cloud.aiplatform.v1.PredictionService",
  unary: {
    Predict: async (request: PredictRequest) => {
      const { name } = parseName(context.settings, "endpoints", request.endpoint);
      const instances = (request.instances ?? []).map(jsonOfValue);
      if (instances.length === 0) {
        throw new RpcError("INVALID_ARGUMENT", "instances is required and must not be empty.");
      }
      const content: PredictBody =
        request.parameters === undefined
          ? { instances }
          : { instances, parameters: jsonOfValue(request.parameters) };
      const body = JSON.stringify(content);
      checkRequestSize(Buffer.byteLength(body));
      const { predictions, metadata, ...reply } = await predict(serve, name, content, body);
      return {
        ...reply,
        predictions: predictions.map(valueOf),
        ...(metadata === undefined ? {} : { metadata: valueOf(metadata) }),
      };
    },
    RawPredict: async (request: RawPredictRequest) => {
      const { name } = parseName(context.settings, "endpoints", request.endpoint);
      const body = request.httpBody?.data ?? Buffer.alloc(0);
      checkRequestSize(body.length);
      const { reply } = await serve(
        {
          endpointName: name,
          contentType: request.httpBody?.contentType ?? "application/json",
          body,
          instances: 1,
          logged: () => body.toString("utf8"),
        },
        (answer) => {
          refuseFailure(answer);
          return { result: answer, logged: answer.reply.body.toString("utf8") };
        },
      );
      return { contentType: reply.contentType, data: reply.body };
    },
  },
});
