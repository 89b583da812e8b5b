/**
 * Plays scenarios in parts and keeps each part, so that an interrupted bench goes on where it stopped. Parts are known by
 * the digest of all code that they come from: changed code is played anew.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Outcome, PlayOptions } from "./canaries.js";

/** A scenario with what happened under every rule. */
export interface Played<Scenario> {
  readonly scenario: Scenario;
  readonly outcomes: readonly Outcome[];
  /** Processor time that playing it took. */
  readonly seconds: number;
}

/** What a bench needs to know of a scenario. */
export interface Playable {
  readonly name: string;
  readonly isNull: boolean;
  /** A null under which no level is claimed. */
  readonly isBeyondClaim?: true;
}

const root = new URL("../../", import.meta.url).pathname;
const cache = join(root, "node_modules/.cache/statistics-bench");
const repetitionsOfPart = 500;

const partSchema = z.object({
  seconds: z.number(),
  outcomes: z.array(
    z.object({
      rule: z.string(),
      repetitions: z.number(),
      rolledBack: z.number(),
      delays: z.array(z.number()),
    }),
  ),
});
type Part = z.infer<typeof partSchema>;

/** Digest of the code that simulated rollouts come from. */
async function codeDigest(): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of ["shared/statistics", "shared/domain", "test/bench"]) {
    const names = (await readdir(join(root, folder))).toSorted();
    const isMeant = (name: string): boolean =>
      folder === "shared/statistics" ||
      /^(?:analysis|segment|signal|canaries|kayenta|statistics-(?:rollout|latency|signals|played))/.test(
        name,
      );
    for (const name of names) {
      if (name.endsWith(".ts") && isMeant(name))
        hash.update(await readFile(join(root, folder, name)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** Taken when the code is loaded: what is edited while it plays must not count as played. */
const digest = codeDigest();

const read = async (path: string): Promise<Part | null> => {
  try {
    return partSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return null;
  }
};

/** Plays one scenario in parts, each with a seed of its own: the first has `seed`, the next one more. */
export async function playInParts<Scenario extends Playable>(
  scenario: Scenario,
  play: (scenario: Scenario, options: PlayOptions) => readonly Outcome[],
  options: { readonly repetitions: number; readonly seed: number; readonly about: string },
): Promise<Played<Scenario>> {
  const folder = join(cache, await digest);
  await mkdir(folder, { recursive: true });
  const parts: Part[] = [];
  for (let done = 0, part = 0; done < options.repetitions; done += repetitionsOfPart, part += 1) {
    const repetitions = Math.min(repetitionsOfPart, options.repetitions - done);
    const seed = options.seed + part;
    const named = createHash("sha256").update(
      `${options.about} ${scenario.name} ${repetitions} ${seed}`,
    );
    const path = join(folder, `${named.digest("hex").slice(0, 24)}.json`);
    const known = await read(path);
    if (known !== null) {
      parts.push(known);
      continue;
    }
    console.log(
      `simulating ${options.about}, ${scenario.name}: ${repetitions} rollouts, seed ${seed}`,
    );
    const before = process.cpuUsage();
    const outcomes = [...play(scenario, { repetitions, seed })];
    const { user, system } = process.cpuUsage(before);
    const played = { outcomes, seconds: (user + system) / 1e6 };
    await writeFile(path, JSON.stringify(played));
    parts.push(partSchema.parse(played));
  }
  const rules = parts[0]?.outcomes.map(({ rule }) => rule) ?? [];
  return {
    scenario,
    seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0),
    outcomes: rules.map((rule) => {
      const found = parts.flatMap(({ outcomes }) => outcomes.filter((one) => one.rule === rule));
      return {
        rule,
        repetitions: found.reduce((sum, one) => sum + one.repetitions, 0),
        rolledBack: found.reduce((sum, one) => sum + one.rolledBack, 0),
        delays: found.flatMap(({ delays }) => delays),
      };
    }),
  };
}
