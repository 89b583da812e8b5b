/** What the served predictions of one champion say: drift, skew and quality, or why they say nothing. */
import {
  attributedRowsMin,
  compareWindows,
  compareWithTraining,
  type Comparison,
} from "../../domain/drift.js";
import type { DeployedModelId } from "../../../events/ids.js";
import {
  estimatedQuality,
  joinLabels,
  realisedQuality,
  type QualityFinding,
} from "../../domain/quality.js";
import type { Champion, ModelState } from "../../domain/state.js";
import type { LoggedPrediction } from "../../ports/prediction-log.js";
import type { Ports } from "../../ports/ports.js";
import {
  evaluatedQuality,
  identified,
  readLabels,
  servedRows,
  trainingBaseline,
} from "./served.js";

/** Above this the scores are no probabilities, and an estimate from them would mislead. */
const calibrationErrorMax = 0.1;

/** A comparison, and with what. */
export type KindOfComparison = Comparison & { readonly kind: "drift" | "skew" };

/** A champion with what it served, oldest first in each list. */
export interface Watched {
  readonly state: ModelState;
  readonly champion: Champion;
  readonly deployedModelId: DeployedModelId;
  /** The newest predictions: two windows of them, or all there are. */
  readonly served: readonly LoggedPrediction[];
  /** The first ones since its promotion: a window of them at least, when there are two. */
  readonly first: readonly LoggedPrediction[];
  /** Those that are old enough to have a label. */
  readonly due: readonly LoggedPrediction[];
}

/** What one question found, and what it could not answer. */
export interface Answer<Found> {
  readonly found: readonly Found[];
  readonly unknown: readonly string[];
}

const nothing = { found: [], unknown: [] };

/** Two full windows that do not overlap: the first rows that the champion served, and the newest. */
const windowsOf = ({ served, first }: Watched, rows: number) =>
  served.length < 2 * rows ? null : { before: first.slice(0, rows), after: served.slice(-rows) };

/** Where some answers tell how features moved them, and too few to compare. */
const fewAttributions = (
  windows: Readonly<Record<"before" | "after", readonly LoggedPrediction[]>>,
): readonly string[] => {
  const [before, after] = [windows.before, windows.after].map(
    (rows) => rows.filter(({ attributions }) => attributions !== undefined).length,
  );
  const [fewest, most] = [Math.min(before ?? 0, after ?? 0), Math.max(before ?? 0, after ?? 0)];
  return most === 0 || fewest >= attributedRowsMin
    ? []
    : [
        `drift of attributions: ${before} of the first and ${after} of the newest predictions have them, ${attributedRowsMin} of each are needed`,
      ];
};

/** The newest served window against the first. */
export const driftOf = (look: Watched): Answer<KindOfComparison> => {
  const { state, served } = look;
  const { dataset, monitoring } = state.manifest;
  if (!monitoring.drift) return nothing;
  const { rowsMin } = monitoring.drift;
  const windows = windowsOf(look, rowsMin);
  if (windows === null) {
    const unknown = `drift: ${served.length} predictions since its promotion, two windows of ${rowsMin} are needed`;
    return { found: [], unknown: [unknown] };
  }
  const compared = compareWindows(
    dataset.features,
    servedRows(windows.before, dataset.positiveClass),
    servedRows(windows.after, dataset.positiveClass),
    monitoring.drift,
  );
  return {
    found: compared.map((one) => ({ ...one, kind: "drift" })),
    unknown: fewAttributions(windows),
  };
};

/** The newest served window against the training rows. */
export const skewOf = async (
  { state, champion, served }: Watched,
  ports: Ports,
): Promise<Answer<KindOfComparison>> => {
  const { dataset, monitoring } = state.manifest;
  if (!monitoring.skew) return nothing;
  const { rowsMin } = monitoring.skew;
  if (served.length < rowsMin) {
    const unknown = `skew: ${served.length} of ${rowsMin} predictions since its promotion`;
    return { found: [], unknown: [unknown] };
  }
  const baseline = await trainingBaseline(champion, ports);
  if (baseline === null) {
    const unknown = `skew: ${champion.artifactUri} says nothing of its training rows`;
    return { found: [], unknown: [unknown] };
  }
  const compared = compareWithTraining(
    dataset.features,
    baseline,
    servedRows(served.slice(-rowsMin), dataset.positiveClass),
    monitoring.skew,
  );
  return { found: compared.map((one) => ({ ...one, kind: "skew" })), unknown: [] };
};

const labelledQuality = async (
  { state, due }: Watched,
  evaluated: number,
  ports: Ports,
): Promise<readonly QualityFinding[]> => {
  const { dataset, monitoring } = state.manifest;
  const { quality } = monitoring;
  if (!quality?.labels || dataset.positiveClass === undefined) return [];
  const { labels, bad } = await readLabels(quality.labels, ports);
  const joined = joinLabels(
    identified(due, quality.idField, dataset.positiveClass),
    labels,
    dataset.positiveClass,
  );
  const leftOut = `${bad} lines of ${quality.labels} are no {"id", "label"} and were left out`;
  return [
    realisedQuality(joined, evaluated, quality),
    ...(bad === 0 ? [] : [{ method: "labels" as const, unknown: leftOut }]),
  ];
};

const noEstimate = (unknown: string): QualityFinding => ({ method: "estimate", unknown });

const estimateOf = (look: Watched, calibrationError: number | undefined): QualityFinding => {
  const { state, served } = look;
  const { dataset, monitoring } = state.manifest;
  const rows = monitoring.quality?.rowsMin ?? 0;
  if (calibrationError === undefined || calibrationError > calibrationErrorMax) {
    return noEstimate(
      `its scores are off by ${calibrationError?.toFixed(3) ?? "an unknown amount"} (calibration error, allowed ${calibrationErrorMax})`,
    );
  }
  const windows = windowsOf(look, rows);
  if (windows === null)
    return noEstimate(`${served.length} predictions, two windows of ${rows} are needed`);
  return estimatedQuality(
    servedRows(windows.before, dataset.positiveClass).scores,
    servedRows(windows.after, dataset.positiveClass).scores,
  );
};

/** A quality that could be measured. */
export type Measured = Extract<QualityFinding, { readonly value: number }>;

/** Quality by labels and by confidence. */
export const qualityOf = async (look: Watched, ports: Ports): Promise<Answer<Measured>> => {
  const { dataset, monitoring } = look.state.manifest;
  if (!monitoring.quality) return nothing;
  const evaluated = await evaluatedQuality(look.champion, ports);
  const auc = evaluated?.["auc"];
  if (dataset.positiveClass === undefined || auc === undefined) {
    return { found: [], unknown: ["quality: its evaluation measured no area under the ROC curve"] };
  }
  const findings = [
    ...(await labelledQuality(look, auc, ports)),
    estimateOf(look, evaluated?.["calibrationError"]),
  ];
  return {
    found: findings.flatMap((finding) => ("value" in finding ? [finding] : [])),
    unknown: findings.flatMap((finding) =>
      "unknown" in finding ? [`quality by ${finding.method}: ${finding.unknown}`] : [],
    ),
  };
};
