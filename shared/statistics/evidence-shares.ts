/**
 * How evidence of several kinds is weighed: their e-values are averaged with these shares, relative to the sum of those
 * that count. A mean of e-values is one itself, so the type I error holds for all kinds together.
 */
export const evidenceShares = {
  errors: 0.4,
  latency: 0.4,
  memory: 0.1,
  processor: 0.1,
  /** Each measurement that a manifest asks for beside these four. */
  signal: 0.2,
} as const;
