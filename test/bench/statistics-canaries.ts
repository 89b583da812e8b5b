/** The sections of simulated rollouts: errors, latency, and what a manifest may ask for beside them. */
import { evidenceShares } from "../../shared/statistics/evidence-shares.js";
import { defaultPolicy } from "./canaries.js";
import { kayentaName } from "./kayenta.js";
import { latencyRules, latencyScenarios, simulateLatency } from "./statistics-latency.js";
import { playInParts, type Playable, type Played } from "./statistics-played.js";
import { rules, scenarios, simulate } from "./statistics-rollout.js";
import { signals } from "./statistics-signals.js";
import {
  count,
  limits,
  median,
  outcomeOf,
  outcomeTable,
  playedIn,
  table,
  worstNull,
} from "./statistics-text.js";

/** The first seed of every simulation. */
export const seed = 20_26;
const repetitions = { isNull: 4000, isWorse: 2000 } as const;

/** Plays scenarios one after the other, each at most so often. */
async function playAll<Scenario extends Playable>(
  about: string,
  all: readonly Scenario[],
  play: Parameters<typeof playInParts<Scenario>>[1],
  most: number,
): Promise<readonly Played<Scenario>[]> {
  const found: Played<Scenario>[] = [];
  for (const scenario of all) {
    const n = Math.min(most, scenario.isNull ? repetitions.isNull : repetitions.isWorse);
    found.push(await playInParts(scenario, play, { repetitions: n, seed, about }));
  }
  return found;
}

/** How often the equal and the worse were played, in words. */
const playedText = (most: number, equal: string, worse: string): string =>
  `${count(Math.min(most, repetitions.isNull))} rollouts of ${equal}, ${count(Math.min(most, repetitions.isWorse))} of ${worse}`;

/** Rollouts with errors under every rule: the plots draw them too. */
export const playErrors = (most: number): ReturnType<typeof playAll<(typeof scenarios)[number]>> =>
  playAll("errors", scenarios, simulate, most);

const shipped = "shipped, errorRatioMax 1";
const alone = "its e-process alone, without over-dispersion";

/** What was aimed at, for one named method, and what was found. */
function errorGoals(found: readonly Played<Playable>[]): string {
  const delay = (rule: string, scenario: string): number =>
    median(outcomeOf(found, scenario, rule).delays);
  const kayenta = delay(kayentaName, "1 to 2 %");
  const ratio = (rule: string): string =>
    `${delay(rule, "1 to 2 %")} of ${kayenta} min, ${(delay(rule, "1 to 2 %") / kayenta).toFixed(2)}`;
  const share = (rule: string): string => {
    const { rolledBack, repetitions: n } = outcomeOf(found, "0.1 to 0.5 %", rule);
    return limits({ count: rolledBack, repetitions: n });
  };
  return table(
    ["goal", "shipped, ratio 1", "its e-process alone"],
    [
      [
        "false rollback at most 5 % under every null, upper limit 6 %",
        worstNull(found, shipped),
        worstNull(found, alone),
      ],
      [
        "1 to 3 %: median of at most 400 challenger requests",
        count(100 * delay(shipped, "1 to 3 %")),
        count(100 * delay(alone, "1 to 3 %")),
      ],
      ["1 to 2 %: at most 0.5 of the delay of Kayenta's rule", ratio(shipped), ratio(alone)],
      ["0.1 to 0.5 %: found in at least 99 %", share(shipped), share(alone)],
    ],
  );
}

/** The section of error rates. */
export async function errorsSection(most: number): Promise<string> {
  const found = await playErrors(most);
  return `1,000 requests a minute, 10 % of them to the challenger, a look every minute for an hour, delays without the time that metrics
need to arrive. ${playedText(most, "an equal challenger", "a worse one")}. Shared swings: both versions' error rates move together
(spread 0.5 of the logarithm, minute by minute); own noise: each moves for itself (spread 0.3). A cell is the share rolled
back, then the median delay where at least half were.

${outcomeTable(Object.keys(rules), found)}

"Shipped" is the analysis that the control plane runs: errors weigh ${evidenceShares.errors} in the mean of all kinds of evidence, the others say nothing here, and
counts are divided by their over-dispersion. An \`errorRatioMax\` of 1 tolerates no rise; the default of ${defaultPolicy.errorRatioMax} makes it slower and quieter. "Equal, own
noise" is where tests that take requests as independent are wrong most often, the more so the more traffic there is. A z-test corrected for a
known number of looks is about as fast: what is gained is that the number of looks need not be known. Kayenta's rule is written
anew from its source, sees error rates in percent and is asked from the fifth minute on: with fewer values its interval ends at the smallest
difference seen. It has no more false alarms than the shipped rule. ${playedIn(found)}.

${errorGoals(found)}`;
}

/** The section of latency. */
export async function latencySection(most: number): Promise<string> {
  const found = await playAll("latency", latencyScenarios, simulateLatency, most);
  const rule = "shipped, latencyRatioMax 1";
  return `The same traffic, ${playedText(most, "an equal challenger", "a slower one")}; latencies are lognormal (median 50 ms, spread 0.5 of the logarithm) in buckets that are four to a doubling. Shared swings
move both versions (spread 0.2), own noise each for itself (spread 0.1; noise that lasts resembles that of the minute before with a correlation of 0.5, or 0.9). Bursts: every 3 to
8 minutes one version's requests take three times as long for a minute.

${outcomeTable(Object.keys(latencyRules), found)}

The shipped rule compares whole minutes, so that bursts cannot mislead it: by a sequential t-test of their rank sums, and by their signs. Taking
requests as independent is quicker and wrong wherever a version has slow minutes of its own. Noise that lasts much longer than a minute
misleads every rule: nothing is claimed of a correlation of 0.9. ${playedIn(found)}.

${table(
  ["goal", rule],
  [
    ["false rollback at most 5 % under every null, upper limit 6 %", worstNull(found, rule)],
    [
      "latency x 1.2 found within 5 minutes (median)",
      `${median(outcomeOf(found, "x 1.2", rule).delays)} min`,
    ],
  ],
)}`;
}

/** The section of answers, business metrics and delayed quality. */
export async function signalsSection(most: number): Promise<string> {
  const parts: string[] = [];
  for (const signal of signals) {
    const found = await playAll(
      signal.name,
      signal.scenarios,
      (scenario, options) => scenario.play(options),
      most,
    );
    const title = `${signal.name.charAt(0).toUpperCase()}${signal.name.slice(1)}`;
    parts.push(
      `**${title}**: ${signal.about}. ${playedIn(found)}.\n\n${outcomeTable(signal.rules, found)}`,
    );
  }
  return `What a manifest may ask for beside errors and latency, each by itself with the defaults of the manifest and a share of ${evidenceShares.signal} beside all other evidence, which says nothing here.
${playedText(most, "a challenger that is equal or as bad as is allowed", "a worse one")}, looks and cells as above.

${parts.join("\n\n")}`;
}
