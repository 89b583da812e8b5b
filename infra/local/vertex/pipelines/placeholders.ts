/** Placeholders such as `{{$.inputs.parameters['x']}}` in a container's command, arguments and environment. */
import { z } from "zod";
import { valueText } from "./values.js";

/** An artifact at run time. */
export interface RuntimeArtifact {
  readonly name: string;
  readonly uri: string;
  readonly type: {
    readonly schemaTitle?: string;
    readonly schemaVersion?: string;
    readonly instanceSchema?: string;
  };
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Parameters and artifacts by their key. */
export interface TaskValues {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly artifacts: Readonly<Record<string, readonly RuntimeArtifact[]>>;
}

/** What a task's placeholders may refer to. */
export interface PlaceholderScope {
  readonly inputs: TaskValues;
  readonly outputParameterFiles: Readonly<Record<string, string>>;
  readonly outputArtifacts: Readonly<Record<string, RuntimeArtifact>>;
  readonly outputMetadataFile: string;
  /** Maps an artifact's uri to its place on this machine. */
  readonly localPath: (uri: string) => string;
  readonly jobName: string;
  readonly jobResourceName: string;
  readonly jobUuid: string;
  readonly taskName: string;
  readonly taskUuid: string;
  readonly pipelineRoot: string;
  readonly jobCreateTime: string;
}

/** A placeholder, read. */
export type Placeholder =
  | { readonly kind: "executor-input" }
  | { readonly kind: "job"; readonly field: JobField }
  | { readonly kind: "output-metadata-file" }
  | { readonly kind: "input-parameter"; readonly name: string }
  | { readonly kind: "output-parameter-file"; readonly name: string }
  | {
      readonly kind: "artifact";
      readonly direction: "inputs" | "outputs";
      readonly name: string;
      readonly field: "uri" | "path" | "name" | "metadata" | "list";
      readonly key?: string;
    };

type ArtifactField = Extract<Placeholder, { kind: "artifact" }>["field"];

const jobFields = [
  "pipeline_job_name",
  "pipeline_job_resource_name",
  "pipeline_job_uuid",
  "pipeline_task_name",
  "pipeline_task_uuid",
  "pipeline_root",
  "pipeline_job_create_time_utc",
  "pipeline_job_schedule_time_utc",
] as const;
type JobField = (typeof jobFields)[number];

/** The placeholder is unknown, or refers to something that the component does not declare. */
export class PlaceholderError extends Error {
  override readonly name = "PlaceholderError";
}

const placeholderPattern = /\{\{\$(.*?)\}\}/gs;
const artifactPattern =
  /^\.(inputs|outputs)\.artifacts\[(?:'([^']+)'|"([^"]+)")\](?:\.(uri|path|name|metadata|properties|custom_properties)(?:\[(?:'([^']+)'|"([^"]+)")\])?)?$/;
const inputParameterPattern = /^\.inputs\.parameters\[(?:'([^']+)'|"([^"]+)")\]$/;
const outputParameterPattern = /^\.outputs\.parameters\[(?:'([^']+)'|"([^"]+)")\]\.output_file$/;

const artifactField = (text: string | undefined): ArtifactField => {
  if (text === undefined) return "list";
  return text === "uri" || text === "path" || text === "name" ? text : "metadata";
};

const artifactPlaceholder = (match: RegExpExecArray): Placeholder => {
  const [, direction, single, double, field, key, otherKey] = match;
  const metadataKey = key ?? otherKey;
  return {
    kind: "artifact",
    direction: direction === "inputs" ? "inputs" : "outputs",
    name: single ?? double ?? "",
    field: artifactField(field),
    ...(metadataKey === undefined ? {} : { key: metadataKey }),
  };
};

/** Reads what stands between `{{$` and `}}`. */
export const parsePlaceholder = (body: string): Placeholder => {
  const text = body.trim();
  if (text === "") return { kind: "executor-input" };
  const jobField = jobFields.find((field) => text === `.${field}`);
  if (jobField !== undefined) return { kind: "job", field: jobField };
  if (text === ".outputs.output_metadata_uri" || text === ".outputs.output_file") {
    return { kind: "output-metadata-file" };
  }
  const input = inputParameterPattern.exec(text);
  if (input !== null) return { kind: "input-parameter", name: input[1] ?? input[2] ?? "" };
  const output = outputParameterPattern.exec(text);
  if (output !== null) return { kind: "output-parameter-file", name: output[1] ?? output[2] ?? "" };
  const artifact = artifactPattern.exec(text);
  if (artifact !== null) return artifactPlaceholder(artifact);
  throw new PlaceholderError(`placeholder {{$${body}}} is not supported`);
};

/** The placeholders of a text, in order. */
export const placeholdersOf = (text: string): readonly Placeholder[] =>
  [...text.matchAll(placeholderPattern)].map((match) => parsePlaceholder(match[1] ?? ""));

/** The ExecutorInput message that `{{$}}` stands for. */
const executorInput = (scope: PlaceholderScope): unknown => ({
  inputs: {
    parameterValues: scope.inputs.parameters,
    artifacts: Object.fromEntries(
      Object.entries(scope.inputs.artifacts).map(([key, artifacts]) => [key, { artifacts }]),
    ),
  },
  outputs: {
    parameters: Object.fromEntries(
      Object.entries(scope.outputParameterFiles).map(([key, outputFile]) => [key, { outputFile }]),
    ),
    artifacts: Object.fromEntries(
      Object.entries(scope.outputArtifacts).map(([key, artifact]) => [
        key,
        { artifacts: [artifact] },
      ]),
    ),
    outputFile: scope.outputMetadataFile,
  },
});

const jobFieldText = (field: JobField, scope: PlaceholderScope): string => {
  switch (field) {
    case "pipeline_job_name":
      return scope.jobName;
    case "pipeline_job_resource_name":
      return scope.jobResourceName;
    case "pipeline_job_uuid":
      return scope.jobUuid;
    case "pipeline_task_name":
      return scope.taskName;
    case "pipeline_task_uuid":
      return scope.taskUuid;
    case "pipeline_root":
      return scope.pipelineRoot;
    case "pipeline_job_create_time_utc":
    case "pipeline_job_schedule_time_utc":
      return scope.jobCreateTime;
  }
};

const artifactText = (
  placeholder: Extract<Placeholder, { kind: "artifact" }>,
  scope: PlaceholderScope,
): string => {
  const output = scope.outputArtifacts[placeholder.name];
  const artifacts =
    placeholder.direction === "inputs"
      ? (scope.inputs.artifacts[placeholder.name] ?? [])
      : output === undefined
        ? []
        : [output];
  const [artifact] = artifacts;
  // An optional input that is absent leaves nothing behind, as an optional parameter does.
  if (artifact === undefined) return "";
  switch (placeholder.field) {
    case "list":
      return JSON.stringify({ artifacts });
    case "uri":
      return artifact.uri;
    case "path":
      return scope.localPath(artifact.uri);
    case "name":
      return artifact.name;
    case "metadata":
      return placeholder.key === undefined
        ? JSON.stringify(artifact.metadata)
        : valueText(artifact.metadata[placeholder.key]);
  }
};

const placeholderText = (placeholder: Placeholder, scope: PlaceholderScope): string => {
  switch (placeholder.kind) {
    case "executor-input":
      return JSON.stringify(executorInput(scope));
    case "job":
      return jobFieldText(placeholder.field, scope);
    case "output-metadata-file":
      return scope.outputMetadataFile;
    case "input-parameter":
      return Object.hasOwn(scope.inputs.parameters, placeholder.name)
        ? valueText(scope.inputs.parameters[placeholder.name])
        : "";
    case "output-parameter-file":
      return scope.outputParameterFiles[placeholder.name] ?? "";
    case "artifact":
      return artifactText(placeholder, scope);
  }
};

/** A text with its placeholders replaced. */
export const resolveText = (text: string, scope: PlaceholderScope): string =>
  text.replaceAll(placeholderPattern, (_, body: string) =>
    placeholderText(parsePlaceholder(body), scope),
  );

/** A constant of a task, whose placeholders may only name the other input parameters of that task. */
export const resolveConstant = (
  text: string,
  parameters: Readonly<Record<string, unknown>>,
): string =>
  text.replaceAll(placeholderPattern, (_, body: string) => {
    const placeholder = parsePlaceholder(body);
    if (placeholder.kind !== "input-parameter") {
      throw new PlaceholderError(`placeholder {{$${body}}} is not supported inside a constant`);
    }
    return valueText(parameters[placeholder.name]);
  });

/** One word of a command: a text, or the structures for optional and joined words. */
export type CommandWord =
  | string
  | { readonly Concat: readonly CommandWord[] }
  | {
      readonly IfPresent: {
        readonly InputName: string;
        readonly Then: CommandWord | readonly CommandWord[];
        readonly Else?: CommandWord | readonly CommandWord[] | undefined;
      };
    };

const commandWord: z.ZodType<CommandWord> = z.lazy(() =>
  z.union([
    z.string(),
    z.strictObject({ Concat: z.array(commandWord) }),
    z.strictObject({
      IfPresent: z.strictObject({
        InputName: z.string(),
        Then: z.union([commandWord, z.array(commandWord)]),
        Else: z.union([commandWord, z.array(commandWord)]).optional(),
      }),
    }),
  ]),
);

/** Reads a word of a command; Kubeflow writes the structures as JSON inside the string. */
export const parseCommandWord = (text: string): CommandWord => {
  if (!/^\s*\{\s*"(IfPresent|Concat)"\s*:/.test(text)) return text;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new PlaceholderError(`${text} is not valid JSON`, { cause });
  }
  const parsed = commandWord.safeParse(json);
  if (!parsed.success) throw new PlaceholderError(`${text} is not a valid placeholder`);
  return parsed.data;
};

const isList = (word: CommandWord | readonly CommandWord[]): word is readonly CommandWord[] =>
  Array.isArray(word);

const wordsOf = (
  word: CommandWord | readonly CommandWord[] | undefined,
): readonly CommandWord[] => {
  if (word === undefined) return [];
  return isList(word) ? word : [word];
};

/** All texts inside a word, for checking their placeholders. */
export const textsOf = (word: CommandWord): readonly string[] => {
  if (typeof word === "string") return [word];
  if ("Concat" in word) return word.Concat.flatMap(textsOf);
  return [...wordsOf(word.IfPresent.Then), ...wordsOf(word.IfPresent.Else)].flatMap(textsOf);
};

/** The inputs whose presence a word asks for. */
export const presenceInputsOf = (word: CommandWord): readonly string[] => {
  if (typeof word === "string") return [];
  if ("Concat" in word) return word.Concat.flatMap(presenceInputsOf);
  return [
    word.IfPresent.InputName,
    ...[...wordsOf(word.IfPresent.Then), ...wordsOf(word.IfPresent.Else)].flatMap(presenceInputsOf),
  ];
};

const resolveWord = (word: CommandWord, scope: PlaceholderScope): readonly string[] => {
  if (typeof word === "string") return [resolveText(word, scope)];
  if ("Concat" in word) return [word.Concat.flatMap((part) => resolveWord(part, scope)).join("")];
  const { InputName: name, Then: then, Else: otherwise } = word.IfPresent;
  const isPresent =
    Object.hasOwn(scope.inputs.parameters, name) || Object.hasOwn(scope.inputs.artifacts, name);
  return wordsOf(isPresent ? then : otherwise).flatMap((part) => resolveWord(part, scope));
};

/** The words of a command or argument list with everything replaced. */
export const resolveWords = (
  words: readonly string[],
  scope: PlaceholderScope,
): readonly string[] => words.flatMap((word) => resolveWord(parseCommandWord(word), scope));
