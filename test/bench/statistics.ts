/** `npm run bench -- statistics`: the simulation tables, the speeds and the plots of the documentation. */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { format } from "prettier";
import type { Outcome } from "./canaries.js";
import { clopperPearsonInterval } from "../../shared/statistics/interval.js";
import {
  detectors,
  simulateDrift,
  simulatePromotion,
  simulateSlices,
  type Share,
} from "./statistics-gates.js";
import { drawPlots } from "./statistics-plots.js";
import { rules, scenarios, simulate } from "./statistics-rollout.js";
import { measureSpeeds } from "./statistics-speed.js";

const seed = 20_26;
const repetitions = { isNull: 4000, isWorse: 2000, promotion: 2000, slices: 400, drift: 500 };
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

/** Every scenario's outcomes. */
function rolloutOutcomes() {
  return scenarios.map((scenario) => {
    const n = scenario.isNull ? repetitions.isNull : repetitions.isWorse;
    console.log(`simulating ${scenario.name}: ${n} rollouts`);
    return { scenario, outcomes: simulate(scenario, { repetitions: n, seed }) };
  });
}

const rolloutTable = (found: ReturnType<typeof rolloutOutcomes>): string =>
  table(
    ["rule", ...found.map(({ scenario }) => scenario.name)],
    Object.keys(rules).map((rule) => [
      rule,
      ...found.map(({ scenario, outcomes }) => {
        const outcome = outcomes.find((one) => one.rule === rule);
        return outcome === undefined ? "" : cellOf(scenario.isNull, outcome);
      }),
    ]),
  );

const promotionTable = (): string =>
  table(
    ["rows", "true gain of accuracy", "paired test promotes", "stored score promotes"],
    [1000, 5000].flatMap((rows) =>
      [-0.01, 0, 0.02].map((gain) => {
        const found = simulatePromotion({ gain, rows, repetitions: repetitions.promotion, seed });
        return [
          rows.toLocaleString("en-US"),
          `${(100 * gain).toFixed(0)} points`,
          limits(found.paired),
          limits(found.stored),
        ];
      }),
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

/** Runs everything and writes infra/docs/statistics-tables.md and infra/docs/plots. */
export async function benchStatistics(): Promise<void> {
  const rollouts = rolloutOutcomes();
  console.log("simulating promotions, slices and drift");
  const gates = { promotion: promotionTable(), slices: sliceTable(), drift: driftTable() };
  const speeds = await measureSpeeds();
  const text = `# Simulated error rates and delays

Made by \`npm run bench -- statistics\`, seed ${seed}. Shares have exact 95 % limits (Clopper and Pearson). Speeds were
taken on ${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}).

## Rollout analysis

1,000 requests a minute, 10 % of them to the challenger, a look every minute for an hour, delays without the time that metrics
need to arrive. ${repetitions.isNull.toLocaleString("en-US")} rollouts of an equal challenger, ${repetitions.isWorse.toLocaleString("en-US")} of a worse one. Shared swings: both versions' error rates move together
(spread 0.5 of the logarithm, minute by minute); own noise: each moves for itself (spread 0.3). A cell is the share rolled
back, then the median delay where at least half were.

${rolloutTable(rollouts)}

The shipped rule has its default share of the evidence (0.4; latency, memory and processor have the rest) and no tolerated
ratio; the manifest's default of 1.2 makes it slower and quieter. "Equal, own noise" is where tests that take
requests as independent are wrong most often (compare the e-process with and without over-dispersion). A z-test corrected for a known number of looks is about as fast: what is gained is that the number of looks need not be known.

## Promotion

Accuracy on the same rows, 10 % of them judged differently by the two versions, alpha 0.05, ${repetitions.promotion.toLocaleString("en-US")} repetitions. A stored score was
measured on other rows.

${gates.promotion}

## Slices

8,000 rows in 20 slices, area under the ROC curve, margin 0.01, Benjamini-Hochberg at 5 %, ${repetitions.slices} repetitions.

${gates.slices}

## Drift

A normal column whose mean moves by the shift (in standard deviations), window and reference of equal size, 20 bins,
${repetitions.drift.toLocaleString("en-US")} repetitions: share of windows with an alarm, and mean number of windows to the first one (20 at most).

${gates.drift}

## Speed

${table(["what", "seconds", "goal"], speeds)}
`;
  await mkdir(join(docs, "plots"), { recursive: true });
  const path = join(docs, "statistics-tables.md");
  await writeFile(path, await format(text, { parser: "markdown", printWidth: 100 }));
  await drawPlots(join(docs, "plots"), rollouts);
  console.log(`written: ${path}`);
}
