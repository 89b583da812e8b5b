/** google.cloud.aiplatform.v1.MetadataService; purges and metadata schemas answer UNIMPLEMENTED. */
import { randomUUID } from "node:crypto";
import type { CloudContext } from "../../cloud.js";
import { RpcError, type CallContext, type ServiceImplementation } from "../../protocol/service.js";
import { checkLabels } from "../fields.js";
import { compileFilter } from "../jobs/list-filter.js";
import { emptyReply, typeUrl, type Labels } from "../messages.js";
import { parseParent } from "../names.js";
import { operationsOf } from "../operations.js";
import { page, type PageRequest } from "../paging.js";
import { nodeField } from "./fields.js";
import { artifactLineage, contextLineage, executionLineage } from "./lineage.js";
import { checkId, parseNode, parseStore, storeOf, type Collection } from "./names.js";
import { canonicalFilter, nodeHandlers } from "./nodes.js";
import { storeMessage, type MetadataTables, type StoredNode } from "./store.js";

interface Named {
  readonly name?: string;
}

interface CreateStoreRequest {
  readonly parent?: string;
  readonly metadataStore?: { readonly description?: string };
  readonly metadataStoreId?: string;
}

interface ContextRequest {
  readonly context?: string;
  readonly artifacts?: readonly string[];
  readonly executions?: readonly string[];
  readonly childContexts?: readonly string[];
}

interface EventsRequest {
  readonly execution?: string;
  readonly events?: readonly {
    readonly artifact?: string;
    readonly type?: string;
    readonly labels?: Labels;
  }[];
}

interface ArtifactLineageRequest {
  readonly artifact?: string;
  readonly maxHops?: number;
  readonly filter?: string;
}

const service = "google.cloud.aiplatform.v1.MetadataService";
const pageSizeMax = 1_000;
const parentsMax = 10;

const ancestorsOf = (tables: MetadataTables, context: StoredNode): ReadonlySet<string> => {
  const seen = new Set<string>();
  const pending = [context];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next.name)) continue;
    seen.add(next.name);
    pending.push(...next.parents.map((name) => tables.node(name)));
  }
  return seen;
};

