import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  brierScore,
  calibrationError,
  logLoss,
} from "../../../shared/statistics/classification.js";
import { confidenceSequenceRadius } from "../../../shared/statistics/confidence-sequence.js";
import { nonInferiorityPValue, pairedAuc } from "../../../shared/statistics/delong.js";
import {
  chebyshevDistance,
  hellingerDistance,
  jensenShannonDivergence,
  populationStabilityIndex,
  totalVariation,
} from "../../../shared/statistics/divergence.js";
import { logSplitEValue } from "../../../shared/statistics/e-process.js";
import {
  countByEdges,
  histogramDivergence,
  quantilesOfSorted,
} from "../../../shared/statistics/histogram.js";
import { clopperPearsonInterval, wilsonInterval } from "../../../shared/statistics/interval.js";
import { mcNemar } from "../../../shared/statistics/mcnemar.js";
import {
  benjaminiHochberg,
  benjaminiYekutieli,
  holm,
} from "../../../shared/statistics/multiplicity.js";
import { estimatePerformance } from "../../../shared/statistics/performance-estimation.js";
import { nonInferiorityRows, twoProportionRows } from "../../../shared/statistics/power.js";
import { sampleRatioMismatch } from "../../../shared/statistics/sample-ratio.js";
import {
  chiSquareTest,
  energyDistance,
  hodgesLehmann,
  kolmogorovSmirnov,
  mannWhitney,
  meanAndVariance,
  wassersteinDistance,
  welchTest,
} from "../../../shared/statistics/two-sample.js";

const value = z.union([z.number(), z.array(z.number()), z.array(z.array(z.number())), z.unknown()]);
const file = z
  .object({
    cases: z.array(
      z.object({
        id: z.string(),
        input: z.record(z.string(), value),
        expected: z.record(z.string(), value),
      }),
    ),
  })
  .parse(
    JSON.parse(
      readFileSync(new URL("../../fixtures/statistics/reference.json", import.meta.url), "utf8"),
    ),
  );

const cases = new Map(file.cases.map((entry) => [entry.id, entry]));
const given = (id: string, key: string): readonly number[] =>
  z.array(z.number()).parse(cases.get(id)?.input[key]);
const number = (id: string, key: string): number => z.number().parse(cases.get(id)?.input[key]);
const expected = (id: string, key: string): number =>
  z.number().parse(cases.get(id)?.expected[key]);
const expectedList = (id: string, key: string): readonly number[] =>
  z.array(z.number()).parse(cases.get(id)?.expected[key]);

/** Relative distance; the reference file states 1e-12, and 1e-9 for p-values and e-values. */
function expectNear(actual: number, wanted: number, tolerance = 1e-12): void {
  const distance = Math.abs(actual - wanted) / Math.max(Math.abs(wanted), 1e-12);
  expect(distance, `${actual} against ${wanted}`).toBeLessThanOrEqual(tolerance);
}
const p = 1e-9;
const expectNearList = (actual: readonly number[], wanted: readonly number[]): void => {
  expect(actual).toHaveLength(wanted.length);
  for (const [i, entry] of wanted.entries()) expectNear(actual[i] ?? NaN, entry, 1e-12);
};

const side = (key: string) => {
  const schema = z.object({
    buckets: z.array(z.tuple([z.number(), z.number(), z.number()])),
    num_nan: z.number(),
  });
  const { buckets, num_nan } = schema.parse(cases.get("tfdv_jsd_0")?.input[key]);
  return {
    buckets: buckets.map(([low, high, count]) => ({ low, high, count })),
    missing: num_nan,
  };
};

