/** Protobuf descriptors, read from the JSON that ships inside Google's own packages and cut to what is served. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { HttpBinding, RawMethod, RawNode } from "./descriptor-json.js";
import { builtInTypes, extraBindings } from "./built-in-types.js";

/** A field's scalar type, or what it points at. */
export type FieldKind =
  | "double"
  | "float"
  | "int32"
  | "int64"
  | "uint32"
  | "uint64"
  | "sint32"
  | "sint64"
  | "fixed32"
  | "fixed64"
  | "sfixed32"
  | "sfixed64"
  | "bool"
  | "string"
  | "bytes"
  | "message"
  | "enum";

/** An enum: names and numbers, both ways. */
export interface EnumType {
  readonly name: string;
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
}

/** A field of a message. */
export interface Field {
  /** The name in handlers' messages, as @grpc/proto-loader gives it. */
  readonly name: string;
  readonly jsonName: string;
  readonly protoName: string;
  readonly id: number;
  readonly kind: FieldKind;
  readonly repeated: boolean;
  /** The key's kind when this is a map; `kind` is then the value's. */
  readonly mapKey?: FieldKind;
  readonly message?: MessageType;
  readonly enumType?: EnumType;
  /** The other members of its oneof. */
  readonly siblings: readonly string[];
  /** Whether the field's absence differs from its default value. */
  readonly hasPresence: boolean;
}

/** A message type. */
export interface MessageType {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly byId: ReadonlyMap<number, Field>;
  /** By name, JSON name and proto name alike. */
  readonly byName: ReadonlyMap<string, Field>;
}

/** An RPC. */
export interface Method {
  readonly service: string;
  readonly name: string;
  readonly request: MessageType;
  readonly reply: MessageType;
  readonly isRequestStream: boolean;
  readonly isReplyStream: boolean;
  readonly bindings: readonly HttpBinding[];
}

/** An RPC that is known but not served: enough to answer UNIMPLEMENTED at its address. */
export interface MethodAddress {
  readonly service: string;
  readonly name: string;
  readonly bindings: readonly HttpBinding[];
}

/** What has been loaded. */
export interface Registry {
  /** A message type by its full name, once a loaded service reaches it or `load` asked for it. */
  readonly type: (name: string) => MessageType | undefined;
  readonly methods: readonly Method[];
  readonly addresses: readonly MethodAddress[];
}

interface Source {
  /** Packages of protobuf that the file describes. */
  readonly packages: readonly string[];
  /** The npm packages that lead to the file, outermost first (a dependency's dependency may not be hoisted). */
  readonly npm: readonly string[];
  readonly file: string;
}

const sources: readonly Source[] = [
  {
    packages: ["google.pubsub.v1"],
    npm: ["@google-cloud/pubsub"],
    file: "build/protos/protos.json",
  },
  {
    packages: ["google.cloud.scheduler.v1"],
    npm: ["@google-cloud/scheduler"],
    file: "build/protos/protos.json",
  },
  {
    packages: ["google.monitoring.v3"],
    npm: ["@google-cloud/monitoring"],
    file: "build/protos/protos.json",
  },
  {
    packages: ["google.logging.v2"],
    npm: ["@google-cloud/logging", "@google-cloud/logging-api"],
    file: "build/protos/protos.json",
  },
  {
    packages: ["google.cloud.aiplatform.v1", "google.cloud.aiplatform.v1beta1"],
    npm: ["@google-cloud/aiplatform"],
    file: "build/protos/protos.json",
  },
  {
    packages: ["google.firestore.v1"],
    npm: ["firebase-admin", "@google-cloud/firestore"],
    file: "build/protos/v1.json",
  },
  {
    packages: ["google.firestore.admin.v1"],
    npm: ["firebase-admin", "@google-cloud/firestore"],
    file: "build/protos/admin_v1.json",
  },
  {
    packages: ["google.longrunning"],
    npm: ["google-gax"],
    file: "build/protos/operations.json",
  },
  { packages: ["google.iam.v1"], npm: ["google-gax"], file: "build/protos/iam_service.json" },
  {
    packages: ["google.cloud.location"],
    npm: ["google-gax"],
    file: "build/protos/locations.json",
  },
];

const packageOf = (name: string): string => name.slice(0, name.lastIndexOf("."));

