/** The exact distribution of the one-sample Kolmogorov-Smirnov statistic. */

type Matrix = readonly Float64Array[];

const multiply = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) =>
    Float64Array.from(row, (_, j) =>
      row.reduce((sum, value, k) => sum + value * (b[k]?.[j] ?? 0), 0),
    ),
  );

/** A matrix whose entries are multiplied by 10 to the exponent. */
interface Scaled {
  readonly matrix: Matrix;
  readonly exponent: number;
}

/** Keeps the middle entry within a number's range; the exponent takes the rest. */
function rescale({ matrix, exponent }: Scaled): Scaled {
  const middle = matrix[matrix.length >> 1]?.[matrix.length >> 1] ?? 0;
  return middle > 1e140
    ? { matrix: matrix.map((row) => row.map((value) => value * 1e-140)), exponent: exponent + 140 }
    : { matrix, exponent };
}

function power(base: Matrix, n: number): Scaled {
  let result: Scaled = {
    matrix: base.map((row, i) => row.map((_, j) => (i === j ? 1 : 0))),
    exponent: 0,
  };
  let square: Scaled = { matrix: base, exponent: 0 };
  for (let left = n; left > 0; left >>= 1) {
    if (left % 2 === 1) {
      result = rescale({
        matrix: multiply(result.matrix, square.matrix),
        exponent: result.exponent + square.exponent,
      });
    }
    square = rescale({
      matrix: multiply(square.matrix, square.matrix),
      exponent: 2 * square.exponent,
    });
  }
  return result;
}

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

/** Durbin's matrix for a statistic of d = (k - h) / n. */
function durbinMatrix(size: number, h: number): Matrix {
  const matrix = Array.from({ length: size }, (_, i) =>
    Float64Array.from({ length: size }, (__, j) => (i - j + 1 < 0 ? 0 : 1)),
  );
  const last = matrix[size - 1];
  for (let i = 0; i < size; i += 1) {
    const row = matrix[i];
    if (row === undefined || last === undefined) continue;
    row[0] = (row[0] ?? 0) - h ** (i + 1);
    last[i] = (last[i] ?? 0) - h ** (size - i);
  }
  if (last !== undefined) last[0] = (last[0] ?? 0) + (2 * h > 1 ? (2 * h - 1) ** size : 0);
  return matrix.map((row, i) =>
    row.map((value, j) => (i - j + 1 > 0 ? value / factorial(i - j + 1) : value)),
  );
}

/**
 * P(D_n >= d) of n observations by Marsaglia, Tsang and Wang (2003): absolute error about 1e-13 for n up to some
 * thousand, O((n d)^3 log n).
 */
export function oneSampleKolmogorovUpper(n: number, d: number): number {
  if (!(d > 0)) return 1;
  if (d >= 1) return 0;
  const k = Math.floor(n * d) + 1;
  const { matrix, exponent } = power(durbinMatrix(2 * k - 1, k - n * d), n);
  let value = matrix[k - 1]?.[k - 1] ?? NaN;
  let tens = exponent;
  for (let i = 1; i <= n; i += 1) {
    value = (value * i) / n;
    if (value < 1e-140) {
      value *= 1e140;
      tens -= 140;
    }
  }
  return Math.min(1, Math.max(0, 1 - value * 10 ** tens));
}
