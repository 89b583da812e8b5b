/** Cloud Logging of the local cloud: entries in SQLite, filters, sinks to Pub/Sub. */
import type { CloudContext, CloudProduct, CloudServices } from "../cloud.js";
import { outbox } from "../storage/outbox.js";
import { entryStore } from "./entries.js";
import { entryCodec } from "./entry-codec.js";
import { loggingService, type StoreEntries } from "./entry-methods.js";
import { configService } from "./sink-methods.js";
import { exportMessage, sinkStore } from "./sinks.js";

/** Makes Cloud Logging. */
export const loggingProduct = (
  context: CloudContext,
): CloudProduct & { readonly face: CloudServices["logging"] } => {
  const codec = entryCodec();
  const entries = entryStore(context, codec);
  const sinks = sinkStore(context);
  const queue = outbox(context, "logging");

  const store: StoreEntries = (checked) => {
    const keep = context.db.transaction(() => {
      for (const { parent, json } of entries.insert(checked)) {
        for (const topic of sinks.topicsFor(parent, json)) queue.add(topic, exportMessage(json));
      }
      entries.trim();
    });
    keep.immediate();
    queue.wake();
  };

  return {
    services: [loggingService({ context, codec, entries, store }), configService(context, sinks)],
    face: {
      write: async (given) => {
        store(given.map((entry) => entries.check(entry)));
        await Promise.resolve();
      },
    },
    start: () => queue.start(),
    stop: () => queue.stop(),
  };
};
