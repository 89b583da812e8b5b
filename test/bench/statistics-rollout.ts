/** Rules of error rates: how often, and how soon, each rolls a simulated canary back. */
import { lowerConfidenceSequence } from "../../shared/statistics/confidence-sequence.js";
import { normalUpper } from "../../shared/statistics/distributions.js";
import { logEProcess } from "../../shared/statistics/e-process.js";
import { errorDispersion } from "../../shared/statistics/over-dispersion.js";
import { binomialDraw, normalDraw, type Random } from "../../shared/statistics/random.js";
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

const { alpha, looks } = canary;

/** One minute of both versions. */
interface Minute {
  /** The challenger's share of the traffic. */
  readonly share: number;
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
  readonly requestsPerMinute?: number;
  /** The challenger's shares of the traffic, each for an equal part of the hour. */
  readonly steps?: readonly number[];
  readonly isNull: boolean;
}

const swing = (random: Random, spread: number): number =>
  spread === 0 ? 1 : Math.exp(spread * normalDraw(random) - spread ** 2 / 2);

function minuteOf(random: Random, scenario: Scenario, minute: number): Minute {
  const { champion, challenger, shared = 0, own = 0, requestsPerMinute, steps = [] } = scenario;
  const both = swing(random, shared);
  const share = steps[Math.floor((minute * steps.length) / looks)] ?? canary.share;
  const requests = minuteRequests(random, {
    share,
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
  });
  const rate = (base: number): number => Math.min(1, base * both * swing(random, own));
  return {
    share,
    requests: requests.challenger,
    errors: binomialDraw(random, requests.challenger, rate(challenger)),
    championRequests: requests.champion,
    championErrors: binomialDraw(random, requests.champion, rate(champion)),
  };
}

const total = (minutes: readonly Minute[], pick: (minute: Minute) => number): number =>
  minutes.reduce((sum, minute) => sum + pick(minute), 0);

/** The minutes of each share, in their order. */
const stepsOf = (minutes: readonly Minute[]): readonly (readonly Minute[])[] =>
  [...new Set(minutes.map(({ share }) => share))].map((share) =>
    minutes.filter((minute) => minute.share === share),
  );

const logE = (minutes: readonly Minute[]): number =>
  logEProcess(
    stepsOf(minutes).map((step) => {
      const challengerErrors = total(step, ({ errors }) => errors);
      const errors = challengerErrors + total(step, ({ championErrors }) => championErrors);
      return { share: step[0]?.share ?? 0, challengerErrors, errors };
    }),
    { rho0: 1 },
  );

/** Errors in percent of the requests, minute by minute. */
const rates = (minutes: readonly Minute[]) => ({
  challenger: minutes.map(({ errors, requests }) => (100 * errors) / Math.max(1, requests)),
  champion: minutes.map(
    ({ championErrors, championRequests }) => (100 * championErrors) / championRequests,
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

/** What the control plane measures of one step; latency, memory and processor use say nothing here. */
const measured = (minutes: readonly Minute[]) => {
  const arm = (requests: number, errors: number) => ({ requests, errors, latencies: [] });
  return {
    weight: 100 * (minutes[0]?.share ?? 0),
    champion: arm(
      total(minutes, ({ championRequests }) => championRequests),
      total(minutes, ({ championErrors }) => championErrors),
    ),
    challenger: arm(
      total(minutes, ({ requests }) => requests),
      total(minutes, ({ errors }) => errors),
    ),
    dispersion: errorDispersion(
      minutes.map(({ errors, championErrors }) => ({
        challengerErrors: errors,
        errors: errors + championErrors,
      })),
    ),
  };
};

/** The control plane's own verdict. */
const shipped =
  (errorRatioMax: number): Rule<Minute> =>
  (minutes) =>
    isRolledBack(stepsOf(minutes).map(measured), { errorRatioMax });

const failedChecksMax = 5;

/** The rules that are compared. */
export const rules = {
  "shipped, errorRatioMax 1": shipped(1),
  [`shipped, errorRatioMax ${defaultPolicy.errorRatioMax} (default)`]: shipped(
    defaultPolicy.errorRatioMax,
  ),
  "its e-process alone, without over-dispersion": (minutes) => logE(minutes) >= logEvidenceLimit,
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
  [kayentaName]: (minutes) => {
    const { challenger, champion } = rates(minutes);
    return (
      minutes.length >= kayentaMinutesMin &&
      kayentaLabel({ control: champion, experiment: challenger }) === "High"
    );
  },
  "threshold counting: 5 minutes above 2 % errors": (minutes) =>
    minutes.filter(({ errors, requests }) => errors > 0.02 * requests).length >= failedChecksMax,
} as const satisfies Readonly<Record<string, Rule<Minute>>>;

/** Plays a scenario under every rule. */
export const simulate = (scenario: Scenario, options: PlayOptions): readonly Outcome[] =>
  playCanaries<Minute>(rules, (random, minute) => minuteOf(random, scenario, minute), options);

/** Equal challengers of five kinds, and four that are worse. */
export const scenarios: readonly Scenario[] = [
  { name: "equal", champion: 0.01, challenger: 0.01, isNull: true },
  { name: "equal, shared swings", champion: 0.01, challenger: 0.01, shared: 0.5, isNull: true },
  { name: "equal, own noise", champion: 0.01, challenger: 0.01, own: 0.3, isNull: true },
  {
    name: "equal, own noise, ten times the traffic",
    champion: 0.01,
    challenger: 0.01,
    own: 0.3,
    requestsPerMinute: 10_000,
    isNull: true,
  },
  {
    name: "equal, steps of 1, 10, 20 and 50 %",
    champion: 0.01,
    challenger: 0.01,
    steps: [0.01, 0.1, 0.2, 0.5],
    isNull: true,
  },
  { name: "1 to 1.5 %", champion: 0.01, challenger: 0.015, isNull: false },
  { name: "1 to 2 %", champion: 0.01, challenger: 0.02, isNull: false },
  { name: "1 to 3 %", champion: 0.01, challenger: 0.03, isNull: false },
  { name: "0.1 to 0.5 %", champion: 0.001, challenger: 0.005, isNull: false },
];
