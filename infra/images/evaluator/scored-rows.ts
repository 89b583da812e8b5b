/** The scores of both versions on the same rows: all that a verdict needs, stored beside it. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { ImageError, parseJson } from "../arguments.js";
import type { Task } from "../../../shared/manifest/metrics.js";

/** Labels, scores and slice values, one entry per row. */
export interface ScoredRows {
  readonly task: Task;
  /** 1 or 0; a class's position (-1 for one that neither version knows); a number; a relevance. */
  readonly labels: ArrayLike<number> & Iterable<number>;
  /** Names of several classes, in the order of the scores; empty for every other task. */
  readonly classes: readonly string[];
  /** One score a row, or one for every class, row by row. */
  readonly challenger: Float64Array;
  readonly champion: Float64Array | undefined;
  /** Ranking: each row's query as a number from 0. */
  readonly queries?: Int32Array;
  /** Slice column -> value of every row, "" for missing. */
  readonly slices: ReadonlyMap<string, readonly string[]>;
}

/** Scores to a row. */
export const widthOf = ({ classes }: Pick<ScoredRows, "classes">): number =>
  Math.max(1, classes.length);

/** The given rows, in that order; slices are left out and queries keep their numbers. */
export function takeScored(scored: ScoredRows, rows: ArrayLike<number>): ScoredRows {
  const width = widthOf(scored);
  const take = (scores: Float64Array): Float64Array => {
    const taken = new Float64Array(rows.length * width);
    for (let i = 0; i < rows.length; i += 1) {
      for (let c = 0; c < width; c += 1) {
        taken[i * width + c] = scores[(rows[i] ?? 0) * width + c] ?? NaN;
      }
    }
    return taken;
  };
  const { queries, champion } = scored;
  return {
    ...scored,
    labels: Float64Array.from(rows, (row) => scored.labels[row] ?? NaN),
    challenger: take(scored.challenger),
    champion: champion === undefined ? undefined : take(champion),
    ...(queries === undefined ? {} : { queries: renumber(rows, queries) }),
    slices: new Map(),
  };
}

/** Query numbers of the rows, without gaps. */
function renumber(rows: ArrayLike<number>, queries: Int32Array): Int32Array {
  const numbers = new Map<number, number>();
  return Int32Array.from(rows, (row) => {
    const query = queries[row] ?? -1;
    const known = numbers.get(query) ?? numbers.size;
    numbers.set(query, known);
    return known;
  });
}

const score = z.union([z.number(), z.record(z.string(), z.number())]);
const line = z.object({
  label: z.union([z.number(), z.string()]),
  challenger: score,
  champion: score.optional(),
  query: z.union([z.string(), z.number()]).optional(),
  /** Names the row; told twice, the rows cannot be trusted. */
  id: z.union([z.string(), z.number()]).optional(),
  slices: z.record(z.string(), z.string()).default({}),
});
type Line = z.infer<typeof line>;
type Score = z.infer<typeof score>;

const linesOfChunk = 20_000;

/** A number as JSON.stringify writes it. */
const numberText = (value = NaN): string => (Number.isFinite(value) ? String(value) : "null");

/**
 * The rows as JSON lines, some thousand at a time; numbers keep every digit, so that the verdict can be computed
 * again exactly. Several classes are written as {"class": probability}. The text is put together by hand, because
 * an object a row takes twice the time of its numbers.
 */
export function* formatScores(rows: ScoredRows): Generator<string> {
  const { classes, labels, queries, challenger, champion } = rows;
  const scoreText = (scores: Float64Array, row: number): string =>
    classes.length === 0
      ? numberText(scores[row])
      : JSON.stringify(
          Object.fromEntries(
            classes.map((name, c) => [name, scores[row * classes.length + c] ?? NaN] as const),
          ),
        );
  const labelText = (label = NaN): string =>
    classes.length === 0 ? numberText(label) : JSON.stringify(classes[label] ?? unknownClass);
  // The order of an object's keys, in which numbers come first.
  const columns = Object.entries(Object.fromEntries(rows.slices)).map(
    ([column, values]) => [`${JSON.stringify(column)}:`, values] as const,
  );
  for (let start = 0; start < labels.length; start += linesOfChunk) {
    let chunk = "";
    for (let row = start; row < Math.min(labels.length, start + linesOfChunk); row += 1) {
      chunk += `{"row":${row},"label":${labelText(labels[row])}`;
      if (queries !== undefined) chunk += `,"query":${numberText(queries[row])}`;
      chunk += `,"challenger":${scoreText(challenger, row)}`;
      if (champion !== undefined) chunk += `,"champion":${scoreText(champion, row)}`;
      for (const [i, [key, values]] of columns.entries()) {
        chunk += `${i === 0 ? ',"slices":{' : ","}${key}${JSON.stringify(values[row] ?? "")}`;
      }
      chunk += columns.length === 0 ? "}\n" : "}}\n";
    }
    yield chunk;
  }
}

/** How a label that no version has a probability for is written. */
const unknownClass = "(unknown class)";

const classesMax = 1000;
const shown = (values: readonly (string | number)[]): string => values.slice(0, 5).join(", ");

/** Numbers that a statistic can use; the error says which rows hold none. */
function finiteNumbers(values: readonly unknown[], what: string): Float64Array {
  const numbers = Float64Array.from(values, (value) => (typeof value === "number" ? value : NaN));
  const broken = numbers.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) {
    const count = numbers.reduce((sum, value) => sum + (Number.isFinite(value) ? 0 : 1), 0);
    throw new ImageError(
      `${what} is not a finite number in ${count} of ${values.length} rows, first in row ${broken} (${JSON.stringify(values[broken])})`,
    );
  }
  return numbers;
}

