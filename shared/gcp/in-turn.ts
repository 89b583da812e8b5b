/** One after the other, per key, inside one process. */

/**
 * Runs the work of one key strictly in turn. Transactions of one instance on one model's document would otherwise
 * contend with each other, and each loser costs a back-off.
 */
export const inTurn = (): (<Result>(
  key: string,
  work: () => Promise<Result>,
) => Promise<Result>) => {
  const last = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
};
