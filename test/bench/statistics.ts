/** `npm run bench -- statistics`: the simulation tables, the speeds and the plots of the documentation. */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { format } from "prettier";
import { clopperPearsonInterval } from "../../shared/statistics/interval.js";
import { defaultPolicy, type Outcome } from "./canaries.js";
import { kayentaName } from "./kayenta.js";
import {
  detectors,
  simulateAuc,
  simulateDrift,
  simulatePromotion,
  simulateSlices,
  type Comparison,
  type Share,
} from "./statistics-gates.js";
import { latencyRules, latencyScenarios, simulateLatency } from "./statistics-latency.js";
import { drawPlots } from "./statistics-plots.js";
import { rules, scenarios, simulate } from "./statistics-rollout.js";
import { measureSpeeds } from "./statistics-speed.js";

const seed = 20_26;
const repetitions = { promotion: 2000, slices: 400, drift: 500 };
/** A minute of latencies takes some twenty times as long to draw as one of errors. */
const rolloutRepetitions = {
  errors: { isNull: 4000, isWorse: 2000 },
  latency: { isNull: 2000, isWorse: 1000 },
} as const;
const docs = new URL("../../infra/docs/", import.meta.url).pathname;

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** A share with its exact 95 % limits. */
const limits = ({ count, repetitions: n }: Share): string => {
  const [low, high] = clopperPearsonInterval(count, n, 0.95);
  return `${percent(count / n)} (${(100 * low).toFixed(1)}-${(100 * high).toFixed(1)})`;
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? NaN;

const cellOf = (isNull: boolean, { rolledBack, delays, repetitions: n }: Outcome): string => {
  const share = limits({ count: rolledBack, repetitions: n });
  return isNull || rolledBack < n / 2 ? share : `${share}, ${median(delays)} min`;
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** A scenario with what happened under every rule. */
interface Played<Scenario> {
  readonly scenario: Scenario;
  readonly outcomes: readonly Outcome[];
}

/** Plays every scenario. */
function playAll<Scenario extends { readonly name: string; readonly isNull: boolean }>(
  all: readonly Scenario[],
  play: (
    scenario: Scenario,
    options: { readonly repetitions: number; readonly seed: number },
  ) => readonly Outcome[],
  { isNull, isWorse }: { readonly isNull: number; readonly isWorse: number },
): readonly Played<Scenario>[] {
  return all.map((scenario) => {
    const n = scenario.isNull ? isNull : isWorse;
    console.log(`simulating ${scenario.name}: ${n} rollouts`);
    return { scenario, outcomes: play(scenario, { repetitions: n, seed }) };
  });
}

const outcomeTable = (
  names: readonly string[],
  found: readonly Played<{ readonly name: string; readonly isNull: boolean }>[],
): string =>
  table(
    ["rule", ...found.map(({ scenario }) => scenario.name)],
    names.map((rule) => [
      rule,
      ...found.map(({ scenario, outcomes }) => {
        const outcome = outcomes.find((one) => one.rule === rule);
        return outcome === undefined ? "" : cellOf(scenario.isNull, outcome);
      }),
    ]),
  );

type AnyPlayed = Played<{ readonly name: string; readonly isNull: boolean }>;

/** What was aimed at, for one named method, and what this run found. */
function goalTable(errors: readonly AnyPlayed[], latencies: readonly AnyPlayed[]): string {
  const of = (found: readonly AnyPlayed[], scenario: string, rule: string): Outcome => {
    const outcome = found
      .find((one) => one.scenario.name === scenario)
      ?.outcomes.find((one) => one.rule === rule);
    if (outcome === undefined) throw new Error(`${scenario}, ${rule}`);
    return outcome;
  };
  const shipped = "shipped, errorRatioMax 1";
  const alone = "its e-process alone, without over-dispersion";
  const slower = "shipped, latencyRatioMax 1";
  const worst = (rule: string): string => {
    const nulls = errors.filter(({ scenario }) => scenario.isNull);
    const counts = nulls.map(({ scenario }) => of(errors, scenario.name, rule));
    const most = counts.reduce((a, b) => (b.rolledBack > a.rolledBack ? b : a));
    return limits({ count: most.rolledBack, repetitions: most.repetitions });
  };
  const delay = (rule: string, scenario: string): number =>
    median(of(errors, scenario, rule).delays);
  const kayenta = delay(kayentaName, "1 to 2 %");
  const ratio = (rule: string): string =>
    `${delay(rule, "1 to 2 %")} of ${kayenta} min, ${(delay(rule, "1 to 2 %") / kayenta).toFixed(2)}`;
  const share = ({ rolledBack, repetitions: n }: Outcome): string =>
    limits({ count: rolledBack, repetitions: n });
  return table(
    ["goal", "shipped, ratio 1", "its e-process alone"],
    [
      [
        "false rollback at most 5 % under every null, upper limit 6 %",
        worst(shipped),
        worst(alone),
      ],
      [
        "1 to 3 %: median of at most 400 challenger requests",
        `${100 * delay(shipped, "1 to 3 %")}`,
        `${100 * delay(alone, "1 to 3 %")}`,
      ],
      ["1 to 2 %: at most 0.5 of the delay of Kayenta's rule", ratio(shipped), ratio(alone)],
      [
        "0.1 to 0.5 %: found in at least 99 %",
        share(of(errors, "0.1 to 0.5 %", shipped)),
        share(of(errors, "0.1 to 0.5 %", alone)),
      ],
      [
        "latency x 1.2 found within 5 minutes (median)",
        `${median(of(latencies, "x 1.2", slower).delays)} min`,
        "",
      ],
    ],
  );
}

const promotionCases: readonly {
  readonly name: string;
  readonly comparison: Comparison;
  readonly gains: readonly number[];
}[] = [
  {
    name: "superior",
    comparison: { mode: "superiority", margin: 0 },
    gains: [-0.01, 0, 0.02],
  },
  {
    name: "not worse by 1 point",
    comparison: { mode: "non-inferiority", margin: 0.01 },
    gains: [-0.02, -0.01, 0, 0.01],
  },
];

const promotionTable = (): string =>
  table(
    ["asked for", "rows", "true gain", "accuracy (McNemar)", "AUC (DeLong)", "a stored accuracy"],
    promotionCases.flatMap(({ name, comparison, gains }) =>
      [1000, 5000].flatMap((rows) =>
        gains.map((gain) => {
          const options = { comparison, gain, rows, repetitions: repetitions.promotion, seed };
          const accuracy = simulatePromotion(options);
          const boundary =
            comparison.mode === "superiority" ? comparison.margin : -comparison.margin;
          return [
            name,
            rows.toLocaleString("en-US"),
            `${(100 * gain).toFixed(0)} points${gain === boundary ? " (at the margin)" : ""}`,
            limits(accuracy.paired),
            limits(simulateAuc(options)),
            limits(accuracy.stored),
          ];
        }),
      ),
    ),
  );

const sliceFalls = [0, 0.3, 0.8];
const sliceTable = (): string =>
  table(
    ["fall of the signal in one slice of 20", "refused for a slice"],
    sliceFalls.map((fall) => [
      `${fall} standard deviations`,
      limits(simulateSlices({ fall, repetitions: repetitions.slices, seed })),
    ]),
  );

const driftTable = (): string => {
  const cases = [200, 1000, 5000].flatMap((rows) =>
    [0, 0.2, 0.5].map((shift) => ({ rows, shift })),
  );
  const found = cases.map((one) => ({
    ...one,
    results: simulateDrift({ ...one, repetitions: repetitions.drift, seed }),
  }));
  return table(
    ["detector", ...cases.map(({ rows, shift }) => `${rows} rows, shift ${shift}`)],
    Object.keys(detectors).map((name) => [
      name,
      ...found.map(({ shift, results }) => {
        const result = results.find(({ detector }) => detector === name);
        if (result === undefined) return "";
        return shift === 0
          ? limits(result)
          : `${limits(result)}, ${result.delay.toFixed(1)} windows`;
      }),
    ]),
  );
};

const count = (value: number): string => value.toLocaleString("en-US");

/** Runs everything and writes infra/docs/statistics-tables.md and infra/docs/plots. */
export async function benchStatistics(): Promise<void> {
  const started = performance.now();
  const rollouts = playAll(scenarios, simulate, rolloutRepetitions.errors);
  const latencies = playAll(latencyScenarios, simulateLatency, rolloutRepetitions.latency);
  console.log("simulating promotions, slices and drift");
  const gates = { promotion: promotionTable(), slices: sliceTable(), drift: driftTable() };
  console.log("measuring speeds");
  const load = (loadavg()[0] ?? NaN).toFixed(1);
  const speeds = await measureSpeeds();
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  const { user, system } = process.cpuUsage();
  const processorMinutes = ((user + system) / 60e6).toFixed(1);
  const text = `# Simulated error rates and delays

Made by \`npm run bench -- statistics\` in ${minutes} minutes (${processorMinutes} of processor time), seed ${seed}. Shares have exact 95 % limits (Clopper and Pearson). Speeds were
taken on ${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}) at a load average of ${load}.

## Rollout analysis: errors

1,000 requests a minute, 10 % of them to the challenger, a look every minute for an hour, delays without the time that metrics
need to arrive. ${count(rolloutRepetitions.errors.isNull)} rollouts of an equal challenger, ${count(rolloutRepetitions.errors.isWorse)} of a worse one. Shared swings: both versions' error rates move together
(spread 0.5 of the logarithm, minute by minute); own noise: each moves for itself (spread 0.3). A cell is the share rolled
back, then the median delay where at least half were.

${outcomeTable(Object.keys(rules), rollouts)}

"Shipped" is the analysis that the control plane runs, with evidence of errors weighing 0.4 in the mean of all kinds; an
\`errorRatioMax\` of 1 tolerates no rise, the default of ${defaultPolicy.errorRatioMax} makes it slower and quieter. "Equal, own noise" is where tests that take
requests as independent are wrong most often (compare the e-process with and without over-dispersion). A z-test corrected for a
known number of looks is about as fast: what is gained is that the number of looks need not be known. Kayenta's rule is written
anew from its source, sees error rates in percent and is asked from the fifth minute on: with fewer values its interval ends at the smallest
difference seen. It has no more false alarms than the shipped rule.

## Rollout analysis: latency

The same traffic, ${count(rolloutRepetitions.latency.isNull)} rollouts of an equal challenger, ${count(rolloutRepetitions.latency.isWorse)} of a slower one; latencies are lognormal (median 50 ms, spread 0.5 of the logarithm) in buckets that are four to a doubling. Shared swings
move both versions (spread 0.2), own noise each for itself (spread 0.1).

${outcomeTable(Object.keys(latencyRules), latencies)}

The shipped rule compares whole minutes, so that bursts cannot mislead it, and needs eight of them at least; taking
requests as independent is quicker and wrong wherever a version has slow minutes of its own. Kayenta's rule finds slower versions sooner.

## Goals, and what was met

${goalTable(rollouts, latencies)}

The shipped rule spreads its evidence over errors, latency, memory and more, and divides it by the over-dispersion seen: it holds its level under every null and misses
the two goals of delay that the bare e-process meets. Latency of 1.2 times the champion's takes longer than five minutes.

## Promotion

Both versions on the same rows, alpha 0.05, ${count(repetitions.promotion)} repetitions. Accuracy is 80 % for the champion, with 10 % of the rows judged differently; the area under the ROC
curve 0.8, with scores that share 90 % of their noise. A stored accuracy was measured on other rows.

${gates.promotion}

## Slices

8,000 rows in 20 slices, area under the ROC curve, margin 0.01, Benjamini-Hochberg at 5 %, ${repetitions.slices} repetitions.

${gates.slices}

## Drift

A normal column whose mean moves by the shift (in standard deviations), window and reference of equal size, 20 bins,
${count(repetitions.drift)} repetitions: share of windows with an alarm, and mean number of windows to the first one (20 at most).

${gates.drift}

## Speed

Median, least and most of the rounds; DuckDB's and our histograms take turns. A load average above the number of cores means that others
were at work on the machine, and that all of these but processor times are longer than on one of its own.

${table(["what", "seconds", "goal"], speeds)}
`;
  await mkdir(join(docs, "plots"), { recursive: true });
  const path = join(docs, "statistics-tables.md");
  await writeFile(path, await format(text, { parser: "markdown", printWidth: 100 }));
  await drawPlots(join(docs, "plots"), rollouts);
  console.log(`written: ${path}`);
}
