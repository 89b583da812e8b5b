import { describe, expect, it } from "vitest";
import { lowerConfidenceSequence } from "../../../shared/statistics/confidence-sequence.js";
import { logEProcess } from "../../../shared/statistics/e-process.js";
import { logExceedance } from "../../../shared/statistics/latency.js";
import {
  binomialDraw,
  multinomialDraw,
  normalDraw,
  seededRandom,
} from "../../../shared/statistics/random.js";
import { sampleRatioMismatch } from "../../../shared/statistics/sample-ratio.js";

const alpha = 0.05;
const limit = Math.log(1 / alpha);

/** First minute at which E crosses its limit; undefined when it never does within 60 looks. */
function firstCrossing(
  random: () => number,
  rates: { readonly champion: number; readonly challenger: number },
  shareOfMinute: (minute: number) => number,
): number | undefined {
  const byShare = new Map<number, { challengerErrors: number; errors: number }>();
  for (let minute = 1; minute <= 60; minute += 1) {
    const share = shareOfMinute(minute);
    const segment = byShare.get(share) ?? { challengerErrors: 0, errors: 0 };
    const requests = binomialDraw(random, 1000, share);
    const own = binomialDraw(random, requests, rates.challenger);
    segment.challengerErrors += own;
    segment.errors += own + binomialDraw(random, 1000 - requests, rates.champion);
    byShare.set(share, segment);
    const segments = [...byShare].map(([key, counts]) => ({ share: key, ...counts }));
    if (logEProcess(segments, { rho0: 1 }) >= limit) return minute;
  }
  return undefined;
}

const tenth = (): number => 0.1;
const ramp = (minute: number): number =>
  [0.01, 0.1, 0.2, 0.5][Math.floor((minute - 1) / 15)] ?? 0.5;

function crossings(
  repetitions: number,
  rates: { readonly champion: number; readonly challenger: number },
  share: (minute: number) => number,
): readonly (number | undefined)[] {
  const random = seededRandom(42);
  return Array.from({ length: repetitions }, () => firstCrossing(random, rates, share));
}

describe("error e-process", () => {
  it("pools segments of one share, and is 0 without errors", () => {
    const of = (share: number, challengerErrors: number, errors: number) => ({
      share,
      challengerErrors,
      errors,
    });
    const options = { rho0: 1 };
    const pooled = logEProcess([of(0.1, 12, 40)], options);
    expect(logEProcess([of(0.1, 5, 20), of(0.1, 7, 20)], options)).toBeCloseTo(pooled, 12);
    expect(logEProcess([of(0.1, 12, 40), of(0.5, 0, 0)], options)).toBeCloseTo(pooled, 12);
    expect(logEProcess([of(0.1, 0, 0)], options)).toBe(0);
    // The same ratio in both segments is more evidence than each for itself.
    const apart = logEProcess([of(0.1, 8, 30)], options) + logEProcess([of(0.5, 20, 28)], options);
    expect(logEProcess([of(0.1, 8, 30), of(0.5, 20, 28)], options)).toBeGreaterThan(apart);
  });

  it("divides counts by their dispersion", () => {
    const counts = { share: 0.1, challengerErrors: 12, errors: 40 };
    const halved = { share: 0.1, challengerErrors: 6, errors: 20 };
    expect(logEProcess([counts], { rho0: 1.2, dispersion: 2 })).toBeCloseTo(
      logEProcess([halved], { rho0: 1.2 }),
      12,
    );
  });

  it("stays finite for a million errors", () => {
    const log = logEProcess([{ share: 0.1, challengerErrors: 200_000, errors: 1_000_000 }], {
      rho0: 1.2,
    });
    expect(log).toBeGreaterThan(10_000);
    expect(Number.isFinite(log)).toBe(true);
  });

  it.each([
    ["10 % canary", tenth],
    ["ramp 1, 10, 20, 50 %", ramp],
  ])("rolls back an equal challenger in at most 5 %% of 300 hours: %s", (_name, share) => {
    const found = crossings(300, { champion: 0.01, challenger: 0.01 }, share);
    const falseAlarms = found.filter((minute) => minute !== undefined).length;
    expect(falseAlarms / found.length).toBeLessThanOrEqual(0.05);
  });

  it("finds 3 % errors against 1 % after a median of at most 5 minutes", () => {
    const found = crossings(200, { champion: 0.01, challenger: 0.03 }, tenth);
    const minutes = found.map((minute) => minute ?? Infinity).toSorted((a, b) => a - b);
    expect(minutes.filter((minute) => minute === Infinity)).toHaveLength(0);
    expect(minutes[100]).toBeLessThanOrEqual(5);
  });
});

