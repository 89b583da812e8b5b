/** A local cloud of its own for a contract test, and how the official clients reach it. */
import grpc from "@grpc/grpc-js";
import { GoogleAuth, PassThroughClient } from "google-auth-library";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CloudContext, CloudSettings } from "../../infra/local/cloud.js";
import type { ProductName } from "../../infra/local/products.js";
import { startCloud, type RunningCloud } from "../../infra/local/server.js";

/** A running local cloud with what clients need to reach it. */
export interface LocalCloud {
  readonly address: string;
  readonly port: number;
  readonly folder: string;
  readonly projectId: string;
  readonly context: CloudContext;
  /** Lines of the cloud's own log so far. */
  readonly lines: readonly string[];
  /** Options of an official client over gRPC. */
  readonly grpcOptions: ReturnType<typeof grpcOptionsOf>;
  /** Options of an official client over REST. */
  readonly restOptions: ReturnType<typeof restOptionsOf>;
  /** Stops it; `keep` leaves the folder for another start. */
  readonly stop: (options?: { readonly keep?: boolean }) => Promise<void>;
}

/** The project of every test. */
export const testProject = "demo-project";

/** Options with which an official client finds a port over gRPC. */
export const grpcOptionsOf = (port: number) => ({
  projectId: testProject,
  apiEndpoint: "127.0.0.1",
  servicePath: "127.0.0.1",
  port,
  sslCreds: grpc.credentials.createInsecure(),
});

/** Options with which an official client finds a port over REST. */
export const restOptionsOf = (port: number) => ({
  projectId: testProject,
  apiEndpoint: "127.0.0.1",
  servicePath: "127.0.0.1",
  port,
  protocol: "http",
  fallback: true as const,
  auth: new GoogleAuth({ authClient: new PassThroughClient(), projectId: testProject }),
});

/** Starts a local cloud in a temporary folder at a free port; without `products` all of them. */
export async function withLocalCloud(
  products?: readonly ProductName[],
  settings: Partial<CloudSettings> & { readonly now?: () => number } = {},
): Promise<LocalCloud> {
  const folder = settings.folder ?? mkdtempSync(join(tmpdir(), "continuo-"));
  const lines: string[] = [];
  const cloud: RunningCloud = await startCloud({
    projectId: testProject,
    projectNumber: "123456789012",
    region: "us-central1",
    deployDelayMs: 0,
    metricDelayMs: 0,
    metricPeriodMs: 1000,
    imagesFile: "",
    ...settings,
    folder,
    port: 0,
    ...(products === undefined ? {} : { products }),
    log: (line) => {
      lines.push(line);
    },
  });
  return {
    address: cloud.address,
    port: cloud.port,
    folder,
    projectId: testProject,
    context: cloud.context,
    lines,
    grpcOptions: grpcOptionsOf(cloud.port),
    restOptions: restOptionsOf(cloud.port),
    stop: async (options) => {
      await cloud.stop();
      if (options?.keep !== true) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until a condition holds, looking every few milliseconds; fails with its name after the limit. */
export async function eventually<Value>(
  what: string,
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  limitMs = 30_000,
): Promise<Value> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`Not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
