/** Sample ratio mismatch: does the observed traffic follow the configured split? */
import { requireCounts, requireSameLength } from "./input.js";
import { chiSquareUpper } from "./distributions.js";

/** Below this p-value the split is broken; small, because the test runs at every look. */
const mismatchPValueMax = 0.0005;

/** Chi-square goodness of fit of request counts to the configured shares (which sum to anything positive). */
export function sampleRatioMismatch(
  counts: readonly number[],
  shares: readonly number[],
): { readonly pValue: number; readonly mismatch: boolean } {
  requireSameLength(counts, shares);
  requireCounts(counts);
  requireCounts(shares);
  const requests = counts.reduce((sum, count) => sum + count, 0);
  const shareTotal = shares.reduce((sum, share) => sum + share, 0);
  let statistic = 0;
  let cells = 0;
  for (const [i, count] of counts.entries()) {
    const expected = (requests * (shares[i] ?? 0)) / shareTotal;
    if (expected > 0) {
      statistic += (count - expected) ** 2 / expected;
      cells += 1;
    } else if (count > 0) {
      return { pValue: 0, mismatch: true };
    }
  }
  if (requests === 0 || cells < 2) return { pValue: 1, mismatch: false };
  const pValue = chiSquareUpper(statistic, cells - 1);
  return { pValue, mismatch: pValue < mismatchPValueMax };
}
