/** The verdict on a challenger: accept or reject, in sentences with numbers. */
import type { Comparison, Evaluation, Slice } from "../../../events/artifacts.js";

const digits = (value: number): string => value.toFixed(4);
const pText = (p: number): string => (p < 0.0001 ? "p < 0.0001" : `p = ${p.toFixed(4)}`);
const count = (value: number): string => value.toLocaleString("en-US");
const percent = (share: number): string => `${Math.round(100 * share)} %`;

type Threshold = Evaluation["thresholds"][number];

function thresholdReason({ metric, value, min, max, isMet }: Threshold): string {
  const limits = [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
  ];
  return `${metric} ${digits(value)} ${isMet ? "is" : "is not"} ${limits.join(" and ")}`;
}

/** What the comparison asked for, in words. */
function demand({ against, mode, margin }: Comparison): string {
  const rival = against === "champion" ? "the champion" : "the constant prediction";
  if (mode === "superiority") {
    return margin === 0 ? `better than ${rival}` : `better than ${rival} by more than ${margin}`;
  }
  return `not worse than ${rival} by more than ${margin}`;
}

function comparisonReason(
  comparison: Comparison,
  values: { readonly challenger: number; readonly rival: number },
  rows: number,
): string {
  const { metric, improvement, interval, pValue, alpha, isAccepted, power, rowsNeeded } =
    comparison;
  const rival = comparison.against === "champion" ? "champion" : "constant prediction";
  const [low, high] = interval;
  const numbers = `${metric} ${digits(values.challenger)} against the ${rival}'s ${digits(values.rival)} on ${count(rows)} rows, improvement ${digits(improvement)} (95 % interval ${digits(low)} to ${digits(high)})`;
  if (isAccepted) return `${numbers}: ${demand(comparison)} (${pText(pValue)})`;
  const needed = rowsNeeded === undefined ? "" : `, ${count(rowsNeeded)} rows would give 80 %`;
  return `${numbers}: not shown to be ${demand(comparison)} (${pText(pValue)}, needed below ${alpha}; power at a true improvement of ${comparison.powerEffect} is ${percent(power)}${needed})`;
}

/** Mentions the slice that became worse most clearly, when one did. */
function sliceReasons(slices: readonly Slice[], alpha: number): readonly string[] {
  const worse = slices.filter(({ pAdjusted = 1 }) => pAdjusted < alpha);
  return worse
    .slice(0, 3)
    .map(
      ({ column, value, rows, improvement = 0, pAdjusted = 1 }) =>
        `note: auc fell by ${digits(-improvement)} where ${column} is ${value} (${count(rows)} rows, adjusted ${pText(pAdjusted)})`,
    );
}

/** All that the verdict rests on. */
export interface Findings {
  readonly rows: number;
  readonly positives: number;
  readonly thresholds: readonly Threshold[];
  readonly comparison: Comparison | undefined;
  readonly values: { readonly challenger: number; readonly rival: number };
  readonly slices: readonly Slice[];
  readonly alpha: number;
}

/** Decides; every sentence carries the numbers it rests on, refusals first. */
export function decideVerdict(findings: Findings): Evaluation["verdict"] {
  const { rows, positives, thresholds, comparison, values, slices, alpha } = findings;
  if (comparison === undefined) {
    const reason = `the holdout has ${count(rows)} rows, ${count(positives)} of them positive: both classes are needed to compare`;
    return { outcome: "reject", reasons: [reason] };
  }
  const failed = thresholds.filter(({ isMet }) => !isMet);
  const met = thresholds.filter(({ isMet }) => isMet);
  const compared = comparisonReason(comparison, values, rows);
  const isAccepted = failed.length === 0 && comparison.isAccepted;
  const refusals = failed.map(thresholdReason);
  const reasons = comparison.isAccepted
    ? [...refusals, compared, ...met.map(thresholdReason)]
    : [compared, ...refusals, ...met.map(thresholdReason)];
  return {
    outcome: isAccepted ? "accept" : "reject",
    reasons: [...reasons, ...sliceReasons(slices, alpha)],
  };
}
