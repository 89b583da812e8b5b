/** `npm run simulate -- --seeds 1000` plays seeds; `--seed N --trace` replays one, byte for byte; `--plant` hunts planted bugs. */
import { parseArgs } from "node:util";
import { hunt, huntText } from "./hunt.js";
import { plantedBugs } from "./planted-bugs.js";
import { emptyTally, count, failure, figures } from "./report.js";
import { quietly } from "./quietly.js";
import { runSeed } from "./run-seed.js";
import { shrink } from "./shrink.js";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    plant: { type: "boolean", default: false },
    shrink: { type: "boolean", default: true },
    failures: { type: "string", default: "5" },
    "without-acts": { type: "string", default: "" },
    "without-faults": { type: "string", default: "" },
  },
  allowNegative: true,
});

const number = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`--${name} ${text} is not a whole number`);
};

const listOf = (text: string): readonly string[] => text.split(",").filter((item) => item !== "");

const replay = async (seed: number): Promise<boolean> => {
  const withoutActs = new Set(
    listOf(values["without-acts"]).map((item) => number("without-acts", item)),
  );
  const withoutFaults = new Set(listOf(values["without-faults"]));
  const result = await quietly(() =>
    runSeed({ seed, isTraced: values.trace, withoutActs, withoutFaults }),
  );
  for (const line of result.trace) console.log(line);
  if (result.violation !== null) {
    console.log(failure({ result, withoutActs, withoutFaults }));
  }
  return result.violation === null;
};

const playAll = async (from: number, seeds: number): Promise<boolean> => {
  const failuresMax = number("failures", values.failures);
  const tally = emptyTally();
  const failing: number[] = [];
  let shown = 0;
  const startMs = performance.now();
  let shrinkingMs = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const result = await quietly(() => runSeed({ seed }));
    count(tally, result);
    if (result.violation === null) continue;
    failing.push(seed);
    shown += 1;
    if (shown > failuresMax) continue;
    const sinceMs = performance.now();
    const shrunk = values.shrink
      ? await quietly(() => shrink(seed, result))
      : { result, withoutActs: new Set<number>(), withoutFaults: new Set<string>() };
    shrinkingMs += performance.now() - sinceMs;
    console.log(failure(shrunk));
  }
  console.log(figures(tally, (performance.now() - startMs - shrinkingMs) / 1000));
  console.log(
    failing.length === 0
      ? "no violation"
      : `${failing.length} seeds break an invariant: ${failing.slice(0, 50).join(", ")}`,
  );
  return failing.length === 0;
};

const huntAll = async (seedsMax: number): Promise<boolean> => {
  let isEachCaught = true;
  for (const bug of Object.keys(plantedBugs)) {
    const found = await quietly(() => hunt(bug, seedsMax));
    isEachCaught &&= found.result !== null;
    console.log(huntText(found));
  }
  return isEachCaught;
};

const main = (): Promise<boolean> => {
  if (values.seed !== undefined) return replay(number("seed", values.seed));
  const seeds = number("seeds", values.seeds);
  return values.plant ? huntAll(seeds) : playAll(number("from", values.from), seeds);
};

const isWhole = await main();
process.exitCode = isWhole ? 0 : 1;
