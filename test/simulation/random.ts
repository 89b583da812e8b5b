/** Seeded streams by name: dropping one thing from a simulation leaves the draws of all others as they were. */
import { seededRandom } from "../../shared/statistics/random.js";

/** One stream of draws. */
export interface Random {
  /** Uniform in [0, 1). */
  readonly next: () => number;
  readonly chance: (probability: number) => boolean;
  /** Uniform in [min, max). */
  readonly between: (min: number, max: number) => number;
  /** A whole number in [min, max]. */
  readonly whole: (min: number, max: number) => number;
  readonly pick: <const Items extends readonly [unknown, ...unknown[]]>(
    items: Items,
  ) => Items[number];
}

/** FNV-1a over a name, mixed with the seed. */
const hashOf = (seed: number, name: string): number => {
  let hash = (0x811c9dc5 ^ Math.imul(seed + 1, 0x9e3779b1)) >>> 0;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  }
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
};

/** The stream of one name under one seed: always the same. */
export const randomOf = (seed: number, name: string): Random => {
  const next = seededRandom(hashOf(seed, name));
  const whole = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    chance: (probability) => probability > 0 && next() < probability,
    between: (min, max) => min + next() * (max - min),
    whole,
    pick: (items) => items[whole(0, items.length - 1)],
  };
};
