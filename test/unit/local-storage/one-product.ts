/** One product of the local cloud alone: its routes on a free port, and a list where Pub/Sub would be. */
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import type {
  CloudContext,
  CloudProduct,
  CloudServices,
  CloudSettings,
  OutgoingMessage,
} from "../../../infra/local/cloud.js";
import { RpcError } from "../../../infra/local/protocol/service.js";

/** A message that arrived at the stand-in for Pub/Sub. */
export interface Arrived {
  readonly topic: string;
  readonly message: OutgoingMessage;
}

/** What a test holds of the running product. */
export interface Stand<Product> {
  readonly product: Product;
  readonly context: CloudContext;
  readonly address: string;
  readonly arrived: Arrived[];
  readonly lines: string[];
  /** Topics that answer NOT_FOUND until taken out. */
  readonly missingTopics: Set<string>;
  readonly folder: string;
  /** Ends the process's part of it; the folder stays when `isKept`. */
  stop(isKept?: boolean): Promise<void>;
}

const refuseUse = (): never => {
  throw new Error("this test stands without that service");
};

/** Options of a stand. */
export interface StandOptions {
  readonly folder?: string;
  readonly now?: () => number;
  readonly settings?: Partial<CloudSettings>;
}

/** Starts a product by itself. */
export const standUp = async <Product extends CloudProduct>(
  make: (context: CloudContext) => Product,
  options: StandOptions = {},
): Promise<Stand<Product>> => {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "continuo-product-"));
  const db = new Database(join(folder, "cloud.db"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = NORMAL");
  const arrived: Arrived[] = [];
  const lines: string[] = [];
  const missingTopics = new Set<string>();
  let address = "";
  const services: CloudServices = {
    pubsub: {
      publish: (topic, messages) => {
        if (missingTopics.has(topic)) {
          return Promise.reject(new RpcError("NOT_FOUND", `Resource not found: ${topic}`));
        }
        for (const message of messages) arrived.push({ topic, message });
        return Promise.resolve(messages.map((_, index) => String(index + 1)));
      },
    },
    storage: { read: refuseUse, open: refuseUse, write: refuseUse, list: refuseUse },
    logging: { write: refuseUse },
    monitoring: { write: refuseUse },
  };
  const context: CloudContext = {
    settings: {
      projectId: "demo",
      projectNumber: "123456789012",
      region: "us-central1",
      folder,
      deployDelayMs: 0,
      metricDelayMs: 0,
      metricPeriodMs: 1000,
      imagesFile: "",
      ...options.settings,
    },
    db,
    now: options.now ?? Date.now,
    services,
    address: () => address,
    log: (line) => lines.push(line),
  };
  const product = make(context);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://local");
    const route = product.routes?.find(({ matches }) => matches(request.method ?? "GET", pathname));
    if (route === undefined) response.writeHead(404).end();
    else void route.handle(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  address = `http://127.0.0.1:${bound.port}`;
  await product.start?.();
  return {
    product,
    context,
    address,
    arrived,
    lines,
    missingTopics,
    folder,
    stop: async (isKept = false) => {
      await product.stop?.();
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
      db.close();
      if (!isKept) rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** Waits until a condition holds, and says which one did not. */
export const until = async (what: string, isSo: () => boolean, limitMs = 5000): Promise<void> => {
  const end = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
};
