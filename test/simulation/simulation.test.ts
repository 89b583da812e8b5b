import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { catalogue } from "../../events/index.js";
import { drawnTypes } from "./deciders/draw-event.js";
import type { Caught } from "./hunt.js";
import { plantedBugs } from "./planted-bugs.js";
import { crashEverywhere, huntOnThreads, play } from "./play.js";
import { quietly } from "./quietly.js";
import { regressions } from "./regressions.js";
import { count, emptyTally, figures, stopwatch } from "./report.js";
import { runSeed, type CrashPoint, type Violation } from "./run-seed.js";
import { shrink } from "./shrink.js";
import { simulate } from "./simulate.js";

/** As many seeds as a busy machine plays in half a minute; `npm run simulate` plays a thousand. */
const seeds = 200;
/** At how many awaits of one seed a process dies; `npm run simulate -- --crashes` does so at each. */
const awaits = 40;
/** Random walks of 500 events each. */
const walks = 200;
/** Every kind of fault that the control plane promises to survive. */
const faults = [
  "duplicate message",
  "message published twice",
  "message delivered out of order",
  "delayed message",
  "acknowledgement lost",
  "crash before",
  "crash after",
  "429, not done",
  "503, not done",
  "503, yet done",
  "deadline exceeded, not done",
  "deadline exceeded, yet done",
  "refused",
  "conflict",
  "outage",
  "slow call",
  "paused caller",
  "stale read of a job",
  "stale read of an endpoint",
  "stale read of a version",
  "clock wrong by minutes",
  "missed tick",
  "doubled tick",
  "dead letter",
  "redriven dead letter",
  "lease that outlived its holder",
  "holder that outlived its lease",
  "call kept longer than its lease",
  "version uploaded twice",
  "endpoint changed by hand",
  "alias moved by hand",
  "version uploaded by hand",
  "late failure",
  "call kept longer than its lease",
  "one endpoint unreadable",
  "event of the cloud lost",
  "push without a valid token",
] as const;
const workers = Math.min(2, availableParallelism());
/** A machine that does ten other things takes this long and longer for what takes ten seconds alone. */
const timeout = 900_000;

const outputOf = async (...args: readonly string[]) => {
  const lines: string[] = [];
  const told: string[] = [];
  const code = await simulate(args, {
    line: (text) => lines.push(text),
    progress: (text) => told.push(text),
  });
  return { code, text: lines.join("\n"), told: told.join("\n") };
};

const traceOf = async (seed: number): Promise<string> =>
  (await quietly(() => runSeed({ seed, isTraced: true }))).trace.join("\n");

describe("the control plane under faults", { timeout }, () => {
  it(`${seeds} seeds break no invariant`, async () => {
    const tally = emptyTally();
    const watch = stopwatch();
    await play({ mode: "runtime", from: 1, seeds, workers, played: (seed) => count(tally, seed) });
    console.log(figures(tally, watch()));
    expect(tally.failing).toEqual([]);
    expect(tally.seeds).toBe(seeds);
    // What is never injected is never survived.
    expect(faults.filter((kind) => (tally.faults.get(kind) ?? 0) === 0)).toEqual([]);
  });

  it("a process may die at any await of a calm day, before or after its call takes effect", async () => {
    const { calls } = await quietly(() => runSeed({ seed: 1, isCalm: true }));
    const found: (CrashPoint & { readonly violation: Violation })[] = [];
    let crashes = 0;
    await crashEverywhere({
      seed: 1,
      calls,
      stride: Math.ceil(calls / awaits),
      workers,
      played: (crash, violation) => {
        crashes += 1;
        if (violation !== null) found.push({ ...crash, violation });
      },
    });
    expect(found).toEqual([]);
    expect(crashes).toBeGreaterThan(awaits);
  });

  it.each(Object.entries(regressions))("seed %s stays mended: %s", async (seed) => {
    const { violation } = await quietly(() => runSeed({ seed: Number(seed) }));
    expect(violation).toBeNull();
  });
});

describe("the deciders alone", { timeout }, () => {
  it(`${walks} random walks break no invariant`, async () => {
    const tally = emptyTally();
    const watch = stopwatch();
    await play({
      mode: "deciders",
      from: 1,
      seeds: walks,
      workers,
      played: (seed) => count(tally, seed),
    });
    console.log(figures(tally, watch(), "decisions"));
    expect(tally.failing).toEqual([]);
    expect(tally.seeds).toBe(walks);
  });

  it("are asked about every type of event", () => {
    expect(drawnTypes.toSorted()).toEqual(Object.keys(catalogue).toSorted());
  });
});

describe("the simulation", { timeout }, () => {
  it("catches every planted bug", async () => {
    const all: Caught[] = [];
    await huntOnThreads({
      bugs: Object.keys(plantedBugs),
      seedsMax: 500,
      workers,
      hunted: (caught) => all.push(caught),
    });
    console.log(all.map(({ bug, seeds: needed }) => `${bug}: ${needed}`).join("\n"));
    expect(all.filter(({ violation }) => violation === null)).toEqual([]);
    expect(all.map(({ bug }) => bug)).toEqual(Object.keys(plantedBugs));
  });

  it("plays a seed the same way each time, byte for byte, whatever was played before", async () => {
    const first = await traceOf(7);
    await traceOf(8);
    expect(await traceOf(7)).toBe(first);
    expect(first.split("\n").length).toBeGreaterThan(100);
  });

  it("thins out a failing history until little but the bug is left", async () => {
    const plant = plantedBugs["done before it is performed"];
    let seed = 0;
    let failing = null;
    while (failing?.violation == null) {
      seed += 1;
      failing = await quietly(() => runSeed({ seed, ...(plant && { plant: plant() }) }));
    }
    const broken = failing;
    const { result } = await quietly(() => shrink(seed, broken, plant));
    expect(result.violation?.invariant).toBe(broken.violation?.invariant);
    expect(result.items.length).toBeLessThan(broken.items.length / 2);
  });
});

describe("npm run simulate", () => {
  it("--help tells every option and exits with 0", async () => {
    const { code, text } = await outputOf("--help");
    expect(code).toBe(0);
    for (const option of [
      "--seeds",
      "--seed",
      "--trace",
      "--plant",
      "--deciders",
      "--crashes",
      "--scale",
      "--json",
    ]) {
      expect(text).toContain(option);
    }
  });

  it.each([
    [["--sedes", "5"], "Unknown option '--sedes'"],
    [["--seeds", "many"], '--seeds takes a whole number from 1 on, not "many"'],
    [["--seed", "1", "--plant"], "--seed takes no --plant"],
    [["--scale", "--seeds", "5"], "--scale takes no --seeds"],
    [["--trace"], "a run of many seeds takes no --trace"],
    [["--seed", "1", "--without-faults", "rain"], '--without-faults knows no "rain"'],
  ])("%j is refused with what to do instead", async (args, problem) => {
    const { code, text, told } = await outputOf(...args);
    expect(code).toBe(2);
    expect(text).toBe("");
    expect(told).toContain(problem);
    expect(told).toContain("--help");
  });

  it("--json gives one object with figures, faults and violations", async () => {
    const { code, text } = await outputOf("--seeds", "3", "--from", "5", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ mode: "runtime", from: 5, seeds: 3, violations: [] });
  });

  it("--seed N says what came of it", async () => {
    const { code, text } = await outputOf("--seed", "5");
    expect(code).toBe(0);
    expect(text).toMatch(/^seed 5: no violation in \d+ events and \d+ steps$/);
  });
});