/** Probabilities of a row by class name, in the order of the classes. */
function probabilities(scores: readonly Score[], classes: readonly string[], what: string) {
  const flat = scores.flatMap((entry) =>
    typeof entry === "number" ? [NaN] : classes.map((name) => entry[name] ?? 0),
  );
  if (flat.length !== scores.length * classes.length) {
    throw new ImageError(`${what} must be {"class": probability} in every row`);
  }
  return finiteNumbers(flat, what);
}

/** Rounding may take a row's probabilities this far beyond 1 together. */
const excessMax = 0.01;

/** A loss of what is no probability may be as small as one likes: such scores win by being wrong. */
function requireProbabilities(scores: Float64Array, width: number, what: string): void {
  for (let start = 0; start < scores.length; start += width) {
    const row = start / width;
    let sum = 0;
    for (const probability of scores.subarray(start, start + width)) {
      if (!(probability >= 0 && probability <= 1)) {
        throw new ImageError(
          `the ${what}'s score of row ${row} is ${probability}: a classifier is judged by its probabilities, which lie between 0 and 1`,
        );
      }
      sum += probability;
    }
    if (sum > 1 + excessMax) {
      throw new ImageError(
        `the ${what}'s scores of row ${row} sum to ${sum}: probabilities of classes sum to 1`,
      );
    }
  }
}

/** The label of every row as the task wants it. */
function labelsOf(rows: readonly Line[], task: Task, classes: readonly string[]): Float64Array {
  if (task === "multi-class-classification") {
    const positions = new Map(classes.map((name, position) => [name, position]));
    return Float64Array.from(rows, ({ label }) => positions.get(String(label)) ?? -1);
  }
  const labels = finiteNumbers(
    rows.map(({ label }) => label),
    "the label",
  );
  if (task === "binary-classification" && labels.some((label) => label !== 0 && label !== 1)) {
    const seen = [...new Set(labels)].filter((label) => label !== 0 && label !== 1);
    throw new ImageError(
      `the labels of a binary classifier are 0 and 1; also seen: ${shown(seen)}`,
    );
  }
  if (task === "ranking" && labels.some((label) => label < 0)) {
    throw new ImageError("a relevance is at least 0; a negative one was given");
  }
  return labels;
}

/** Every query's rows get a number; the error says when a row has none. */
function queriesOf(rows: readonly Line[]): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(rows, ({ query }, row) => {
    if (query === undefined) throw new ImageError(`row ${row} names no query`);
    const known = numbers.get(String(query)) ?? numbers.size;
    numbers.set(String(query), known);
    return known;
  });
}

function requireOnce(rows: readonly Line[]): void {
  const seen = new Set<string>();
  for (const { id } of rows) {
    if (id === undefined) continue;
    const name = String(id);
    if (seen.has(name)) throw new ImageError(`row id ${name} is there twice: which row is right?`);
    seen.add(name);
  }
}

/** The slice columns that any row has: the first one may lack them. */
function sliceColumnsOf(rows: readonly Line[]): readonly string[] {
  const columns = new Set<string>();
  for (const { slices } of rows) for (const column of Object.keys(slices)) columns.add(column);
  return [...columns];
}

/** Rows that were read, as the task wants them; an error says what is wrong with which of them. */
export function scoredRowsOf(rows: readonly Line[], task: Task): ScoredRows {
  requireOnce(rows);
  const scored = rows.filter(({ champion }) => champion !== undefined).length;
  if (scored !== 0 && scored !== rows.length) {
    throw new ImageError(`the champion scored ${scored} of ${rows.length} rows: it must score all`);
  }
  const isMultiClass = task === "multi-class-classification";
  const classes = isMultiClass
    ? [
        ...new Set(
          rows.flatMap(({ challenger, champion = 0 }) =>
            [challenger, champion].flatMap((entry) =>
              typeof entry === "number" ? [] : Object.keys(entry),
            ),
          ),
        ),
      ].toSorted()
    : [];
  if (classes.length > classesMax) {
    throw new ImageError(
      `${classes.length} classes are more than the ${classesMax} that are judged here`,
    );
  }
  const scores = (side: "challenger" | "champion"): Float64Array => {
    const values = rows.map((row) => row[side] ?? NaN);
    const found = isMultiClass
      ? probabilities(values, classes, `the ${side}'s score`)
      : finiteNumbers(values, `the ${side}'s score`);
    if (isMultiClass || task === "binary-classification") {
      requireProbabilities(found, Math.max(1, classes.length), side);
    }
    return found;
  };
  const columns = sliceColumnsOf(rows);
  return {
    task,
    labels: labelsOf(rows, task, classes),
    classes,
    challenger: scores("challenger"),
    champion: scored === 0 ? undefined : scores("champion"),
    ...(task === "ranking" ? { queries: queriesOf(rows) } : {}),
    slices: new Map(
      columns.map((column) => [column, rows.map(({ slices }) => slices[column] ?? "")]),
    ),
  };
}

/** Reads scored rows in the form in which they are stored, one JSON object a line. */
export function parseScores(text: string, task: Task): ScoredRows {
  const lines = text.split("\n").filter((entry) => entry !== "");
  return scoredRowsOf(
    lines.map((entry, i) => parseJson(entry, `line ${i + 1} of the scores`, line)),
    task,
  );
}

/** SHA-256 of stored scores, in hexadecimal. */
export function scoresDigest(chunks: Iterable<string>): string {
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}
