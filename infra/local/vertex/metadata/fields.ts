/** What list filters of ML Metadata may name. */
import type { FieldsOf, FieldValue } from "../jobs/list-filter.js";
import { storeOf } from "./names.js";
import type { MetadataTables, StoredNode } from "./store.js";

const typedField = /^metadata\.(.+)\.(string|number|bool)_value$/s;

const metadataField = (node: StoredNode, key: string, type: string): FieldValue => {
  const value = node.fields.metadata?.fields?.[key];
  if (type === "number") {
    return value?.numberValue === undefined ? undefined : { number: value.numberValue };
  }
  if (type === "string") return value?.stringValue;
  return value?.boolValue === undefined ? undefined : String(value.boolValue);
};

/** Reads a node's field for a filter; null for one that its kind does not have. */
export const nodeField =
  (tables: MetadataTables): FieldsOf<StoredNode> =>
  (node, field) => {
    const collection = node.name.split("/").at(-2);
    const typed = typedField.exec(field);
    if (typed !== null) return metadataField(node, typed[1] ?? "", typed[2] ?? "");
    switch (field) {
      case "name":
        return node.name;
      case "display_name":
        return node.fields.displayName;
      case "schema_title":
        return node.fields.schemaTitle;
      case "create_time":
        return { ms: node.createMs };
      case "update_time":
        return { ms: node.updateMs };
      case "uri":
        return collection === "artifacts" ? node.fields.uri : null;
      case "state":
        return collection === "contexts" ? null : node.fields.state;
      case "in_context":
        return collection === "contexts"
          ? null
          : tables
              .nodesOf(storeOf(node.name), "contexts")
              .filter(({ members }) => members.includes(node.name))
              .map(({ name }) => name);
      case "parent_contexts":
        return collection === "contexts" ? node.parents : null;
      case "child_contexts":
        return collection === "contexts"
          ? tables
              .nodesOf(storeOf(node.name), "contexts")
              .filter(({ parents }) => parents.includes(node.name))
              .map(({ name }) => name)
          : null;
      default:
        return null;
    }
  };
