/** Reads what a manifest asks a rollout to be looked at for, beside the endpoint's own series. */
import type { DeployedModelId } from "../../events/ids.js";
import { ConfigError, RejectedError } from "../domain/errors.js";
import type { Need, SignalsWanted } from "../domain/facts.js";
import type { MetricCounts } from "../domain/segment.js";
import {
  businessWindows,
  cellsOf,
  countAnswers,
  labelledLosses,
  referenceAnswersMin,
  type Answer,
  type ArmPrediction,
} from "../domain/signals.js";
import type { AnswerCounts, LabelledLosses, SignalMeasurements } from "../domain/state.js";
import type { LoggedPrediction } from "../ports/prediction-log.js";
import type { Ports } from "../ports/ports.js";
import { answerOf, identified, readLabels } from "./monitoring/served.js";

type SeriesNeed = Need & { readonly fact: "series" };
type Wanted<Signal extends keyof SignalsWanted> = NonNullable<SignalsWanted[Signal]>;

/** Predictions that one stretch of constant weight is judged by, and how often it is halved to have no more. */
const rowsMax = 200_000;
const halvingsMax = 10;
/** How long before the rollout the champion's answers are looked for, and how many of them. */
const referenceMs = 60 * 60 * 1000;
const referenceRowsMax = 20_000;
/** Files of labels, the newest by name: what a rollout predicted is labelled in the last ones. */
const labelFilesMax = 500;

interface Span {
  readonly sinceMs: number;
  readonly untilMs: number;
}

const reader =
  ({ endpoint }: SeriesNeed, location: string, { predictionLog }: Ports) =>
  (span: Span, most: number): Promise<readonly LoggedPrediction[]> =>
    predictionLog.read({ location, endpoint, ...span, rowsMax: most });

/**
 * The first predictions of a stretch. What was counted once stays counted: evidence from a window that moves along, such
 * as the newest rows, would not hold at every look.
 */
const firstOf = async (
  read: ReturnType<typeof reader>,
  { sinceMs, untilMs }: Span,
): Promise<readonly LoggedPrediction[]> => {
  for (let halvings = 0; halvings < halvingsMax; halvings += 1) {
    const end = sinceMs + Math.ceil((untilMs - sinceMs) / 2 ** halvings);
    const found = await read({ sinceMs, untilMs: end }, rowsMax);
    if (found.length < rowsMax) return found;
  }
  throw new RejectedError(
    `more than ${rowsMax} predictions are logged in ${((untilMs - sinceMs) / 2 ** halvingsMax / 1000).toFixed(1)} s; lower monitoring.samplingRate`,
  );
};

/** One prediction of each request: those of one request are made for one caller, and are no independent draws. */
const onePerRequest = (predictions: readonly LoggedPrediction[]): readonly LoggedPrediction[] => {
  const seen = new Set<string>();
  return predictions.filter(({ requestId }) => {
    if (requestId === undefined) return true;
    if (seen.has(requestId)) return false;
    seen.add(requestId);
    return true;
  });
};

const answersOf = (
  predictions: readonly LoggedPrediction[],
  id: DeployedModelId | null,
  positiveClass: string | undefined,
): readonly Answer[] =>
  predictions.flatMap(({ deployedModelId, prediction }) =>
    deployedModelId === id ? [answerOf(prediction, positiveClass)] : [],
  );

/**
 * The cells come from what the champion answered before the rollout; where too little of it was logged, from its first
 * answers in this step, which are then not counted: cells must not depend on what is counted in them.
 */
