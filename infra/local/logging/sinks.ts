/** Log sinks: which entries go to which Pub/Sub topic. */
import { z } from "zod";
import type { CloudContext, OutgoingMessage } from "../cloud.js";
import { RpcError } from "../protocol/service.js";
import type { EntryJson } from "./entry-codec.js";
import { matcherOf, type Matcher } from "./filter/matcher.js";

const topicDestination = /^pubsub\.googleapis\.com\/(projects\/[^/]+\/topics\/[^/]+)$/;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const sinksMax = 200;

/** A sink as it is kept, in LogSink's field names. */
export const sinkSchema = z.object({
  name: z.string(),
  destination: z.string(),
  filter: z.string().optional(),
  description: z.string().optional(),
  disabled: z.boolean().optional(),
  exclusions: z
    .array(
      z.object({
        name: z.string(),
        filter: z.string(),
        description: z.string().optional(),
        disabled: z.boolean().optional(),
      }),
    )
    .optional(),
  writerIdentity: z.string(),
  createMs: z.number(),
  updateMs: z.number(),
});
/** A stored sink. */
export type Sink = z.infer<typeof sinkSchema>;

/** A sink's own fields, as a caller gives them. */
export const sinkDraft = sinkSchema.omit({ writerIdentity: true, createMs: true, updateMs: true });
/** A sink as a caller asks for it. */
export type SinkDraft = z.infer<typeof sinkDraft>;

/** The sinks of all parents. */
export interface SinkStore {
  create(parent: string, draft: SinkDraft): Sink;
  update(parent: string, draft: SinkDraft): Sink;
  get(parent: string, name: string): Sink;
  list(parent: string, after: string, limit: number): readonly Sink[];
  remove(parent: string, name: string): void;
  /** The topics that want an entry. */
  topicsFor(parent: string, entry: EntryJson): readonly string[];
}

interface Route {
  readonly topic: string;
  readonly isWanted: Matcher;
}

const refuse = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const topicOf = (destination: string): string => {
  const topic = topicDestination.exec(destination)?.[1];
  if (topic === undefined) {
    throw refuse(
      `The destination "${destination}" is not built here: only pubsub.googleapis.com/projects/PROJECT/topics/TOPIC is.`,
    );
  }
  return topic;
};

const compile = ({ destination, filter = "", exclusions = [] }: SinkDraft): Route => {
  const isIncluded = matcherOf(filter);
  const isExcluded = exclusions
    .filter(({ disabled }) => disabled !== true)
    .map((exclusion) => matcherOf(exclusion.filter));
  return {
    topic: topicOf(destination),
    isWanted: (entry) => isIncluded(entry) && !isExcluded.some((matches) => matches(entry)),
  };
};

/** The Pub/Sub message of an exported entry. */
export const exportMessage = (entry: EntryJson): OutgoingMessage => ({
  data: Buffer.from(JSON.stringify(entry)),
  attributes: { "logging.googleapis.com/timestamp": String(entry["timestamp"]) },
});

const key = (parent: string, name: string): string => `${parent}/sinks/${name}`;

/** Opens the store. */
export const sinkStore = (context: CloudContext): SinkStore => {
  const { db, settings } = context;
  db.exec(
    `CREATE TABLE IF NOT EXISTS logging_sinks (
       parent TEXT NOT NULL, name TEXT NOT NULL, sink TEXT NOT NULL,
       PRIMARY KEY (parent, name)) WITHOUT ROWID`,
  );
  const row = z.object({
    parent: z.string(),
    sink: z
      .string()
      .transform((text): unknown => JSON.parse(text))
      .pipe(sinkSchema),
  });
  const all = db.prepare("SELECT parent, sink FROM logging_sinks");
  const save = db.prepare(
    "INSERT OR REPLACE INTO logging_sinks (parent, name, sink) VALUES (?, ?, ?)",
  );
  const drop = db.prepare("DELETE FROM logging_sinks WHERE parent = ? AND name = ?");

  // Sinks are few and looked at for every entry: they live in memory, compiled, beside their rows.
  const sinks = new Map<string, { readonly parent: string; sink: Sink; route: Route }>();
  for (const { parent, sink } of z.array(row).parse(all.all())) {
    sinks.set(key(parent, sink.name), { parent, sink, route: compile(sink) });
  }

  const put = (parent: string, sink: Sink): Sink => {
    const route = compile(sink);
    save.run(parent, sink.name, JSON.stringify(sink));
    sinks.set(key(parent, sink.name), { parent, sink, route });
    return sink;
  };
  const get = (parent: string, name: string): Sink => {
    const found = sinks.get(key(parent, name));
    if (found === undefined) {
      throw new RpcError("NOT_FOUND", `Sink ${name} does not exist in ${parent}.`);
    }
    return found.sink;
  };
  const ofParent = (parent: string): readonly Sink[] =>
    [...sinks.values()]
      .filter((held) => held.parent === parent)
      .map(({ sink }) => sink)
      .toSorted((left, right) => (left.name < right.name ? -1 : 1));

  return {
    get,
    create: (parent, draft) => {
      if (!namePattern.test(draft.name)) {
        throw refuse(
          `Invalid sink name "${draft.name}": use up to 100 letters, digits, underscores, dashes and dots.`,
        );
      }
      if (sinks.has(key(parent, draft.name))) {
        throw new RpcError("ALREADY_EXISTS", `Sink ${draft.name} already exists in ${parent}.`);
      }
      if (ofParent(parent).length >= sinksMax) {
        throw new RpcError("RESOURCE_EXHAUSTED", `A project has at most ${sinksMax} sinks.`);
      }
      const nowMs = context.now();
      const writerIdentity = `serviceAccount:service-${settings.projectNumber}@gcp-sa-logging.iam.gserviceaccount.com`;
      return put(parent, { ...draft, writerIdentity, createMs: nowMs, updateMs: nowMs });
    },
    update: (parent, draft) => {
      const { writerIdentity, createMs } = get(parent, draft.name);
      return put(parent, { ...draft, writerIdentity, createMs, updateMs: context.now() });
    },
    list: (parent, after, limit) =>
      ofParent(parent)
        .filter(({ name }) => name > after)
        .slice(0, limit),
    remove: (parent, name) => {
      get(parent, name);
      drop.run(parent, name);
      sinks.delete(key(parent, name));
    },
    topicsFor: (parent, entry) =>
      [...sinks.values()]
        .filter((held) => held.parent === parent && held.sink.disabled !== true)
        .filter(({ route }) => route.isWanted(entry))
        .map(({ route }) => route.topic),
  };
};
