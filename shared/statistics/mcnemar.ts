/** McNemar's test: do two classifiers err on different rows equally often? */
import { requireCounts } from "./input.js";
import { binomialCdf, binomialMass, chiSquareUpper } from "./distributions.js";

/** Discordant rows: `b` only the champion has right, `c` only the challenger has right. */
export interface McNemar {
  readonly statistic: number;
  /** The p-value to use: exact below 25 discordant rows, else the chi-square one. */
  readonly pValue: number;
  readonly pChiSquare: number;
  /** Chi-square with Edwards' continuity correction. */
  readonly pCorrected: number;
  readonly pExact: number;
  readonly pMid: number;
}

const exactRowsMax = 25;

/** Two-sided McNemar test of the discordant counts b and c. */
export function mcNemar(b: number, c: number): McNemar {
  requireCounts([b, c]);
  const n = b + c;
  if (n === 0) {
    return { statistic: 0, pValue: 1, pChiSquare: 1, pCorrected: 1, pExact: 1, pMid: 1 };
  }
  const fewer = Math.min(b, c);
  const statistic = (b - c) ** 2 / n;
  const corrected = Math.max(0, Math.abs(b - c) - 1) ** 2 / n;
  const pChiSquare = chiSquareUpper(statistic, 1);
  const tail = binomialCdf(fewer, n, 0.5);
  const pExact = b === c ? 1 : Math.min(1, 2 * tail);
  return {
    statistic,
    pValue: n < exactRowsMax ? pExact : pChiSquare,
    pChiSquare,
    pCorrected: chiSquareUpper(corrected, 1),
    pExact,
    pMid: Math.min(1, 2 * tail - binomialMass(fewer, n, 0.5)),
  };
}
