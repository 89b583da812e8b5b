/** Every verdict on one card: what it looked at, by which method, with which numbers, limits and policy. */
import type { z } from "zod";
import { anomalies, evaluation, type Evaluation } from "../../../events/artifacts.js";
import type { ContinuoEvent } from "../../../events/index.js";
import type { MonitoringReport } from "../../../events/monitoring.js";
import type { ModelState } from "../../domain/state.js";
import { reportOfWindow } from "../monitoring/reports.js";
import type { ApiContext } from "./context.js";
import type { RolloutView, RunView } from "./views.js";

type Numbers = Readonly<Record<string, number>>;

/** One verdict, explained. */
export interface VerdictCard {
  readonly about: string;
  readonly result: string;
  readonly inputs: readonly string[];
  readonly method: string;
  /** What was found, in sentences, where the verdict's own reasons do not tell all of it. */
  readonly findings?: readonly string[];
  readonly numbers: Numbers;
  readonly thresholds: Numbers;
  /** Version of the manifest that it followed; null where it is not known. */
  readonly policyVersion: number | null;
}

const artifactBytesMax = 64_000_000;
/** Sentences on a card; a table can break a thousand rules. */
const findingsMax = 20;

const readJson = async <Value>(
  { ports }: ApiContext,
  uri: string | undefined,
  schema: z.ZodType<Value>,
): Promise<Value | null> => {
  const body = uri === undefined ? null : await ports.objects.read(uri, artifactBytesMax);
  if (body === null) return null;
  try {
    return schema.safeParse(JSON.parse(body.toString("utf8"))).data ?? null;
  } catch {
    return null;
  }
};

/** Numbers that are limits, whatever they are limits of. */
const isLimit = (name: string): boolean =>
  /(?:^|\.)(?:allowed|threshold|low|high|margin|alpha|logEvidenceLimit)$/.test(name) ||
  /(?:Max|Min)$/.test(name);

const pick = (numbers: Numbers, isWanted: (name: string) => boolean): Numbers =>
  Object.fromEntries(Object.entries(numbers).filter(([name]) => isWanted(name)));

const divided = (numbers: Numbers): Pick<VerdictCard, "numbers" | "thresholds"> => ({
  numbers: pick(numbers, (name) => !isLimit(name)),
  thresholds: pick(numbers, isLimit),
});

/** What the data gate said of the version that a run was to train on; null when it has said nothing that is kept. */
export const dataGateCard = async (
  context: ApiContext,
  state: ModelState,
  run: RunView,
): Promise<VerdictCard | null> => {
  const dataset = state.datasets.find(({ fingerprint }) => fingerprint === run.fingerprint);
  const found = await readJson(context, dataset?.anomaliesUri, anomalies);
  if (dataset === undefined || found === null) return null;
  const named = found.anomalies.flatMap(({ column, kind, numbers }) =>
    Object.entries(numbers).map(
      ([name, value]) => [[column, kind, name].filter(Boolean).join("."), value] as const,
    ),
  );
  const { jsdMax, linfMax } = state.manifest.dataset.drift;
  const { numbers, thresholds } = divided(Object.fromEntries(named));
  return {
    about: "data gate",
    result: found.verdict,
    inputs: [...dataset.uris, ...(dataset.profileUri === undefined ? [] : [dataset.profileUri])],
    method:
      "rules of dataset.schema (types, ranges, domains, missing values); distance from the version before and from the champion's training rows: Jensen-Shannon divergence of numbers (bits), largest difference of a share of categories",
    findings: [
      ...found.anomalies
        .slice(0, findingsMax)
        .map(({ severity, message }) => `${severity}: ${message}`),
      ...(found.anomalies.length > findingsMax
        ? [`and ${found.anomalies.length - findingsMax} more in ${dataset.anomaliesUri}`]
        : []),
    ],
    numbers,
    // The limits of distances are the newest policy's; those of rules come with what broke them.
    thresholds: { ...thresholds, jsdMax, linfMax },
    policyVersion: run.policyVersion,
  };
};

const tests: Readonly<Record<NonNullable<Evaluation["comparison"]>["test"], string>> = {
  delong: "DeLong's paired test of two areas under the ROC curve",
  mcnemar: "McNemar's test of rows that one version alone has right",
  "paired-z": "paired test of the rows' losses",
  "paired-bootstrap": "paired bootstrap of rows",
  influence: "paired test by the rows' influence on the metric",
};

