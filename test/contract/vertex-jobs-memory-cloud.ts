import Database from "libsql";
import type { CloudContext, LogEntryJson } from "../../infra/local/cloud.js";
import { RpcError } from "../../infra/local/protocol/service.js";

/** A cloud context whose other services live in memory. */
export const memoryCloud = (folder: string, imagesFile: string, now: () => number = Date.now) => {
  const objects = new Map<string, Buffer>();
  const entries: LogEntryJson[] = [];
  const context: CloudContext = {
    settings: {
      projectId: "demo",
      projectNumber: "123456",
      region: "us-central1",
      folder,
      deployDelayMs: 0,
      metricDelayMs: 0,
      metricPeriodMs: 60_000,
      imagesFile,
    },
    db: new Database(":memory:"),
    now,
    address: () => "http://127.0.0.1:1",
    log: () => undefined,
    services: {
      pubsub: { publish: async () => [] },
      monitoring: { write: () => undefined },
      logging: {
        write: async (written) => {
          entries.push(...written);
        },
      },
      storage: {
        read: async (bucket, name) => {
          const body = objects.get(`${bucket}/${name}`);
          if (body === undefined)
            throw new RpcError("NOT_FOUND", `No object gs://${bucket}/${name}.`);
          return body;
        },
        write: async (bucket, name, body) => {
          objects.set(`${bucket}/${name}`, body);
        },
        list: async (bucket, prefix) =>
          [...objects.keys()]
            .filter((key) => key.startsWith(`${bucket}/${prefix}`))
            .map((key) => key.slice(bucket.length + 1))
            .toSorted(),
      },
    },
  };
  return { context, objects, entries };
};
