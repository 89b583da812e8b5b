/** Facts about datasets. */
import { z } from "zod";
import { eventSchema, instant, uri } from "./envelope.js";
import { text } from "./ids.js";

/** The addresses are kept with their model, version by version, in one document. */
const urisLengthMax = 6000;

/** New data is complete and readable: published at the end of an ingestion job, or made from a foreign message. */
export const datasetArrived = eventSchema(
  "dataset.arrived",
  z.strictObject({
    /** The dataset's name as manifests use it, or the foreign address it came from (gs://, bq://, airflow://). */
    dataset: text(1500),
    /** The files or tables that make up this version. */
    uris: z
      .array(uri)
      .min(1)
      .max(1000)
      .refine(
        (uris) => uris.reduce((total, { length }) => total + length, 0) <= urisLengthMax,
        `more than ${urisLengthMax} characters in all; publish the folder of the files instead, an address that ends with /`,
      ),
    /** Identifies the content; computed from `objects` or from the uris when absent. */
    fingerprint: text(128).optional(),
    objects: z
      .array(z.strictObject({ uri, generation: text(32), crc32c: text(16).optional() }))
      .max(1000)
      .optional(),
    rows: z.int().nonnegative().optional(),
    /** The span of event time that the rows cover. */
    window: z.strictObject({ start: instant, end: instant }).optional(),
  }),
);
