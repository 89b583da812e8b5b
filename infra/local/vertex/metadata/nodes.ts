/** What artifacts, executions and contexts have in common at the service: they are created, read, listed, changed and deleted. */
import { randomUUID } from "node:crypto";
import type { CloudContext } from "../../cloud.js";
import { maskedFields, patched } from "../../protocol/masks.js";
import { RpcError, type CallContext, type UnaryHandler } from "../../protocol/service.js";
import { checkEtag, checkLabels, etagOf } from "../fields.js";
import { compileFilter, sortBy } from "../jobs/list-filter.js";
import { emptyReply, type FieldMask } from "../messages.js";
import { operationsOf } from "../operations.js";
import { page, type PageRequest } from "../paging.js";
import { nodeField } from "./fields.js";
import { checkId, parseNode, parseStore, storeOf, type Collection } from "./names.js";
import { nodeMessage, type MetadataTables, type NodeFields, type StoredNode } from "./store.js";

interface NodeMessage extends NodeFields {
  readonly name?: string;
  readonly etag?: string;
}

interface NodeRequest extends PageRequest {
  readonly parent?: string;
  readonly name?: string;
  readonly filter?: string;
  readonly orderBy?: string;
  readonly etag?: string;
  readonly allowMissing?: boolean;
  readonly updateMask?: FieldMask;
  readonly artifact?: NodeMessage;
  readonly artifactId?: string;
  readonly context?: NodeMessage;
  readonly contextId?: string;
  readonly execution?: NodeMessage;
  readonly executionId?: string;
}

/** One kind of node. */
interface NodeKind {
  /** `Artifact`, as it stands in the names of methods. */
  readonly kind: string;
  readonly collection: Collection;
  readonly field: "artifact" | "context" | "execution";
  /** Fields of its own, beside those of every kind. */
  readonly own: readonly (keyof NodeFields)[];
}

const kinds: readonly NodeKind[] = [
  { kind: "Artifact", collection: "artifacts", field: "artifact", own: ["uri", "state"] },
  { kind: "Execution", collection: "executions", field: "execution", own: ["state"] },
  { kind: "Context", collection: "contexts", field: "context", own: [] },
];

const changeable: readonly (keyof NodeFields)[] = [
  "displayName",
  "description",
  "labels",
  "metadata",
];
const fixed: readonly (keyof NodeFields)[] = ["schemaTitle", "schemaVersion"];

const pageSizeMax = 1_000;

/** Names in filters may say the project's id where replies say its number. */
export const canonicalFilter = (
  { projectId, projectNumber }: CloudContext["settings"],
  filter: string | undefined,
): string => (filter ?? "").replaceAll(`projects/${projectId}/`, `projects/${projectNumber}/`);

const kindHandlers = (
  context: CloudContext,
  tables: MetadataTables,
  { kind, collection, field, own }: NodeKind,
): Readonly<Record<string, UnaryHandler>> => {
  const { settings } = context;
  const fieldOf = nodeField(tables);
  const changes = [...changeable, ...own];
  const known = [...changes, ...fixed];

  const create = (name: string, given: NodeMessage): StoredNode => {
    checkLabels(given.labels);
    const now = context.now();
    const node: StoredNode = {
      name,
      fields: patched<NodeFields>({}, given, known),
      createMs: now,
      updateMs: now,
      revision: 1,
      members: [],
      parents: [],
    };
    tables.putNode(node);
    return node;
  };

  /** The fields that an update is about: those of the mask, or without one those that are given. */
  const fieldsToChange = (given: NodeMessage, mask: FieldMask | undefined): readonly string[] => {
    const paths = mask?.paths ?? [];
    if (paths.includes("*")) return changes;
    if (paths.length === 0) return changes.filter((one) => given[one] !== undefined);
    const nested = paths.find((path) => path.includes("."));
    if (nested !== undefined) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Field "${nested}" in update_mask cannot be updated by itself: name the whole field.`,
      );
    }
    return maskedFields(mask, changes, kind);
  };

  const startDelete = operationsOf(context).define<{ readonly name: string }>({
    method: `google.cloud.aiplatform.v1.MetadataService.Delete${kind}`,
    metadataType: "DeleteOperationMetadata",
    run: ({ name }) => {
      tables.removeNode(name);
      return Promise.resolve({ response: emptyReply, resourceName: name });
    },
  });

  return {
    [`Create${kind}`]: (request: NodeRequest) => {
      const store = tables.store(parseStore(settings, request.parent)).name;
      const given = request[`${field}Id`] ?? "";
      const name = `${store}/${collection}/${given === "" ? randomUUID() : checkId(`${field}_id`, given)}`;
      if (tables.findNode(name) !== undefined) {
        throw new RpcError("ALREADY_EXISTS", `The ${kind} ${name} already exists.`);
      }
      return nodeMessage(create(name, request[field] ?? {}));
    },
    [`Get${kind}`]: ({ name }: NodeRequest) =>
      nodeMessage(tables.node(parseNode(settings, collection, name))),
    [`List${kind}s`]: (request: NodeRequest) => {
      const store = tables.store(parseStore(settings, request.parent)).name;
      const matches = compileFilter(canonicalFilter(settings, request.filter), fieldOf);
      const order = (request.orderBy ?? "").trim();
      const found = sortBy(
        tables.nodesOf(store, collection).filter(matches),
        order === "" ? "create_time" : order,
        fieldOf,
      );
      const { items, nextPageToken } = page(found, request, pageSizeMax);
      return {
        [collection]: items.map(nodeMessage),
        ...(nextPageToken === undefined ? {} : { nextPageToken }),
      };
    },
    [`Update${kind}`]: (request: NodeRequest) => {
      const given = request[field] ?? {};
      const name = parseNode(settings, collection, given.name);
      const node = tables.findNode(name);
      if (node === undefined && request.allowMissing === true) {
        tables.store(storeOf(name));
        checkId("id", name.slice(name.lastIndexOf("/") + 1));
        return nodeMessage(create(name, given));
      }
      const current = tables.node(name);
      checkEtag(name, current.revision, given.etag);
      const fields = patched(current.fields, given, fieldsToChange(given, request.updateMask));
      checkLabels(fields.labels);
      const changed = {
        ...current,
        fields,
        updateMs: context.now(),
        revision: current.revision + 1,
      };
      tables.putNode(changed);
      return nodeMessage(changed);
    },
    [`Delete${kind}`]: (request: NodeRequest, call: CallContext) => {
      const { name, revision } = tables.node(parseNode(settings, collection, request.name));
      const etag = request.etag ?? "";
      if (etag !== "" && etag !== etagOf(name, revision)) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `The etag of ${name} does not match: it has changed since it was read. Read it again before deleting it.`,
        );
      }
      return startDelete({
        under: name,
        input: { name },
        request: { name },
        principal: call.principal,
        isImmediate: true,
      });
    },
  };
};

/** The handlers of all three kinds. */
export const nodeHandlers = (
  context: CloudContext,
  tables: MetadataTables,
): Readonly<Record<string, UnaryHandler>> =>
  Object.assign({}, ...kinds.map((kind) => kindHandlers(context, tables, kind)));
