/**
 * Documents on Firestore's REST API, for what every event does: read some, commit some. The official client costs a
 * process 250 ms more before its first operation, and an event a third more processor time (`npm run bench -- events`).
 */
import { z } from "zod";
import { InvariantError } from "../domain/errors.js";
import { baseUrl, type GcpConfig } from "./config.js";
import type { Rest } from "./rest.js";

/** Some ten seconds: a restart of what answers is waited for, as Google's client does. */
const attemptsMax = 7;

/** What a field may hold here. */
export type FieldValue = string | number | null | Date | readonly string[];

/** A document's fields; undefined ones are left out. */
export type Fields = Readonly<Record<string, FieldValue | undefined>>;

/** A document as it was read. */
export interface Read {
  readonly fields: Readonly<Record<string, unknown>>;
  /** When it last changed, as Firestore says it: a precondition of a later write. */
  readonly updateTime: string;
}

/** One document's change; `path` is its collection and id. */
export type Change =
  | { readonly do: "create" | "set"; readonly path: string; readonly to: Fields }
  | { readonly do: "delete"; readonly path: string }
  | { readonly do: "drop-field"; readonly path: string; readonly field: string }
  /** Only if the document is still the one that was read; null deletes it. */
  | {
      readonly do: "replace";
      readonly path: string;
      readonly read: Read | null;
      readonly to: Fields | null;
    };

const encodeValue = (value: FieldValue): unknown => {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? { integerValue: String(value) } : { doubleValue: value };
  }
  if (value === null) return { nullValue: null };
  if (value instanceof Date) return { timestampValue: value.toISOString() };
  return { arrayValue: { values: value.map(encodeValue) } };
};

const encode = (fields: Fields): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, encodeValue(value)]],
    ),
  );

/** One of these is there; a null has none of them. */
const storedValue = z
  .object({
    stringValue: z.string().optional(),
    integerValue: z.string().optional(),
    doubleValue: z.number().optional(),
    timestampValue: z.string().optional(),
    arrayValue: z.object({ values: z.array(z.unknown()).default([]) }).optional(),
  })
  .transform(({ stringValue, integerValue, doubleValue, timestampValue, arrayValue }) => {
    const whole = integerValue === undefined ? undefined : Number(integerValue);
    return stringValue ?? whole ?? doubleValue ?? timestampValue ?? arrayValue?.values ?? null;
  });

const answers = z.array(
  z.object({
    found: z
      .object({
        name: z.string(),
        fields: z.record(z.string(), storedValue).default({}),
        updateTime: z.string(),
      })
      .optional(),
    missing: z.string().optional(),
  }),
);

/** Firestore's documents. */
export interface Documents {
  /** Reads documents by path; those that are not there are left out. */
  readonly read: (paths: readonly string[]) => Promise<ReadonlyMap<string, Read>>;
  /** Commits changes in one piece; may be repeated, as every change says what it expects or is the same twice. */
  readonly commit: (changes: readonly Change[]) => Promise<void>;
}

/** Documents of the default database. */
export const firestoreDocuments = (config: GcpConfig, rest: Rest): Documents => {
  const root = `projects/${config.projectId}/databases/(default)/documents`;
  const post = (method: string, body: unknown): Promise<unknown> =>
    rest.json({
      method: "POST",
      url: `${baseUrl(config, "firestore")}/v1/${root}:${method}`,
      body,
      isRepeatable: true,
      attemptsMax,
    });
  const nameOf = (path: string): string => `${root}/${path}`;

  const writeOf = (change: Change): unknown => {
    const name = nameOf(change.path);
    switch (change.do) {
      case "create":
        return { update: { name, fields: encode(change.to) }, currentDocument: { exists: false } };
      case "set":
        return { update: { name, fields: encode(change.to) } };
      case "delete":
        return { delete: name };
      case "drop-field":
        return {
          update: { name },
          updateMask: { fieldPaths: [change.field] },
          currentDocument: { exists: true },
        };
      case "replace": {
        const currentDocument =
          change.read === null ? { exists: false } : { updateTime: change.read.updateTime };
        return change.to === null
          ? { delete: name, currentDocument }
          : { update: { name, fields: encode(change.to) }, currentDocument };
      }
    }
  };

  return {
    read: async (paths) => {
      const found = answers.parse(await post("batchGet", { documents: paths.map(nameOf) }));
      const told = found.filter((one) => one.found !== undefined || one.missing !== undefined);
      if (told.length !== paths.length) {
        throw new InvariantError(
          `Firestore told of ${String(told.length)} documents when asked for ${String(paths.length)}`,
        );
      }
      return new Map(
        found.flatMap(({ found: one }) =>
          one === undefined ? [] : [[one.name.slice(root.length + 1), one] as const],
        ),
      );
    },
    commit: async (changes) => {
      await post("commit", { writes: changes.map(writeOf) });
    },
  };
};
