/** Rules of latency: how often, and how soon, each rolls a simulated canary back. */
import { normalUpper } from "../../shared/statistics/distributions.js";
import { logExceedance, nearestBound, total } from "../../shared/statistics/latency.js";
import {
  compareLatencyWindows,
  type LatencyWindow,
} from "../../shared/statistics/latency-windows.js";
import { multinomialDraw, normalDraw, type Random } from "../../shared/statistics/random.js";
import { mannWhitney } from "../../shared/statistics/two-sample.js";
import {
  canary,
  defaultPolicy,
  isRolledBack,
  logEvidenceLimit,
  minuteRequests,
  playCanaries,
  type Outcome,
  type Rule,
} from "./canaries.js";
import { kayentaLabel, kayentaMinutesMin, kayentaName } from "./kayenta.js";

/** What is simulated: the challenger's latency as a multiple of the champion's, and minute-level swings of its logarithm. */
export interface LatencyScenario {
  readonly name: string;
  readonly ratio: number;
  readonly shared?: number;
  readonly own?: number;
  readonly isNull: boolean;
}

/** A lognormal latency: median in milliseconds, and standard deviation of its logarithm. */
export const latency = { medianMs: 50, spread: 0.5 } as const;

/** Milliseconds, four to a doubling, as the platform's distributions have them. */
const bounds = Array.from({ length: 33 }, (_, i) => 4 * 2 ** (i / 4));
const middles = [...bounds, 2 * (bounds.at(-1) ?? 0)].map((bound) => bound / 2 ** 0.125);

const [thresholdMs, failedChecksMax] = [200, 5];

/** Bucket probabilities of the latency when its median is multiplied by a factor. */
function probabilities(factor: number): Float64Array {
  const beyond = bounds.map((bound) =>
    normalUpper(Math.log(bound / (latency.medianMs * factor)) / latency.spread),
  );
  return Float64Array.from(
    middles,
    (_, i) => (i === 0 ? 1 : (beyond[i - 1] ?? 0)) - (beyond[i] ?? 0),
  );
}

/** A minute of both versions, with what the rules ask of it again and again. */
interface Minute extends LatencyWindow {
  readonly means: { readonly champion: number; readonly challenger: number };
  readonly isSlow: boolean;
}

function minuteOf(random: Random, { ratio, shared = 0, own = 0 }: LatencyScenario): Minute {
  const both = Math.exp(shared * normalDraw(random));
  const requests = minuteRequests(random);
  const draw = (count: number, factor: number): number[] => {
    const swing = both * Math.exp(own * normalDraw(random));
    return Array.from(multinomialDraw(random, count, probabilities(factor * swing)));
  };
  const [challenger, champion] = [draw(requests.challenger, ratio), draw(requests.champion, 1)];
  return {
    challenger,
    champion,
    means: { challenger: mean(challenger), champion: mean(champion) },
    isSlow: slowest(challenger) > thresholdMs,
  };
}

const mean = (counts: readonly number[]): number =>
  counts.reduce((sum, count, i) => sum + count * (middles[i] ?? 0), 0) / total(counts);

/** The bound nearest the 99 % quantile. */
const slowest = (counts: readonly number[]): number =>
  bounds[nearestBound(counts, 0.99) ?? bounds.length - 1] ?? Infinity;

function pooled(arms: readonly (readonly number[])[]): number[] {
  const all = middles.map(() => 0);
  for (const counts of arms) {
    for (let i = 0; i < all.length; i += 1) all[i] = (all[i] ?? 0) + (counts[i] ?? 0);
  }
  return all;
}

const arm = (latencies: readonly number[]) => ({
  requests: total(latencies),
  errors: 0,
  latencies,
});

/** The control plane's own verdict on these latencies; nothing else differs. */
const shipped =
  (ratioMax: number): Rule<Minute> =>
  (minutes) =>
    isRolledBack(
      {
        bounds,
        champion: arm(pooled(minutes.map(({ champion }) => champion))),
        challenger: arm(pooled(minutes.map(({ challenger }) => challenger))),
        slower: compareLatencyWindows(minutes, bounds, { ratioMax }),
      },
      {},
    );

const means = (minutes: readonly Minute[]) => ({
  control: minutes.map((minute) => minute.means.champion),
  experiment: minutes.map((minute) => minute.means.challenger),
});

/** The rules that are compared. */
export const latencyRules = {
  "shipped, latencyRatioMax 1": shipped(1),
  [`shipped, latencyRatioMax ${defaultPolicy.latencyRatioMax} (default)`]: shipped(
    defaultPolicy.latencyRatioMax,
  ),
  "e-values of exceedances, requests taken as independent": (minutes) => {
    const all = {
      share: canary.share,
      bounds,
      challenger: pooled(minutes.map(({ challenger }) => challenger)),
      champion: pooled(minutes.map(({ champion }) => champion)),
    };
    return logExceedance([all], { ratioMax: 1 }) >= logEvidenceLimit;
  },
  "Mann-Whitney p < 0.05 of the minutes' means at each look": (minutes) => {
    const { control, experiment } = means(minutes);
    return minutes.length >= 3 && mannWhitney(control, experiment).pGreater < canary.alpha;
  },
  [`${kayentaName}, of the minutes' means`]: (minutes) =>
    minutes.length >= kayentaMinutesMin && kayentaLabel(means(minutes)) === "High",
  [`threshold counting: ${failedChecksMax} minutes with a 99 % quantile above ${thresholdMs} ms`]: (
    minutes,
  ) => minutes.filter(({ isSlow }) => isSlow).length >= failedChecksMax,
} as const satisfies Readonly<Record<string, Rule<Minute>>>;

/** Plays a scenario under every rule. */
export const simulateLatency = (
  scenario: LatencyScenario,
  options: { readonly repetitions: number; readonly seed: number },
): readonly Outcome[] =>
  playCanaries<Minute>(latencyRules, (random) => minuteOf(random, scenario), options);

/** Three kinds of equal challengers, and four that are slower. */
export const latencyScenarios: readonly LatencyScenario[] = [
  { name: "equal", ratio: 1, isNull: true },
  { name: "equal, shared swings", ratio: 1, shared: 0.2, isNull: true },
  { name: "equal, own noise", ratio: 1, own: 0.1, isNull: true },
  { name: "x 1.2", ratio: 1.2, isNull: false },
  { name: "x 1.2, own noise", ratio: 1.2, own: 0.1, isNull: false },
  { name: "x 1.3", ratio: 1.3, isNull: false },
  { name: "x 2", ratio: 2, isNull: false },
];
