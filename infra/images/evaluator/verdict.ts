/** The verdict on a challenger: accept or reject, in sentences with numbers. */
import type { Comparison, Evaluation, Metrics, Slice } from "../../../events/artifacts.js";
import type { EvaluationSettings } from "../configuration.js";
import type { Task } from "../../../shared/manifest/metrics.js";
import { keyOf } from "./metrics.js";
import type { Slices } from "./slices.js";

const digits = (value: number): string =>
  Math.abs(value) >= 1000 ? value.toPrecision(6) : value.toFixed(4);
const pText = (p: number): string => (p < 0.0001 ? "p < 0.0001" : `p = ${p.toFixed(4)}`);
const count = (value: number): string => value.toLocaleString("en-US");
const percent = (share: number): string => `${Math.round(100 * share)} %`;
/** A small number without a float's tail. */
const brief = (value: number): string => String(Number(value.toPrecision(3)));

type Threshold = Evaluation["thresholds"][number];

/** A reason, and whether the challenger is refused for it. */
interface Finding {
  readonly isRefusal: boolean;
  readonly sentence: string;
}

const refusedSlicesShownMax = 5;

function thresholdFinding(threshold: Threshold, isMeasured: boolean): Finding {
  const { metric, value, min, max, isMet } = threshold;
  const limits = [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
  ].join(" and ");
  const sentence = isMeasured
    ? `${metric} ${digits(value)} ${isMet ? "is" : "is not"} ${limits}`
    : `${metric} cannot be measured on these rows: ${limits} is asked for`;
  return { isRefusal: !isMet, sentence };
}

/** What the comparison asked for, in words. */
function demand({ against, mode, margin }: Comparison): string {
  const rival = against === "champion" ? "the champion" : "the constant prediction";
  if (mode === "superiority") {
    return margin === 0 ? `better than ${rival}` : `better than ${rival} by more than ${margin}`;
  }
  return `not worse than ${rival} by more than ${margin}`;
}

const unitOf = (task: Task): string => (task === "ranking" ? "queries" : "rows");

function comparisonFinding(comparison: Comparison, findings: Findings): Finding {
  const { values, rows, task } = findings;
  const { metric, improvement, interval, pValue, alpha, isAccepted, power, rowsNeeded } =
    comparison;
  const rival = comparison.against === "champion" ? "champion" : "constant prediction";
  const [low, high] = interval;
  const numbers = `${metric} ${digits(values.challenger)} against the ${rival}'s ${digits(values.rival)} on ${count(rows)} rows, improvement ${digits(improvement)} (95 % interval ${digits(low)} to ${digits(high)})`;
  if (isAccepted) {
    return { isRefusal: false, sentence: `${numbers}: ${demand(comparison)} (${pText(pValue)})` };
  }
  const needed =
    rowsNeeded === undefined ? "" : `, ${count(rowsNeeded)} ${unitOf(task)} would give 80 %`;
  return {
    isRefusal: true,
    sentence: `${numbers}: not shown to be ${demand(comparison)} (${pText(pValue)}, needed below ${alpha}; power at a true improvement of ${brief(comparison.powerEffect)} is ${percent(power)}${needed})`,
  };
}

/** A slice against the champion, in words. */
function sliceSentence(slice: Slice, metric: string): string {
  const { column, value, rows, challenger, champion = 0, improvement = 0, interval } = slice;
  const [low, high] = interval ?? [0, 0];
  return `where ${column} is ${JSON.stringify(value)} (${count(rows)} rows): ${metric} ${digits(challenger)} against the champion's ${digits(champion)}, improvement ${digits(improvement)} (95 % interval ${digits(low)} to ${digits(high)})`;
}

/** How many tests a slice's p-value was adjusted for: guards are a family of their own. */
function familyText({ adjustment }: Slice, judged: readonly Slice[]): string {
  const size = judged.filter((slice) => slice.adjustment === adjustment).length;
  const [what, by] = adjustment === "holm" ? ["guard", " by Holm"] : ["slice", ""];
  return `adjusted for ${count(size)} ${what}${size === 1 ? "" : "s"}${by}`;
}

/** Why something that people asked to be judged was not. */
const unjudgedFindings = ({ unjudged }: Slices): readonly Finding[] =>
  unjudged.map((sentence) => ({ isRefusal: false, sentence }));

