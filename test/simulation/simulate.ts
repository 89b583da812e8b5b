/** The simulation as a command: plays seeds, replays one, or hunts planted bugs. */
import { walkSeed } from "./deciders/walk.js";
import { huntText, type Caught } from "./hunt.js";
import { readOptions, usage, UsageError, type Asked } from "./options.js";
import { plantedBugs } from "./planted-bugs.js";
import { crashEverywhere, huntOnThreads, play } from "./play.js";
import { quietly } from "./quietly.js";
import { count, emptyTally, failure, figures, rates, stopwatch } from "./report.js";
import { runSeed, type CrashPoint, type Violation } from "./run-seed.js";
import { rowText, scaleRows, type Row } from "./scale/table.js";
import { shrink } from "./shrink.js";

/** Where a command writes: what it found, and how far it is. */
export interface Output {
  readonly line: (text: string) => void;
  readonly progress: (text: string) => void;
}

const progressMs = 10_000;

const replay = async (
  asked: Asked & { readonly do: "replay" },
  { line }: Output,
): Promise<boolean> => {
  const { seed, mode, isTraced, withoutActs, withoutFaults } = asked;
  if (mode === "deciders") {
    const { violation, trace, events } = walkSeed(seed, isTraced);
    for (const text of trace) line(text);
    line(
      `seed ${seed}: ${violation === null ? "no violation" : `${violation.invariant}: ${violation.finding}`} in ${events} events`,
    );
    return violation === null;
  }
  const result = await quietly(() => runSeed({ seed, isTraced, withoutActs, withoutFaults }));
  for (const text of result.trace) line(text);
  const { violation, events, steps } = result;
  if (violation !== null) line(failure({ result, withoutActs, withoutFaults }));
  else if (!isTraced) line(`seed ${seed}: no violation in ${events} events and ${steps} steps`);
  return violation === null;
};

/** The failing seed again, thinned out as far as the same invariant still breaks. */
const explained = async (seed: number, isShrunk: boolean): Promise<string> => {
  const result = await runSeed({ seed });
  return failure(
    isShrunk
      ? await shrink(seed, result)
      : { result, withoutActs: new Set<number>(), withoutFaults: new Set<string>() },
  );
};

const playAll = async (
  asked: Asked & { readonly do: "play" },
  { line, progress }: Output,
): Promise<boolean> => {
  const { mode, from, seeds, workers, failuresMax, isShrunk, isJson } = asked;
  const tally = emptyTally();
  const watch = stopwatch();
  let toldMs = performance.now();
  await play({
    mode,
    from,
    seeds,
    workers,
    played: (summary) => {
      count(tally, summary);
      const { seed, violation } = summary;
      if (violation !== null) {
        progress(`seed ${seed} breaks ${violation.invariant}: ${violation.finding}`);
      }
      if (performance.now() - toldMs < progressMs) return;
      toldMs = performance.now();
      const left = watch().seconds * (seeds / tally.seeds - 1);
      progress(
        `${tally.seeds} of ${seeds} seeds, ${tally.failing.length} violations, ${left.toFixed(0)} s to go`,
      );
    },
  });
  const duration = watch();
  const failing = tally.failing.map(({ seed }) => seed);
  if (isJson) {
    const { seeds: played, events, steps, failing: violations } = tally;
    const faults = Object.fromEntries(tally.faults);
    line(
      JSON.stringify(
        {
          mode,
          from,
          seeds: played,
          events,
          steps,
          ...rates(tally, duration),
          faults,
          violations,
        },
        null,
        2,
      ),
    );
    return failing.length === 0;
  }
  if (mode === "runtime") {
    await quietly(async () => {
      for (const seed of failing.slice(0, failuresMax)) line(await explained(seed, isShrunk));
    });
  }
  line(figures(tally, duration, mode === "deciders" ? "decisions" : "faults injected"));
  line(
    failing.length === 0
      ? "no violation"
      : `${failing.length} seeds break an invariant: ${failing.slice(0, 50).join(", ")}`,
  );
  return failing.length === 0;
};

const crashAll = async (
  { from, seeds, stride, workers, isJson }: Asked & { readonly do: "crash" },
  { line, progress }: Output,
): Promise<boolean> => {
  const found: (CrashPoint & { readonly seed: number; readonly violation: Violation })[] = [];
  let crashes = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const { calls } = await quietly(() => runSeed({ seed, isCalm: true }));
    progress(`seed ${seed}: ${calls} awaits`);
    await crashEverywhere({
      seed,
      calls,
      stride,
      workers,
      played: (crash, violation) => {
        crashes += 1;
        if (violation === null) return;
        found.push({ seed, ...crash, violation });
        if (!isJson) {
          line(
            `seed ${seed}, crash ${crash.when} call ${crash.call}: ${violation.invariant}: ${violation.finding}`,
          );
        }
      },
    });
  }
  line(
    isJson
      ? JSON.stringify({ seeds, stride, crashes, violations: found }, null, 2)
      : `${crashes} crashes, ${found.length === 0 ? "no violation" : `${found.length} violations`}`,
  );
  return found.length === 0;
};

const huntAll = async (
  { seeds, workers, isJson }: Asked & { readonly do: "plant" },
  { line }: Output,
): Promise<boolean> => {
  const bugs = Object.keys(plantedBugs);
  const all: Caught[] = [];
  await huntOnThreads({
    bugs,
    seedsMax: seeds,
    workers,
    hunted: (caught) => {
      all.push(caught);
      if (!isJson) line(huntText(caught));
    },
  });
  const missed = all.filter(({ violation }) => violation === null).length;
  if (isJson) line(JSON.stringify(all, null, 2));
  else {
    line(
      missed === 0
        ? `all ${bugs.length} planted bugs were caught`
        : `${missed} of ${bugs.length} planted bugs were missed`,
    );
  }
  return missed === 0;
};

const scaleAll = async (
  { isJson }: Asked & { readonly do: "scale" },
  { line }: Output,
): Promise<boolean> => {
  const all: Row[] = [];
  await quietly(async () => {
    for await (const row of scaleRows()) {
      if (!isJson && all.at(-1)?.scenario !== row.scenario) line(row.scenario);
      all.push(row);
      if (!isJson) line(rowText(row));
    }
  });
  const missed = all.filter(({ isMet }) => !isMet).length;
  if (isJson) line(JSON.stringify(all, null, 2));
  else line(missed === 0 ? "every goal was met" : `${missed} goals were missed`);
  return missed === 0;
};

/** Does what a command line asks for; returns the exit code. */
export const simulate = async (args: readonly string[], output: Output): Promise<number> => {
  try {
    const asked = readOptions(args);
    switch (asked.do) {
      case "help":
        output.line(usage);
        return 0;
      case "replay":
        return (await replay(asked, output)) ? 0 : 1;
      case "play":
        return (await playAll(asked, output)) ? 0 : 1;
      case "crash":
        return (await crashAll(asked, output)) ? 0 : 1;
      case "scale":
        return (await scaleAll(asked, output)) ? 0 : 1;
      case "plant":
        return (await huntAll(asked, output)) ? 0 : 1;
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.progress(`${error.message}\nnpm run simulate -- --help shows what there is`);
    return 2;
  }
};
