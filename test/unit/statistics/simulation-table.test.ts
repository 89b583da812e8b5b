import { describe, expect, it } from "vitest";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";
import { hodgesLehmann } from "../../../shared/statistics/two-sample.js";
import { kayentaLabel, locationShift } from "../../bench/kayenta.js";
import { latencyScenarios, simulateLatency } from "../../bench/statistics-latency.js";
import {
  simulateAuc,
  simulateDrift,
  simulatePromotion,
  simulateSlices,
} from "../../bench/statistics-gates.js";
import type { Outcome } from "../../bench/canaries.js";
import { scenarios, simulate } from "../../bench/statistics-rollout.js";
import { signals } from "../../bench/statistics-signals.js";

// The bench has the full repetitions; these bounds are wide enough for 200 with a fixed seed.
const repetitions = 100;
const seed = 5;

const rolloutRules = ["shipped, errorRatioMax 1", "z-test p < 0.05"];

const known = new Map<string, readonly Outcome[]>();

const outcomeOf = (scenario: string, rule: string): Outcome => {
  const found = scenarios.find(({ name }) => name === scenario);
  if (found === undefined) throw new Error(scenario);
  const outcomes =
    known.get(scenario) ?? simulate(found, { repetitions, seed, only: rolloutRules });
  known.set(scenario, outcomes);
  const outcome = outcomes.find((one) => one.rule.startsWith(rule));
  if (outcome === undefined) throw new Error(rule);
  return outcome;
};

const medianOf = (delays: readonly number[]): number =>
  delays.toSorted((a, b) => a - b)[delays.length >> 1] ?? NaN;

describe("simulated rollouts", () => {
  it.each(scenarios.filter(({ isNull }) => isNull).map(({ name }) => name))(
    "the shipped rule rolls back few challengers that are %s",
    (scenario) => {
      expect(outcomeOf(scenario, "shipped").rolledBack / repetitions).toBeLessThan(0.08);
    },
  );

  it("finds 3 % errors against 1 % always, and in a few minutes", () => {
    const { rolledBack, delays } = outcomeOf("1 to 3 %", "shipped");
    expect(rolledBack).toBe(repetitions);
    expect(medianOf(delays)).toBeLessThanOrEqual(5);
  });

  it("a z-test at each look rolls back equal challengers, as theory says", () => {
    expect(outcomeOf("equal", "z-test p < 0.05").rolledBack / repetitions).toBeGreaterThan(0.15);
  });
});

describe("simulated latencies", () => {
  const played = (name: string): Outcome => {
    const scenario = latencyScenarios.find((one) => one.name === name);
    const only = ["shipped, latencyRatioMax 1"];
    const [found] =
      scenario === undefined ? [] : simulateLatency(scenario, { repetitions: 20, seed, only });
    if (found === undefined) throw new Error(name);
    return found;
  };

  it.each(["equal, own noise", "equal, bursts and own noise"])(
    "the shipped rule holds back challengers that are %s",
    (name) => {
      expect(played(name).rolledBack).toBeLessThanOrEqual(3);
    },
  );

  it("finds one that is a fifth slower within few minutes", () => {
    const { rolledBack, delays } = played("x 1.2");
    expect(rolledBack).toBe(20);
    expect(medianOf(delays)).toBeLessThanOrEqual(7);
  });
});

describe("simulated signals", () => {
  it.each(
    signals.flatMap(({ name, scenarios: all }) => all.map((one) => ({ about: name, ...one }))),
  )("$about, $name", ({ isNull, play }) => {
    const [shipped] = play({ repetitions: 10, seed, only: ["shipped"] });
    const rolledBack = shipped?.rolledBack ?? NaN;
    // Each is worse by enough to be found in some of ten rollouts, most in all.
    expect(rolledBack).toBeGreaterThanOrEqual(isNull ? 0 : 1);
    expect(rolledBack).toBeLessThanOrEqual(isNull ? 2 : 10);
  });
});

describe("Kayenta's rule", () => {
  const random = seededRandom(8);
  const draw = (size: number, shift: number) =>
    Array.from({ length: size }, () => shift + normalDraw(random));

  it("estimates the shift by the median of all differences, inside its interval", () => {
    const series = { control: draw(40, 10), experiment: draw(30, 12) };
    const differences = series.experiment.flatMap((x) => series.control.map((y) => x - y));
    const { lower, estimate, upper } = locationShift(series);
    expect(estimate).toBeCloseTo(hodgesLehmann(series.control, series.experiment), 2);
    // The interval's ends are ordered differences: about 2.33 deviations of the statistic from the middle.
    const step = 2.326 * Math.sqrt((30 * 40 * 71) / 12);
    const at = (rank: number): number =>
      differences.toSorted((a, b) => a - b)[Math.round(rank)] ?? NaN;
    expect(lower).toBeCloseTo(at(600 - step), 1);
    expect(upper).toBeCloseTo(at(600 + step), 1);
  });

  it.each([
    ["a clear rise", { control: draw(30, 10), experiment: draw(30, 13) }, "High"],
    ["a fall", { control: draw(30, 13), experiment: draw(30, 10) }, "Pass"],
    ["the same values", { control: [1, 2, 3], experiment: [3, 2, 1] }, "Pass"],
    ["two constants", { control: Array(9).fill(1), experiment: Array(9).fill(2) }, "High"],
    ["no value", { control: [1, 2], experiment: [NaN, NaN] }, "Nodata"],
  ])("labels %s", (_, series, label) => {
    expect(kayentaLabel(series)).toBe(label);
  });

  it("takes a missing value for 0 where it is told to replace it", () => {
    const series = { control: draw(30, 1).map(() => NaN), experiment: draw(30, 9) };
    expect(kayentaLabel(series, "replace")).toBe("High");
  });
});

describe("simulated gates", () => {
  it("a challenger one point worse is rarely promoted by the paired test", () => {
    const found = simulatePromotion({
      comparison: { mode: "superiority", margin: 0 },
      gain: -0.01,
      rows: 1000,
      repetitions,
      seed,
    });
    expect(found.paired.count / repetitions).toBeLessThan(0.05);
    expect(found.stored.count).toBeGreaterThan(found.paired.count);
  });

  it("DeLong's test holds its level at the margin, and has power away from it", () => {
    const comparison = { mode: "non-inferiority", margin: 0.01 } as const;
    const options = { comparison, rows: 1000, repetitions, seed };
    expect(simulateAuc({ ...options, gain: -0.01 }).count / repetitions).toBeLessThan(0.1);
    expect(simulateAuc({ ...options, gain: 0.01 }).count / repetitions).toBeGreaterThan(0.5);
  });

  it("a slice that fell far is found, and an equal challenger is not refused for a slice", () => {
    expect(simulateSlices({ fall: 0.8, repetitions: 5, seed }).count).toBe(5);
    expect(simulateSlices({ fall: 0, repetitions: 10, seed }).count).toBeLessThanOrEqual(1);
  });

  it("drift needs its null quantile: the threshold alone alarms on small windows", () => {
    const found = simulateDrift({ rows: 200, shift: 0, repetitions: 30, seed });
    const [shipped = NaN, threshold = NaN] = found.map(({ count }) => count / 30);
    expect(shipped).toBeLessThan(0.1);
    expect(threshold).toBeGreaterThan(0.3);
  });
});
