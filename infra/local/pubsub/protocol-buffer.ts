/** Schemas that are protocol buffers: one message type, without imports. */
import type { RawNode } from "../protocol/descriptor-json.js";
import { messageTypeOf, type Field, type MessageType } from "../protocol/descriptors.js";
import { fromJson } from "../protocol/json.js";
import { decodeMessage } from "../protocol/wire.js";

/** Nothing is looked up: a schema imports no other. */
const noTypes = (): undefined => undefined;

/** Parses a definition; what is wrong is thrown as an Error. The parser is loaded with the first schema. */
export async function parseProtocolBuffer(definition: string): Promise<MessageType> {
  const { protobuf } = await import("google-gax");
  const parsed = protobuf.parse(definition, new protobuf.Root(), { keepCase: true });
  const [imported] = [...(parsed.imports ?? []), ...(parsed.weakImports ?? [])];
  if (imported !== undefined) throw new Error(`it imports ${imported}: imports are not supported`);
  const names: string[] = [];
  const walk = (node: RawNode, prefix: string): void => {
    for (const [key, child] of Object.entries(node.nested ?? {})) {
      const name = prefix === "" ? key : `${prefix}.${key}`;
      const isType =
        child.fields !== undefined || child.values !== undefined || child.methods !== undefined;
      if (isType) names.push(name);
      else walk(child, name);
    }
  };
  const root: RawNode = parsed.root.toJSON() as RawNode;
  walk(root, "");
  const [name, second] = names;
  if (name === undefined) throw new Error("it defines no message type");
  if (second !== undefined) {
    throw new Error(`it defines ${name} and ${second} beside each other: define one type`);
  }
  const type = messageTypeOf(root, name);
  return type;
}

/** Checks a message; throws an Error that says where it differs from the schema. */
export const checkProtocolBuffer = {
  JSON: (type: MessageType, data: Buffer): void => {
    fromJson(type, JSON.parse(data.toString("utf8")), noTypes);
  },
  BINARY: (type: MessageType, data: Buffer): void => {
    decodeMessage(type, data, noTypes);
  },
} as const;

const isSingular = (field: Field): boolean => !field.repeated && field.mapKey === undefined;

const shape = (field: Field): string =>
  [
    field.protoName,
    field.kind,
    field.mapKey ?? "",
    String(field.repeated),
    field.message?.name ?? field.enumType?.name ?? "",
  ].join(" ");

/** Why one revision cannot follow another: fields may come and go where they are optional, and never change. */
export function changedFields(next: MessageType, last: MessageType): string | undefined {
  const seen = new Set<string>();
  const check = (to: MessageType, by: MessageType): string | undefined => {
    if (seen.has(to.name)) return undefined;
    seen.add(to.name);
    const numbers = new Set([...to.byId.keys(), ...by.byId.keys()]);
    for (const number of numbers) {
      const now = to.byId.get(number);
      const before = by.byId.get(number);
      const only = now ?? before;
      if (now !== undefined && before !== undefined) {
        if (shape(now) !== shape(before)) return `${to.name}.${before.protoName} cannot be edited`;
        const reason =
          now.message !== undefined && before.message !== undefined
            ? check(now.message, before.message)
            : undefined;
        if (reason !== undefined) return reason;
      } else if (only !== undefined && !isSingular(only)) {
        return `${to.name}.${only.protoName} cannot be added or removed: it is not optional`;
      }
    }
    return undefined;
  };
  return next.name === last.name
    ? check(next, last)
    : `the message is named ${next.name}, and was ${last.name}`;
}
