/** Thins out the history of a failing seed: leaves out acts and kinds of fault while the same invariant still breaks. */
import { faultKinds } from "./profile.js";
import { runSeed, type Plant, type SeedResult } from "./run-seed.js";

/** What is left when nothing more can be left out. */
export interface Shrunk {
  readonly result: SeedResult;
  readonly withoutActs: ReadonlySet<number>;
  readonly withoutFaults: ReadonlySet<string>;
}

const runsMax = 400;

/** Shrinks a failing seed; every step plays the seed once more. */
export const shrink = async (
  seed: number,
  failing: SeedResult,
  plant?: () => Plant,
): Promise<Shrunk> => {
  let left: Shrunk = { result: failing, withoutActs: new Set(), withoutFaults: new Set() };
  let runs = 0;
  const tryWithout = async (acts: Iterable<number>, faults: Iterable<string>): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs += 1;
    const withoutActs = new Set([...left.withoutActs, ...acts]);
    const withoutFaults = new Set([...left.withoutFaults, ...faults]);
    const result = await runSeed({
      seed,
      withoutActs,
      withoutFaults,
      ...(plant === undefined ? {} : { plant: plant() }),
    });
    if (result.violation?.invariant !== failing.violation?.invariant) return false;
    left = { result, withoutActs, withoutFaults };
    return true;
  };
  for (const kind of [...faultKinds, "outages"]) await tryWithout([], [kind]);
  // Halves, quarters, and so on down to single acts.
  for (let size = Math.ceil(failing.items.length / 2); size >= 1; size = Math.floor(size / 2)) {
    const indices = left.result.items.map(({ index }) => index);
    for (let from = 0; from < indices.length; from += size) {
      await tryWithout(indices.slice(from, from + size), []);
    }
  }
  return left;
};
