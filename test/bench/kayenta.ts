/**
 * The rule by which Spinnaker's Kayenta judges one metric, written anew from its behaviour at commit a69573b of
 * 2025-04-08 (spinnaker/kayenta; the classifier in the spinnaker/spinnaker repository behaves alike): the metric is
 * High when the lower end of Mann-Whitney's 98 % interval of the location shift lies above a quarter of the size of
 * the estimated shift and the ratio of the means is at least the allowed increase (1 unless configured).
 */
import { midranks } from "../../shared/statistics/ordering.js";
import { normalDraw, seededRandom } from "../../shared/statistics/random.js";

/** What is judged: one value per minute and version. */
export interface KayentaSeries {
  readonly control: readonly number[];
  readonly experiment: readonly number[];
}

const confidence = 0.98;
/** The normal quantile of (1 + confidence) / 2. */
const score = 2.3263478740408408;
const tolerance = 0.25;
const allowedIncrease = 1;
/** Kayenta's solver stops at this width, whatever the metric's unit. */
const rootTolerance = 1e-4;

/** The z-score of Mann-Whitney's statistic when the experiment's values are lowered by `shift`, half a rank nearer to 0. */
function shiftedScore({ control, experiment }: KayentaSeries, shift: number): number {
  const [n, m] = [experiment.length, control.length];
  const ranks = midranks([...experiment.map((value) => value - shift), ...control]);
  let sum = 0;
  const sizes = new Map<number, number>();
  for (const [i, rank] of ranks.entries()) {
    if (i < n) sum += rank;
    sizes.set(rank, (sizes.get(rank) ?? 0) + 1);
  }
  const ties = [...sizes.values()].reduce((all, size) => all + size ** 3 - size, 0);
  const spread = Math.sqrt(((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1))));
  const distance = sum - (n * (n + 1)) / 2 - (n * m) / 2;
  return spread > 0 ? (distance - Math.sign(distance) / 2) / spread : 0;
}

/** The shift at which the score, which falls as the shift grows, meets a level. */
function shiftAt(series: KayentaSeries, level: number): number {
  let low = Math.min(...series.experiment) - Math.max(...series.control);
  let high = Math.max(...series.experiment) - Math.min(...series.control);
  if (shiftedScore(series, low) <= level) return low;
  if (shiftedScore(series, high) >= level) return high;
  while (high - low > rootTolerance) {
    const middle = (low + high) / 2;
    if (shiftedScore(series, middle) > level) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Mann-Whitney's interval and estimate of the shift, experiment less control. */
export const locationShift = (
  series: KayentaSeries,
): { readonly lower: number; readonly upper: number; readonly estimate: number } => ({
  lower: shiftAt(series, score),
  upper: shiftAt(series, -score),
  estimate: shiftAt(series, 0),
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const sorted = (values: readonly number[]): string => values.toSorted((a, b) => a - b).join();

/** Missing values are removed (its default) or count as 0. */
const without = (values: readonly number[], strategy: "remove" | "replace"): readonly number[] =>
  strategy === "remove"
    ? values.filter((value) => !Number.isNaN(value))
    : values.map((value) => (Number.isNaN(value) ? 0 : value));

const isConstant = (values: readonly number[]): boolean => new Set(values).size === 1;

/** Two constants have no interval: Kayenta adds normal noise of a hundred-thousandth of the value to both. */
function blurred(series: KayentaSeries): KayentaSeries {
  if (!isConstant(series.control) || !isConstant(series.experiment)) return series;
  const random = seededRandom(1);
  const blur = (values: readonly number[]): readonly number[] =>
    values.map((value) => value + 1e-5 * value * normalDraw(random));
  return { control: blur(series.control), experiment: blur(series.experiment) };
}

/** Kayenta's label of a metric whose increase is bad. */
export function kayentaLabel(
  given: KayentaSeries,
  nanStrategy: "remove" | "replace" = "remove",
): "High" | "Pass" | "Nodata" {
  const series = {
    control: without(given.control, nanStrategy),
    experiment: without(given.experiment, nanStrategy),
  };
  const { control, experiment } = series;
  if (control.length === 0 || experiment.length === 0) {
    return nanStrategy === "remove" ? "Nodata" : "Pass";
  }
  if (sorted(control) === sorted(experiment)) return "Pass";
  const lowest = Math.min(...experiment) - Math.max(...control);
  // Where the versions overlap and no shift lies inside the interval, its lower end is not above 0.
  if (lowest <= 0 && shiftedScore(series, 0) <= score) return "Pass";
  const { lower, estimate } = locationShift(blurred(series));
  if (!(lower > tolerance * Math.abs(estimate))) return "Pass";
  const ratio = mean(experiment) / mean(control);
  const isRatioKnown = mean(control) !== 0 && mean(experiment) !== 0;
  return isRatioKnown && ratio < allowedIncrease ? "Pass" : "High";
}

/** With fewer values the interval ends at the smallest difference seen, and one pair of equal versions in six would be High at two. */
export const kayentaMinutesMin = 5;

/** What the tables call it. */
export const kayentaName = `Kayenta's rule (a69573b: ${100 * confidence} % interval, a quarter of the shift)`;
