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
  type Rule,
} from "./canaries.js";
import { kayentaLabel, kayentaMinutesMin, kayentaName } from "./kayenta.js";

const { alpha, looks, share } = canary;

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
  const requests = minuteRequests(random);
  const rate = (base: number): number => Math.min(1, base * both * swing(random, own));
  return {
    requests: requests.challenger,
    errors: binomialDraw(random, requests.challenger, rate(challenger)),
    championRequests: requests.champion,
    championErrors: binomialDraw(random, requests.champion, rate(champion)),
  };
}

const total = (minutes: readonly Minute[], pick: (minute: Minute) => number): number =>
  minutes.reduce((sum, minute) => sum + pick(minute), 0);

const logE = (minutes: readonly Minute[]): number => {
  const challengerErrors = total(minutes, ({ errors }) => errors);
  const errors = challengerErrors + total(minutes, ({ championErrors }) => championErrors);
  return logEProcess([{ share, challengerErrors, errors }], { rho0: 1 });
};

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

/** The control plane's own verdict on these errors; latency, memory and processor use say nothing here. */
const shipped =
  (errorRatioMax: number): Rule<Minute> =>
  (minutes) => {
    const arm = (requests: number, errors: number) => ({ requests, errors, latencies: [] });
    const measured = {
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
    return isRolledBack(measured, { errorRatioMax });
  };

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
export const simulate = (
  scenario: Scenario,
  options: { readonly repetitions: number; readonly seed: number },
): readonly Outcome[] =>
  playCanaries<Minute>(rules, (random) => minuteOf(random, scenario), options);

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