const countedAnswers = (
  need: SeriesNeed,
  positiveClass: string | undefined,
  earlier: readonly LoggedPrediction[],
  served: readonly LoggedPrediction[],
): AnswerCounts | null => {
  const before = answersOf(onePerRequest(earlier), need.champion, positiveClass);
  const step = onePerRequest(served);
  const first = step.filter(({ deployedModelId }) => deployedModelId === need.champion);
  const isEnough = before.length >= referenceAnswersMin;
  const reference = isEnough
    ? before
    : answersOf(first.slice(0, referenceAnswersMin), need.champion, positiveClass);
  if (reference.length < referenceAnswersMin) return null;
  const countedFromMs = isEnough ? need.sinceMs : (first[referenceAnswersMin - 1]?.timeMs ?? 0) + 1;
  const counted = step.filter(({ timeMs }) => timeMs >= countedFromMs);
  const cells = cellsOf(reference);
  return {
    ...cells,
    champion: countAnswers(cells, answersOf(counted, need.champion, positiveClass)),
    challenger: countAnswers(cells, answersOf(counted, need.challenger, positiveClass)),
  };
};

const readAnswers = async (
  need: SeriesNeed,
  { startedAtMs, positiveClass }: SignalsWanted,
  { location }: Wanted<"answers">,
  ports: Ports,
): Promise<AnswerCounts | null> => {
  const read = reader(need, location, ports);
  const span = { sinceMs: startedAtMs - referenceMs, untilMs: startedAtMs };
  const before = await read(span, referenceRowsMax);
  return countedAnswers(need, positiveClass, before, await firstOf(read, need));
};

const readLosses = async (
  need: SeriesNeed,
  { earlier, positiveClass }: SignalsWanted,
  { location, labels, idField }: Wanted<"quality">,
  ports: Ports,
): Promise<readonly LabelledLosses[]> => {
  const stretches = [...earlier, { sinceMs: need.sinceMs, untilMs: need.untilMs }];
  const read = reader(need, location, ports);
  const predictions: LoggedPrediction[] = [];
  for (const stretch of stretches) predictions.push(...(await firstOf(read, stretch)));
  const { labels: arrived } = await readLabels(labels, ports, labelFilesMax);
  const named: readonly ArmPrediction[] = identified(predictions, idField, positiveClass);
  return labelledLosses(named, arrived, {
    champion: need.champion,
    challenger: need.challenger,
    stretches,
    positiveClass,
  });
};

/** A refusal for good is told with the verdict: what can still be measured must not stop for what cannot. */
const attempt = async <Found>(
  what: string,
  read: () => Promise<Found | null>,
): Promise<{ readonly found: Found | null; readonly problem: string | null }> => {
  try {
    return { found: await read(), problem: null };
  } catch (error) {
    if (!(error instanceof RejectedError) && !(error instanceof ConfigError)) throw error;
    return { found: null, problem: `${what} could not be measured: ${error.message}` };
  }
};

const nothing = { found: null, problem: null };

/** Everything that the manifest asks for of one step, or why it could not be read. */
export const readSignals = async (
  need: SeriesNeed,
  wanted: SignalsWanted,
  counts: MetricCounts,
  ports: Ports,
): Promise<SignalMeasurements> => {
  const { answers, business, quality } = wanted;
  // At 100 % nobody answers beside the challenger.
  const answered =
    answers === undefined || need.weight === 100
      ? nothing
      : await attempt("the prediction distribution", () =>
          readAnswers(need, wanted, answers, ports),
        );
  const lost =
    quality === undefined
      ? nothing
      : await attempt("quality", () => readLosses(need, wanted, quality, ports));
  const pointsOf = (id: DeployedModelId | null) =>
    id === null ? [] : (counts.business?.points[id] ?? []);
  const refusal = counts.business?.problem ?? null;
  const problems = [
    ...[answered, lost].flatMap(({ problem }) => problem ?? []),
    ...(refusal === null ? [] : [`the business metric could not be measured: ${refusal}`]),
  ];
  return {
    ...(answered.found === null ? {} : { answers: answered.found }),
    ...(business === undefined
      ? {}
      : {
          business: businessWindows(
            { champion: pointsOf(need.champion), challenger: pointsOf(need.challenger) },
            need,
            business,
          ),
        }),
    ...(lost.found === null ? {} : { losses: lost.found }),
    ...(problems.length === 0 ? {} : { problems }),
  };
};
