/**
 * How far a model has come, by Google's levels: 0 by hand, 1 an automated pipeline that trains continuously, 2 an
 * automated pipeline that is itself built, tested and released.
 * Source: https://cloud.google.com/architecture/mlops-continuous-delivery-and-automation-pipelines-in-machine-learning
 */
import type { Manifest } from "../../shared/manifest/schema.js";

/** What is known of a model. */
export interface Evidence {
  readonly manifest: Manifest;
  readonly hasChampion: boolean;
  readonly runs: readonly { readonly trigger: string; readonly outcome: string | null }[];
  readonly rollouts: readonly { readonly outcome: string | null }[];
}

/** One line of the checklist. */
export interface MaturityItem {
  readonly level: 0 | 1 | 2;
  readonly what: string;
  readonly isDone: boolean;
  /** What to do when it is not. */
  readonly advice: string;
}

/** A model's checklist, and the level that it has reached: all lines of it and of those below are done. */
export interface Maturity {
  readonly level: 0 | 1 | 2 | null;
  readonly items: readonly MaturityItem[];
}

const isPinned = (image: string): boolean => /@sha256:[0-9a-f]{64}$/.test(image);

const item = (
  level: MaturityItem["level"],
  what: string,
  isDone: boolean,
  advice: string,
): MaturityItem => ({ level, what, isDone, advice });

/** The checklist of one model. */
export const maturityOf = ({ manifest, hasChampion, runs, rollouts }: Evidence): Maturity => {
  const { triggers, dataset, evaluation, monitoring, promotion, rollout, training, serving } =
    manifest;
  const byItself = runs.filter(({ trigger }) => trigger !== "request");
  const ended = (outcome: string): boolean => rollouts.some((one) => one.outcome === outcome);
  const items = [
    item(
      0,
      "a version serves in production",
      hasChampion,
      "publish its data: continuo publish dataset.arrived",
    ),
    item(
      0,
      "somebody answers for it",
      manifest.owner !== "unknown",
      "set owner to a team or a person",
    ),
    item(
      1,
      "new data, a schedule or drift starts its training",
      triggers.newData || triggers.schedules.length > 0 || triggers.drift === "retrain",
      "set triggers.newData, triggers.schedules or triggers.drift",
    ),
    item(
      1,
      "that has happened, and gave a version",
      byItself.some(({ outcome }) => outcome === "registered"),
      "let its ingestion job publish dataset.arrived",
    ),
    item(
      1,
      "its data is held against a reviewed schema",
      Object.keys(dataset.schema.columns).length > 0,
      "take the inferred schema of a run's profile, correct it, and put it into dataset.schema.columns",
    ),
    item(
      1,
      "rows that nobody trained on judge it",
      dataset.timeColumn !== undefined,
      "name dataset.timeColumn, so that the newest days score both versions",
    ),
    item(
      1,
      "slices are judged apart",
      evaluation.slices.length > 0,
      "name columns in evaluation.slices",
    ),
    item(
      1,
      "its predictions are logged",
      monitoring.predictionLog !== undefined,
      "set monitoring.predictionLog",
    ),
    item(
      1,
      "drift, skew or quality is watched",
      [monitoring.drift, monitoring.skew, monitoring.quality].some((one) => one !== undefined),
      "set monitoring.drift, monitoring.skew or monitoring.quality",
    ),
    item(
      2,
      "its pipeline is released by a build",
      training.template !== undefined && byItself.some(({ trigger }) => trigger === "new-pipeline"),
      "begin with continuo init: its build publishes pipeline.released",
    ),
    item(
      2,
      "its images are pinned by digest",
      isPinned(training.image) && isPinned(serving.image),
      "name training.image and serving.image by @sha256:...",
    ),
    item(
      2,
      "another environment tries it before production",
      promotion.environments.length > 1,
      "put a QA environment before production in promotion.environments",
    ),
    item(
      2,
      "production traffic rises in steps",
      rollout.steps.length > 1,
      "give rollout.steps more than one step",
    ),
    item(2, "a rollout was promoted", ended("promoted"), "let a challenger through"),
    item(
      2,
      "a rollout was rolled back, so that the way back was walked",
      ended("rolled-back") || ended("aborted"),
      "roll one back on purpose, in an hour without traffic: continuo abort",
    ),
    item(
      2,
      "late labels judge it",
      monitoring.quality?.labels !== undefined,
      "set monitoring.quality.labels to the folder where labels arrive",
    ),
  ];
  const isReached = (level: number): boolean =>
    items.every((one) => one.level > level || one.isDone);
  return { level: ([2, 1, 0] as const).find(isReached) ?? null, items };
};
