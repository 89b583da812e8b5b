/** What ML Metadata keeps: stores, their artifacts, executions and contexts, and the events between them. */
import type { CloudContext } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";
import { documentTable } from "../documents.js";
import { etagOf } from "../fields.js";
import { timestampOf, type Labels, type ProtoValue, type Timestamp } from "../messages.js";
import { locationName } from "../names.js";
import { storeOf, type Collection } from "./names.js";

/** What a caller says of an artifact, an execution or a context. */
export interface NodeFields {
  readonly displayName?: string;
  readonly description?: string;
  readonly labels?: Labels;
  readonly schemaTitle?: string;
  readonly schemaVersion?: string;
  readonly metadata?: { readonly fields?: Readonly<Record<string, ProtoValue>> };
  /** Of artifacts only. */
  readonly uri?: string;
  /** Of artifacts and executions only. */
  readonly state?: string;
}

/** An artifact, an execution or a context as it is kept. */
export interface StoredNode {
  readonly name: string;
  readonly fields: NodeFields;
  readonly createMs: number;
  readonly updateMs: number;
  readonly revision: number;
  /** Of contexts only: what belongs to it, and the contexts that it belongs to. */
  readonly members: readonly string[];
  readonly parents: readonly string[];
}

/** google.cloud.aiplatform.v1.Event as it is kept. */
export interface StoredEvent {
  readonly execution: string;
  readonly artifact: string;
  readonly type: string;
  readonly labels?: Labels;
  readonly timeMs: number;
}

/** A metadata store as it is kept. */
export interface StoredStore {
  readonly name: string;
  readonly description?: string;
  readonly createMs: number;
  readonly updateMs: number;
}

/** An artifact, an execution or a context as replies show it. */
export const nodeMessage = (node: StoredNode): Readonly<Record<string, unknown>> => ({
  name: node.name,
  ...node.fields,
  ...(node.parents.length === 0 ? {} : { parentContexts: node.parents }),
  etag: etagOf(node.name, node.revision),
  createTime: timestampOf(node.createMs),
  updateTime: timestampOf(node.updateMs),
});

/** An event as replies show it. */
export const eventMessage = ({ timeMs, ...event }: StoredEvent) => ({
  ...event,
  eventTime: timestampOf(timeMs),
});

/** A store as replies show it. */
export const storeMessage = ({
  createMs,
  updateMs,
  ...store
}: StoredStore): {
  readonly name: string;
  readonly description?: string;
  readonly createTime: Timestamp;
  readonly updateTime: Timestamp;
} => ({ ...store, createTime: timestampOf(createMs), updateTime: timestampOf(updateMs) });

/** The tables of ML Metadata. */
export type MetadataTables = ReturnType<typeof metadataTables>;

/** Opens the tables; the store `default` is there from the first start on. */
export const metadataTables = (context: CloudContext) => {
  const stores = documentTable<StoredStore>(context.db, "vertex_metadata_stores");
  const nodes = documentTable<StoredNode>(context.db, "vertex_metadata_nodes");
  const events = documentTable<StoredEvent>(context.db, "vertex_metadata_events");
  const defaultStore = `${locationName(context.settings)}/metadataStores/default`;
  const eventKey = (event: Pick<StoredEvent, "execution" | "artifact">): string =>
    `${event.execution} ${event.artifact}`;

  const together = context.db.transaction((change: () => void) => {
    change();
  });
  if (stores.get(defaultStore) === undefined) {
    const now = context.now();
    stores.put(defaultStore, { name: defaultStore, createMs: now, updateMs: now });
  }

  const nodesOf = (store: string, collection: Collection): readonly StoredNode[] =>
    nodes.list(`${store}/${collection}/`).map(({ document }) => document);
  const eventsOf = (store: string): readonly StoredEvent[] =>
    events.list(`${store}/`).map(({ document }) => document);

  return {
    defaultStore,
    /** Runs changes that belong together. */
    together,
    findStore: stores.get,
    store: (name: string): StoredStore => {
      const found = stores.get(name);
      if (found === undefined) {
        throw new RpcError("NOT_FOUND", `The MetadataStore ${name} does not exist.`);
      }
      return found;
    },
    stores: (): readonly StoredStore[] => stores.list("").map(({ document }) => document),
    putStore: (store: StoredStore): void => {
      stores.put(store.name, store);
    },
    /** Removes a store with everything in it. */
    removeStore: (name: string): void => {
      together(() => {
        for (const { key } of events.list(`${name}/`)) events.remove(key);
        for (const { key } of nodes.list(`${name}/`)) nodes.remove(key);
        stores.remove(name);
      });
    },
    findNode: nodes.get,
    node: (name: string): StoredNode => {
      const found = nodes.get(name);
      if (found === undefined) throw new RpcError("NOT_FOUND", `${name} does not exist.`);
      return found;
    },
    nodesOf,
    putNode: (node: StoredNode): void => {
      nodes.put(node.name, node);
    },
    /** Removes a node, its events, and its place in contexts. */
    removeNode: (name: string): void => {
      together(() => {
        for (const event of eventsOf(storeOf(name))) {
          if (event.artifact === name || event.execution === name) events.remove(eventKey(event));
        }
        for (const one of nodesOf(storeOf(name), "contexts")) {
          if (!one.members.includes(name) && !one.parents.includes(name)) continue;
          nodes.put(one.name, {
            ...one,
            members: one.members.filter((member) => member !== name),
            parents: one.parents.filter((parent) => parent !== name),
          });
        }
        nodes.remove(name);
      });
    },
    eventsOf,
    /** Keeps an event unless there is one between the same two already. */
    addEvent: (event: StoredEvent): void => {
      const key = eventKey(event);
      if (events.get(key) === undefined) events.put(key, event);
    },
  };
};
