/** Dense symmetric systems, just enough for Newton's method. */

/**
 * Solves A x = b for a symmetric positive definite A (row-major, n x n) by Cholesky's method; A is
 * overwritten. Throws a RangeError when A is not positive definite.
 */
export function solveSymmetric(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = right.length;
  for (let j = 0; j < n; j += 1) {
    for (let i = j; i < n; i += 1) {
      let sum = matrix[i * n + j] ?? 0;
      for (let k = 0; k < j; k += 1) sum -= (matrix[i * n + k] ?? 0) * (matrix[j * n + k] ?? 0);
      if (i === j) {
        if (!(sum > 0)) throw new RangeError("the matrix is not positive definite");
        matrix[i * n + j] = Math.sqrt(sum);
      } else {
        matrix[i * n + j] = sum / (matrix[j * n + j] ?? 1);
      }
    }
  }
  const x = Float64Array.from(right);
  for (let i = 0; i < n; i += 1) {
    let sum = x[i] ?? 0;
    for (let k = 0; k < i; k += 1) sum -= (matrix[i * n + k] ?? 0) * (x[k] ?? 0);
    x[i] = sum / (matrix[i * n + i] ?? 1);
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    let sum = x[i] ?? 0;
    for (let k = i + 1; k < n; k += 1) sum -= (matrix[k * n + i] ?? 0) * (x[k] ?? 0);
    x[i] = sum / (matrix[i * n + i] ?? 1);
  }
  return x;
}
