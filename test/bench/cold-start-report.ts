/** The tables of cold starts, sizes and costs, as Markdown. */
import { readFileSync, writeFileSync } from "node:fs";
import type { BuiltFunction } from "../../infra/build/functions.js";
import type { EventCosts } from "./cold-start-calls.js";
import type { FunctionReply } from "./function-world.js";

/** What of the cloud an answer needs. */
export type Stage = "ready" | "firestore" | "vertex";

/** One start of a function, and the bare function's start right before it: on a busy machine only such pairs compare. */
export interface Pair {
  readonly hello: FunctionReply;
  readonly own: FunctionReply;
}

/** All starts of one function on the way to one answer. */
export interface Measured {
  readonly name: string;
  readonly stage: Stage;
  readonly pairs: readonly Pair[];
}

/** A built function with what its image's code cache takes, and what one event costs. */
export interface Sized {
  readonly built: BuiltFunction;
  readonly cacheBytes: number;
  readonly costs: EventCosts;
}

/** Times the bare function's, as the project wants it. */
const budgets: Readonly<Record<Stage, number>> = { ready: 1.3, firestore: 2, vertex: 2.2 };
const residentBudget = 1.5;

const stageNames: Readonly<Record<Stage, string>> = {
  ready: "no cloud",
  firestore: "Firestore",
  vertex: "Vertex AI",
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const shown = (values: readonly number[], digits: number): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)})`;

const ratios = (pairs: readonly Pair[], of: (reply: FunctionReply) => number): readonly number[] =>
  pairs.map(({ hello, own }) => of(own) / of(hello));

const residentMb = (reply: FunctionReply): number => reply.residentMb;
const ms = (reply: FunctionReply): number => reply.ms;
const cpuMs = (reply: FunctionReply): number => reply.cpuMs;

const isKept = ({ stage, pairs }: Measured): boolean =>
  median(ratios(pairs, ms)) <= budgets[stage] &&
  median(ratios(pairs, residentMb)) <= residentBudget;

/** A table as Prettier writes it; columns after the first `left` ones are numbers. */
const table = (rows: readonly (readonly string[])[], left: number): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const padded = rows.map((row) =>
    line(
      row.map((cell, column) => {
        const width = widths[column] ?? 0;
        return column < left ? cell.padEnd(width) : cell.padStart(width);
      }),
    ),
  );
  const rule = widths.map((width, column) =>
    column < left ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [padded[0], line(rule), ...padded.slice(1)].join("\n");
};

const startTable = (all: readonly Measured[]): string =>
  table(
    [
      ["function", "needs", "time x hello", "processor time x hello", "memory x hello", "goal"],
      ...all.map((row) => [
        `\`${row.name}\``,
        stageNames[row.stage],
        shown(ratios(row.pairs, ms), 2),
        shown(ratios(row.pairs, cpuMs), 2),
        shown(ratios(row.pairs, residentMb), 2),
        `${budgets[row.stage]}${isKept(row) ? "" : " **missed**"}`,
      ]),
    ],
    2,
  );

const sizeTable = (all: readonly Sized[]): string =>
  table(
    [
      [
        "function",
        "kB",
        "compressed",
        "code cache",
        "documents read",
        "written",
        "messages",
        "Vertex AI calls",
        "others",
      ],
      ...all.map(({ built, cacheBytes, costs }) => [
        `\`${built.name}\``,
        ...[built.bytes, built.gzipBytes, cacheBytes].map((bytes) => (bytes / 1000).toFixed(0)),
        ...[
          costs.documentsRead,
          costs.documentsWritten,
          costs.messages,
          costs.vertexCalls,
          costs.others,
        ].map(String),
      ]),
    ],
    1,
  );

/** Both tables, with what they were measured on and how many goals were missed. */
export const report = (
  measured: readonly Measured[],
  sized: readonly Sized[],
  machine: string,
): string => {
  const hellos = measured.flatMap(({ pairs }) => pairs.map(({ hello }) => hello));
  const missed = measured.filter((row) => !isKept(row)).length;
  return [
    `Measured on ${machine}. The bare function's ${hellos.length} starts: ${shown(hellos.map(ms), 0)} ms,`,
    `${shown(hellos.map(cpuMs), 0)} ms of processor time, ${shown(hellos.map(residentMb), 0)} MB. ` +
      (missed === 0 ? "Every goal is kept." : `${missed} of ${measured.length} rows miss a goal.`),
    "",
    startTable(measured),
    "",
    sizeTable(sized),
  ].join("\n");
};

const begin = "<!-- written by `npm run bench -- cold-start --write` -->";
const end = "<!-- until here -->";

/** Puts the report into the page, between the two comments that say so. */
export const writeReport = (page: string, text: string): void => {
  const [before, rest] = readFileSync(page, "utf8").split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`${page} has no place for the report: it needs ${begin} and ${end}`);
  }
  writeFileSync(page, `${before}${begin}\n\n${text}\n\n${end}${after}`);
};
