/** Serves a model until the platform says stop. */
import type { Server } from "node:http";
import { loadModel } from "../model/load.js";
import { predictorConfig } from "./config.js";
import { predictWith, type Predict } from "./predict.js";
import { predictionServer, type BeforePredict } from "./server.js";

/** Open requests get this long to finish after SIGTERM. */
const graceMs = 10_000;

/** Starts listening; an address that is taken is an error of the promise. */
async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Resolves when the platform asks the container to stop. */
async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}

/** Lets open requests finish, then closes; connections still open after the grace are cut. */
async function close(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
}

/**
 * Listens at once (the health route answers 503), loads the model, serves until SIGTERM. A model
 * that cannot be loaded is an error: the process must exit, not stay unhealthy for ever.
 */
export async function serve(before?: BeforePredict): Promise<void> {
  const config = predictorConfig();
  let predict: Predict | undefined;
  const server = predictionServer({
    healthRoute: config.healthRoute,
    predictRoute: config.predictRoute,
    predict: () => predict,
    ...(before === undefined ? {} : { before }),
  });
  const stopped = stopSignal();
  await listen(server, config.port, config.host);
  try {
    predict = predictWith(await loadModel(config.model));
  } catch (cause) {
    await close(server);
    throw cause;
  }
  const address = server.address();
  const port = typeof address === "object" ? address?.port : config.port;
  console.log(JSON.stringify({ message: "serving", host: config.host, port, model: config.model }));
  await stopped;
  await close(server);
}
