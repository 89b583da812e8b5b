/** What a container task left behind: its output parameters and artifacts, judged against its declaration. */
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import type { CloudServices } from "../../cloud.js";
import { artifactExists, upload } from "./artifacts.js";
import type { RuntimeArtifact, TaskValues } from "./placeholders.js";
import type { Component, ParameterType } from "./spec.js";
import { checkValue, readValue, ValueError } from "./values.js";

const executorOutputSchema = z.looseObject({
  parameterValues: z.record(z.string(), z.unknown()).optional(),
  artifacts: z
    .record(
      z.string(),
      z.looseObject({
        artifacts: z
          .array(
            z.looseObject({
              name: z.string().optional(),
              uri: z.string().optional(),
              metadata: z.record(z.string(), z.unknown()).optional(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});

type ExecutorOutput = z.infer<typeof executorOutputSchema>;

const parameterBytesMax = 1_048_576;

const readSmall = async (path: string, what: string): Promise<string | undefined> => {
  const kind = await stat(path).catch(() => undefined);
  if (kind === undefined || !kind.isFile()) return undefined;
  if (kind.size > parameterBytesMax) {
    throw new ValueError(
      `${what} is larger than ${parameterBytesMax} bytes: write an artifact instead`,
    );
  }
  return readFile(path, "utf8");
};

const readExecutorOutput = async (path: string): Promise<ExecutorOutput> => {
  const text = await readSmall(path, "the executor output file");
  if (text === undefined || text.trim() === "") return {};
  try {
    return executorOutputSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ValueError(
      `the executor output file is not a valid ExecutorOutput: ${String(cause)}`,
      {
        cause,
      },
    );
  }
};

/** Where a task was told to leave its outputs. */
export interface OutputPlaces {
  readonly folder: string;
  readonly metadataFile: string;
  readonly parameterFiles: Readonly<Record<string, string>>;
  readonly artifacts: Readonly<Record<string, RuntimeArtifact>>;
}

/** Artifacts of these types may consist of metadata alone. */
const metadataTypes =
  /^(google\.|system\.(Metrics|ClassificationMetrics|SlicedClassificationMetrics|HTML|Markdown)$)/;

const outputParameter = async (
  name: string,
  type: ParameterType,
  places: OutputPlaces,
  given: ExecutorOutput,
): Promise<unknown> => {
  const what = `output parameter "${name}"`;
  const values = given.parameterValues ?? {};
  if (Object.hasOwn(values, name)) return checkValue(values[name], type, what);
  const text = await readSmall(places.parameterFiles[name] ?? "", what);
  if (text === undefined) throw new ValueError(`${what} (${type}) was not written`);
  return readValue(text, type, what);
};

const outputArtifact = async (
  name: string,
  storage: CloudServices["storage"],
  places: OutputPlaces,
  given: ExecutorOutput,
): Promise<RuntimeArtifact> => {
  const planned = places.artifacts[name];
  if (planned === undefined) throw new ValueError(`output artifact "${name}" has no place`);
  const reported = given.artifacts?.[name]?.artifacts?.[0];
  const artifact: RuntimeArtifact = {
    ...planned,
    uri: reported?.uri ?? planned.uri,
    metadata: { ...planned.metadata, ...reported?.metadata },
  };
  const uris = [...new Set([planned.uri, artifact.uri])];
  const uploaded = await Promise.all(uris.map((uri) => upload(storage, places.folder, uri)));
  const exists = uploaded.includes(true) || (await artifactExists(storage, artifact.uri));
  const isMetadata = metadataTypes.test(artifact.type.schemaTitle ?? "");
  if (!exists && !isMetadata) {
    throw new ValueError(
      `output artifact "${name}" (${artifact.type.schemaTitle ?? "untyped"}) was not written, neither to its path nor to ${artifact.uri}`,
    );
  }
  return artifact;
};

/** Collects the outputs, uploading artifacts; throws ValueError naming the first that is missing or wrong. */
export const collectOutputs = async (
  storage: CloudServices["storage"],
  component: Component,
  places: OutputPlaces,
): Promise<TaskValues> => {
  const given = await readExecutorOutput(places.metadataFile);
  const definitions = component.outputDefinitions ?? {};
  const parameters: Record<string, unknown> = {};
  for (const [name, { parameterType }] of Object.entries(definitions.parameters ?? {})) {
    parameters[name] = await outputParameter(name, parameterType, places, given);
  }
  const artifacts: Record<string, readonly RuntimeArtifact[]> = {};
  for (const name of Object.keys(definitions.artifacts ?? {})) {
    artifacts[name] = [await outputArtifact(name, storage, places, given)];
  }
  return { parameters, artifacts };
};
