/** The type of audit payloads, which no RPC reaches: an audit log only ever travels inside an Any. */
import { builtInTypes } from "../protocol/built-in-types.js";
import type { Field, FieldKind, MessageType, RawNode } from "../protocol/descriptors.js";
import type { TypeLookup } from "../protocol/wire.js";

/** The full name of the audit payload's type. */
export const auditLogName = "google.cloud.audit.AuditLog";

const packageName = "google.cloud.audit";
const scalars: ReadonlyMap<string, FieldKind> = new Map([
  ["string", "string"],
  ["bool", "bool"],
  ["int64", "int64"],
]);

const auditPackage = (): RawNode["nested"] => {
  const root: RawNode = builtInTypes;
  return root.nested?.["google"]?.nested?.["cloud"]?.nested?.["audit"]?.nested;
};

const toSnake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Builds it from the built-in descriptors; `lookup` knows the general types it uses. */
export const auditLogType = (lookup: TypeLookup): MessageType => {
  const made = new Map<string, MessageType>();
  const make = (name: string): MessageType => {
    const node = auditPackage()?.[name];
    const known = made.get(name) ?? lookup(name);
    if (known !== undefined) return known;
    if (node?.fields === undefined) throw new Error(`The built-in descriptors lack ${name}`);
    const fields = Object.entries(node.fields).map(([field, { id, type, rule }]): Field => {
      const kind = scalars.get(type) ?? "message";
      return {
        name: field,
        jsonName: field,
        protoName: toSnake(field),
        id,
        kind,
        repeated: rule === "repeated",
        siblings: [],
        hasPresence: kind === "message",
        ...(kind === "message" ? { message: make(type) } : {}),
      };
    });
    const type: MessageType = {
      name: `${packageName}.${name}`,
      fields,
      byId: new Map(fields.map((field) => [field.id, field])),
      byName: new Map(
        fields.flatMap((field) => [
          [field.protoName, field],
          [field.name, field],
        ]),
      ),
    };
    made.set(name, type);
    return type;
  };
  return make("AuditLog");
};
