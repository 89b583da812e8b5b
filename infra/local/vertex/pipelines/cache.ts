/** Results of earlier tasks: the same component with the same inputs need not run again. */
import { createHash } from "node:crypto";
import type { CloudContext } from "../../cloud.js";
import { imageFingerprint } from "../images.js";
import { digestOf } from "./artifacts.js";
import type { TaskValues } from "./placeholders.js";
import type { Component, ContainerExecutor } from "./spec.js";
import type { CachedResult, PipelineStore } from "./store.js";

/** JSON with sorted keys, so that equal values have equal text. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

/** The key of a task's result: its component, its image and its inputs, artifacts by their content. */
export const cacheKey = async (
  context: CloudContext,
  component: Component,
  container: ContainerExecutor,
  inputs: TaskValues,
): Promise<string> => {
  const storage = context.services.storage;
  const artifacts = await Promise.all(
    Object.entries(inputs.artifacts).map(async ([name, list]) => [
      name,
      await Promise.all(
        list.map(async ({ uri, type, metadata }) => ({
          content: (await digestOf(storage, uri)) ?? uri,
          type,
          metadata,
        })),
      ),
    ]),
  );
  const { image, command } = container;
  const parts = {
    component,
    container,
    image: imageFingerprint(context.settings.imagesFile, {
      image,
      ...(command === undefined ? {} : { command }),
    }),
    parameters: inputs.parameters,
    artifacts: Object.fromEntries(artifacts),
  };
  return createHash("sha256").update(canonical(parts)).digest("hex");
};

const digestsOf = async (
  context: CloudContext,
  outputs: TaskValues,
): Promise<Readonly<Record<string, string>>> => {
  const uris = Object.values(outputs.artifacts).flatMap((list) => list.map(({ uri }) => uri));
  const digests: Record<string, string> = {};
  for (const uri of new Set(uris)) {
    digests[uri] = (await digestOf(context.services.storage, uri)) ?? "";
  }
  return digests;
};

/** Remembers a result. */
export const remember = async (
  context: CloudContext,
  store: PipelineStore,
  key: string,
  result: Omit<CachedResult, "digests">,
): Promise<void> => {
  store.putCached(key, { ...result, digests: await digestsOf(context, result.outputs) });
};

/** Finds a result whose artifacts are still what they were; a changed or deleted artifact forgets it. */
export const recall = async (
  context: CloudContext,
  store: PipelineStore,
  key: string,
): Promise<CachedResult | undefined> => {
  const found = store.cached(key);
  if (found === undefined) return undefined;
  if (canonical(await digestsOf(context, found.outputs)) === canonical(found.digests)) return found;
  store.removeCached(key);
  return undefined;
};