function readSource(source: Source): RawNode {
  let require = createRequire(import.meta.url);
  let folder = "";
  for (const name of source.npm) {
    // Packages hide package.json behind `exports`; their main module is always reachable.
    const main = require.resolve(name);
    folder =
      main.slice(0, main.lastIndexOf(join("node_modules", name))) + join("node_modules", name);
    require = createRequire(join(folder, "index.js"));
  }
  return JSON.parse(readFileSync(join(folder, source.file), "utf8")) as RawNode;
}

const scalars = new Set<string>([
  "double",
  "float",
  "int32",
  "int64",
  "uint32",
  "uint64",
  "sint32",
  "sint64",
  "fixed32",
  "fixed64",
  "sfixed32",
  "sfixed64",
  "bool",
  "string",
  "bytes",
]);
const isScalar = (type: string): type is FieldKind => scalars.has(type);

function find(root: RawNode, path: string): RawNode | undefined {
  let node: RawNode | undefined = root;
  for (const part of path.split(".")) {
    node = node?.nested?.[part];
  }
  return node;
}

/** Protobuf's scoping: the innermost enclosing scope that knows the name wins. */
function resolveName(
  roots: readonly RawNode[],
  scope: string,
  type: string,
): { readonly name: string; readonly node: RawNode } {
  const wanted = type.startsWith(".") ? type.slice(1) : type;
  let prefix = type.startsWith(".") ? "" : scope;
  for (;;) {
    const name = prefix === "" ? wanted : `${prefix}.${wanted}`;
    for (const root of roots) {
      const node = find(root, name);
      if (node !== undefined && (node.fields !== undefined || node.values !== undefined)) {
        return { name, node };
      }
    }
    if (prefix === "") {
      throw new Error(`The descriptors name a type that they do not contain: ${type} in ${scope}`);
    }
    prefix = prefix.includes(".") ? packageOf(prefix) : "";
  }
}

const toSnake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const toJsonName = (name: string): string =>
  name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

interface Loader {
  readonly types: Map<string, MessageType>;
  readonly enums: Map<string, EnumType>;
}

function enumOf(loader: Loader, name: string, values: Readonly<Record<string, number>>): EnumType {
  const known = loader.enums.get(name);
  if (known !== undefined) return known;
  const numbers = new Map(Object.entries(values));
  const names = new Map<number, string>();
  // With aliases the first name of a number is its canonical one.
  for (const [key, number] of numbers) if (!names.has(number)) names.set(number, key);
  const made = { name, numbers, names };
  loader.enums.set(name, made);
  return made;
}

/** Makes a message type and everything that it reaches. */
function messageOf(
  loader: Loader,
  roots: readonly RawNode[],
  scope: string,
  typeName: string,
): MessageType {
  const first = resolveName(roots, scope, typeName);
  const known = loader.types.get(first.name);
  if (known !== undefined) return known;
  const pending: (() => void)[] = [];

  const make = (name: string, node: RawNode): MessageType => {
    const existing = loader.types.get(name);
    if (existing !== undefined) return existing;
    const fields: Field[] = [];
    const byId = new Map<number, Field>();
    const byName = new Map<string, Field>();
    const made: MessageType = { name, fields, byId, byName };
    loader.types.set(name, made);
    // Later, not now: types refer to each other in circles and in long chains.
    pending.push(() => {
      const oneofs = Object.values(node.oneofs ?? {}).map((entry) => entry.oneof);
      for (const [fieldName, raw] of Object.entries(node.fields ?? {})) {
        const oneof = oneofs.find((members) => members.includes(fieldName));
        const target = isScalar(raw.type) ? undefined : resolveName(roots, name, raw.type);
        const kind: FieldKind = isScalar(raw.type)
          ? raw.type
          : target?.node.values === undefined
            ? "message"
            : "enum";
        const repeated = raw.rule === "repeated";
        const field: Field = {
          name: fieldName,
          jsonName: toJsonName(fieldName),
          protoName: toSnake(fieldName),
          id: raw.id,
          kind,
          repeated,
          siblings: oneof?.filter((member) => member !== fieldName) ?? [],
          hasPresence: kind === "message" || oneof !== undefined,
          ...(raw.keyType !== undefined && isScalar(raw.keyType) ? { mapKey: raw.keyType } : {}),
          ...(target !== undefined && kind === "message"
            ? { message: make(target.name, target.node) }
            : {}),
          ...(target?.node.values === undefined
            ? {}
            : { enumType: enumOf(loader, target.name, target.node.values) }),
        };
        fields.push(field);
        byId.set(field.id, field);
        for (const alias of [field.protoName, field.jsonName, field.name]) byName.set(alias, field);
      }
    });
    return made;
  };

  const made = make(first.name, first.node);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) next();
  return made;
}