/** Makes the service over its tables. */
export const metadataService = (
  context: CloudContext,
  tables: MetadataTables,
): ServiceImplementation => {
  const { settings } = context;
  const operations = operationsOf(context);

  /** Named nodes, which must exist, in the store of the one that they are to be tied to. */
  const nodesIn = (
    store: string,
    collection: Collection,
    names: readonly string[] = [],
  ): readonly StoredNode[] =>
    names.map((given) => {
      const node = tables.node(parseNode(settings, collection, given));
      if (storeOf(node.name) !== store) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          `${node.name} is in another metadata store than ${store}: both ends must be in one.`,
        );
      }
      return node;
    });
  const contextOf = (given: string | undefined): StoredNode =>
    tables.node(parseNode(settings, "contexts", given));
  const change = (node: StoredNode, part: Partial<StoredNode>): void => {
    tables.putNode({
      ...node,
      ...part,
      updateMs: context.now(),
      revision: node.revision + 1,
    });
  };

  const startCreateStore = operations.define<{
    readonly name: string;
    readonly description?: string;
  }>({
    method: `${service}.CreateMetadataStore`,
    metadataType: "CreateMetadataStoreOperationMetadata",
    run: (input) => {
      const now = context.now();
      const store = tables.findStore(input.name) ?? { ...input, createMs: now, updateMs: now };
      tables.putStore(store);
      const response = { "@type": typeUrl("MetadataStore"), ...storeMessage(store) };
      return Promise.resolve({ response, resourceName: store.name });
    },
  });
  const startDeleteStore = operations.define<{ readonly name: string }>({
    method: `${service}.DeleteMetadataStore`,
    metadataType: "DeleteMetadataStoreOperationMetadata",
    run: ({ name }) => {
      tables.removeStore(name);
      return Promise.resolve({ response: emptyReply, resourceName: name });
    },
  });

  return {
    service,
    types: ["CreateMetadataStoreOperationMetadata", "DeleteMetadataStoreOperationMetadata"].map(
      (name) => `google.cloud.aiplatform.v1.${name}`,
    ),
    unary: {
      ...nodeHandlers(context, tables),

      CreateMetadataStore: (request: CreateStoreRequest, call: CallContext) => {
        const parent = parseParent(settings, request.parent);
        const given = request.metadataStoreId ?? "";
        const id = given === "" ? randomUUID() : checkId("metadata_store_id", given);
        const name = `${parent}/metadataStores/${id}`;
        if (tables.findStore(name) !== undefined) {
          throw new RpcError("ALREADY_EXISTS", `The MetadataStore ${name} already exists.`);
        }
        const description = request.metadataStore?.description;
        return startCreateStore({
          under: name,
          input: { name, ...(description === undefined ? {} : { description }) },
          request,
          principal: call.principal,
          auditResource: parent,
        });
      },
      GetMetadataStore: ({ name }: Named) => storeMessage(tables.store(parseStore(settings, name))),
      ListMetadataStores: (request: PageRequest & { readonly parent?: string }) => {
        parseParent(settings, request.parent);
        const { items, nextPageToken } = page(tables.stores(), request, pageSizeMax);
        return {
          metadataStores: items.map(storeMessage),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
      },
      DeleteMetadataStore: (request: Named, call: CallContext) => {
        const { name } = tables.store(parseStore(settings, request.name));
        if (name === tables.defaultStore) {
          throw new RpcError(
            "FAILED_PRECONDITION",
            `The MetadataStore ${name} is always there: delete what is in it instead.`,
          );
        }
        return startDeleteStore({
          under: name,
          input: { name },
          request,
          principal: call.principal,
        });
      },

      AddContextArtifactsAndExecutions: (request: ContextRequest) => {
        const found = contextOf(request.context);
        const store = storeOf(found.name);
        const added = [
          ...nodesIn(store, "artifacts", request.artifacts),
          ...nodesIn(store, "executions", request.executions),
        ];
        const members = [...new Set([...found.members, ...added.map(({ name }) => name)])];
        if (members.length > found.members.length) change(found, { members });
        return {};
      },
      AddContextChildren: (request: ContextRequest) => {
        const parent = contextOf(request.context);
        const ancestors = ancestorsOf(tables, parent);
        const children = nodesIn(storeOf(parent.name), "contexts", request.childContexts);
        tables.together(() => {
          for (const child of children) {
            if (ancestors.has(child.name)) {
              throw new RpcError(
                "INVALID_ARGUMENT",
                `${child.name} cannot be a child of ${parent.name}: the contexts would form a cycle.`,
              );
            }
            if (child.parents.includes(parent.name)) continue;
            if (child.parents.length >= parentsMax) {
              throw new RpcError(
                "INVALID_ARGUMENT",
                `${child.name} has ${parentsMax} parents already, the most that there may be.`,
              );
            }
            change(child, { parents: [...child.parents, parent.name] });
          }
        });
        return {};
      },
      RemoveContextChildren: (request: ContextRequest) => {
        const parent = contextOf(request.context);
        const children = nodesIn(storeOf(parent.name), "contexts", request.childContexts);
        tables.together(() => {
          for (const child of children) {
            if (!child.parents.includes(parent.name)) continue;
            change(child, { parents: child.parents.filter((name) => name !== parent.name) });
          }
        });
        return {};
      },
      AddExecutionEvents: (request: EventsRequest) => {
        const execution = tables.node(parseNode(settings, "executions", request.execution)).name;
        const events = (request.events ?? []).map(({ artifact = "", type, labels }) => {
          const [node] = nodesIn(storeOf(execution), "artifacts", [artifact]);
          if (type !== "INPUT" && type !== "OUTPUT") {
            throw new RpcError("INVALID_ARGUMENT", "events.type is required: INPUT or OUTPUT.");
          }
          checkLabels(labels);
          const timeMs = context.now();
          const event = { execution, artifact: node?.name ?? "", type, timeMs };
          return { ...event, ...(labels === undefined ? {} : { labels }) };
        });
        tables.together(() => {
          for (const event of events) tables.addEvent(event);
        });
        return {};
      },

      QueryContextLineageSubgraph: (request: ContextRequest) =>
        contextLineage(tables, parseNode(settings, "contexts", request.context)),
      QueryExecutionInputsAndOutputs: (request: EventsRequest) =>
        executionLineage(tables, parseNode(settings, "executions", request.execution)),
      QueryArtifactLineageSubgraph: (request: ArtifactLineageRequest) => {
        const artifact = parseNode(settings, "artifacts", request.artifact);
        const { maxHops = Number.POSITIVE_INFINITY } = request;
        if (maxHops < 0) {
          throw new RpcError("INVALID_ARGUMENT", `max_hops is ${maxHops}: it cannot be negative.`);
        }
        const matches = compileFilter(canonicalFilter(settings, request.filter), nodeField(tables));
        return artifactLineage(tables, artifact, maxHops, (name) => matches(tables.node(name)));
      },
    },
  };
};
