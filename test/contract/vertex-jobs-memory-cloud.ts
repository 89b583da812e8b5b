import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import Database from "libsql";
import type { CloudContext, LogEntryJson } from "../../infra/local/cloud.js";
import { RpcError } from "../../infra/local/protocol/service.js";

/** A cloud context whose other services live in memory. */
export const memoryCloud = (folder: string, imagesFile: string, now: () => number = Date.now) => {
  const objects = new Map<string, Buffer>();
  const entries: LogEntryJson[] = [];
  const bodyOf = (bucket: string, name: string): Buffer => {
    const body = objects.get(`${bucket}/${name}`);
    if (body === undefined) throw new RpcError("NOT_FOUND", `No object gs://${bucket}/${name}.`);
    return body;
  };
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
        read: async (bucket, name) => bodyOf(bucket, name),
        open: async (bucket, name) => Readable.from([bodyOf(bucket, name)]),
        write: async (bucket, name, body) => {
          const content = Buffer.isBuffer(body) ? body : await buffer(body);
          objects.set(`${bucket}/${name}`, content);
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
