import { describe, expect, it } from "vitest";
import { estimatePerformance } from "../../../shared/statistics/performance-estimation.js";
import { pairedAuc } from "../../../shared/statistics/delong.js";
import { binomialMass, studentTwoSided } from "../../../shared/statistics/distributions.js";
import { logEProcess } from "../../../shared/statistics/e-process.js";
import { logSigns } from "../../../shared/statistics/latency-windows.js";
import { ascendingOrder } from "../../../shared/statistics/ordering.js";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";
import { regularizedGammaLower } from "../../../shared/statistics/special.js";
import { logStudentExcess } from "../../../shared/statistics/student-e-process.js";
import { energyDistance, wassersteinDistance } from "../../../shared/statistics/two-sample.js";

/** Simpson's rule with an even number of intervals. */
function integral(f: (x: number) => number, low: number, high: number, intervals = 20_000): number {
  const step = (high - low) / intervals;
  let sum = f(low) + f(high);
  for (let i = 1; i < intervals; i += 1) sum += (i % 2 === 1 ? 4 : 2) * f(low + i * step);
  return (sum * step) / 3;
}

describe("evidence, integrated numerically over its prior", () => {
  it.each([
    [0.1, 3, 12, 1],
    [0.1, 0, 9, 1],
    [0.25, 20, 31, 1.2],
    [0.05, 6, 40, 2],
  ])("of errors at a share of %d: %i of %i, ratio %d", (share, k, n, rho0) => {
    const part = (ratio: number): number => (share * ratio) / (share * ratio + 1 - share);
    const prior = (logRatio: number): number => Math.exp(-(((logRatio - 0.9) / 0.3) ** 2) / 2);
    const likelihood = (logRatio: number): number => {
      const [worse, bound] = [part(rho0 * Math.exp(logRatio)), part(rho0)];
      return (worse / bound) ** k * ((1 - worse) / (1 - bound)) ** (n - k);
    };
    const evidence =
      integral((u) => prior(u) * likelihood(u), 0.05, 2.55) / integral(prior, 0.05, 2.55);
    const found = logEProcess([{ share, challengerErrors: k, errors: n }], { rho0 });
    // The process sums over a grid, so the two differ by the grid's width.
    expect(found).toBeCloseTo(Math.log(evidence), 1);
  });

  it.each([
    [0.1, 1, 1],
    [0.4, 1.2, 1],
    [0.1, 1, 0.7],
  ])(
    "of errors is 1 on average at the boundary, and less below it: share %d, ratio %d",
    (share, rho0, at) => {
      const theta = (share * rho0 * at) / (share * rho0 * at + 1 - share);
      const n = 40;
      let mean = 0;
      for (let k = 0; k <= n; k += 1) {
        const log = logEProcess([{ share, challengerErrors: k, errors: n }], { rho0 });
        mean += binomialMass(k, n, theta) * Math.exp(log);
      }
      const [least, most] = at === 1 ? [1 - 1e-9, 1 + 1e-9] : [0, 0.9];
      expect(mean).toBeGreaterThan(least);
      expect(mean).toBeLessThan(most);
    },
  );

  it.each([
    [5, 3.2, 2],
    [5, -1, 2],
    [12, 30, 8],
    [30, -40, 20],
  ])(
    "of a mean: %i observations with sum %d and %d squared deviations",
    (count, sum, squaredDeviations) => {
      const rho = 1.5;
      const size = Math.sqrt((sum * sum) / count + squaredDeviations);
      // Half-normal over the standardised mean; the scale of the observations integrated out.
      const byScale = (delta: number): number => {
        const density = (r: number): number =>
          Math.exp(
            (count - 1) * Math.log(r) -
              (r * r) / 2 +
              (r * delta * sum) / size -
              (count * delta * delta) / 2,
          );
        return integral(density, 1e-9, 60, 2000);
      };
      const prior = (delta: number): number =>
        (2 / (rho * Math.sqrt(2 * Math.PI))) * Math.exp(-((delta / rho) ** 2) / 2);
      const evidence = integral((delta) => prior(delta) * byScale(delta), 0, 6, 1200) / byScale(0);
      const found = logStudentExcess({ count, sum, squaredDeviations }, { rho });
      expect(found).toBeCloseTo(Math.log(evidence), 5);
    },
  );

  it.each([
    [8, 8],
    [8, 3],
    [40, 29],
    [1, 0],
  ])("of %i windows, %i of them slower", (compared, slower) => {
    const evidence = integral(
      (theta) => 2 * (2 * theta) ** slower * (2 - 2 * theta) ** (compared - slower),
      0.5,
      1,
    );
    expect(logSigns(compared, slower)).toBeCloseTo(Math.log(evidence), 8);
  });
});

