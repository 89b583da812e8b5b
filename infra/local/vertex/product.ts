/** Vertex AI: models, endpoints, prediction and the operations they share. */
import type { CloudContext, CloudProduct } from "../cloud.js";
import { containersOf } from "./containers.js";
import { endpointService } from "./endpoints/service.js";
import { endpointStore } from "./endpoints/store.js";
import { modelService } from "./models/service.js";
import { modelStore } from "./models/store.js";
import { operationsOf } from "./operations.js";
import { operationsService } from "./operations-service.js";
import { predictorFleet } from "./serving/fleet.js";
import { predictionLog } from "./serving/prediction-log.js";
import { predictionRoute } from "./serving/routes.js";
import { serving } from "./serving/serve.js";
import { predictionService } from "./serving/service.js";

/** Makes Vertex AI. */
export const vertexProduct = (context: CloudContext): CloudProduct => {
  const models = modelStore(context);
  const endpoints = endpointStore(context);
  const fleet = predictorFleet(context);
  const log = predictionLog(context);
  const serve = serving(endpoints, fleet, log, context.now);
  const operations = operationsOf(context);
  return {
    services: [
      operationsService(context),
      modelService(context, models, endpoints.deploymentsOf),
      endpointService(context, models, endpoints, fleet),
      predictionService(context, serve),
    ],
    routes: [predictionRoute(context, serve)],
    start: () => {
      containersOf(context).endOrphans();
      for (const endpoint of endpoints.all()) {
        for (const deployed of endpoint.deployedModels) fleet.start(endpoint.name, deployed, true);
      }
      fleet.startTimers(endpoints.all);
      log.start();
      operations.resume();
    },
    stop: async () => {
      await operations.stop();
      await fleet.stop(endpoints.all());
      await log.stop();
      await containersOf(context).stopAll();
    },
  };
};
