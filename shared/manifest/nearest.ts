/** The word that somebody probably meant. */

const distance = (left: string, right: string): number => {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [row, letter] of Array.from(left).entries()) {
    const current = [row + 1];
    for (const [column, other] of Array.from(right).entries()) {
      current.push(
        Math.min(
          (current[column] ?? 0) + 1,
          (previous[column + 1] ?? 0) + 1,
          (previous[column] ?? 0) + (letter === other ? 0 : 1),
        ),
      );
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
};

const plain = (word: string): string => word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/** The nearest of the known words, when one is near enough to be a slip of the pen. */
export const nearest = (word: string, known: readonly string[]): string | null => {
  const scored = known
    .map((name) => ({ name, score: distance(plain(word), plain(name)) }))
    .toSorted((left, right) => left.score - right.score);
  const best = scored[0];
  return best !== undefined && best.score <= Math.max(1, Math.floor(word.length / 3))
    ? best.name
    : null;
};
