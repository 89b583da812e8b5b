/** A local cloud with official Vertex AI clients and a tiny model server, for the contract tests of serving. */
import { v1, type protos } from "@google-cloud/aiplatform";
import { credentials } from "@grpc/grpc-js";
import { GoogleAuth, PassThroughClient } from "google-auth-library";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type {
  CloudContext,
  CloudProduct,
  CloudServices,
  CloudSettings,
  LogEntryJson,
  MetricPoint,
} from "../../infra/local/cloud.js";
import { openDatabase } from "../../infra/local/database.js";
import { makeDispatch } from "../../infra/local/protocol/dispatch.js";
import { grpcServer } from "../../infra/local/protocol/grpc.js";
import { openPort } from "../../infra/local/protocol/port.js";
import { restHandler } from "../../infra/local/protocol/rest.js";
import { RpcError } from "../../infra/local/protocol/service.js";
import { storageProduct } from "../../infra/local/storage/product.js";
import { vertexProduct } from "../../infra/local/vertex/product.js";

/** The image that the tiny model server stands behind. */
export const predictorImage = "example/predictor";

const predictorFile = fileURLToPath(new URL("vertex-endpoints-predictor.mjs", import.meta.url));

/** Writes a list of images that knows the tiny model server. */
export const writeImages = (): string => {
  const file = join(mkdtempSync(join(tmpdir(), "continuo-images-")), "images.json");
  writeFileSync(
    file,
    JSON.stringify({
      images: { [predictorImage]: { entrypoint: [process.execPath, predictorFile] } },
    }),
  );
  return file;
};

type ClientOptions = NonNullable<ConstructorParameters<typeof v1.ModelServiceClient>[0]>;

const clientsOf = (options: ClientOptions) => ({
  models: new v1.ModelServiceClient(options),
  endpoints: new v1.EndpointServiceClient(options),
  predictions: new v1.PredictionServiceClient(options),
});

/** Official clients of one transport. */
export type VertexClients = ReturnType<typeof clientsOf>;

/** What the tests work with. */
export interface VertexWorld {
  readonly address: string;
  readonly folder: string;
  readonly parent: string;
  readonly grpc: VertexClients;
  readonly rest: VertexClients;
  /** What reached Cloud Logging and Cloud Monitoring, and the cloud's own log. */
  readonly entries: readonly LogEntryJson[];
  readonly points: readonly MetricPoint[];
  readonly lines: readonly string[];
  readonly storage: CloudServices["storage"];
  /** Puts an object into a bucket, making the bucket. */
  readonly putObject: (bucket: string, name: string, body: string) => Promise<void>;
  /** Stops it; `keep` leaves the folder for another start. */
  readonly stop: (options?: { readonly keep?: boolean }) => Promise<void>;
}

const projectId = "demo-project";

const serve = (context: CloudContext, products: readonly CloudProduct[]) => {
  const dispatch = makeDispatch(products.flatMap(({ services }) => services));
  const rest = restHandler(dispatch, context.log);
  const routes = products.flatMap((product) => product.routes ?? []);
  return openPort({
    port: 0,
    grpcServer: grpcServer(dispatch, context.log),
    onRequest: async (request, response) => {
      const pathname = (request.url ?? "").split("?", 1)[0] ?? "";
      const route = routes.find((one) => one.matches(request.method ?? "", pathname));
      await (route === undefined ? rest(request, response) : route.handle(request, response));
    },
  });
};

