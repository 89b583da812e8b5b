/** What a run makes of its data, drawn once per run: how its job ends and how its version behaves. */
import { randomOf } from "../random.js";

/** How a version serves. */
export type Quality = "good" | "bad" | "slow" | "silent" | "broken";

/** The quality of the version made from an artifact. */
export const qualityOf = (seed: number, artifactUri: string): Quality =>
  randomOf(seed, `quality/${artifactUri}`).pick([
    "good",
    "good",
    "good",
    "good",
    "bad",
    "bad",
    "slow",
    "silent",
    "broken",
  ]);
