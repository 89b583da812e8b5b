/** Simulated canaries: how often, and how soon, each rule rolls back. */
import { lowerConfidenceSequence } from "../../shared/statistics/confidence-sequence.js";
import { normalUpper } from "../../shared/statistics/distributions.js";
import { logEProcess } from "../../shared/statistics/e-process.js";
import { midranks } from "../../shared/statistics/ordering.js";
import { errorDispersion, overDispersion } from "../../shared/statistics/over-dispersion.js";
import {
  binomialDraw,
  normalDraw,
  seededRandom,
  type Random,
} from "../../shared/statistics/random.js";
import { hodgesLehmann, mannWhitney } from "../../shared/statistics/two-sample.js";

const looks = 60;
const requestsPerMinute = 1000;
const share = 0.1;
const alpha = 0.05;
const limit = Math.log(1 / alpha);

/** One minute of both versions. */
interface Minute {
  readonly requests: number;
  readonly errors: number;
  readonly championRequests: number;
  readonly championErrors: number;
}

/** What is simulated: error rates, and the spread of the rates' logarithm from minute to minute. */
export interface Scenario {
  readonly name: string;
  readonly champion: number;
  readonly challenger: number;
  /** Swings that both versions share, and those that each has for itself. */
  readonly shared?: number;
  readonly own?: number;
  readonly isNull: boolean;
}

const swing = (random: Random, spread: number): number =>
  spread === 0 ? 1 : Math.exp(spread * normalDraw(random) - spread ** 2 / 2);

function minuteOf(random: Random, scenario: Scenario): Minute {
  const { champion, challenger, shared = 0, own = 0 } = scenario;
  const both = swing(random, shared);
  const requests = binomialDraw(random, requestsPerMinute, share);
  const championRequests = requestsPerMinute - requests;
  const rate = (base: number): number => Math.min(1, base * both * swing(random, own));
  return {
    requests,
    errors: binomialDraw(random, requests, rate(challenger)),
    championRequests,
    championErrors: binomialDraw(random, championRequests, rate(champion)),
  };
}

/** A rule looks at the minutes so far; true means roll back. */
type Rule = (minutes: readonly Minute[]) => boolean;

const total = (minutes: readonly Minute[], pick: (minute: Minute) => number): number =>
  minutes.reduce((sum, minute) => sum + pick(minute), 0);

const logE = (minutes: readonly Minute[], rho0: number): number => {
  const challengerErrors = total(minutes, ({ errors }) => errors);
  const errors = challengerErrors + total(minutes, ({ championErrors }) => championErrors);
  return logEProcess([{ share, challengerErrors, errors }], { rho0 });
};

const rates = (minutes: readonly Minute[]) => ({
  challenger: minutes.map(({ errors, requests }) => errors / Math.max(1, requests)),
  champion: minutes.map(
    ({ championErrors, championRequests }) => championErrors / championRequests,
  ),
});

/** One-sided p-value of the pooled two-proportion z-test. */
function zTest(minutes: readonly Minute[]): number {
  const [n, m] = [
    total(minutes, ({ requests }) => requests),
    total(minutes, ({ championRequests }) => championRequests),
  ];
  const [x, y] = [
    total(minutes, ({ errors }) => errors),
    total(minutes, ({ championErrors }) => championErrors),
  ];
  const pooled = (x + y) / (n + m);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
  return error > 0 ? normalUpper((x / n - y / m) / error) : 1;
}

/** The z-score of Mann-Whitney's statistic when the challenger's values are lowered by `shift`; 0 when all are tied. */
function shiftedScore(
  challenger: readonly number[],
  champion: readonly number[],
  shift: number,
): number {
  const [n, m] = [challenger.length, champion.length];
  const ranks = midranks([...challenger.map((value) => value - shift), ...champion]);
  let sum = 0;
  const ties = new Map<number, number>();
  for (const [i, rank] of ranks.entries()) {
    if (i < n) sum += rank;
    ties.set(rank, (ties.get(rank) ?? 0) + 1);
  }
  const tied = [...ties.values()].reduce((all, size) => all + size ** 3 - size, 0);
  const spread = Math.sqrt(((n * m) / 12) * (n + m + 1 - tied / ((n + m) * (n + m - 1))));
  const distance = sum - (n * (n + 1)) / 2 - (n * m) / 2;
  return spread > 0 ? (distance - Math.sign(distance) / 2) / spread : 0;
}

