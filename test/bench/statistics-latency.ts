/** Rules of latency: how often, and how soon, each rolls a simulated canary back. */
import { normalUpper } from "../../shared/statistics/distributions.js";
import { logExceedance, nearestBound, total } from "../../shared/statistics/latency.js";
import { sumLatencyRanks } from "../../shared/statistics/latency-ranks.js";
import {
  compareLatencyWindows,
  logWindowSigns,
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
  type PlayOptions,
  type Rule,
} from "./canaries.js";
import { kayentaLabel, kayentaMinutesMin, kayentaName } from "./kayenta.js";

/** What is simulated: the challenger's latency as a multiple of the champion's, and minute-level swings of its logarithm. */
export interface LatencyScenario {
  readonly name: string;
  readonly ratio: number;
  readonly shared?: number;
  readonly own?: number;
  /** How much each version's own swing resembles that of the minute before (first-order autoregressive). */
  readonly lasting?: number;
  /** Every 3 to 8 minutes one version's requests take three times as long for a minute. */
  readonly isBursty?: boolean;
  readonly isNull: boolean;
  readonly isBeyondClaim?: true;
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

/** How far bursts slow a minute's requests, and how many minutes lie between two. */
const burst = { factor: 3, minutesMin: 3, minutesMax: 8 } as const;

/** Minutes of one rollout after another: what lasts longer than one of them is kept between the calls. */
function minutesOf({
  ratio,
  shared = 0,
  own = 0,
  lasting = 0,
  isBursty = false,
}: LatencyScenario): (random: Random, minute: number) => Minute {
  let swings = { challenger: 0, champion: 0 };
  let nextBurst = 0;
  return (random, minute) => {
    const untilNext = (): number =>
      burst.minutesMin + Math.floor(random() * (burst.minutesMax - burst.minutesMin + 1));
    const swing = (before: number): number =>
      minute === 0
        ? normalDraw(random)
        : lasting * before + Math.sqrt(1 - lasting ** 2) * normalDraw(random);
    swings = { challenger: swing(swings.challenger), champion: swing(swings.champion) };
    if (minute === 0) nextBurst = Math.floor(random() * burst.minutesMax);
    const isBurst = isBursty && minute === nextBurst;
    if (isBurst) nextBurst = minute + untilNext();
    const bursting = isBurst ? (random() < 0.5 ? "challenger" : "champion") : "neither";
    const both = Math.exp(shared * normalDraw(random));
    const requests = minuteRequests(random);
    const draw = (version: "challenger" | "champion", factor: number): number[] => {
      const slowed = bursting === version ? burst.factor : 1;
      const ownSwing = Math.exp(own * swings[version]);
      return Array.from(
        multinomialDraw(
          random,
          requests[version],
          probabilities(factor * both * slowed * ownSwing),
        ),
      );
    };
    const [challenger, champion] = [draw("challenger", ratio), draw("champion", 1)];
    return {
      challenger,
      champion,
      means: { challenger: mean(challenger), champion: mean(champion) },
      isSlow: slowest(challenger) > thresholdMs,
    };
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

/** What several rules ask of the minutes so far, worked out once for each look, which its last minute stands for. */
const perLook = <Value>(compute: (minutes: readonly Minute[]) => Value) => {
  const known = new WeakMap<Minute, Value>();
  return (minutes: readonly Minute[]): Value => {
    const last = minutes.at(-1);
    const found = last === undefined ? undefined : known.get(last);
    if (found !== undefined) return found;
    const value = compute(minutes);
    if (last !== undefined) known.set(last, value);
    return value;
  };
};

const arms = perLook((minutes) => ({
  champion: arm(pooled(minutes.map(({ champion }) => champion))),
  challenger: arm(pooled(minutes.map(({ challenger }) => challenger))),
}));
const signsOfOne = perLook((minutes) => compareLatencyWindows(minutes, bounds, { ratioMax: 1 }));

/** The control plane's own verdict on these latencies; nothing else differs. */
const shipped =
  (ratioMax: number): Rule<Minute> =>
  (minutes) =>
    isRolledBack(
      [
        {
          endMs: 60_000 * minutes.length,
          bounds,
          ...arms(minutes),
          slower:
            ratioMax === 1
              ? signsOfOne(minutes)
              : compareLatencyWindows(minutes, bounds, { ratioMax }),
          ranks: sumLatencyRanks(minutes, { ratioMax }),
        },
      ],
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
  "its signs of windows alone": (minutes) =>
    logWindowSigns([signsOfOne(minutes)]) >= logEvidenceLimit,
  "e-values of exceedances, requests taken as independent": (minutes) => {
    const { champion, challenger } = arms(minutes);
    const all = {
      share: canary.share,
      bounds,
      challenger: challenger.latencies,
      champion: champion.latencies,
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
  options: PlayOptions,
): readonly Outcome[] => playCanaries<Minute>(latencyRules, minutesOf(scenario), options);

/** Equal challengers of seven kinds, and five that are slower. */
export const latencyScenarios: readonly LatencyScenario[] = [
  { name: "equal", ratio: 1, isNull: true },
  { name: "equal, shared swings", ratio: 1, shared: 0.2, isNull: true },
  { name: "equal, own noise", ratio: 1, own: 0.1, isNull: true },
  { name: "equal, own noise that lasts", ratio: 1, own: 0.1, lasting: 0.5, isNull: true },
  { name: "equal, bursts", ratio: 1, isBursty: true, isNull: true },
  { name: "equal, bursts and own noise", ratio: 1, own: 0.1, isBursty: true, isNull: true },
  {
    name: "equal, own noise of many minutes (0.9)",
    ratio: 1,
    own: 0.1,
    lasting: 0.9,
    isNull: true,
    isBeyondClaim: true,
  },
  { name: "x 1.2", ratio: 1.2, isNull: false },
  { name: "x 1.2, own noise", ratio: 1.2, own: 0.1, isNull: false },
  { name: "x 1.2, bursts", ratio: 1.2, isBursty: true, isNull: false },
  { name: "x 1.3", ratio: 1.3, isNull: false },
  { name: "x 2", ratio: 2, isNull: false },
];
