import { describe, expect, it } from "vitest";
import {
  errorsUntilDetection,
  minutesUntilDetection,
  type Detection,
} from "../../../shared/statistics/detection-time.js";
import { logEProcess } from "../../../shared/statistics/e-process.js";
import { evidenceShares } from "../../../shared/statistics/evidence-shares.js";
import { seededRandom } from "../../../shared/statistics/random.js";
import { canary, defaultPolicy } from "../../bench/canaries.js";
import { scenarios, simulate } from "../../bench/statistics-rollout.js";

const twice: Detection = { share: 0.1, ratio: 2, rho0: 1, alpha: 0.05, evidenceShare: 1 };

/** Errors until the process crosses its limit, walked one by one. */
function walked(
  { share, ratio, rho0, alpha }: Detection,
  seed: number,
  repetitions: number,
): number {
  const random = seededRandom(seed);
  const theta = (share * ratio) / (share * ratio + 1 - share);
  let sum = 0;
  for (let i = 0; i < repetitions; i += 1) {
    let [errors, challengerErrors] = [0, 0];
    do {
      errors += 1;
      if (random() < theta) challengerErrors += 1;
    } while (logEProcess([{ share, challengerErrors, errors }], { rho0 }) < -Math.log(alpha));
    sum += errors;
  }
  return sum / repetitions;
}

describe("errors until a worse challenger is found", () => {
  it.each([
    ["twice as many errors", twice],
    ["five times as many, half of the traffic", { ...twice, ratio: 5, share: 0.5 }],
    ["a tolerated rise of a fifth", { ...twice, ratio: 4, rho0: 1.2 }],
  ])("equal the mean of many walks: %s", (_, detection) => {
    const expected = errorsUntilDetection(detection);
    // The walks' spread is about their mean, so 400 of them are within 15 % of it.
    expect(walked(detection, 6, 400) / expected).toBeGreaterThan(0.85);
    expect(walked(detection, 7, 400) / expected).toBeLessThan(1.15);
  });

  it.each([
    ["1 to 2 %", 2],
    ["1 to 3 %", 3],
  ])("predict the mean delay of simulated rollouts: %s", (name, ratio) => {
    const scenario = scenarios.find((one) => one.name === name);
    if (scenario === undefined) throw new Error(name);
    const outcomes = simulate(scenario, {
      repetitions: 100,
      seed: 11,
      only: ["shipped, errorRatioMax 1", "its e-process alone"],
    });
    const delay = (rule: string): number => {
      const { delays = [] } = outcomes.find((one) => one.rule === rule) ?? {};
      return delays.reduce((sum, minutes) => sum + minutes, 0) / delays.length;
    };
    const predicted = (evidenceShare: number): number =>
      minutesUntilDetection(
        { ...twice, ratio, evidenceShare },
        { requestsPerMinute: canary.requestsPerMinute, championErrorRate: 0.01 },
      );
    const alone = delay("its e-process alone, without over-dispersion") / predicted(1);
    expect(alone).toBeGreaterThan(0.85);
    expect(alone).toBeLessThan(1.15);
    // The estimate of over-dispersion costs the shipped rule some more.
    const shipped = delay("shipped, errorRatioMax 1") / predicted(evidenceShares.errors);
    expect(shipped).toBeGreaterThan(0.9);
    expect(shipped).toBeLessThan(1.35);
  });

  it("fall with the rise and with the traffic, and grow with what is tolerated and with rarer looks", () => {
    const errors = [2, 3, 5, 9].map((ratio) => errorsUntilDetection({ ...twice, ratio }));
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    const tolerant = errorsUntilDetection({ ...twice, rho0: defaultPolicy.errorRatioMax });
    expect(tolerant).toBeGreaterThan(errors[0] ?? Infinity);
    expect(errorsUntilDetection(twice, 20)).toBeGreaterThan(errors[0] ?? Infinity);
    const at = (requestsPerMinute: number): number =>
      minutesUntilDetection(twice, { requestsPerMinute, championErrorRate: 0.01 });
    expect(at(100)).toBeGreaterThan(at(1000));
    expect(at(1e9)).toBe(1);
  });

  it.each([
    ["no rise", { ...twice, ratio: 1 }],
    ["a rise that is tolerated", { ...twice, ratio: 1.1, rho0: 1.2 }],
    ["a rise too small for the errors that are counted", { ...twice, ratio: 1.02 }],
    ["no traffic for the challenger", { ...twice, share: 0 }],
    ["no champion beside it", { ...twice, share: 1 }],
    ["not a number", { ...twice, ratio: NaN }],
  ])("are without end for %s", (_, detection) => {
    expect(errorsUntilDetection(detection)).toBe(Infinity);
  });
});
