/** Drift detection method (Gama, Medas, Castillo and Rodrigues 2004): a stream of errors that grows worse. */

/** Where the stream first warned and where it drifted; undefined when it never did. */
export interface StreamDrift {
  readonly firstWarning: number | undefined;
  readonly drift: number | undefined;
}

/**
 * Looks through a stream of errors (1 = wrong, 0 = right), O(n). With p the error rate so far and s its standard deviation,
 * it warns above p_min + warn s_min and drifts above p_min + drift s_min; nothing is said before `min` predictions.
 * An entry that is neither 0 nor 1 is a RangeError: it would poison the rate for good.
 */
export function detectStreamDrift(
  errors: Iterable<number>,
  options: { readonly min: number; readonly warn: number; readonly drift: number },
): StreamDrift {
  let [seen, wrong] = [0, 0];
  let least = { rate: Infinity, deviation: Infinity };
  let firstWarning: number | undefined;
  for (const error of errors) {
    if (error !== 0 && error !== 1) {
      throw new RangeError(`entry ${seen} of the stream is ${error}: errors are 0 or 1`);
    }
    seen += 1;
    wrong += error;
    if (seen < options.min) continue;
    const rate = wrong / seen;
    const deviation = Math.sqrt((rate * (1 - rate)) / seen);
    if (rate + deviation <= least.rate + least.deviation) least = { rate, deviation };
    const level = rate + deviation;
    if (level > least.rate + options.drift * least.deviation) {
      return { firstWarning, drift: seen - 1 };
    }
    if (level > least.rate + options.warn * least.deviation) firstWarning ??= seen - 1;
  }
  return { firstWarning, drift: undefined };
}