describe("reference values of numpy and scipy", () => {
  it("Kolmogorov-Smirnov", () => {
    const result = kolmogorovSmirnov(given("ks_cont", "a"), given("ks_cont", "b"));
    expectNear(result.statistic, expected("ks_cont", "statistic"));
    expectNear(result.pAsymptotic, expected("ks_cont", "p_kolmogorov_sqrt_en"), p);
    expectNear(result.pExact ?? NaN, expected("ks_cont", "p_exact"), p);
  });

  it("Wasserstein-1 and energy distance", () => {
    const [a, b] = [given("wasserstein1_cont", "a"), given("wasserstein1_cont", "b")];
    const distance = wassersteinDistance(a, b);
    expectNear(distance, expected("wasserstein1_cont", "w1"));
    expectNear(
      distance / Math.sqrt(meanAndVariance(a).variance),
      expected("wasserstein1_cont", "w1_normed_by_ref_std_ddof1"),
    );
    expectNear(energyDistance(a, b), expected("wasserstein1_cont", "energy"));
  });

  it("Mann-Whitney and Hodges-Lehmann", () => {
    const id = "mannwhitney_cont";
    const [control, experiment] = [given(id, "control"), given(id, "experiment")];
    const result = mannWhitney(control, experiment);
    expectNear(result.u, expected(id, "U_experiment"));
    expectNear(result.pTwoSided, expected(id, "p_two_sided"), p);
    expectNear(result.pGreater, expected(id, "p_greater"), p);
    expectNear(result.effect, expected(id, "cles"));
    expectNear(hodgesLehmann(control, experiment), expected(id, "hodges_lehmann"));
  });

  it("Welch's t", () => {
    const result = welchTest(given("welch_t", "a"), given("welch_t", "b"));
    expectNear(result.t, expected("welch_t", "t"));
    expectNear(result.degreesOfFreedom, expected("welch_t", "df"));
    expectNear(result.pValue, expected("welch_t", "p"), p);
  });

  it.each(["hist_simple", "hist_same"])("distances of counts: %s", (id) => {
    const [a, b] = [given(id, "ref_counts"), given(id, "cur_counts")];
    expectNear(jensenShannonDivergence(a, b), expected(id, "jsd_bits"));
    expectNear(Math.sqrt(jensenShannonDivergence(a, b)), expected(id, "js_distance_base2"));
    expectNear(chebyshevDistance(a, b), expected(id, "l_inf"));
    expectNear(totalVariation(a, b), expected(id, "tvd"));
    expectNear(hellingerDistance(a, b), expected(id, "hellinger"));
    expectNear(populationStabilityIndex(a, b, 1e-4), expected(id, "psi_eps1e-4"));
    expectNear(populationStabilityIndex(a, b, 1e-6), expected(id, "psi_eps1e-6"));
  });

  it("chi-square test of two histograms", () => {
    const id = "chi2_contingency";
    const result = chiSquareTest(given(id, "ref_counts"), given(id, "cur_counts"));
    expectNear(result.statistic, expected(id, "chi2"));
    expectNear(result.pValue, expected(id, "p"), p);
    expect(result.degreesOfFreedom).toBe(3);
  });

  it("Jensen-Shannon divergence over the union of bucket edges", () => {
    expectNear(histogramDivergence(side("ref"), side("cur")), expected("tfdv_jsd_0", "jsd_bits"));
  });

  it("PSI over the reference's deciles", () => {
    const id = "psi_ref_deciles";
    const reference = Float64Array.from(given(id, "ref")).toSorted();
    const edges = quantilesOfSorted(
      reference,
      Array.from({ length: 11 }, (_, i) => i / 10),
    );
    expectNearList(edges, expectedList(id, "edges_type7"));
    const inner = edges.slice(1, -1);
    const counts = (values: ArrayLike<number>) => [...countByEdges(values, inner).counts];
    expect(counts(reference)).toEqual(expectedList(id, "ref_counts"));
    expect(counts(given(id, "cur"))).toEqual(expectedList(id, "cur_counts"));
    const psi = populationStabilityIndex(counts(reference), counts(given(id, "cur")), 1e-4);
    expectNear(psi, expected(id, "psi_eps1e-4"));
  });

  it("DeLong's paired test", () => {
    const result = pairedAuc(
      given("delong", "y"),
      given("delong", "score_champion"),
      given("delong", "score_challenger"),
    );
    expectNear(result.champion, expected("delong", "auc_champion"));
    expectNear(result.challenger, expected("delong", "auc_challenger"));
    const wanted = z.array(z.array(z.number())).parse(cases.get("delong")?.expected["cov"]);
    expectNearList(result.covariance.flat(), wanted.flat());
    expectNear(result.standardError ** 2, expected("delong", "var_diff"));
    expectNear(result.z, expected("delong", "z"));
    expectNear(result.pTwoSided, expected("delong", "p_two_sided"), p);
    expectNear(
      nonInferiorityPValue(result.difference, result.standardError, 0.02),
      expected("delong", "p_noninferior_margin_0.02"),
      p,
    );
  });

  it("McNemar", () => {
    const result = mcNemar(number("mcnemar", "b"), number("mcnemar", "c"));
    expectNear(result.statistic, expected("mcnemar", "chi2_no_cc"));
    expectNear(result.pChiSquare, expected("mcnemar", "p_no_cc"), p);
    expectNear(result.pCorrected, expected("mcnemar", "p_cc"), p);
    expectNear(result.pExact, expected("mcnemar", "p_exact"), p);
    expectNear(result.pMid, expected("mcnemar", "p_midp"), p);
  });

  it("corrections for many tests", () => {
    const pValues = given("multiplicity", "p");
    expectNearList(benjaminiHochberg(pValues), expectedList("multiplicity", "bh_adjusted"));
    expectNearList(benjaminiYekutieli(pValues), expectedList("multiplicity", "by_adjusted"));
    expectNearList(holm(pValues), expectedList("multiplicity", "holm_adjusted"));
  });

  it("intervals of a proportion", () => {
    expectNearList(wilsonInterval(3, 100, 0.95), expectedList("binom_ci_3_100", "wilson"));
    expectNearList(
      clopperPearsonInterval(3, 100, 0.95),
      expectedList("binom_ci_3_100", "clopper_pearson"),
    );
  });

  it("sample sizes", () => {
    expectNear(twoProportionRows(0.01, 0.03, 0.05, 0.8), expected("n_two_prop", "n_per_arm"));
    expectNear(
      nonInferiorityRows(0.9, 0.02, 0.05, 0.8),
      expected("n_noninferiority_prop", "n_per_arm"),
    );
  });

  it("sample ratio mismatch", () => {
    const result = sampleRatioMismatch(given("srm_90_10", "counts"), given("srm_90_10", "weights"));
    expectNear(result.pValue, expected("srm_90_10", "p"), p);
    expect(result.mismatch).toBe(true);
  });

  it("asymptotic confidence sequence", () => {
    const radius = confidenceSequenceRadius(1000, 0.3, { rho: 0.1, alpha: 0.05 });
    expectNear(radius, expected("asymp_cs", "radius"));
  });

  it("conditional-binomial e-value", () => {
    const segment = { share: 0.1, challengerErrors: 30, errors: 120 };
    expectNear(
      logSplitEValue(segment, { a: 1, b: 9 }),
      expected("poisson_split_evalue", "log_e"),
      p,
    );
  });

  it("performance estimated from calibrated scores", () => {
    const id = "cbpe_binary";
    const result = estimatePerformance(given(id, "calibrated_proba"), number(id, "threshold"));
    expectNear(result.truePositives, expected(id, "tp"));
    expectNear(result.falsePositives, expected(id, "fp"));
    expectNear(result.falseNegatives, expected(id, "fn"));
    expectNear(result.trueNegatives, expected(id, "tn"));
    expectNear(result.accuracy, expected(id, "accuracy"));
    expectNear(result.precision, expected(id, "precision"));
    expectNear(result.recall, expected(id, "recall"));
    expectNear(result.f1, expected(id, "f1"));
    expectNear(result.auc, expected(id, "roc_auc_trapezoid"));
  });

  it("Brier score, log loss and calibration error", () => {
    const [labels, scores] = [given("calibration", "y"), given("calibration", "p")];
    expectNear(brierScore(labels, scores), expected("calibration", "brier"));
    expectNear(logLoss(labels, scores), expected("calibration", "logloss"));
    expectNear(calibrationError(labels, scores), expected("calibration", "ece10"));
  });
});
