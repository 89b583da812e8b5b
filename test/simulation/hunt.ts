/** Looks for a seed that catches a planted bug. */
import { plantedBugs } from "./planted-bugs.js";
import { runSeed, type Violation } from "./run-seed.js";

/** What caught a bug, and after how many seeds; null when nothing did. */
export interface Caught {
  readonly bug: string;
  readonly seeds: number;
  readonly violation: Violation | null;
}

/** Plays seeds with one bug planted until an invariant breaks. */
export const hunt = async (bug: string, seedsMax: number): Promise<Caught> => {
  const plant = plantedBugs[bug];
  if (plant === undefined) throw new RangeError(`there is no planted bug "${bug}"`);
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const { violation } = await runSeed({ seed, plant: plant() });
    if (violation !== null) return { bug, seeds: seed, violation };
  }
  return { bug, seeds: seedsMax, violation: null };
};

/** One line about a hunt. */
export const huntText = ({ bug, seeds, violation }: Caught): string =>
  violation === null
    ? `${bug}: NOT caught by ${seeds} seeds`
    : `${bug}: caught after ${seeds} seed${seeds === 1 ? "" : "s"} by ${violation.invariant}: ${violation.finding}`;