/** Starts Vertex AI and Cloud Storage on a port, with lists in the place of Logging and Monitoring. */
export const startVertexWorld = async (
  given: Partial<CloudSettings> & { readonly now?: () => number } = {},
): Promise<VertexWorld> => {
  const { now = Date.now, ...settings } = given;
  const folder = settings.folder ?? mkdtempSync(join(tmpdir(), "continuo-vertex-"));
  const entries: LogEntryJson[] = [];
  const points: MetricPoint[] = [];
  const lines: string[] = [];
  const services: { -readonly [Name in keyof CloudServices]?: CloudServices[Name] } = {
    pubsub: { publish: () => Promise.reject(new RpcError("UNIMPLEMENTED", "no Pub/Sub here")) },
    logging: {
      write: (written) => {
        entries.push(...written);
        return Promise.resolve();
      },
    },
    monitoring: {
      write: (written) => {
        points.push(...written);
      },
    },
  };
  let port = 0;
  const db = openDatabase(folder);
  const context: CloudContext = {
    settings: {
      projectId,
      projectNumber: "123456789012",
      region: "us-central1",
      deployDelayMs: 0,
      metricDelayMs: 0,
      metricPeriodMs: 200,
      imagesFile: writeImages(),
      ...settings,
      folder,
    },
    db,
    now,
    services: z.custom<CloudServices>().parse(services),
    address: () => `http://127.0.0.1:${port}`,
    log: (line) => {
      lines.push(line);
    },
  };
  const storage = storageProduct(context);
  services.storage = storage.face;
  const products: readonly CloudProduct[] = [storage, vertexProduct(context)];
  const opened = await serve(context, products);
  port = opened.port;
  for (const product of products) await product.start?.();
  const grpc = clientsOf({
    projectId,
    apiEndpoint: "127.0.0.1",
    port,
    sslCreds: credentials.createInsecure(),
  });
  const rest = clientsOf(
    // The clients bring a google-auth-library of their own, whose types do not meet those of the installed one.
    z.custom<ClientOptions>().parse({
      projectId,
      apiEndpoint: "127.0.0.1",
      port,
      protocol: "http",
      fallback: true,
      auth: new GoogleAuth({ authClient: new PassThroughClient(), projectId }),
    }),
  );
  return {
    address: context.address(),
    folder,
    parent: `projects/${projectId}/locations/us-central1`,
    grpc,
    rest,
    entries,
    points,
    lines,
    storage: storage.face,
    putObject: async (bucket, name, body) => {
      await fetch(`${context.address()}/storage/v1/b?project=${projectId}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: bucket }),
      });
      await storage.face.write(bucket, name, Buffer.from(body));
    },
    stop: async (options) => {
      const clients = [grpc, rest].flatMap((group) => Object.values(group));
      await Promise.all(clients.map((client) => client.close()));
      for (const product of products.toReversed()) await product.stop?.();
      await opened.close();
      db.close();
      if (options?.keep !== true) rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** A model's container as the tests upload it. */
export const containerSpec = (env: Readonly<Record<string, string>> = {}) => ({
  imageUri: `${predictorImage}:1`,
  predictRoute: "/predict",
  healthRoute: "/health",
  env: Object.entries(env).map(([name, value]) => ({ name, value })),
});

/** The error's gRPC code and text, whichever client threw it. */
export const failureOf = async (
  call: Promise<unknown>,
): Promise<{ readonly code: number | undefined; readonly message: string }> => {
  try {
    await call;
  } catch (error) {
    const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
    return {
      code: typeof code === "number" ? code : undefined,
      message: error instanceof Error ? error.message : String(error),
    };
  }
  throw new Error("The call was expected to fail and succeeded");
};

/** Uploads a model whose predictions carry `value`, from its artifact. */
export const uploadModel = async (
  world: VertexWorld,
  modelId: string,
  options: {
    readonly value?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly spec?: Readonly<Record<string, unknown>>;
  } = {},
): Promise<string> => {
  const { value = modelId, env, spec } = options;
  await world.putObject("artifacts", `${modelId}/model.json`, JSON.stringify({ value }));
  const [operation] = await world.grpc.models.uploadModel({
    parent: world.parent,
    modelId,
    model: {
      displayName: modelId,
      artifactUri: `gs://artifacts/${modelId}`,
      containerSpec: { ...containerSpec(env), ...spec },
    },
  });
  const [reply] = await operation.promise();
  return reply.model ?? "";
};

/** Creates an endpoint and returns its name. */
export const createEndpoint = async (
  world: VertexWorld,
  endpointId: string,
  fields: protos.google.cloud.aiplatform.v1.IEndpoint = {},
): Promise<string> => {
  const [operation] = await world.grpc.endpoints.createEndpoint({
    parent: world.parent,
    endpointId,
    endpoint: { displayName: endpointId, ...fields },
  });
  const [endpoint] = await operation.promise();
  return endpoint.name ?? "";
};

/** Resources that every deployment needs. */
export const oneReplica = { machineSpec: { machineType: "n1-standard-2" }, minReplicaCount: 1 };

/** Starts deploying a model. */
export const startDeploy = async (
  world: VertexWorld,
  endpoint: string,
  model: string,
  id: string,
  trafficSplit: Record<string, number> = {},
) => {
  const [operation] = await world.grpc.endpoints.deployModel({
    endpoint,
    deployedModel: { id, model, dedicatedResources: oneReplica },
    trafficSplit,
  });
  return operation;
};

/** Deploys a model. */
export const deployModel = async (...parameters: Parameters<typeof startDeploy>): Promise<void> => {
  const operation = await startDeploy(...parameters);
  await operation.promise();
};

/** The answer of `:predict` over plain HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: {
    readonly predictions?: readonly unknown[];
    readonly deployedModelId?: string;
    readonly error?: { readonly code: number; readonly status: string; readonly message: string };
  };
}

/** Asks an endpoint over plain HTTP, as a client without a library would. */
export const predictOverHttp = async (
  world: VertexWorld,
  endpoint: string,
  instances: readonly unknown[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<HttpAnswer> => {
  const reply = await fetch(`${world.address}/v1/${endpoint}:predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ instances, ...more }),
  });
  return { status: reply.status, body: z.custom<HttpAnswer["body"]>().parse(await reply.json()) };
};