const kayentaScore = 2.3263478740408408;
const kayentaTolerance = 0.25;

/**
 * Kayenta's judge of an error rate (version of 2025-04-08): "High" when the 98 % interval of the location shift lies above
 * a quarter of its estimate. The score falls with the shift, so the interval's lower end lies above a bound exactly when the score there is above 2.33.
 */
const kayenta: Rule = (minutes) => {
  if (minutes.length < 2) return false;
  const { challenger, champion } = rates(minutes);
  if (shiftedScore(challenger, champion, 0) <= kayentaScore) return false;
  const bound = kayentaTolerance * Math.abs(hodgesLehmann(champion, challenger));
  return shiftedScore(challenger, champion, bound) > kayentaScore;
};

const shippedShare = 0.4;
const failedChecksMax = 5;

/** The rules that are compared. */
export const rules: Readonly<Record<string, Rule>> = {
  "shipped: e-process with over-dispersion, mean of four, ratio 1": (minutes) => {
    const windows = minutes.map(({ errors, championErrors }) => ({
      challengerErrors: errors,
      errors: errors + championErrors,
    }));
    const log = logE(minutes, 1) / overDispersion([errorDispersion(windows)]);
    return Math.log(shippedShare * Math.exp(log) + 1 - shippedShare) >= limit;
  },
  "e-process alone": (minutes) => logE(minutes, 1) >= limit,
  "confidence sequence on minute batches": (minutes) => {
    const { challenger, champion } = rates(minutes);
    const differences = challenger.map((rate, i) => rate - (champion[i] ?? 0));
    return minutes.length >= 5 && lowerConfidenceSequence(differences, { rho: 0.5, alpha }) > 0;
  },
  "z-test p < 0.05 at each look": (minutes) => zTest(minutes) < alpha,
  "z-test, Bonferroni over 60 looks": (minutes) => zTest(minutes) < alpha / looks,
  "z-test once, after 60 minutes": (minutes) => minutes.length === looks && zTest(minutes) < alpha,
  "Mann-Whitney p < 0.05 at each look": (minutes) => {
    const { challenger, champion } = rates(minutes);
    return minutes.length >= 3 && mannWhitney(champion, challenger).pGreater < alpha;
  },
  "Kayenta's rule (98 % interval, a quarter of the shift)": kayenta,
  "threshold: 5 minutes above 2 % errors": (minutes) =>
    minutes.filter(({ errors, requests }) => errors > 0.02 * requests).length >= failedChecksMax,
};

/** What happened under a rule. */
export interface Outcome {
  readonly rule: string;
  readonly repetitions: number;
  readonly rolledBack: number;
  /** Minutes until each rollback. */
  readonly delays: readonly number[];
}

/** Plays a scenario; all rules see the same minutes. */
export function simulate(
  scenario: Scenario,
  options: { readonly repetitions: number; readonly seed: number },
): readonly Outcome[] {
  const random = seededRandom(options.seed);
  const names = Object.keys(rules);
  const delays = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    const minutes: Minute[] = [];
    const waiting = new Set(names);
    while (minutes.length < looks && waiting.size > 0) {
      minutes.push(minuteOf(random, scenario));
      for (const name of waiting) {
        if (rules[name]?.(minutes) !== true) continue;
        delays.get(name)?.push(minutes.length);
        waiting.delete(name);
      }
    }
  }
  return [...delays].map(([rule, found]) => ({
    rule,
    repetitions: options.repetitions,
    rolledBack: found.length,
    delays: found,
  }));
}

/** Three kinds of equal challengers, and four that are worse. */
export const scenarios: readonly Scenario[] = [
  { name: "equal", champion: 0.01, challenger: 0.01, isNull: true },
  { name: "equal, shared swings", champion: 0.01, challenger: 0.01, shared: 0.5, isNull: true },
  { name: "equal, own noise", champion: 0.01, challenger: 0.01, own: 0.3, isNull: true },
  { name: "1 to 1.5 %", champion: 0.01, challenger: 0.015, isNull: false },
  { name: "1 to 2 %", champion: 0.01, challenger: 0.02, isNull: false },
  { name: "1 to 3 %", champion: 0.01, challenger: 0.03, isNull: false },
  { name: "0.1 to 0.5 %", champion: 0.001, challenger: 0.005, isNull: false },
];