/** A refusal for every slice that is clearly worse, and the worst slice when there is none. */
function sliceFindings({ judged, skipped }: Slices, metric: string): readonly Finding[] {
  const [worst] = judged;
  if (worst === undefined && skipped > 0) {
    const sentence = `none of ${count(skipped)} slices is large enough to be judged`;
    return [{ isRefusal: false, sentence }];
  }
  if (worst?.improvement === undefined) return [];
  const judgedCount = judged.length;
  const small = skipped === 0 ? "" : `, ${count(skipped)} smaller ones not judged`;
  const refused = judged
    .filter(({ isWorse }) => isWorse === true)
    .toSorted((a, b) => (a.pAdjusted ?? 1) - (b.pAdjusted ?? 1));
  if (refused.length === 0) {
    const sentence = `no slice of ${count(judgedCount)} is clearly worse${small}; the worst is ${sliceSentence(worst, metric)}`;
    return [{ isRefusal: false, sentence }];
  }
  const sentences = refused.slice(0, refusedSlicesShownMax).map((slice) => {
    const { margin = 0, pAdjusted = 1, power = 0, powerEffect = 0 } = slice;
    const allowed = margin === 0 ? "worse" : `worse by more than the ${brief(margin)} allowed`;
    return `slice ${allowed} ${sliceSentence(slice, metric)}; ${familyText(slice, judged)} ${pText(pAdjusted)}, power to find a fall of ${brief(powerEffect)} here is ${percent(power)}`;
  });
  const left = refused.length - sentences.length;
  const all = left === 0 ? sentences : [...sentences, `and ${count(left)} more slices are worse`];
  return all.map((sentence) => ({ isRefusal: true, sentence }));
}

/** What the versions take, against the limits. */
function resourceFindings({ resources, settings }: Findings): readonly Finding[] {
  const { challenger, champion, machineType } = resources;
  const { modelBytesMax, scoringTimeRatioMax, usdPerMillionRowsMax } = settings.limits;
  const found: Finding[] = [];
  if (challenger.modelBytes !== undefined) {
    const isRefusal = modelBytesMax !== undefined && challenger.modelBytes > modelBytesMax;
    const rival =
      champion?.modelBytes === undefined ? "" : `, the champion's ${count(champion.modelBytes)}`;
    const limit =
      modelBytesMax === undefined
        ? ""
        : `: ${isRefusal ? "not " : ""}at most ${count(modelBytesMax)}`;
    const sentence = `the model takes ${count(challenger.modelBytes)} bytes${rival}${limit}`;
    found.push({ isRefusal, sentence });
  }
  const [own, before] = [challenger.microsecondsPerRow, champion?.microsecondsPerRow];
  if (own !== undefined && before !== undefined && before > 0) {
    const ratio = own / before;
    const isRefusal = scoringTimeRatioMax !== undefined && ratio > scoringTimeRatioMax;
    const limit =
      scoringTimeRatioMax === undefined
        ? ""
        : `: ${isRefusal ? "not " : ""}at most ${scoringTimeRatioMax} times`;
    const sentence = `a row takes ${brief(own)} microseconds to score here, ${brief(ratio)} times the champion's ${brief(before)}${limit}`;
    found.push({ isRefusal, sentence });
  }
  const cost = challenger.usdPerMillionRows;
  if (cost !== undefined && machineType !== undefined) {
    const isRefusal = usdPerMillionRowsMax !== undefined && cost > usdPerMillionRowsMax;
    const limit =
      usdPerMillionRowsMax === undefined
        ? ""
        : `: ${isRefusal ? "not " : ""}at most ${usdPerMillionRowsMax} USD`;
    const rival =
      champion?.usdPerMillionRows === undefined
        ? ""
        : `, the champion's ${brief(champion.usdPerMillionRows)}`;
    const sentence = `a million rows take ${brief(cost)} USD of ${machineType} at that speed${rival}${limit}`;
    found.push({ isRefusal, sentence });
  }
  return found;
}

/** All that the verdict rests on. */
export interface Findings {
  readonly task: Task;
  readonly rows: number;
  readonly problem: string | undefined;
  readonly thresholds: readonly Threshold[];
  /** The challenger's. */
  readonly metrics: Metrics;
  readonly comparison: Comparison | undefined;
  readonly values: { readonly challenger: number; readonly rival: number };
  readonly slices: Slices;
  readonly resources: Evaluation["resources"];
  readonly settings: EvaluationSettings;
}

/** Decides; every sentence carries the numbers it rests on, refusals first. */
export function decideVerdict(findings: Findings): Evaluation["verdict"] {
  const { problem, thresholds, metrics, comparison, slices, settings } = findings;
  if (problem !== undefined) return { outcome: "reject", reasons: [problem] };
  if (comparison === undefined) {
    const reason = `${settings.primaryMetric} of these rows is beyond what a number holds: look for labels or scores of extreme size`;
    return { outcome: "reject", reasons: [reason] };
  }
  const compared = comparisonFinding(comparison, findings);
  const found = [
    ...(compared.isRefusal ? [compared] : []),
    ...thresholds.map((threshold) =>
      thresholdFinding(threshold, metrics[keyOf(threshold.metric)] !== undefined),
    ),
    ...sliceFindings(slices, settings.primaryMetric),
    ...unjudgedFindings(slices),
    ...resourceFindings(findings),
  ];
  const refusals = found.filter(({ isRefusal }) => isRefusal);
  const others = found.filter(({ isRefusal }) => !isRefusal);
  const accepted = compared.isRefusal ? [] : [compared];
  return {
    outcome: refusals.length === 0 ? "accept" : "reject",
    reasons: [...refusals, ...accepted, ...others].map(({ sentence }) => sentence),
  };
}
