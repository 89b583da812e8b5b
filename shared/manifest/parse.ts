/** From YAML or JSON text to a manifest, or to problems that name their line. */
import { isMap, isPair, isScalar, LineCounter, parseAllDocuments } from "yaml";
import type { Document } from "yaml";
import { z } from "zod";
import { breaches } from "./check.js";
import { fieldNames } from "./json-schema.js";
import { nearest } from "./nearest.js";
import { manifestSchema } from "./schema.js";
import type { Manifest } from "./schema.js";

/** Largest manifest file that is read. */
const manifestBytesMax = 256 * 1024;

/** One thing that is wrong with a manifest, and where. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** For example `rollout.steps[2]`; empty for the file itself. */
  readonly path: string;
  readonly message: string;
}

/** A manifest that can be applied, or all that is wrong with it. */
export type ParsedManifest =
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly problems: readonly Problem[] };

type Path = readonly PropertyKey[];
type Offset = (path: Path, at: "key" | "value") => number;

const pathText = (path: Path): string =>
  path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");

const pairAt = (document: Document.Parsed, path: Path) => {
  const parent: unknown =
    path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return null;
  const found = parent.items.find(
    (item) => isPair(item) && isScalar(item.key) && item.key.value === path.at(-1),
  );
  return found ?? null;
};

const rangeStart = (node: unknown): number | null => {
  const parsed = z.object({ range: z.array(z.number()).min(1) }).safeParse(node);
  return parsed.success ? (parsed.data.range[0] ?? null) : null;
};

const offsetIn =
  (document: Document.Parsed): Offset =>
  (path, at) => {
    if (path.length === 0) return rangeStart(document.contents) ?? 0;
    const pair = pairAt(document, path);
    const value = document.getIn(path, true);
    const key = pair === null ? null : rangeStart(pair.key);
    const own =
      at === "value" && isScalar(value) ? (rangeStart(value) ?? key) : (key ?? rangeStart(value));
    // A field that is missing is reported where its parent begins.
    return own ?? offsetIn(document)(path.slice(0, -1), "key");
  };

const unknownField = (parent: Path, key: string): string => {
  const known = fieldNames(parent);
  const meant = nearest(key, known);
  if (meant !== null) return `unknown field "${key}"; did you mean "${meant}"?`;
  return known.length === 0
    ? `unknown field "${key}"`
    : `unknown field "${key}"; known here: ${known.join(", ")}`;
};

interface Finding {
  readonly path: Path;
  readonly at: "key" | "value";
  readonly message: string;
}

const describeValue = (issue: z.core.$ZodIssue): string =>
  issue.code === "invalid_value"
    ? `must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.map(String).join(", ")}`
    : issue.message.replace(/^Invalid (input|string): /, "");

const missingText = (issue: z.core.$ZodIssue): string =>
  issue.code === "invalid_type" ? `expected ${issue.expected}` : describeValue(issue);

const describe =
  (document: Document.Parsed) =>
  (issue: z.core.$ZodIssue): readonly Finding[] => {
    const { path } = issue;
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: [...path, key],
        at: "key",
        message: unknownField(path, key),
      }));
    }
    return path.length > 0 && !document.hasIn(path)
      ? [{ path, at: "key", message: `is missing; ${missingText(issue)}` }]
      : [{ path, at: "value", message: describeValue(issue) }];
  };

const fail = (problems: readonly Problem[]): ParsedManifest => ({
  ok: false,
  problems: problems.toSorted(
    (left, right) => left.line - right.line || left.column - right.column,
  ),
});

const refuse = (message: string): ParsedManifest =>
  fail([{ line: 1, column: 1, path: "", message }]);

/** One slip often breaks every line after it: the first few errors tell, and a tab tells everything. */
const syntaxErrorsMax = 3;
const tellingErrors = (errors: Document.Parsed["errors"]): Document.Parsed["errors"] => {
  const tabs = errors.filter(({ code }) => code === "TAB_AS_INDENT");
  return (tabs.length > 0 ? tabs : errors).slice(0, syntaxErrorsMax);
};

const syntaxText = (text: string, { code, message, pos }: Document.Parsed["errors"][number]) => {
  if (code === "DUPLICATE_KEY") {
    const key = /^[^:\s]+/.exec(text.slice(pos[0]))?.[0];
    return `${key === undefined ? "a field" : `"${key}"`} is given twice here; keep one of them`;
  }
  if (code === "TAB_AS_INDENT") return "a tab cannot indent YAML; use spaces";
  return (message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");
};

const readDocument = (
  text: string,
  document: Document.Parsed,
  lines: LineCounter,
): ParsedManifest => {
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    return fail(
      tellingErrors(document.errors).map((error) => ({
        ...at(error.pos[0]),
        path: "",
        message: syntaxText(text, error),
      })),
    );
  }
  const offset = offsetIn(document);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    return refuse(
      "is no manifest: it must be fields and values, and begin with apiVersion: continuo/v1",
    );
  }
  const parsed = manifestSchema.safeParse(content);
  const found = parsed.success
    ? breaches(parsed.data).map((breach) => ({ ...breach, at: "value" as const }))
    : parsed.error.issues.flatMap(describe(document));
  if (parsed.success && found.length === 0) return { ok: true, manifest: parsed.data };
  return fail(
    found.map(({ path, at: where, message }) => ({
      ...at(offset(path, where)),
      path: pathText(path),
      message,
    })),
  );
};

const isEmpty = (document: Document.Parsed): boolean =>
  document.errors.length === 0 &&
  (document.contents === null || (isScalar(document.contents) && document.contents.value === null));

/** Reads every manifest of a YAML text with one or more documents, or of a JSON text. */
export const parseManifests = (text: string): readonly ParsedManifest[] => {
  if (Buffer.byteLength(text) > manifestBytesMax) {
    return [
      refuse(`is larger than ${manifestBytesMax / 1024} kB; a manifest holds settings, not data`),
    ];
  }
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const filled = (Array.isArray(documents) ? documents : []).filter(
    (document) => !isEmpty(document),
  );
  if (filled.length === 0)
    return [refuse("is empty; a manifest begins with apiVersion: continuo/v1")];
  return filled.map((document) => readDocument(text, document, lines));
};

/** Reads a text that must hold exactly one manifest. */
export const parseManifest = (text: string): ParsedManifest => {
  const all = parseManifests(text);
  const [first] = all;
  if (first !== undefined && all.length === 1) return first;
  return refuse("holds several manifests; send them one by one");
};

/** A problem as one line: `file:line:column path: message`. */
export const problemText = (file: string, { line, column, path, message }: Problem): string =>
  `${file}:${line}:${column}${path === "" ? "" : ` ${path}:`} ${message}`;
