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
import { detectStreamDrift } from "../../../shared/statistics/drift-detection.js";
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
const near =
  (wanted: number, tolerance = 1e-12) =>
  (actual: number): boolean =>
    Math.abs(actual - wanted) <= tolerance * Math.max(Math.abs(wanted), 1e-12);
const allNear =
  (wanted: readonly number[]) =>
  (actual: readonly number[]): boolean =>
    actual.length === wanted.length && wanted.every((entry, i) => near(entry)(actual[i] ?? NaN));
const p = 1e-9;

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
    expect(result.statistic).toSatisfy(near(expected("ks_cont", "statistic")));
    expect(result.pAsymptotic).toSatisfy(near(expected("ks_cont", "p_kolmogorov_sqrt_en"), p));
    expect(result.pEffective ?? NaN).toSatisfy(near(expected("ks_cont", "p_asymp_kstwo"), p));
    expect(result.pExact ?? NaN).toSatisfy(near(expected("ks_cont", "p_exact"), p));
  });

  it("Wasserstein-1 and energy distance", () => {
    const [a, b] = [given("wasserstein1_cont", "a"), given("wasserstein1_cont", "b")];
    const distance = wassersteinDistance(a, b);
    expect(distance).toSatisfy(near(expected("wasserstein1_cont", "w1")));
    expect(distance / Math.sqrt(meanAndVariance(a).variance)).toSatisfy(
      near(expected("wasserstein1_cont", "w1_normed_by_ref_std_ddof1")),
    );
    expect(energyDistance(a, b)).toSatisfy(near(expected("wasserstein1_cont", "energy")));
  });

  it("Mann-Whitney and Hodges-Lehmann", () => {
    const id = "mannwhitney_cont";
    const [control, experiment] = [given(id, "control"), given(id, "experiment")];
    const result = mannWhitney(control, experiment);
    expect(result.u).toSatisfy(near(expected(id, "U_experiment")));
    expect(result.pTwoSided).toSatisfy(near(expected(id, "p_two_sided"), p));
    expect(result.pGreater).toSatisfy(near(expected(id, "p_greater"), p));
    expect(result.effect).toSatisfy(near(expected(id, "cles")));
    expect(hodgesLehmann(control, experiment)).toSatisfy(near(expected(id, "hodges_lehmann")));
  });

  it("Welch's t", () => {
    const result = welchTest(given("welch_t", "a"), given("welch_t", "b"));
    expect(result.t).toSatisfy(near(expected("welch_t", "t")));
    expect(result.degreesOfFreedom).toSatisfy(near(expected("welch_t", "df")));
    expect(result.pValue).toSatisfy(near(expected("welch_t", "p"), p));
  });

  it.each(["hist_simple", "hist_same"])("distances of counts: %s", (id) => {
    const [a, b] = [given(id, "ref_counts"), given(id, "cur_counts")];
    expect(jensenShannonDivergence(a, b)).toSatisfy(near(expected(id, "jsd_bits")));
    expect(Math.sqrt(jensenShannonDivergence(a, b))).toSatisfy(
      near(expected(id, "js_distance_base2")),
    );
    expect(chebyshevDistance(a, b)).toSatisfy(near(expected(id, "l_inf")));
    expect(totalVariation(a, b)).toSatisfy(near(expected(id, "tvd")));
    expect(hellingerDistance(a, b)).toSatisfy(near(expected(id, "hellinger")));
    expect(populationStabilityIndex(a, b, 1e-4)).toSatisfy(near(expected(id, "psi_eps1e-4")));
    expect(populationStabilityIndex(a, b, 1e-6)).toSatisfy(near(expected(id, "psi_eps1e-6")));
  });

  it("chi-square test of two histograms", () => {
    const id = "chi2_contingency";
    const result = chiSquareTest(given(id, "ref_counts"), given(id, "cur_counts"));
    expect(result.statistic).toSatisfy(near(expected(id, "chi2")));
    expect(result.pValue).toSatisfy(near(expected(id, "p"), p));
    expect(result.degreesOfFreedom).toBe(3);
  });

  it("Jensen-Shannon divergence over the union of bucket edges", () => {
    expect(histogramDivergence(side("ref"), side("cur"))).toSatisfy(
      near(expected("tfdv_jsd_0", "jsd_bits")),
    );
  });

  it("PSI over the reference's deciles", () => {
    const id = "psi_ref_deciles";
    const reference = Float64Array.from(given(id, "ref")).toSorted();
    const edges = quantilesOfSorted(
      reference,
      Array.from({ length: 11 }, (_, i) => i / 10),
    );
    expect(edges).toSatisfy(allNear(expectedList(id, "edges_type7")));
    const inner = edges.slice(1, -1);
    const counts = (values: ArrayLike<number>) => [...countByEdges(values, inner).counts];
    expect(counts(reference)).toEqual(expectedList(id, "ref_counts"));
    expect(counts(given(id, "cur"))).toEqual(expectedList(id, "cur_counts"));
    const psi = populationStabilityIndex(counts(reference), counts(given(id, "cur")), 1e-4);
    expect(psi).toSatisfy(near(expected(id, "psi_eps1e-4")));
  });

  it("DeLong's paired test", () => {
    const result = pairedAuc(
      given("delong", "y"),
      given("delong", "score_champion"),
      given("delong", "score_challenger"),
    );
    expect(result.champion).toSatisfy(near(expected("delong", "auc_champion")));
    expect(result.challenger).toSatisfy(near(expected("delong", "auc_challenger")));
    const wanted = z.array(z.array(z.number())).parse(cases.get("delong")?.expected["cov"]);
    expect(result.covariance.flat()).toSatisfy(allNear(wanted.flat()));
    expect(result.standardError ** 2).toSatisfy(near(expected("delong", "var_diff")));
    expect(result.z).toSatisfy(near(expected("delong", "z")));
    expect(result.pTwoSided).toSatisfy(near(expected("delong", "p_two_sided"), p));
    expect(nonInferiorityPValue(result.difference, result.standardError, 0.02)).toSatisfy(
      near(expected("delong", "p_noninferior_margin_0.02"), p),
    );
  });

  it("McNemar", () => {
    const result = mcNemar(number("mcnemar", "b"), number("mcnemar", "c"));
    expect(result.statistic).toSatisfy(near(expected("mcnemar", "chi2_no_cc")));
    expect(result.pChiSquare).toSatisfy(near(expected("mcnemar", "p_no_cc"), p));
    expect(result.pCorrected).toSatisfy(near(expected("mcnemar", "p_cc"), p));
    expect(result.pExact).toSatisfy(near(expected("mcnemar", "p_exact"), p));
    expect(result.pMid).toSatisfy(near(expected("mcnemar", "p_midp"), p));
  });

  it("corrections for many tests", () => {
    const pValues = given("multiplicity", "p");
    expect(benjaminiHochberg(pValues)).toSatisfy(
      allNear(expectedList("multiplicity", "bh_adjusted")),
    );
    expect(benjaminiYekutieli(pValues)).toSatisfy(
      allNear(expectedList("multiplicity", "by_adjusted")),
    );
    expect(holm(pValues)).toSatisfy(allNear(expectedList("multiplicity", "holm_adjusted")));
  });

  it("intervals of a proportion", () => {
    expect(wilsonInterval(3, 100, 0.95)).toSatisfy(
      allNear(expectedList("binom_ci_3_100", "wilson")),
    );
    expect(clopperPearsonInterval(3, 100, 0.95)).toSatisfy(
      allNear(expectedList("binom_ci_3_100", "clopper_pearson")),
    );
  });

  it("sample sizes", () => {
    expect(twoProportionRows(0.01, 0.03, 0.05, 0.8)).toSatisfy(
      near(expected("n_two_prop", "n_per_arm")),
    );
    expect(nonInferiorityRows(0.9, 0.02, 0.05, 0.8)).toSatisfy(
      near(expected("n_noninferiority_prop", "n_per_arm")),
    );
  });

  it("sample ratio mismatch", () => {
    const result = sampleRatioMismatch(given("srm_90_10", "counts"), given("srm_90_10", "weights"));
    expect(result.pValue).toSatisfy(near(expected("srm_90_10", "p"), p));
    expect(result.mismatch).toBe(true);
  });

  it("asymptotic confidence sequence", () => {
    const radius = confidenceSequenceRadius(1000, 0.3, { rho: 0.1, alpha: 0.05 });
    expect(radius).toSatisfy(near(expected("asymp_cs", "radius")));
  });

  it("conditional-binomial e-value", () => {
    const segment = { share: 0.1, challengerErrors: 30, errors: 120 };
    expect(logSplitEValue(segment, { a: 1, b: 9 })).toSatisfy(
      near(expected("poisson_split_evalue", "log_e"), p),
    );
  });

  it("performance estimated from calibrated scores", () => {
    const id = "cbpe_binary";
    const result = estimatePerformance(given(id, "calibrated_proba"), number(id, "threshold"));
    expect(result.truePositives).toSatisfy(near(expected(id, "tp")));
    expect(result.falsePositives).toSatisfy(near(expected(id, "fp")));
    expect(result.falseNegatives).toSatisfy(near(expected(id, "fn")));
    expect(result.trueNegatives).toSatisfy(near(expected(id, "tn")));
    expect(result.accuracy).toSatisfy(near(expected(id, "accuracy")));
    expect(result.precision).toSatisfy(near(expected(id, "precision")));
    expect(result.recall).toSatisfy(near(expected(id, "recall")));
    expect(result.f1).toSatisfy(near(expected(id, "f1")));
    expect(result.auc).toSatisfy(near(expected(id, "roc_auc_trapezoid")));
    expect(result.aucWithoutCorner).toSatisfy(near(expected(id, "roc_auc_nannyml")));
  });

  it("drift detection method on a stream of errors", () => {
    const [min, warn, drift] = ["min", "warn", "drift"].map((key) => number("ddm", key));
    const options = { min: min ?? 0, warn: warn ?? 0, drift: drift ?? 0 };
    expect(detectStreamDrift(given("ddm", "stream"), options)).toEqual({
      firstWarning: expected("ddm", "first_warning_index"),
      drift: expected("ddm", "drift_index"),
    });
    expect(() => detectStreamDrift([0, NaN], options)).toThrow(/entry 1 of the stream is NaN/);
  });

  it("Brier score, log loss and calibration error", () => {
    const [labels, scores] = [given("calibration", "y"), given("calibration", "p")];
    expect(brierScore(labels, scores)).toSatisfy(near(expected("calibration", "brier")));
    expect(logLoss(labels, scores)).toSatisfy(near(expected("calibration", "logloss")));
    expect(calibrationError(labels, scores)).toSatisfy(near(expected("calibration", "ece10")));
  });
});
