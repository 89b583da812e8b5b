/** A local cloud with official Vertex AI clients and a tiny model server, for the contract tests of serving. */
import { v1 } from "@google-cloud/aiplatform";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { CloudSettings } from "../../infra/local/cloud.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

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

// The clients bring a google-auth-library of their own, whose types do not meet those of the installed one.
const clientOptions = z.custom<ClientOptions>();

const clientsOf = (options: ClientOptions) => ({
  models: new v1.ModelServiceClient(options),
  endpoints: new v1.EndpointServiceClient(options),
  predictions: new v1.PredictionServiceClient(options),
});

/** Official clients of one transport. */
export type VertexClients = ReturnType<typeof clientsOf>;

/** What the tests work with. */
export interface VertexWorld {
  readonly cloud: LocalCloud;
  readonly parent: string;
  readonly grpc: VertexClients;
  readonly rest: VertexClients;
  /** Puts an object into a bucket, making the bucket. */
  readonly putObject: (bucket: string, name: string, body: string) => Promise<void>;
  readonly stop: LocalCloud["stop"];
}

/** Starts the world. */
export const startVertexWorld = async (
  settings: Partial<CloudSettings> = {},
): Promise<VertexWorld> => {
  const cloud = await withLocalCloud(undefined, { imagesFile: writeImages(), ...settings });
  const grpc = clientsOf(cloud.grpcOptions);
  const rest = clientsOf(clientOptions.parse(cloud.restOptions));
  return {
    cloud,
    parent: `projects/${cloud.projectId}/locations/us-central1`,
    grpc,
    rest,
    putObject: async (bucket, name, body) => {
      await fetch(`${cloud.address}/storage/v1/b?project=${cloud.projectId}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: bucket }),
      });
      await cloud.context.services.storage.write(bucket, name, Buffer.from(body));
    },
    stop: async (options) => {
      const clients = [grpc, rest].flatMap((group) => Object.values(group));
      await Promise.all(clients.map((client) => client.close()));
      await cloud.stop(options);
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