const bounds = [5, 10, 15, 20, 30, 40, 60, 80, 120, 200];
const usual = [0.05, 0.2, 0.25, 0.2, 0.15, 0.07, 0.04, 0.02, 0.01, 0.005, 0.005];
const slow = [0.01, 0.06, 0.13, 0.2, 0.25, 0.15, 0.1, 0.05, 0.03, 0.01, 0.01];

const latencySegment = (random: () => number, challenger: readonly number[], requests: number) => {
  const own = binomialDraw(random, requests, 0.1);
  return {
    share: 0.1,
    bounds,
    champion: [...multinomialDraw(random, requests - own, usual)],
    challenger: [...multinomialDraw(random, own, challenger)],
  };
};

describe("latency exceedances", () => {
  it("rarely blame a challenger that is as fast", () => {
    const random = seededRandom(7);
    const alarms = Array.from({ length: 500 }, () =>
      logExceedance([latencySegment(random, usual, 5000)], { ratioMax: 1 }),
    ).filter((log) => log >= limit);
    expect(alarms.length / 500).toBeLessThanOrEqual(0.05);
  });

  it("find a clearly slower challenger within 1,000 requests of its own", () => {
    const random = seededRandom(8);
    const logs = Array.from({ length: 100 }, () =>
      logExceedance([latencySegment(random, slow, 10_000)], { ratioMax: 1.5 }),
    );
    expect(logs.filter((log) => log >= limit).length).toBeGreaterThanOrEqual(95);
  });

  it("give no evidence without requests or with all in one bucket", () => {
    const none = bounds.map(() => 0).concat(0);
    const one = none.with(3, 100);
    const segment = { share: 0.1, bounds, champion: none, challenger: none };
    expect(logExceedance([segment], { ratioMax: 1 })).toBe(0);
    expect(logExceedance([{ ...segment, champion: one, challenger: one }], { ratioMax: 1 })).toBe(
      0,
    );
    expect(logExceedance([], { ratioMax: 1 })).toBe(0);
  });
});

describe("sample ratio", () => {
  it("accepts no requests and a split as configured", () => {
    expect(sampleRatioMismatch([0, 0], [0.9, 0.1])).toEqual({ pValue: 1, mismatch: false });
    expect(sampleRatioMismatch([9010, 990], [90, 10]).mismatch).toBe(false);
  });

  it("finds traffic on a version that must have none", () => {
    expect(sampleRatioMismatch([100, 1], [1, 0]).mismatch).toBe(true);
  });
});

describe("the confidence sequence on minute batches", () => {
  /** Whether the lower bound of the mean difference ever rises above 0 within 60 minutes. */
  const rises = (random: () => number, mean: number): boolean => {
    const batches: number[] = [];
    for (let minute = 0; minute < 60; minute += 1) {
      batches.push(mean + normalDraw(random));
      const isLongEnough = batches.length >= 10;
      if (isLongEnough && lowerConfidenceSequence(batches, { rho: 0.5, alpha }) > 0) return true;
    }
    return false;
  };
  const share = (mean: number): number => {
    const random = seededRandom(21);
    return Array.from({ length: 400 }, () => rises(random, mean)).filter(Boolean).length / 400;
  };

  it("rises above zero in at most 5 % of 400 hours without a difference", () => {
    expect(share(0)).toBeLessThanOrEqual(0.05);
  });

  it("rises above zero when the difference is one standard deviation of a minute", () => {
    expect(share(1)).toBeGreaterThan(0.99);
  });

  it("says nothing from a single batch", () => {
    expect(lowerConfidenceSequence([1], { rho: 0.5, alpha })).toBe(-Infinity);
  });
});
