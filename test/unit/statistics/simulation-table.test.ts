import { describe, expect, it } from "vitest";
import { simulateDrift, simulatePromotion, simulateSlices } from "../../bench/statistics-gates.js";
import type { Outcome } from "../../bench/canaries.js";
import { rules, scenarios, simulate } from "../../bench/statistics-rollout.js";

// The bench has the full repetitions; these bounds are wide enough for 200 with a fixed seed.
const repetitions = 150;
const seed = 5;

const outcomeOf = (scenario: string, rule: string): Outcome => {
  const played = scenarios.find(({ name }) => name === scenario);
  const name = Object.keys(rules).find((one) => one.startsWith(rule));
  if (played === undefined || name === undefined) throw new Error(`${scenario}, ${rule}`);
  const found = simulate(played, { repetitions, seed }).find((one) => one.rule === name);
  if (found === undefined) throw new Error(name);
  return found;
};

describe("simulated rollouts", () => {
  it.each(["equal", "equal, shared swings", "equal, own noise"])(
    "the shipped rule rolls back few challengers that are %s",
    (scenario) => {
      expect(outcomeOf(scenario, "shipped").rolledBack / repetitions).toBeLessThan(0.08);
    },
  );

  it("finds 3 % errors against 1 % always, and in a few minutes", () => {
    const { rolledBack, delays } = outcomeOf("1 to 3 %", "shipped");
    expect(rolledBack).toBe(repetitions);
    expect(delays.toSorted((a, b) => a - b)[repetitions / 2]).toBeLessThanOrEqual(8);
  });

  it("a z-test at each look rolls back equal challengers, as theory says", () => {
    expect(outcomeOf("equal", "z-test p < 0.05").rolledBack / repetitions).toBeGreaterThan(0.15);
  });
});

describe("simulated gates", () => {
  it("a challenger one point worse is rarely promoted by the paired test", () => {
    const found = simulatePromotion({ gain: -0.01, rows: 1000, repetitions, seed });
    expect(found.paired.count / repetitions).toBeLessThan(0.05);
    expect(found.stored.count).toBeGreaterThan(found.paired.count);
  });

  it("a slice that fell far is found, and an equal challenger is not refused for a slice", () => {
    expect(simulateSlices({ fall: 0.8, repetitions: 5, seed }).count).toBe(5);
    expect(simulateSlices({ fall: 0, repetitions: 10, seed }).count).toBeLessThanOrEqual(1);
  });

  it("drift needs its null quantile: the threshold alone alarms on small windows", () => {
    const found = simulateDrift({ rows: 200, shift: 0, repetitions: 60, seed });
    const [shipped, threshold] = found.map(({ count }) => count / 60);
    expect(shipped).toBeLessThan(0.1);
    expect(threshold).toBeGreaterThanOrEqual(shipped ?? 0);
  });
});