const methodOf = ({ comparison, slices }: Evaluation): string => {
  if (comparison === undefined) return "thresholds alone: these rows cannot be compared";
  const { test, metric, mode, against } = comparison;
  const judged = slices.filter(({ adjustment }) => adjustment !== undefined).length;
  const rival = against === "champion" ? "the champion" : "a constant prediction";
  return `${tests[test]} (${metric}, ${mode} against ${rival}, same rows)${judged === 0 ? "" : `; ${judged} slices, adjusted for their number (Benjamini-Hochberg, guards by Holm)`}`;
};

const limitsOf = ({ comparison, thresholds }: Evaluation): Numbers => ({
  ...(comparison === undefined ? {} : { alpha: comparison.alpha, margin: comparison.margin }),
  ...Object.fromEntries(
    thresholds.flatMap(({ metric, min, max }) => [
      ...(min === undefined ? [] : [[`${metric}.min`, min] as const]),
      ...(max === undefined ? [] : [[`${metric}.max`, max] as const]),
    ]),
  ),
});

/** The whole report on a run's version; null when nothing was evaluated, or it cannot be read. */
export const evaluationOf = (
  context: ApiContext,
  { evaluation: summary }: Pick<RunView, "evaluation">,
): Promise<Evaluation | null> => readJson(context, summary?.report, evaluation);

/** What the evaluation gate said of a run's version; null when nothing was evaluated. */
export const promotionGateCard = async (
  context: ApiContext,
  run: RunView,
): Promise<VerdictCard | null> => {
  if (run.evaluation === null) return null;
  const { report, outcome, numbers } = run.evaluation;
  const found = await evaluationOf(context, run);
  const own = pick(numbers, (name) => !isLimit(name));
  if (found === null) {
    const method = `unknown: ${report} cannot be read`;
    return {
      about: "evaluation gate",
      result: outcome,
      inputs: [report],
      method,
      ...divided(numbers),
      policyVersion: run.policyVersion,
    };
  }
  const worst = found.slices.find(({ isWorse }) => isWorse === true) ?? found.slices[0];
  const slice =
    worst === undefined
      ? {}
      : Object.fromEntries(
          Object.entries(worst).flatMap(([name, value]) =>
            typeof value === "number" ? [[`worst slice.${name}`, value]] : [],
          ),
        );
  return {
    about: "evaluation gate",
    result: outcome,
    inputs: [
      report,
      ...Object.entries(found.models).map(([side, uri]) => `${side} ${uri}`),
      `${found.rows} rows; scores sha256:${found.scoresDigest}`,
      ...(worst === undefined ? [] : [`worst slice: ${worst.column} = ${worst.value}`]),
    ],
    method: methodOf(found),
    numbers: { ...own, ...pick(slice, (name) => !isLimit(name)) },
    thresholds: { ...limitsOf(found), ...pick(slice, isLimit) },
    policyVersion: run.policyVersion,
  };
};

const analysisMethod =
  "evidence that holds at every look (e-values; alpha bounds a false rollback over all of them): errors by a conditional-binomial process, latency by windows, memory by records, processor use by signs, and what rollout.analysis asks for beside these";

type RolloutVerdict = NonNullable<RolloutView["lastVerdict"]>;

const stepCard = (
  { model, versionId, deployed }: RolloutView,
  verdict: RolloutVerdict,
  weight: number,
): VerdictCard => {
  const { measured, policyVersion } = verdict;
  const span =
    measured === undefined
      ? []
      : [
          `windows from ${new Date(measured.startMs).toISOString()} to ${new Date(measured.endMs).toISOString()}`,
        ];
  const ids = Object.entries(deployed).map(([environment, id]) => `${environment} ${id}`);
  return {
    about: `rollout at ${weight} %`,
    result: verdict.result,
    inputs: [`version ${versionId} of ${model} (${ids.join(", ")})`, ...span],
    method: analysisMethod,
    ...divided(verdict.numbers),
    policyVersion: policyVersion ?? null,
  };
};

