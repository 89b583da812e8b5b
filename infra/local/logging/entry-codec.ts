/** Log entries between protobuf's message shape and the JSON form in which they are kept, filtered and exported. */
import { z } from "zod";
import { loadServices, type MessageType } from "../protocol/descriptors.js";
import { fromJson, toJson } from "../protocol/json.js";
import { RpcError } from "../protocol/service.js";

/** An entry in its JSON form. */
export type EntryJson = Readonly<Record<string, unknown>>;

const objectSchema = z.record(z.string(), z.unknown());
const unknownAny = z.object({ "@type": z.string(), value: z.string() });
const depthMax = 100;

/** Both directions. */
export interface EntryCodec {
  toJson(entry: unknown): EntryJson;
  toMessage(entry: EntryJson): Readonly<Record<string, unknown>>;
}

const requireShallow = (value: unknown, depth = 0): void => {
  if (depth > depthMax) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `A log entry is nested more than ${depthMax} levels deep.`,
    );
  }
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return;
  for (const item of Object.values(value)) requireShallow(item, depth + 1);
};

/** Loads the LogEntry type once. */
export const entryCodec = (): EntryCodec => {
  const registry = loadServices(["google.logging.v2.LoggingServiceV2"]);
  const found = registry.type("google.logging.v2.LogEntry");
  if (found === undefined)
    throw new Error("The shipped descriptors lack google.logging.v2.LogEntry");
  const type: MessageType = found;
  const lookup = registry.type;
  const isKnown = (url: string) => lookup(url.slice(url.lastIndexOf("/") + 1)) !== undefined;

  return {
    toJson: (entry) => {
      requireShallow(entry);
      return objectSchema.parse(toJson(type, entry, { lookup }));
    },
    toMessage: (entry) => {
      const { protoPayload, ...rest } = entry;
      const opaque = unknownAny.safeParse(protoPayload);
      if (!opaque.success || isKnown(opaque.data["@type"])) return fromJson(type, entry, lookup);
      // A payload of a type that nobody here knows stays the bytes it came as.
      const { "@type": url, value } = opaque.data;
      const any = { type_url: url, value: Buffer.from(value, "base64") };
      return { ...fromJson(type, rest, lookup), protoPayload: any };
    },
  };
};
