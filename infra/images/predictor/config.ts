/** What the platform tells a prediction container through its environment. */
import { env } from "node:process";
import { z } from "zod";

const port = z.coerce.number().int().min(0).max(65_535);
const route = z.string().startsWith("/");

const environment = z.object({
  /** Vertex AI wants 0.0.0.0; a child process on a laptop gets 127.0.0.1. */
  HOST: z.string().default("0.0.0.0"),
  AIP_HTTP_PORT: port.default(8080),
  AIP_HEALTH_ROUTE: route.default("/health"),
  AIP_PREDICT_ROUTE: route.default("/predict"),
  AIP_STORAGE_URI: z.string({
    error: "AIP_STORAGE_URI must be the folder of model.json, for example gs://bucket/models/1/",
  }),
});

/** Settings of a prediction server. */
export interface PredictorConfig {
  readonly host: string;
  readonly port: number;
  readonly healthRoute: string;
  readonly predictRoute: string;
  readonly model: string;
}

/** Reads the settings; call it once per process. */
export function predictorConfig(): PredictorConfig {
  const values = environment.parse(env);
  return {
    host: values.HOST,
    port: values.AIP_HTTP_PORT,
    healthRoute: values.AIP_HEALTH_ROUTE,
    predictRoute: values.AIP_PREDICT_ROUTE,
    model: values.AIP_STORAGE_URI,
  };
}