/** What the analysis said at each step, and at the newest look. */
export const rolloutCards = (rollout: RolloutView): readonly VerdictCard[] => [
  ...rollout.history.map(({ verdict, weight }) => stepCard(rollout, verdict, weight)),
  ...(rollout.isLive && rollout.lastVerdict !== null && rollout.weight !== null
    ? [stepCard(rollout, rollout.lastVerdict, rollout.weight)]
    : []),
];

const sides = { drift: "its first rows", skew: "its training rows" };

/** What a look at served predictions said: a card for each comparison, and for each quality. */
export const monitoringCards = (report: MonitoringReport): readonly VerdictCard[] => {
  const { window, versionId, deployedModelId } = report;
  const inputs = [
    `${window.rows} predictions from ${window.start} to ${window.end}`,
    `version ${versionId} (${deployedModelId})`,
  ];
  const policyVersion = report.policyVersion ?? null;
  const compared = report.comparisons
    .filter(({ columns }) => columns.length > 0)
    .map(({ kind, objective, columns }): VerdictCard => ({
      about: `${kind} of ${objective}s`,
      result: columns.some(({ isAnomaly }) => isAnomaly) ? "anomaly" : "no anomaly",
      inputs: [...inputs, `against ${sides[kind]}`],
      method:
        "Jensen-Shannon divergence of numbers (bits), largest difference of a share of categories; an anomaly lies above its limit and above what 99 of 100 windows of this size reach by chance",
      numbers: Object.fromEntries(
        columns.flatMap(({ feature, value, nullQuantile, stability }) => [
          [feature, value],
          [`${feature} by chance`, nullQuantile],
          [`${feature} stability`, stability],
        ]),
      ),
      thresholds: Object.fromEntries(columns.map(({ feature, threshold }) => [feature, threshold])),
      policyVersion,
    }));
  const measured = report.quality.map(({ method, metric, isDecayed, ...numbers }): VerdictCard => {
    const { threshold, ...rest } = numbers;
    return {
      about: `quality by ${method}`,
      result: isDecayed ? "decayed" : "healthy",
      inputs,
      method:
        method === "labels"
          ? `${metric} of the predictions whose label has come; decayed when its upper bound (95 %, DeLong's variance) lies below the limit`
          : `${metric} that calibrated scores promise (confidence-based); decayed when it lies three standard deviations below that of the first rows`,
      numbers: rest,
      thresholds: { [metric]: threshold },
      policyVersion,
    };
  });
  return [...compared, ...measured];
};

type Alert = Extract<
  ContinuoEvent,
  { readonly type: "drift.detected" | "skew.detected" | "performance.decayed" }
>;

/** Whether an event tells of a verdict on what a model served. */
export const isAlert = (event: ContinuoEvent): event is Alert =>
  event.type === "drift.detected" ||
  event.type === "skew.detected" ||
  event.type === "performance.decayed";

/** What a foreign alert says of itself. */
const foreignCard = (event: Exclude<Alert, { readonly type: "performance.decayed" }>) => {
  const { window, anomalies: found, deployedModelId } = event.data;
  return {
    about: aboutAlert(event),
    result: "anomaly",
    inputs: [
      `window ${window.start} to ${window.end}`,
      ...(deployedModelId === undefined ? [] : [`deployed model ${deployedModelId}`]),
    ],
    method: `as its origin, ${event.source}, measured it`,
    numbers: Object.fromEntries(found.map(({ feature, deviation }) => [feature, deviation])),
    thresholds: Object.fromEntries(found.map(({ feature, threshold }) => [feature, threshold])),
    policyVersion: null,
  };
};

const aboutAlert = (event: Alert): string =>
  event.type === "performance.decayed"
    ? `quality by ${event.data.method}`
    : `${event.type === "drift.detected" ? "drift" : "skew"} of ${event.data.objective}s`;

/** The cards of an alert: of our own report on its window, else what the alert itself says. */
export const alertCards = async (
  context: ApiContext,
  event: Alert,
  model: string | null,
): Promise<readonly VerdictCard[]> => {
  const { end } = event.data.window;
  const report = model === null ? null : await reportOfWindow(model, end, context.ports);
  const own = report === null ? [] : monitoringCards(report);
  const named = own.filter(({ about }) => about === aboutAlert(event));
  if (named.length > 0) return named;
  return event.type === "performance.decayed" ? [] : [foreignCard(event)];
};
