/** Looks for a seed that catches a planted bug. */
import { plantedBugs } from "./planted-bugs.js";
import { runSeed, type SeedResult } from "./run-seed.js";

/** What caught a bug, and after how many seeds; null when nothing did. */
export interface Catch {
  readonly bug: string;
  readonly seeds: number;
  readonly result: SeedResult | null;
}

/** Plays seeds with one bug planted until an invariant breaks. */
export const hunt = async (bug: string, seedsMax: number): Promise<Catch> => {
  const plant = plantedBugs[bug];
  if (plant === undefined) throw new RangeError(`there is no planted bug "${bug}"`);
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const result = await runSeed({ seed, plant: plant() });
    if (result.violation !== null) return { bug, seeds: seed, result };
  }
  return { bug, seeds: seedsMax, result: null };
};

/** One line about a hunt. */
export const huntText = ({ bug, seeds, result }: Catch): string =>
  result?.violation
    ? `${bug}: caught after ${seeds} seed${seeds === 1 ? "" : "s"} by ${result.violation.invariant}: ${result.violation.finding}`
    : `${bug}: NOT caught by ${seeds} seeds`;