/** A message type of a descriptor that was made here, with everything that it reaches. */
export const messageTypeOf = (root: RawNode, name: string): MessageType =>
  messageOf({ types: new Map(), enums: new Map() }, [root], "", `.${name}`);

type RawRule = Readonly<Record<string, unknown>>;

function bindingsOf(service: string, name: string, method: RawMethod): readonly HttpBinding[] {
  const rules: RawRule[] = [];
  for (const options of method.parsedOptions ?? []) {
    const rule = options["(google.api.http)"] as RawRule | undefined;
    if (rule === undefined) continue;
    const more = (rule["additional_bindings"] ?? []) as RawRule | readonly RawRule[];
    rules.push(rule, ...(Array.isArray(more) ? (more as readonly RawRule[]) : [more as RawRule]));
  }
  const found = rules.flatMap((rule): HttpBinding[] => {
    const verb = ["get", "put", "post", "delete", "patch"].find((key) => key in rule);
    if (verb === undefined) return [];
    const body = rule["body"];
    return [
      {
        verb: verb.toUpperCase(),
        template: String(rule[verb]),
        ...(typeof body === "string" ? { body } : {}),
      },
    ];
  });
  return [...found, ...(extraBindings[`${service}.${name}`] ?? [])];
}

function servicesIn(node: RawNode, prefix: string): readonly [string, RawNode][] {
  return Object.entries(node.nested ?? {}).flatMap(([key, child]): [string, RawNode][] => {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    return [
      ...(child.methods === undefined ? [] : [[name, child] satisfies [string, RawNode]]),
      ...servicesIn(child, name),
    ];
  });
}

/**
 * Loads the named services, and the types named in `extraTypes` (`package.Message`, for what only travels inside
 * an Any). A whole package's descriptors are parsed once and dropped; only what the services reach is kept.
 */
export function loadServices(
  services: readonly string[],
  extraTypes: readonly string[] = [],
): Registry {
  const loader: Loader = { types: new Map(), enums: new Map() };
  const methods: Method[] = [];
  const addresses: MethodAddress[] = [];
  const builtIn: RawNode = builtInTypes;
  const loadBuiltIns = (node: RawNode, prefix: string): void => {
    for (const [key, child] of Object.entries(node.nested ?? {})) {
      const name = `${prefix}.${key}`;
      if (child.fields !== undefined) messageOf(loader, [builtIn], "", name);
      loadBuiltIns(child, name);
    }
  };
  loadBuiltIns(builtIn, "");
  const wanted = new Set(services);
  const served = new Set<string>();
  for (const source of sources) {
    const isOurs = (name: string): boolean =>
      source.packages.some((known) => name.startsWith(`${known}.`));
    const mine = services.filter((name) => isOurs(name));
    const myTypes = extraTypes.filter((name) => isOurs(name));
    if (mine.length === 0 && myTypes.length === 0) continue;
    const root = readSource(source);
    const roots = [builtIn, root];
    for (const name of myTypes) messageOf(loader, roots, "", `.${name}`);
    for (const [service, node] of servicesIn(root, "")) {
      // A shipped file also repeats services that others own, such as google.longrunning.Operations.
      if (!isOurs(service)) continue;
      const isServed = wanted.has(service);
      if (isServed) served.add(service);
      for (const [name, method] of Object.entries(node.methods ?? {})) {
        const bindings = bindingsOf(service, name, method);
        if (!isServed) {
          addresses.push({ service, name, bindings });
          continue;
        }
        methods.push({
          service,
          name,
          request: messageOf(loader, roots, packageOf(service), method.requestType),
          reply: messageOf(loader, roots, packageOf(service), method.responseType),
          isRequestStream: method.requestStream === true,
          isReplyStream: method.responseStream === true,
          bindings,
        });
      }
    }
  }
  const missing = services.filter((name) => !served.has(name));
  if (missing.length > 0) {
    throw new Error(`No shipped descriptor describes the service ${missing.join(", ")}`);
  }
  return { type: (name) => loader.types.get(name), methods, addresses };
}

/** The folder of this module, for tests that compare with the shipped files. */
export const protocolFolder = dirname(new URL(import.meta.url).pathname);
