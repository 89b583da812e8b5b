/** Served predictions of a champion, the labels that came for them, and what they are compared with. */
import { z } from "zod";
import { evaluation, modelMetadata } from "../../../events/artifacts.js";
import type { ServedRows, TrainingBaseline } from "../../domain/drift.js";
import type { ArrivedLabel, IdentifiedScore } from "../../domain/quality.js";
import type { Answer } from "../../domain/signals.js";
import type { Champion } from "../../domain/state.js";
import type { LoggedPrediction } from "../../ports/prediction-log.js";
import type { Ports } from "../../ports/ports.js";

const artifactBytesMax = 64_000_000;
const labelBytesMax = 256_000_000;

const classScores = z.object({ classes: z.array(z.string()), scores: z.array(z.number()) });

/** The positive class's probability, or the number that a model answers with; NaN for any other answer. */
const scoreOf = (prediction: unknown, positiveClass: string | undefined): number => {
  if (typeof prediction === "number") return prediction;
  const parsed = classScores.safeParse(prediction);
  if (!parsed.success || positiveClass === undefined) return Number.NaN;
  return parsed.data.scores[parsed.data.classes.indexOf(positiveClass)] ?? Number.NaN;
};

/** A score where the answer holds one, else the class that it gives; null for any other answer. */
export const answerOf = (prediction: unknown, positiveClass: string | undefined): Answer => {
  if (typeof prediction === "string") return prediction;
  const score = scoreOf(prediction, positiveClass);
  if (!Number.isNaN(score)) return score;
  const { classes = [], scores = [] } = classScores.safeParse(prediction).data ?? {};
  return positiveClass === undefined
    ? (classes[scores.indexOf(Math.max(...scores))] ?? null)
    : null;
};

/** Predictions as columns are compared. */
export const servedRows = (
  predictions: readonly LoggedPrediction[],
  positiveClass: string | undefined,
): ServedRows => ({
  instances: predictions.map(({ instance }) => instance),
  scores: predictions.map(({ prediction }) => scoreOf(prediction, positiveClass)),
  attributions: predictions.flatMap(({ attributions }) =>
    attributions === undefined ? [] : [attributions],
  ),
});

/** Predictions that name themselves, for joining. */
export const identified = (
  predictions: readonly LoggedPrediction[],
  idField: string,
  positiveClass: string | undefined,
): readonly (IdentifiedScore & Pick<LoggedPrediction, "deployedModelId">)[] =>
  predictions.flatMap(({ instance, timeMs, deployedModelId, prediction }) => {
    const id = instance[idField];
    return typeof id === "string" || typeof id === "number"
      ? [{ id: String(id), timeMs, deployedModelId, score: scoreOf(prediction, positiveClass) }]
      : [];
  });

const parsedObject = async <Value>(
  uri: string,
  schema: z.ZodType<Value>,
  { objects }: Ports,
): Promise<Value | null> => {
  const body = await objects.read(uri, artifactBytesMax);
  if (body === null) return null;
  try {
    return schema.safeParse(JSON.parse(body.toString("utf8"))).data ?? null;
  } catch {
    return null;
  }
};

/** The training rows' distributions; null for a container whose artifact is not Continuo's own model.json. */
export const trainingBaseline = async (
  { artifactUri }: Champion,
  ports: Ports,
): Promise<TrainingBaseline | null> => {
  const uri = artifactUri.endsWith(".json")
    ? artifactUri
    : `${artifactUri.replace(/\/+$/, "")}/model.json`;
  const model = await parsedObject(uri, modelMetadata.pick({ training: true }), ports);
  return model === null ? null : model.training;
};

/** What the champion's evaluation measured of it; null for a version that was registered by hand. */
export const evaluatedQuality = async (
  { report }: Champion,
  ports: Ports,
): Promise<Readonly<Record<string, number>> | null> => {
  if (report === null) return null;
  const found = await parsedObject(report, evaluation.pick({ challenger: true }), ports);
  if (found === null) return null;
  return Object.fromEntries(
    Object.entries(found.challenger).filter(
      (metric): metric is [string, number] => typeof metric[1] === "number",
    ),
  );
};

const label = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  label: z.union([z.string(), z.number(), z.boolean()]).transform(String),
});

/**
 * Labels of a folder of JSON lines, in the order of the files' names, the last `filesMax` of them; `bad` counts lines
 * that are no label.
 */
export const readLabels = async (
  folder: string,
  { objects }: Ports,
  filesMax = Number.POSITIVE_INFINITY,
): Promise<{ readonly labels: readonly ArrivedLabel[]; readonly bad: number }> => {
  const labels: ArrivedLabel[] = [];
  let bad = 0;
  const uris = await objects.list(folder);
  for (const uri of uris.slice(Math.max(0, uris.length - filesMax))) {
    const body = await objects.read(uri, labelBytesMax);
    for (const text of body?.toString("utf8").split("\n") ?? []) {
      if (text.trim() === "") continue;
      try {
        const parsed = label.safeParse(JSON.parse(text));
        if (parsed.success) labels.push(parsed.data);
        else bad += 1;
      } catch {
        bad += 1;
      }
    }
  }
  return { labels, bad };
};
