/** What the functions here are given: broken input is a RangeError that says where, never a number that looks like a result. */

/** Throws unless both have one entry for each other. */
export function requireSameLength(a: ArrayLike<unknown>, b: ArrayLike<unknown>): void {
  if (a.length !== b.length) {
    throw new RangeError(`${a.length} entries cannot be paired with ${b.length}`);
  }
}

function requireEach(
  values: ArrayLike<number>,
  isFine: (value: number) => boolean,
  wanted: string,
): void {
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? NaN;
    if (!isFine(value)) throw new RangeError(`entry ${i} is ${value}: ${wanted}`);
  }
}

/** Throws at the first NaN; infinite values have their place in an order. */
export const requireNumbers = (values: ArrayLike<number>): void => {
  requireEach(values, (value) => !Number.isNaN(value), "leave missing values out before");
};

/** Throws at the first NaN or infinite value. */
export const requireFinite = (values: ArrayLike<number>): void => {
  requireEach(values, Number.isFinite, "every value must be finite");
};

/** Throws unless a count lies between 0 and the whole that it is part of. */
export function requirePart(part: number, whole: number): void {
  if (!(part >= 0 && part <= whole && whole < Infinity)) {
    throw new RangeError(`${part} of ${whole} is no part of a whole`);
  }
}

/** Throws at the first count or weight that is negative, infinite or NaN. */
export const requireCounts = (counts: ArrayLike<number>): void => {
  requireEach(
    counts,
    (count) => count >= 0 && count < Infinity,
    "a count is finite and at least 0",
  );
};