describe("distributions, integrated numerically from their densities", () => {
  it.each([
    [1.3, 3],
    [2.1, 7.5],
    [0.2, 30],
  ])("Student's t beyond %d with %d degrees of freedom", (t, degrees) => {
    const density = (x: number): number => (1 + (x * x) / degrees) ** (-(degrees + 1) / 2);
    // x = tan(u) brings the whole line to a bounded interval.
    const mass = (from: number): number =>
      integral((u) => density(Math.tan(u)) / Math.cos(u) ** 2, Math.atan(from), Math.PI / 2 - 1e-9);
    expect(studentTwoSided(t, degrees)).toBeCloseTo(mass(t) / mass(0), 6);
  });

  it.each([
    [1, 0.7],
    [2.5, 4],
    [10, 8],
  ])("gamma of shape %d below %d", (shape, x) => {
    const density = (y: number): number => y ** (shape - 1) * Math.exp(-y);
    const share = integral(density, 0, x) / integral(density, 0, 80);
    expect(regularizedGammaLower(shape, x)).toBeCloseTo(share, 6);
  });
});

describe("areas under the curve, pair by pair", () => {
  const random = seededRandom(12);
  const labels = Array.from({ length: 60 }, () => (random() < 0.4 ? 1 : 0));
  // Few distinct scores, so that ties are everywhere.
  const scores = (signal: number): readonly number[] =>
    labels.map((label) => Math.round(2 * (signal * label + normalDraw(random))) / 2);
  const [champion, challenger] = [scores(1), scores(1.4)];
  const positives = labels.flatMap((label, row) => (label === 1 ? [row] : []));
  const negatives = labels.flatMap((label, row) => (label === 1 ? [] : [row]));
  const win = (side: readonly number[], p: number, n: number): number => {
    const difference = (side[p] ?? 0) - (side[n] ?? 0);
    return difference > 0 ? 1 : difference === 0 ? 0.5 : 0;
  };
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1);

  it("DeLong's difference and error are those of all pairs, with the order known or not", () => {
    const gain = (p: number, n: number): number => win(challenger, p, n) - win(champion, p, n);
    const ofPositives = positives.map((p) => mean(negatives.map((n) => gain(p, n))));
    const ofNegatives = negatives.map((n) => mean(positives.map((p) => gain(p, n))));
    const error = Math.sqrt(
      variance(ofPositives) / positives.length + variance(ofNegatives) / negatives.length,
    );
    const found = pairedAuc(labels, champion, challenger);
    expect(found.difference).toBeCloseTo(mean(ofPositives), 12);
    expect(found.standardError).toBeCloseTo(error, 12);
    const orders = {
      champion: ascendingOrder(champion),
      challenger: ascendingOrder(challenger),
    };
    expect(pairedAuc(labels, champion, challenger, orders)).toEqual(found);
    // Other names for the sides turn the sign and nothing else.
    const turned = pairedAuc(labels, challenger, champion);
    expect(turned.difference).toBeCloseTo(-found.difference, 12);
    expect(turned.standardError).toBeCloseTo(found.standardError, 12);
    expect(turned.pTwoSided).toBeCloseTo(found.pTwoSided, 12);
  });

  it("the expected area of calibrated scores is that of all pairs, each by its chance", () => {
    const calibrated = [0.1, 0.2, 0.2, 0.5, 0.7, 0.9];
    // Each score many times, so that a row's pairing with itself does not count.
    const many = Array.from({ length: 200 }, () => calibrated).flat();
    const expected = (() => {
      let [up, all] = [0, 0];
      for (const own of calibrated) {
        for (const other of calibrated) {
          all += own * (1 - other);
          up += own * (1 - other) * (own > other ? 1 : own === other ? 0.5 : 0);
        }
      }
      return up / all;
    })();
    expect(estimatePerformance(many).auc).toBeCloseTo(expected, 10);
  });
});

describe("distances of samples, over all pairs", () => {
  const random = seededRandom(13);
  const [a, b] = [30, 45].map((size) => Array.from({ length: size }, () => normalDraw(random)));
  const meanGap = (x: readonly number[] = [], y: readonly number[] = []): number =>
    x.reduce((sum, own) => sum + y.reduce((all, other) => all + Math.abs(own - other), 0), 0) /
    (x.length * y.length);

  it("energy distance is that of mean gaps between and within", () => {
    const squared = 2 * meanGap(a, b) - meanGap(a, a) - meanGap(b, b);
    expect(energyDistance(a ?? [], b ?? [])).toBeCloseTo(Math.sqrt(squared), 12);
  });

  it("Wasserstein's distance is the area between the quantile functions", () => {
    const [x, y] = [a ?? [], b ?? []].map((sample) => sample.toSorted((p, q) => p - q));
    const steps = 90;
    // 90 is a multiple of both sizes, so each step lies within one value of either side.
    const gap = Array.from({ length: steps }, (_, i) =>
      Math.abs(
        (x?.[Math.floor((i * 30) / steps)] ?? NaN) - (y?.[Math.floor((i * 45) / steps)] ?? NaN),
      ),
    );
    const area = gap.reduce((sum, value) => sum + value, 0) / steps;
    expect(wassersteinDistance(a ?? [], b ?? [])).toBeCloseTo(area, 12);
  });
});
