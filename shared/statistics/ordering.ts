/** Orders and ranks of numbers, in time proportional to their number. */

/** Below this size a comparison sort is quicker than four passes over 65,536 counters. */
const radixSizeMin = 4096;
const digitBits = 16;
const digitMax = 0xffff;

/** Comparison order for short arrays; ties keep their order. */
const comparisonOrder = (values: ArrayLike<number>): Uint32Array =>
  Uint32Array.from({ length: values.length }, (_, i) => i).toSorted(
    (a, b) => (values[a] ?? 0) - (values[b] ?? 0) || a - b,
  );

/** The 64 bits of every number as four digits whose order as integers is the order of the numbers. */
function sortableWords(values: ArrayLike<number>): Uint32Array {
  const copy = new Float64Array(values.length);
  // Adding zero turns -0 into 0, so that both are one value here as they are to `===`.
  for (let i = 0; i < copy.length; i += 1) copy[i] = (values[i] ?? NaN) + 0;
  const words = new Uint32Array(copy.buffer);
  for (let i = 0; i < words.length; i += 2) {
    const high = words[i + 1] ?? 0;
    if (high >>> 31 === 1) {
      words[i] = ~(words[i] ?? 0);
      words[i + 1] = ~high;
    } else words[i + 1] = (high | 0x80000000) >>> 0;
  }
  return words;
}

/** Indices that sort the values ascending (radix sort from the lowest digit); ties keep their order, NaN is last. */
export function ascendingOrder(values: ArrayLike<number>): Uint32Array {
  const size = values.length;
  if (size < radixSizeMin) return comparisonOrder(values);
  const words = sortableWords(values);
  let order = new Uint32Array(size);
  for (let i = 0; i < size; i += 1) order[i] = i;
  let next = new Uint32Array(size);
  for (let digit = 0; digit < 4; digit += 1) {
    const word = digit >> 1;
    const shift = (digit & 1) * digitBits;
    const starts = new Uint32Array(digitMax + 2);
    for (let i = 0; i < size; i += 1) {
      const value = ((words[2 * i + word] ?? 0) >>> shift) & digitMax;
      starts[value + 1] = (starts[value + 1] ?? 0) + 1;
    }
    if (starts.includes(size)) continue;
    for (let i = 1; i < starts.length; i += 1) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
    for (let i = 0; i < size; i += 1) {
      const index = order[i] ?? 0;
      const value = ((words[2 * index + word] ?? 0) >>> shift) & digitMax;
      const place = starts[value] ?? 0;
      next[place] = index;
      starts[value] = place + 1;
    }
    [order, next] = [next, order];
  }
  return order;
}

/** Midranks of values whose ascending order is known. */
export function midranksInOrder(values: ArrayLike<number>, order: Uint32Array): Float64Array {
  const ranks = new Float64Array(values.length);
  let start = 0;
  while (start < order.length) {
    let end = start;
    const value = values[order[start] ?? 0];
    while (end + 1 < order.length && values[order[end + 1] ?? 0] === value) end += 1;
    for (let i = start; i <= end; i += 1) ranks[order[i] ?? 0] = (start + end) / 2 + 1;
    start = end + 1;
  }
  return ranks;
}

/** Midranks, 1-based: tied values share the mean of the ranks they occupy. */
export const midranks = (values: ArrayLike<number>): Float64Array =>
  midranksInOrder(values, ascendingOrder(values));
