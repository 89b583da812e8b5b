/** Lineage: the artifacts and executions that events connect, as the part of the graph that a query asks for. */
import { RpcError } from "../../protocol/service.js";
import { storeOf } from "./names.js";
import { eventMessage, nodeMessage, type MetadataTables, type StoredEvent } from "./store.js";

const sizeMax = 1_000;

/** google.cloud.aiplatform.v1.LineageSubgraph. */
export interface LineageSubgraph {
  readonly artifacts: readonly unknown[];
  readonly executions: readonly unknown[];
  readonly events: readonly unknown[];
}

const subgraph = (
  tables: MetadataTables,
  names: ReadonlySet<string>,
  events: readonly StoredEvent[],
): LineageSubgraph => {
  const found = [...names].map((name) => tables.node(name));
  const of = (collection: string) =>
    found.filter(({ name }) => name.split("/").at(-2) === collection).map(nodeMessage);
  const parts = {
    artifacts: of("artifacts"),
    executions: of("executions"),
    events: events.map(eventMessage),
  };
  for (const [part, list] of Object.entries(parts)) {
    if (list.length > sizeMax) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `The lineage has ${list.length} ${part}, ${sizeMax} at most are returned: ask for fewer hops, or for a smaller context.`,
      );
    }
  }
  return parts;
};

/** What belongs to a context, with the events whose two ends both do. */
export const contextLineage = (tables: MetadataTables, context: string): LineageSubgraph => {
  const members = new Set(tables.node(context).members);
  const inside = tables
    .eventsOf(storeOf(context))
    .filter((event) => members.has(event.artifact) && members.has(event.execution));
  return subgraph(tables, members, inside);
};

/** An execution with its artifacts. */
export const executionLineage = (tables: MetadataTables, execution: string): LineageSubgraph => {
  const { name } = tables.node(execution);
  const events = tables.eventsOf(storeOf(name)).filter((event) => event.execution === name);
  return subgraph(tables, new Set([name, ...events.map(({ artifact }) => artifact)]), events);
};

/** What is reached from an artifact over at most so many events, through artifacts that `accepts` lets in. */
export const artifactLineage = (
  tables: MetadataTables,
  artifact: string,
  hopsMax: number,
  accepts: (artifact: string) => boolean,
): LineageSubgraph => {
  const start = tables.node(artifact).name;
  const edges = tables
    .eventsOf(storeOf(start))
    .filter((event) => event.artifact === start || accepts(event.artifact));
  const byNode = new Map<string, StoredEvent[]>();
  for (const event of edges) {
    for (const end of [event.artifact, event.execution]) {
      byNode.set(end, [...(byNode.get(end) ?? []), event]);
    }
  }
  const reached = new Set([start]);
  const walked = new Set<StoredEvent>();
  let border: readonly string[] = [start];
  for (let hop = 0; hop < hopsMax && border.length > 0; hop += 1) {
    const next: string[] = [];
    for (const event of border.flatMap((name) => byNode.get(name) ?? [])) {
      walked.add(event);
      for (const end of [event.artifact, event.execution]) {
        if (reached.has(end)) continue;
        reached.add(end);
        next.push(end);
      }
    }
    border = next;
  }
  return subgraph(tables, reached, [...walked]);
};
