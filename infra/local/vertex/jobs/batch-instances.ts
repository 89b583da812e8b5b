/** The instances of a batch prediction: read line by line, and shaped as the model wants them. */
import type { CloudServices } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";
import { gcsPlace } from "../pipelines/artifacts.js";
import type { InstanceConfig } from "./batch-request.js";

/** One line of the input. */
export interface BatchInstance {
  /** What the model is sent. */
  readonly sent: unknown;
  /** What the output repeats: `{instance}` or `{key}`. */
  readonly shown: Readonly<Record<string, unknown>>;
}

/** A line that is no instance, with the reason. */
export interface BadLine {
  readonly text: string;
  readonly reason: string;
}

const badLineCharsMax = 1_000;

const wildcard = (pattern: string): RegExp => {
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => {
      if (part === "**") return ".*";
      if (part === "*") return "[^/]*";
      return part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
    })
    .join("");
  return new RegExp(`^${source}$`, "s");
};

const namesOf = async (
  storage: CloudServices["storage"],
  uri: string,
): Promise<readonly string[]> => {
  const place = gcsPlace(uri);
  if (place === undefined) return [];
  if (!place.name.includes("*")) return [place.name];
  const names = await storage.list(place.bucket, place.name.slice(0, place.name.indexOf("*")));
  const pattern = wildcard(place.name);
  return names.filter((name) => pattern.test(name));
};

/** The lines of all input files, in order; throws RpcError INVALID_ARGUMENT when there is no file. */
export const readLines = async (
  storage: CloudServices["storage"],
  uris: readonly string[],
): Promise<readonly string[]> => {
  const lines: string[] = [];
  for (const uri of uris) {
    const names = await namesOf(storage, uri);
    if (names.length === 0) {
      throw new RpcError("INVALID_ARGUMENT", `No objects match the input ${uri}.`);
    }
    for (const name of names) {
      const body = await storage.read(gcsPlace(uri)?.bucket ?? "", name);
      lines.push(
        ...body
          .toString("utf8")
          .split(/\r?\n/)
          .filter((line) => line.trim() !== ""),
      );
    }
  }
  return lines;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const pick = (instance: Readonly<Record<string, unknown>>, config: InstanceConfig) => {
  const included = config.includedFields ?? [];
  const excluded = new Set([
    ...(config.excludedFields ?? []),
    ...(config.keyField === undefined || config.keyField === "" ? [] : [config.keyField]),
  ]);
  const entries =
    included.length > 0
      ? included.map((field) => [field, instance[field] ?? null] as const)
      : Object.entries(instance).filter(([field]) => !excluded.has(field));
  return config.instanceType === "array"
    ? entries.map(([, value]) => value)
    : Object.fromEntries(entries);
};

const isShaped = (config: InstanceConfig): boolean =>
  [config.instanceType, config.keyField].some((text) => text !== undefined && text !== "") ||
  [config.includedFields, config.excludedFields].some((fields) => (fields ?? []).length > 0);

/** Reads one line. */
export const instanceOf = (line: string, config: InstanceConfig): BatchInstance | BadLine => {
  const bad = (reason: string): BadLine => ({ text: line.slice(0, badLineCharsMax), reason });
  let instance: unknown;
  try {
    instance = JSON.parse(line);
  } catch {
    return bad("the line is not JSON");
  }
  if (!isShaped(config)) return { sent: instance, shown: { instance } };
  if (!isObject(instance)) {
    return config.instanceType === "array" && Array.isArray(instance)
      ? { sent: instance, shown: { instance } }
      : bad("the line is not a JSON object, which instanceConfig needs");
  }
  const key = config.keyField ?? "";
  return {
    sent: pick(instance, config),
    shown: key === "" ? { instance } : { key: instance[key] ?? null },
  };
};
