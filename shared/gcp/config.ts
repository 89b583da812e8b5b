/** Where the cloud is and who we are on it. */
import type { ClientOptions } from "google-gax";

/** Everything the adapters are told. */
export interface GcpConfig {
  readonly projectId: string;
  readonly region: string;
  /** The bucket of artifacts, evaluations and pipeline roots, without gs://. */
  readonly bucket: string;
  /** E-mail address of the service account that we act as. */
  readonly identity: string;
  /** E-mail address of the service account that pipelines run as; `identity` when absent. */
  readonly pipelineIdentity?: string;
  /** How many slots open work is spread over, 8 when absent: more for more than 4,000 events a second, at most 64. */
  readonly slots?: number;
  /** Address of a local cloud such as http://127.0.0.1:8790; absent means Google Cloud. */
  readonly localCloud?: string;
}

/** The bucket of audit heads, which terraform makes with a locked retention policy. */
export const auditBucketOf = ({ bucket }: GcpConfig): string => `${bucket}-audit`;

/** The address of a product's REST API. */
export const baseUrl = (config: GcpConfig, product: string): string => {
  if (config.localCloud !== undefined) return config.localCloud.replace(/\/+$/, "");
  return product === "aiplatform"
    ? `https://${config.region}-aiplatform.googleapis.com`
    : `https://${product}.googleapis.com`;
};

/** The parent of everything regional. */
export const locationName = (config: GcpConfig): string =>
  `projects/${config.projectId}/locations/${config.region}`;

/** The bearer token that names us in a local cloud's audit log. */
export const localToken = (config: GcpConfig): string => `local:${config.identity}`;

/** Without a known universe domain Google's clients search the machine, and the network, for credentials first. */
export const withoutCredentialLookup = {
  clientOptions: { universeDomain: "googleapis.com" },
} as const;

/** Options of Google's gRPC clients: their own defaults on Google Cloud, a plain-text channel to a local cloud. */
export const grpcClientOptions = async (config: GcpConfig): Promise<ClientOptions> => {
  if (config.localCloud === undefined) return { projectId: config.projectId };
  const { credentials } = await import("@grpc/grpc-js");
  const { hostname, port } = new URL(config.localCloud);
  return {
    projectId: config.projectId,
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    ...withoutCredentialLookup,
  };
};

/** Options of every gRPC call: a deadline, and locally the token that an insecure channel cannot carry by itself. */
export const grpcCallOptions = (config: GcpConfig, timeoutMs = 20_000) => ({
  timeout: timeoutMs,
  ...(config.localCloud === undefined
    ? {}
    : { otherArgs: { headers: { authorization: `Bearer ${localToken(config)}` } } }),
});

/** Makes a value on first use and keeps it; a failed attempt is forgotten, so that the next use tries again. */
export const lazily = <Value>(make: () => Promise<Value>): (() => Promise<Value>) => {
  let made: Promise<Value> | undefined;
  return async () => {
    made ??= make();
    const attempt = made;
    try {
      return await attempt;
    } catch (error) {
      if (made === attempt) made = undefined;
      throw error;
    }
  };
};
