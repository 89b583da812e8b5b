/** Addresses of RPCs: google.api.http path templates, compiled and searched. */
import type { HttpBinding } from "./descriptor-json.js";

/** What an address leads to. */
export interface Match<Target> {
  readonly target: Target;
  readonly binding: HttpBinding;
  /** Request fields given in the path, by dotted field path. */
  readonly variables: readonly (readonly [string, string])[];
}

interface Route<Target> {
  readonly target: Target;
  readonly binding: HttpBinding;
  readonly customVerb: string;
  readonly rank: number;
  compiled?: { readonly pattern: RegExp; readonly variables: readonly string[] };
}

/** Finds the RPC at an address. */
export interface Router<Target> {
  readonly match: (verb: string, pathname: string) => Match<Target> | undefined;
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/**
 * `**` stands for any number of segments, none included. Below Firestore's `documents` what it completes is a document,
 * whose path alternates collections and ids: that alone tells GET of a document from GET of a collection.
 */
const segmentsPattern = (template: string): string =>
  template
    .replace("documents/*/**", "documents/<document>")
    .replace("documents/**", "documents<pairs>")
    .split("/")
    .map((segment) => {
      if (segment === "*") return "[^/]+";
      if (segment === "**") return "<rest>";
      if (segment === "<document>") return "[^/]+/[^/]+(?:/[^/]+/[^/]+)*";
      if (segment === "documents<pairs>") return "documents(?:/[^/]+/[^/]+)*";
      return escape(segment);
    })
    .join("/")
    .replace("/<rest>", "(?:/.*)?")
    .replace("<rest>", ".*");

const customVerbOf = (template: string): string =>
  /:([A-Za-z]+)$/.exec(template.slice(template.lastIndexOf("}") + 1))?.[1] ?? "";

function compile(template: string): {
  readonly pattern: RegExp;
  readonly variables: readonly string[];
} {
  const variables: string[] = [];
  let pattern = "";
  let rest = template;
  for (;;) {
    const open = rest.indexOf("{");
    if (open === -1) break;
    const close = rest.indexOf("}", open);
    const [name = "", inner = "*"] = rest.slice(open + 1, close).split("=");
    variables.push(name);
    pattern += `${segmentsPattern(rest.slice(0, open))}(${segmentsPattern(inner)})`;
    rest = rest.slice(close + 1);
  }
  return { pattern: new RegExp(`^${pattern}${segmentsPattern(rest)}$`), variables };
}

/** Literal parts first, open-ended ones last: `/v1/{name=projects/*}` must not hide `/v1/{name=projects/*}:verb`. */
function rankOf(template: string): number {
  const parts = template.replace(/\{[^=}]+=|[{}]/g, "").split("/");
  const literal = parts.filter((part) => part !== "" && !part.includes("*")).length;
  return (
    (customVerbOf(template) === "" ? 0 : 1000) - (template.includes("**") ? 500 : 0) + literal * 10
  );
}

const keyOf = (verb: string, pathname: string): string =>
  `${verb} ${pathname.split("/", 2)[1] ?? ""}`;

/** Makes a router; patterns are compiled when an address first needs them. */
export function makeRouter<Target>(
  entries: readonly { readonly target: Target; readonly bindings: readonly HttpBinding[] }[],
): Router<Target> {
  const buckets = new Map<string, Route<Target>[]>();
  for (const { target, bindings } of entries) {
    for (const binding of bindings) {
      const key = keyOf(binding.verb, binding.template);
      const bucket = buckets.get(key) ?? [];
      bucket.push({
        target,
        binding,
        customVerb: customVerbOf(binding.template),
        rank: rankOf(binding.template),
      });
      buckets.set(key, bucket);
    }
  }
  for (const bucket of buckets.values()) bucket.sort((a, b) => b.rank - a.rank);
  return {
    match: (verb, pathname) => {
      const bucket = buckets.get(keyOf(verb, pathname));
      for (const route of bucket ?? []) {
        if (route.customVerb !== "" && !pathname.endsWith(`:${route.customVerb}`)) continue;
        route.compiled ??= compile(route.binding.template);
        const found = route.compiled.pattern.exec(pathname);
        if (found === null) continue;
        return {
          target: route.target,
          binding: route.binding,
          variables: route.compiled.variables.map((name, index): readonly [string, string] => [
            name,
            decodeURIComponent(found[index + 1] ?? ""),
          ]),
        };
      }
      return undefined;
    },
  };
}
