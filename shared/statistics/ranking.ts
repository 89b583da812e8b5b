/**
 * Metrics of ranked lists, one value per query. `relevance` is at least 0 (0 = not relevant); higher scores rank
 * first. Rows of equal score are in every order equally likely, so a constant score earns what chance earns.
 */

/** Rows of one query. */
interface Ranked {
  readonly relevance: number;
  readonly score: number;
}

/** Groups of equal score, the highest first. */
function tiesOf(rows: readonly Ranked[]): readonly (readonly Ranked[])[] {
  const ties: Ranked[][] = [];
  for (const row of rows.toSorted((a, b) => b.score - a.score)) {
    const last = ties.at(-1);
    if (last?.[0]?.score === row.score) last.push(row);
    else ties.push([row]);
  }
  return ties;
}

/** Gain of a relevance as in Burges et al. (2005). */
const gainOf = (relevance: number): number => 2 ** relevance - 1;

/** Discounts of the positions from `start` to `end` (0-based, end excluded) within the first k, summed. */
function discounts(start: number, end: number, k: number): number {
  let sum = 0;
  for (let i = start; i < Math.min(end, k); i += 1) sum += 1 / Math.log2(i + 2);
  return sum;
}

/** Expected discounted gain of the first k rows; the mean over the orders of ties (McSherry and Najork 2008). */
function discountedGain(ties: readonly (readonly Ranked[])[], k: number): number {
  let position = 0;
  let sum = 0;
  for (const tie of ties) {
    const gain = tie.reduce((total, { relevance }) => total + gainOf(relevance), 0) / tie.length;
    sum += gain * discounts(position, position + tie.length, k);
    position += tie.length;
  }
  return sum;
}

/** Normalised discounted cumulative gain at k of one query, between 0 and 1; 0 when nothing is relevant. */
export function normalizedGain(rows: readonly Ranked[], k: number): number {
  const ideal = discountedGain(
    tiesOf(rows.map(({ relevance }) => ({ relevance, score: relevance }))),
    k,
  );
  return ideal === 0 ? 0 : discountedGain(tiesOf(rows), k) / ideal;
}

/** Expected reciprocal of the first relevant row's position (1-based); 0 when nothing is relevant. */
export function reciprocalRank(rows: readonly Ranked[]): number {
  let position = 0;
  for (const tie of tiesOf(rows)) {
    const relevant = tie.filter(({ relevance }) => relevance > 0).length;
    if (relevant > 0) {
      // The first relevant one is at place j of the tie when the j before it are not.
      let expected = 0;
      let noneBefore = 1;
      for (let j = 0; j <= tie.length - relevant; j += 1) {
        const left = tie.length - j;
        expected += (noneBefore * relevant) / left / (position + j + 1);
        noneBefore *= (left - relevant) / left;
      }
      return expected;
    }
    position += tie.length;
  }
  return 0;
}

/** A metric of every query, in order of the queries' numbers; `queries` holds each row's number from 0. */
export function byQuery(
  queries: Int32Array,
  relevance: ArrayLike<number>,
  scores: ArrayLike<number>,
  metric: (rows: readonly Ranked[]) => number,
): Float64Array {
  const rows: Ranked[][] = [];
  for (const [row, query] of queries.entries()) {
    (rows[query] ??= []).push({ relevance: relevance[row] ?? 0, score: scores[row] ?? 0 });
  }
  return Float64Array.from(rows, (list) => metric(list));
}
