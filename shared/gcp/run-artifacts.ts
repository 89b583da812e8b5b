/** Reads the artifacts by which a training run tells what it found. */
import { z } from "zod";
import { anomalies, evaluation } from "../../events/artifacts.js";
import { RejectedError } from "../domain/errors.js";
import type { PipelineJobFacts } from "../domain/facts.js";
import type { EvaluationSummary } from "../domain/state.js";
import type { Objects } from "../ports/objects.js";
import type { StorageObjects } from "./storage-objects.js";

const artifactBytesMax = 32_000_000;
/** What is kept of a report's reasons: a table can break a thousand rules, and a document has its limit. */
const reasonsMax = 20;
const reasonLengthMax = 1000;
const issuesMax = 5;

/** The first reasons, and how many more the report holds. */
const foremost = (reasons: readonly string[], uri: string): readonly string[] => {
  const kept = reasons.slice(0, reasonsMax).map((reason) => reason.slice(0, reasonLengthMax));
  const left = reasons.length - kept.length;
  return left === 0 ? kept : [...kept, `and ${String(left)} more; ${uri} lists them all`];
};

/** What is wrong with a file, in one line. */
const problemOf = (error: unknown): string => {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : "unreadable";
  const issues = error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  const left = issues.length - issuesMax;
  return [...issues.slice(0, issuesMax), ...(left > 0 ? [`and ${String(left)} more`] : [])].join(
    "; ",
  );
};

/** What the control plane needs of an evaluation: a user's own evaluator may leave the details out. */
const summarized = evaluation.pick({
  rows: true,
  positives: true,
  challenger: true,
  champion: true,
  constant: true,
  comparison: true,
  verdict: true,
});

interface ReadArtifact<Content> {
  readonly uri: string;
  readonly content: Content;
}

/** Reads the artifact's file, or the file of that name in the artifact's folder; null when there is neither. */
export const readArtifact = async <Schema extends z.ZodType>(
  objects: Objects,
  uri: string,
  fileName: string,
  schema: Schema,
): Promise<ReadArtifact<z.infer<Schema>> | null> => {
  for (const address of [uri, `${uri.replace(/\/+$/, "")}/${fileName}`]) {
    const body = await objects.read(address, artifactBytesMax);
    if (body === null) continue;
    try {
      return { uri: address, content: schema.parse(JSON.parse(body.toString("utf8"))) };
    } catch (error) {
      throw new RejectedError(
        `${address} is no ${fileName} as it should be. Check the image that wrote it. ${problemOf(error)}`,
        { cause: error },
      );
    }
  }
  return null;
};

/** The data gate's verdict. */
export const readDataGate = async (
  objects: Objects,
  uris: { readonly anomalies: string; readonly profile: string },
): Promise<PipelineJobFacts["dataGate"]> => {
  const found = await readArtifact(objects, uris.anomalies, "anomalies.json", anomalies);
  if (found === null) return null;
  const { verdict } = found.content;
  return {
    verdict,
    reasons: foremost(
      found.content.anomalies
        .filter(({ severity }) => severity === "stop" || severity === "ask")
        .map(({ message }) => message),
      found.uri,
    ),
    profileUri: uris.profile,
    anomaliesUri: found.uri,
  };
};

const prefixed = (
  prefix: string,
  values: Readonly<Record<string, unknown>> | undefined,
): readonly (readonly [string, number])[] =>
  Object.entries(values ?? {}).flatMap(([name, value]) =>
    typeof value === "number" ? [[`${prefix}.${name}`, value] as const] : [],
  );

const numbersOf = ({
  rows,
  positives,
  challenger,
  champion,
  constant,
  comparison,
}: z.infer<typeof summarized>): Readonly<Record<string, number>> =>
  Object.fromEntries([
    ["rows", rows],
    ...(positives === undefined ? [] : ([["positives", positives]] as const)),
    ...prefixed("challenger", challenger),
    ...prefixed("champion", champion),
    ...prefixed("constant", constant),
    ...prefixed("comparison", comparison),
    ...(comparison === undefined
      ? []
      : ([
          ["comparison.lower", comparison.interval[0]],
          ["comparison.upper", comparison.interval[1]],
        ] as const)),
  ]);

/** The evaluation, small enough to keep. */
export const readEvaluation = async (
  objects: StorageObjects,
  uris: { readonly evaluation: string; readonly model: string },
  recordedDigest: string | null,
): Promise<EvaluationSummary | null> => {
  const found = await readArtifact(objects, uris.evaluation, "evaluation.json", summarized);
  if (found === null) return null;
  const { verdict } = found.content;
  const digest = recordedDigest ?? (uris.model === "" ? null : await objects.digest(uris.model));
  if (digest === null) {
    throw new RejectedError(
      `The run was evaluated, but its model ${uris.model === "" ? "" : `at ${uris.model} `}is gone. The training task must have an output artifact named model, and it must be kept.`,
    );
  }
  return {
    report: found.uri,
    outcome: verdict.outcome,
    reasons: foremost(verdict.reasons, found.uri),
    numbers: numbersOf(found.content),
    artifact: uris.model,
    artifactDigest: digest,
  };
};
