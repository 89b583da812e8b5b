/**
 * Special functions in double precision. Sources: NIST Digital Library of Mathematical Functions,
 * chapters 5 (gamma), 8 (incomplete gamma and beta); Lentz's method for continued fractions.
 * All functions are total over their stated domain and answer NaN outside it.
 */

const iterationsMax = 100_000;
const tiny = 1e-300;
const epsilon = 2.220446049250313e-16;

/** Coefficients of Stirling's series, B(2k) / (2k (2k-1)). */
const stirling = [
  1 / 12,
  -1 / 360,
  1 / 1260,
  -1 / 1680,
  1 / 1188,
  -691 / 360360,
  1 / 156,
  -3617 / 122400,
];

/** Remainder of Stirling's approximation at x >= 10, where the series is accurate to 1e-17. */
function stirlingRemainder(x: number): number {
  const inverseSquare = 1 / (x * x);
  let sum = 0;
  for (let k = stirling.length - 1; k >= 0; k -= 1) {
    sum = sum * inverseSquare + (stirling[k] ?? 0);
  }
  return sum / x;
}

/** Natural log of the gamma function for x > 0; absolute error about 1e-15 near 1 and 2. */
export function logGamma(x: number): number {
  if (!(x > 0)) return NaN;
  if (x === 1 || x === 2) return 0;
  let shifted = x;
  let product = 1;
  while (shifted < 10) {
    product *= shifted;
    shifted += 1;
  }
  const log =
    (shifted - 0.5) * Math.log(shifted) - shifted + 0.9189385332046727 + stirlingRemainder(shifted);
  return log - Math.log(product);
}

/**
 * Natural log of the beta function for a, b > 0. Large arguments go through the difference of
 * Stirling remainders, because subtracting three large log-gammas would cost six digits.
 */
export function logBeta(a: number, b: number): number {
  if (!(a > 0) || !(b > 0)) return NaN;
  const small = Math.min(a, b);
  const large = Math.max(a, b);
  if (small >= 10) {
    const total = a + b;
    const remainder =
      stirlingRemainder(small) + stirlingRemainder(large) - stirlingRemainder(total);
    return (
      0.9189385332046727 -
      0.5 * Math.log(large) +
      remainder +
      (small - 0.5) * Math.log(small / total) +
      large * Math.log1p(-small / total)
    );
  }
  if (large >= 10) {
    const total = a + b;
    const difference =
      stirlingRemainder(large) -
      stirlingRemainder(total) +
      small -
      small * Math.log(total) +
      (large - 0.5) * Math.log1p(-small / total);
    return logGamma(small) + difference;
  }
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** Keeps a continued fraction's term away from zero, as Lentz's method asks. */
const away = (value: number): number => (Math.abs(value) < tiny ? tiny : value);

/** Continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method. */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= iterationsMax; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    const step = d * c;
    fraction *= step;
    if (Math.abs(step - 1) < epsilon) break;
  }
  return fraction;
}

/** Natural logs of both tails of the regularised incomplete beta function I_x(a, b). */
export interface BetaTails {
  readonly logLower: number;
  readonly logUpper: number;
}

/** Both tails of I_x(a, b), each computed without cancellation where it is the small one. */
export function betaTails(x: number, a: number, b: number): BetaTails {
  if (!(a > 0) || !(b > 0) || !(x >= 0) || !(x <= 1)) return { logLower: NaN, logUpper: NaN };
  if (x === 0) return { logLower: -Infinity, logUpper: 0 };
  if (x === 1) return { logLower: 0, logUpper: -Infinity };
  const front = a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b);
  if (x < (a + 1) / (a + b + 2)) {
    const logLower = Math.min(0, front + Math.log(betaFraction(x, a, b) / a));
    return { logLower, logUpper: Math.log1p(-Math.exp(logLower)) };
  }
  const logUpper = Math.min(0, front + Math.log(betaFraction(1 - x, b, a) / b));
  return { logLower: Math.log1p(-Math.exp(logUpper)), logUpper };
}

/** Regularised incomplete beta function I_x(a, b), the lower tail. */
export function regularizedBeta(x: number, a: number, b: number): number {
  return Math.exp(betaTails(x, a, b).logLower);
}

/** Value x with I_x(a, b) = probability, by bisection to the last bit (about 60 steps). */
export function betaQuantile(probability: number, a: number, b: number): number {
  if (!(probability >= 0) || !(probability <= 1)) return NaN;
  let low = 0;
  let high = 1;
  for (let step = 0; step < 200; step += 1) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (regularizedBeta(middle, a, b) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Series of the lower incomplete gamma function (DLMF 8.7.1), without its front factor. */
function gammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n <= iterationsMax; n += 1) {
    term *= x / (a + n);
    sum += term;
    if (term < sum * epsilon) break;
  }
  return sum;
}

/** Continued fraction of the upper incomplete gamma function (DLMF 8.9.2), without its front. */
function gammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / away(b);
  let fraction = d;
  for (let n = 1; n <= iterationsMax; n += 1) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / away(numerator * d + b);
    c = away(b + numerator / c);
    const step = d * c;
    fraction *= step;
    if (Math.abs(step - 1) < epsilon) break;
  }
  return fraction;
}

/** Upper regularised incomplete gamma function Q(a, x) for a > 0, x >= 0. */
export function regularizedGammaUpper(a: number, x: number): number {
  if (!(a > 0) || !(x >= 0)) return NaN;
  if (x === 0) return 1;
  if (x === Infinity) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  return x < a + 1 ? 1 - front * gammaSeries(a, x) : front * gammaFraction(a, x);
}

/** Lower regularised incomplete gamma function P(a, x) for a > 0, x >= 0. */
export function regularizedGammaLower(a: number, x: number): number {
  if (!(a > 0) || !(x >= 0)) return NaN;
  if (x === 0) return 0;
  if (x === Infinity) return 1;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  return x < a + 1 ? front * gammaSeries(a, x) : 1 - front * gammaFraction(a, x);
}
