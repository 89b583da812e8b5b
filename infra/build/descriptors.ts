/** Protocol descriptors cut down to what a client sends and reads. */
import { z } from "zod";

/** protobuf.js's JSON form: a namespace, a message, an enum or a service, each with what lies in it. */
interface Descriptor {
  readonly nested?: Readonly<Record<string, Descriptor>> | undefined;
  readonly methods?: Readonly<Record<string, Method>> | undefined;
  readonly fields?: Readonly<Record<string, Field>> | undefined;
  readonly [other: string]: unknown;
}

interface Method {
  readonly requestType: string;
  readonly responseType: string;
  readonly [other: string]: unknown;
}

interface Field {
  readonly type: string;
  readonly [other: string]: unknown;
}

const method = z.looseObject({ requestType: z.string(), responseType: z.string() });
const field = z.looseObject({ type: z.string() });
const descriptor: z.ZodType<Descriptor> = z.looseObject({
  get nested() {
    return z.record(z.string(), descriptor).optional();
  },
  methods: z.record(z.string(), method).optional(),
  fields: z.record(z.string(), field).optional(),
});

/** Annotations of REST routes and documentation; packed encoding and the like must stay. */
const withoutAnnotations = (options: unknown): Readonly<Record<string, unknown>> => {
  const known = z.record(z.string(), z.unknown()).catch({}).parse(options);
  const kept = Object.entries(known).filter(([name]) => !name.startsWith("("));
  return kept.length === 0 ? {} : { options: Object.fromEntries(kept) };
};

/** Everything by its full name. */
const byName = (root: Descriptor, prefix = ""): ReadonlyMap<string, Descriptor> => {
  const found = new Map<string, Descriptor>();
  for (const [name, inner] of Object.entries(root.nested ?? {})) {
    const full = prefix === "" ? name : `${prefix}.${name}`;
    found.set(full, inner);
    for (const [deeper, value] of byName(inner, full)) found.set(deeper, value);
  }
  return found;
};

/** Full name of a type as protobuf looks names up: from the innermost scope outwards. */
const resolve = (all: ReadonlyMap<string, Descriptor>, scope: string, type: string) => {
  if (type.startsWith(".")) return type.slice(1);
  const parts = scope.split(".");
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const name = [...parts.slice(0, depth), type].join(".");
    if (all.has(name)) return name;
  }
  return null;
};

const typesOf = (
  all: ReadonlyMap<string, Descriptor>,
  name: string,
  { methods = {}, fields = {} }: Descriptor,
): readonly string[] =>
  [
    ...Object.values(methods).flatMap(({ requestType, responseType }) => [
      requestType,
      responseType,
    ]),
    ...Object.values(fields).map(({ type }) => type),
  ].flatMap((type) => resolve(all, name, type) ?? []);

/** Every name that a service needs, and those that it lies in. */
const namesFor = (all: ReadonlyMap<string, Descriptor>, service: string): ReadonlySet<string> => {
  const wanted = new Set<string>();
  const open = [service];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const found = all.get(name);
    if (found === undefined || wanted.has(name)) continue;
    wanted.add(name);
    open.push(...typesOf(all, name, found));
  }
  const enclosing = [...wanted].flatMap((name) => {
    const parts = name.split(".");
    return parts.map((_, index) => parts.slice(0, index).join("."));
  });
  return new Set([...wanted, ...enclosing]);
};

const bare = <Value extends { readonly [other: string]: unknown }>(value: Value) => {
  const { options, comment: _comment, parsedOptions: _parsed, ...rest } = value;
  return { ...rest, ...withoutAnnotations(options) };
};

const all = <Value extends { readonly [other: string]: unknown }>(
  values: Readonly<Record<string, Value>>,
) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, bare(value)]));

const cut = (value: Descriptor, name: string, wanted: ReadonlySet<string>): unknown => {
  const { nested, methods, fields, ...rest } = value;
  const inner = Object.entries(nested ?? {}).flatMap(([part, deeper]) => {
    const full = name === "" ? part : `${name}.${part}`;
    return wanted.has(full) ? [[part, cut(deeper, full, wanted)] as const] : [];
  });
  return {
    ...bare(rest),
    ...(methods === undefined ? {} : { methods: all(methods) }),
    ...(fields === undefined ? {} : { fields: all(fields) }),
    ...(inner.length === 0 ? {} : { nested: Object.fromEntries(inner) }),
  };
};

/** The same with some methods of one service only; `path` leads to the service. */
const withMethods = (
  value: Descriptor,
  [part, ...rest]: readonly string[],
  methods: readonly string[],
): Descriptor => {
  if (part !== undefined) {
    const inner = withMethods(value.nested?.[part] ?? {}, rest, methods);
    return { ...value, nested: { ...value.nested, [part]: inner } };
  }
  const found = methods.flatMap((name) => {
    const known = value.methods?.[name];
    return known === undefined ? [] : [[name, known] as const];
  });
  return { ...value, methods: Object.fromEntries(found) };
};

/** One service with its messages and without annotations, of its methods only those wanted; throws for one that is not there. */
export const pruneDescriptors = (
  text: string,
  service: string,
  methods: readonly string[],
): string => {
  const root = withMethods(descriptor.parse(JSON.parse(text)), service.split("."), methods);
  const known = byName(root);
  const missing = methods.filter((name) => known.get(service)?.methods?.[name] === undefined);
  if (missing.length > 0) {
    throw new Error(`no method ${missing.join(", ")} of ${service} among these descriptors`);
  }
  return JSON.stringify(cut(root, "", namesFor(known, service)));
};
