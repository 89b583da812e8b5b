/**
 * How evidence of several kinds is weighed: their e-values are averaged with these shares, relative to the sum of those
 * that count. A mean of e-values is one itself, so the type I error holds for all kinds together.
 */
export const evidenceShares = {
  errors: 0.5,
  latency: 0.4,
  memory: 0.05,
  processor: 0.05,
  /** Each measurement that a manifest asks for beside these four. */
  signal: 0.2,
} as const;

/** One e-value, by its natural log, and what it weighs. */
export interface Weighed {
  readonly log: number;
  readonly share: number;
}

/** Natural log of the mean of e-values, weighed by their shares relative to the sum of all; 0, no evidence, of none. */
export const logWeightedMean = (evidence: readonly Weighed[]): number => {
  const top = evidence.reduce((most, { log }) => Math.max(most, log), -Infinity);
  if (evidence.length === 0 || top === -Infinity) return evidence.length === 0 ? 0 : -Infinity;
  let [sum, weights] = [0, 0];
  for (const { log, share } of evidence) {
    sum += share * Math.exp(log - top);
    weights += share;
  }
  return top + Math.log(sum / weights);
};
