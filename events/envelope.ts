/** The envelope of every event: CloudEvents 1.0 in structured JSON, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */
import { z } from "zod";
import { text } from "./ids.js";

/** An instant as RFC 3339 with a zone, between the years 2000 and 2100. */
export const instant = z.iso.datetime({ offset: true }).refine((value) => {
  const year = Number(value.slice(0, 4));
  return year >= 2000 && year < 2100;
}, "must lie between the years 2000 and 2100");

/** The address of an object, a table or a folder; names of objects have up to 1024 bytes and may hold spaces. */
export const uri = text(1500).regex(
  /^[a-z][a-z0-9+.-]*:\/\/.+$/,
  "must be an address such as gs://bucket/object",
);

/** What every envelope carries besides type and data. */
export const envelopeFields = {
  specversion: z.literal("1.0"),
  /** Deterministic for one occurrence: the same fact always has the same id. */
  id: text(1500),
  /** Where the fact comes from; source and id together identify the event. */
  source: text(512),
  time: instant,
  subject: text(512).optional(),
  datacontenttype: z.literal("application/json").optional(),
  dataschema: text(512).optional(),
  /** Id of the event that caused this one. */
  causationid: text(1500).optional(),
  /** Id of the first event of the chain. */
  correlationid: text(1500).optional(),
};

/** The schema of one event type. */
export const eventSchema = <Type extends string, Data extends z.ZodType>(type: Type, data: Data) =>
  z.strictObject({ ...envelopeFields, type: z.literal(type), data });
