/** Log entries between protobuf's message shape and the JSON form in which they are kept, filtered and exported. */
import { z } from "zod";
import { loadServices, type MessageType } from "../protocol/descriptors.js";
import { fromJson, toJson } from "../protocol/json.js";
import { RpcError } from "../protocol/service.js";
import { encodeMessage, type TypeLookup } from "../protocol/wire.js";
import { auditLogName, auditLogType } from "./audit-log-type.js";

/** An entry in its JSON form. */
export type EntryJson = Readonly<Record<string, unknown>>;

const objectSchema = z.record(z.string(), z.unknown());
const knownAny = z.looseObject({ "@type": z.string() });
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

const nameIn = (url: string): string => url.slice(url.lastIndexOf("/") + 1);

/** Loads the LogEntry type once. */
export const entryCodec = (): EntryCodec => {
  const registry = loadServices(["google.logging.v2.LoggingServiceV2"], [auditLogName]);
  const found = registry.type("google.logging.v2.LogEntry");
  if (found === undefined)
    throw new Error("The shipped descriptors lack google.logging.v2.LogEntry");
  const type: MessageType = found;
  const isAuditLoaded = registry.type(auditLogName) !== undefined;
  const auditLog = registry.type(auditLogName) ?? auditLogType(registry.type);
  const lookup: TypeLookup = (name) => (name === auditLogName ? auditLog : registry.type(name));

  /** An Any as the servers can send it: what they cannot pack themselves is packed here. */
  const packed = (payload: unknown): unknown => {
    const read = knownAny.safeParse(payload);
    if (!read.success) return payload;
    const { "@type": url, ...fields } = read.data;
    const opaque = unknownAny.safeParse(payload);
    // A payload of a type that nobody here knows stays the bytes it came as.
    if (opaque.success && lookup(nameIn(url)) === undefined) {
      return { type_url: url, value: Buffer.from(opaque.data.value, "base64") };
    }
    if (nameIn(url) !== auditLogName || isAuditLoaded) return undefined;
    const message = fromJson(auditLog, fields, lookup, "proto_payload");
    return { type_url: url, value: encodeMessage(auditLog, message, lookup) };
  };

  return {
    toJson: (entry) => {
      requireShallow(entry);
      return objectSchema.parse(toJson(type, entry, { lookup }));
    },
    toMessage: (entry) => {
      const { protoPayload, ...rest } = entry;
      if (protoPayload === undefined) return fromJson(type, rest, lookup);
      const any = packed(protoPayload);
      return any === undefined
        ? fromJson(type, entry, lookup)
        : { ...fromJson(type, rest, lookup), protoPayload: any };
    },
  };
};
