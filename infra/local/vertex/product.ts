/** Vertex AI: models, endpoints, prediction, pipelines, jobs, metadata and the operations they share. */
import type { CloudContext, CloudProduct } from "../cloud.js";
import { auditRefusals } from "./audit.js";
import { containersOf } from "./containers.js";
import { endpointService } from "./endpoints/service.js";
import { endpointStore } from "./endpoints/store.js";
import { jobProduct } from "./jobs/service.js";
import { metadataService } from "./metadata/service.js";
import { metadataTables } from "./metadata/store.js";
import { monitoringService } from "./monitoring/service.js";
import { modelService } from "./models/service.js";
import { modelStore } from "./models/store.js";
import { operationsOf } from "./operations.js";
import { operationsService } from "./operations-service.js";
import { pipelineProduct } from "./pipelines/service.js";
import { limitSubmissions } from "./quotas.js";
import { predictorFleet } from "./serving/fleet.js";
import { predictionLog } from "./serving/prediction-log.js";
import { predictionRoute } from "./serving/routes.js";
import { serving } from "./serving/serve.js";
import { predictionService } from "./serving/service.js";

/** Models, endpoints, prediction, and the jobs that watch it. */
const servingProduct = (context: CloudContext): CloudProduct => {
  const models = modelStore(context);
  const endpoints = endpointStore(context);
  const fleet = predictorFleet(context);
  const log = predictionLog(context);
  const serve = serving(endpoints, fleet, log, context.now);
  return {
    services: [
      modelService(context, models, endpoints.deploymentsOf),
      endpointService(context, models, endpoints, fleet),
      predictionService(context, serve),
      monitoringService(context, endpoints),
    ],
    routes: [predictionRoute(context, serve)],
    start: () => {
      for (const endpoint of endpoints.all()) {
        for (const deployed of endpoint.deployedModels) fleet.start(endpoint.name, deployed, true);
      }
      fleet.startTimers(endpoints.all);
      log.start();
    },
    stop: async () => {
      await fleet.stop(endpoints.all());
      await log.stop();
    },
  };
};

/** Makes Vertex AI. */
export const vertexProduct = (context: CloudContext): CloudProduct => {
  const parts = [servingProduct(context), pipelineProduct(context), jobProduct(context)];
  const operations = operationsOf(context);
  return {
    services: [
      operationsService(context),
      metadataService(context, metadataTables(context)),
      ...parts.flatMap(({ services }) =>
        services.map((one) => auditRefusals(context, limitSubmissions(context, one))),
      ),
    ],
    routes: parts.flatMap(({ routes = [] }) => routes),
    start: async () => {
      containersOf(context).endOrphans();
      for (const part of parts) await part.start?.();
      // Last: what a crash interrupted goes on once everything that it needs is there.
      operations.resume();
    },
    stop: async () => {
      await operations.stop();
      for (const part of parts.toReversed()) await part.stop?.();
      await containersOf(context).stopAll();
    },
  };
};
