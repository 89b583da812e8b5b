/** The command line of the simulation, read and checked. */
import { availableParallelism } from "node:os";
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { Mode } from "./worker.js";
import { faultKinds } from "./profile.js";

/** What somebody asked for. */
export type Asked =
  | { readonly do: "help" }
  | {
      readonly do: "replay";
      readonly mode: Mode;
      readonly seed: number;
      readonly isTraced: boolean;
      readonly withoutActs: ReadonlySet<number>;
      readonly withoutFaults: ReadonlySet<string>;
    }
  | {
      readonly do: "play";
      readonly mode: Mode;
      readonly from: number;
      readonly seeds: number;
      readonly workers: number;
      readonly failuresMax: number;
      readonly isShrunk: boolean;
      readonly isJson: boolean;
    }
  | {
      readonly do: "crash";
      readonly from: number;
      readonly seeds: number;
      readonly stride: number;
      readonly workers: number;
      readonly isJson: boolean;
    }
  | { readonly do: "scale"; readonly isJson: boolean }
  | {
      readonly do: "plant";
      readonly seeds: number;
      readonly workers: number;
      readonly isJson: boolean;
    };

/** A command line that means nothing; its message says what to type instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What `--help` shows. */
export const usage = `Plays the control plane in a world where everything goes wrong, on a virtual clock, and checks what must hold.

npm run simulate -- [options]

  --seeds N            play N seeds (1000)
  --from N             start with seed N (1)
  --workers N          threads to play on (one per core)
  --deciders           play the pure deciders alone, without runtime and faults (also with --seed)
  --failures N         show and shrink at most N failing seeds (5)
  --no-shrink          show failing seeds with their whole history

  --seed N             play one seed again
  --trace              with --seed: print everything that happens, the same bytes each time
  --without-acts LIST  with --seed: leave out these acts, as a shrunk history says
  --without-faults LIST  with --seed: switch these kinds of fault off: ${[...faultKinds, "outages"].join(", ")}

  --crashes            play seeds without faults, once for each await at which a process can die (1 seed)
  --stride N           with --crashes: only at every Nth await (1)

  --scale              play storms and fleets, and print what they cost beside its goals

  --plant              plant known bugs one by one; each must be caught within --seeds seeds
  --json               print one JSON object instead of text
  --help               print this

Exit code: 0 when everything held (or every planted bug was caught, or every goal was met), 1 when something did not, 2 for a wrong command line.`;

const options = {
  seeds: { type: "string" },
  from: { type: "string" },
  workers: { type: "string" },
  deciders: { type: "boolean" },
  failures: { type: "string" },
  shrink: { type: "boolean" },
  seed: { type: "string" },
  trace: { type: "boolean" },
  "without-acts": { type: "string" },
  "without-faults": { type: "string" },
  crashes: { type: "boolean" },
  stride: { type: "string" },
  plant: { type: "boolean" },
  scale: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

type Name = keyof typeof options;

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options, allowNegative: true }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
};

const wholeNumber = (name: Name, text: string, least: number): number => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`--${name} takes a whole number from ${least} on, not "${text}"`);
};

const listOf = (text: string | undefined): readonly string[] =>
  (text ?? "").split(",").filter((item) => item !== "");

const knownFault = (kind: string): string => {
  if (kind === "outages" || faultKinds.some((known) => known === kind)) return kind;
  throw new UsageError(
    `--without-faults knows no "${kind}"; it knows ${[...faultKinds, "outages"].join(", ")}`,
  );
};

/** Options of one way to use the command do nothing in another, so that one who types them is told. */
const refuseOthers = (
  values: ReturnType<typeof parsed>,
  what: string,
  allowed: readonly Name[],
): void => {
  const other = Object.keys(values).find((name) => !allowed.some((known) => known === name));
  if (other !== undefined) throw new UsageError(`${what} takes no --${other}`);
};

/** Reads a command line; throws UsageError when it means nothing. */
export const readOptions = (args: readonly string[]): Asked => {
  const values = parsed(args);
  const count = (
    name: "seeds" | "from" | "workers" | "failures" | "stride",
    least: number,
    usual: number,
  ) => {
    const text = values[name];
    return text === undefined ? usual : wholeNumber(name, text, least);
  };
  const mode = values.deciders === true ? "deciders" : "runtime";
  if (values.help === true) return { do: "help" };
  if (values.seed !== undefined) {
    refuseOthers(values, "--seed", [
      "seed",
      "trace",
      ...(mode === "deciders"
        ? (["deciders"] as const)
        : (["without-acts", "without-faults"] as const)),
    ]);
    return {
      do: "replay",
      mode,
      seed: wholeNumber("seed", values.seed, 0),
      isTraced: values.trace ?? false,
      withoutActs: new Set(
        listOf(values["without-acts"]).map((item) => wholeNumber("without-acts", item, 0)),
      ),
      withoutFaults: new Set(listOf(values["without-faults"]).map(knownFault)),
    };
  }
  if (values.crashes === true) {
    refuseOthers(values, "--crashes", ["crashes", "seeds", "from", "stride", "workers", "json"]);
    return {
      do: "crash",
      from: count("from", 0, 1),
      seeds: count("seeds", 1, 1),
      stride: count("stride", 1, 1),
      workers: count("workers", 1, availableParallelism()),
      isJson: values.json ?? false,
    };
  }
  if (values.scale === true) {
    refuseOthers(values, "--scale", ["scale", "json"]);
    return { do: "scale", isJson: values.json ?? false };
  }
  if (values.plant === true) {
    refuseOthers(values, "--plant", ["plant", "seeds", "workers", "json"]);
    return {
      do: "plant",
      seeds: count("seeds", 1, 1000),
      workers: count("workers", 1, availableParallelism()),
      isJson: values.json ?? false,
    };
  }
  refuseOthers(values, "a run of many seeds", [
    "seeds",
    "from",
    "workers",
    "deciders",
    "failures",
    "shrink",
    "json",
  ]);
  return {
    do: "play",
    mode,
    from: count("from", 0, 1),
    seeds: count("seeds", 1, 1000),
    workers: count("workers", 1, availableParallelism()),
    failuresMax: count("failures", 0, 5),
    isShrunk: values.shrink ?? true,
    isJson: values.json ?? false,
  };
};
