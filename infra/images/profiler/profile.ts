/** Statistics of one dataset version, asked of DuckDB in a few passes over the files. */
import { z } from "zod";
import type {
  ColumnGroup,
  ColumnProfile,
  Distribution,
  Profile,
} from "../../../events/artifacts.js";
import { countsOf, histogramsSql, type CellQuery } from "./cells.js";
import type { Source } from "./duckdb.js";
import { inferSchema } from "./infer-schema.js";
import {
  duckdbDialect,
  groupsSql,
  summarySql,
  tidyName,
  tidySource,
  topValuesSql,
  type SourceColumn,
} from "./sql.js";

/** Up to this many rows, distinct values and quantiles are counted exactly. */
const exactRowsMax = 1_000_000;
const quantileProbabilities = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
const binProbabilities = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);
const probabilities = [0.01, ...binProbabilities, 0.99];
const discreteValuesMax = 64;
const topValuesMax = 20;
const categoriesMax = 1000;
const categoriesAskedMax = 5000;
const groupsOfColumnMax = 20;

/** A value with how often it is there, as text. */
export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** A profile and what the data gate needs beside it. */
export interface Profiled {
  readonly profile: Profile;
  /** Most frequent values of text columns and of numeric ones with few; all of them when `isComplete`. */
  readonly values: ReadonlyMap<
    string,
    { readonly counts: readonly ValueCount[]; readonly isComplete: boolean }
  >;
  /** The columns in the order in which queries number them. */
  readonly columns: readonly SourceColumn[];
  /** The tidy rows, for more questions. */
  readonly from: string;
}

const numberRow = z.record(z.string(), z.unknown());
const valueRow = z.object({
  col: z.coerce.number(),
  val: z.coerce.string(),
  n: z.coerce.number(),
});
const listOfNumbers = z.array(z.coerce.number());

/** A number of a result; undefined for null. */
const numberOf = (row: z.infer<typeof numberRow>, name: string): number | undefined => {
  const value = row[name];
  return value === null || value === undefined ? undefined : Number(value);
};

/** A numeric column's value as people write it: DuckDB casts 1 to "1.0". */
const plainText = (column: SourceColumn, value: string): string => {
  if (column.storedAs === "text") return value;
  const number = Number(value);
  if (column.storedAs === "boolean") return number === 1 ? "true" : "false";
  return column.storedAs === "timestamp" ? new Date(number).toISOString() : String(number);
};

/** Edges between few values, else at quantiles; like `distributionEdges` of shared/statistics/drift.ts. */
function edgesOf(
  values: readonly number[] | undefined,
  quantiles: readonly number[],
): readonly number[] {
  if (values === undefined) return [...new Set(quantiles)];
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.slice(1).map((value, i) => (value + (sorted[i] ?? value)) / 2);
}

const isText = ({ storedAs }: SourceColumn): boolean => storedAs === "text";

type TopValues = ReadonlyMap<number, readonly { readonly val: string; readonly n: number }[]>;

/** Values of the columns that have few or are text, the most frequent first. */
async function topValues(
  source: Source,
  from: string,
  columns: readonly number[],
  limit: number,
): Promise<TopValues> {
  if (columns.length === 0) return new Map();
  const sql = topValuesSql(from, columns, { textType: "VARCHAR", limit });
  const found = await source.query(sql, valueRow);
  return new Map(columns.map((index) => [index, found.filter(({ col }) => col === index)]));
}

/** Profiles the source; `sliceColumns` and the time from which rows are held out make its groups. */
export async function profileSource(
  source: Source,
  dataset: string,
  options: { readonly sliceColumns: readonly string[]; readonly isHeldOut?: HeldOut },
): Promise<Profiled> {
  const { columns, relation } = source;
  const from = tidySource(duckdbDialect, relation, columns);
  const [size = {}] = await source.query(`SELECT COUNT(*) AS total FROM ${relation}`, numberRow);
  const rows = numberOf(size, "total") ?? 0;
  const isExact = rows <= exactRowsMax;
  const summary = summarySql(duckdbDialect, from, columns, { probabilities, isExact });
  const [row = {}] = columns.length === 0 ? [] : await source.query(summary, numberRow);
  const of = (name: string, i: number): number | undefined => numberOf(row, `${name}${i}`);

  const numbered = columns.map((column, index) => ({ column, index }));
  const texts = numbered.filter(({ column }) => isText(column)).map(({ index }) => index);
  const few = numbered
    .filter(
      ({ column, index }) => !isText(column) && (of("d", index) ?? 0) <= 2 * discreteValuesMax,
    )
    .map(({ index }) => index);
  const [ofTexts, ofFew] = [
    await topValues(source, from, texts, categoriesAskedMax),
    await topValues(source, from, few, 2 * discreteValuesMax),
  ];
  const listed = (index: number) => {
    const column = columns[index];
    const found = (column !== undefined && isText(column) ? ofTexts : ofFew).get(index) ?? [];
    const counted = found.reduce((sum, { n }) => sum + n, 0);
    return {
      counts: found.map(({ val, n }) => ({
        value: column === undefined ? val : plainText(column, val),
        count: n,
      })),
      numbers: found.map(({ val }) => Number(val)).filter(Number.isFinite),
      isComplete: counted === (of("p", index) ?? 0),
    };
  };
  const numeric = numbered.flatMap(({ column, index }) => {
    if (isText(column)) return [];
    const { numbers, isComplete } = listed(index);
    const isDiscrete = isComplete && numbers.length <= discreteValuesMax;
    const found = listOfNumbers.catch([]).parse(row[`q${index}`]);
    const edges = edgesOf(isDiscrete ? numbers : undefined, found.slice(1, -1));
    return [{ index, edges, quantiles: found, isDiscrete }];
  });
  const histograms = await cellCounts(source, from, numeric);

  const columnProfile = ({ column, index }: (typeof numbered)[number]): ColumnProfile => {
    const present = of("p", index) ?? 0;
    const missing = rows - present;
    const shared = { missing, missingShare: rows === 0 ? 0 : missing / rows };
    const values = listed(index);
    if (isText(column)) {
      const kept = values.counts.slice(0, categoriesMax);
      return {
        ...shared,
        type: "string",
        distinct: values.isComplete ? values.counts.length : (of("d", index) ?? 0),
        top: values.counts.slice(0, topValuesMax),
        distribution: {
          type: "categorical",
          counts: Object.fromEntries(kept.map(({ value, count }) => [value, count])),
          other: present - kept.reduce((sum, { count }) => sum + count, 0),
          missing,
        },
      };
    }
    const place = numeric.findIndex((entry) => entry.index === index);
    const { edges = [], quantiles = [], isDiscrete = false } = numeric[place] ?? {};
    const infinite = present - (of("finite", index) ?? 0);
    const [min, max, mean, deviation] = ["low", "high", "mean", "sd"].map((name) =>
      of(name, index),
    );
    const isWhole =
      column.storedAs === "float" && present > 0 && infinite === 0 && of("fractions", index) === 0;
    return {
      ...shared,
      type: isWhole ? "integer" : typeOf(column.storedAs),
      distinct: isDiscrete ? values.counts.length : (of("d", index) ?? 0),
      ...(infinite === 0 ? {} : { infinite }),
      ...(min === undefined || max === undefined ? {} : { min, max }),
      ...(mean === undefined ? {} : { mean, standardDeviation: deviation ?? 0 }),
      ...(quantiles.length === 0
        ? {}
        : {
            quantiles: Object.fromEntries(
              quantileProbabilities.map((p) => [
                String(p),
                quantiles[probabilities.indexOf(p)] ?? NaN,
              ]),
            ),
          }),
      distribution: {
        type: "numeric",
        edges: [...edges],
        counts: [...(histograms[place] ?? [])],
        missing,
      },
    };
  };
  const profiles = numbered.map((entry) => [entry.column.name, columnProfile(entry)] as const);
  const profile: Profile = {
    formatVersion: 1,
    dataset,
    rows,
    columns: Object.fromEntries(profiles),
    ...(isExact ? {} : { isApproximate: true }),
    groups: rows === 0 ? [] : [...(await groupsOf(source, from, options))],
  };
  return {
    profile: { ...profile, inferredSchema: inferSchema(profile) },
    values: new Map(columns.map(({ name }, index) => [name, listed(index)])),
    columns,
    from,
  };
}

/** The type of a column whose values do not decide it. */
const typeOf = (storedAs: SourceColumn["storedAs"]): ColumnProfile["type"] =>
  storedAs === "float" ? "number" : storedAs === "text" ? "string" : storedAs;

/** Counts of every asked column over its edges, in one pass. */
export async function cellCounts(
  source: Source,
  from: string,
  asked: readonly CellQuery[],
): Promise<readonly (readonly number[])[]> {
  if (asked.length === 0) return [];
  const [row = {}] = await source.query(histogramsSql(from, asked), numberRow);
  return asked.map((query, place) => countsOf(row, query, place));
}

/** Rows from this time on, in milliseconds since 1970, are the holdout. */
export interface HeldOut {
  readonly timeColumn: string;
  readonly days: number;
}

const dayMs = 86_400_000;

/** The rows by split and by the values of slice columns. */
async function groupsOf(
  source: Source,
  from: string,
  {
    sliceColumns,
    isHeldOut,
  }: { readonly sliceColumns: readonly string[]; readonly isHeldOut?: HeldOut },
): Promise<readonly ColumnGroup[]> {
  const { columns } = source;
  const ask = async (by: string, expression: string): Promise<readonly ColumnGroup[]> => {
    const options = { by: expression, textType: "VARCHAR", limit: groupsOfColumnMax };
    const found = await source.query(groupsSql(from, columns, options), numberRow);
    return found.map((row) => ({
      by,
      value: z.coerce.string().parse(row["val"] ?? ""),
      rows: numberOf(row, "total") ?? 0,
      columns: Object.fromEntries(
        columns.map(({ name }, i) => {
          const mean = numberOf(row, `mean${i}`);
          return [
            name,
            { missing: numberOf(row, `m${i}`) ?? 0, ...(mean === undefined ? {} : { mean }) },
          ];
        }),
      ),
    }));
  };
  const groups: ColumnGroup[] = [];
  const time = columns.findIndex(({ name }) => name === isHeldOut?.timeColumn);
  if (isHeldOut !== undefined && columns[time]?.storedAs === "timestamp") {
    const newest = `(SELECT MAX(${tidyName(time)}) FROM ${from} AS newest)`;
    const cutoff = `(FLOOR(${newest} / ${dayMs}) + 1 - ${isHeldOut.days}) * ${dayMs}`;
    const split = `CASE WHEN ${tidyName(time)} >= ${cutoff} THEN 'holdout' ELSE 'training' END`;
    groups.push(...(await ask("split", split)));
  }
  for (const name of sliceColumns) {
    const index = columns.findIndex((column) => column.name === name);
    if (index >= 0) groups.push(...(await ask(name, tidyName(index))));
  }
  return groups;
}

/** A column of the profiled rows counted over the cells of an earlier distribution; undefined when their kinds differ. */
export function textLike(
  reference: Extract<Distribution, { readonly type: "categorical" }>,
  current: ColumnProfile,
  values: readonly ValueCount[],
): Distribution | undefined {
  if (current.distribution.type !== "categorical") return undefined;
  if (reference.other === 0) return current.distribution;
  const known = new Map(values.map(({ value, count }) => [value, count]));
  const counts = Object.fromEntries(
    Object.keys(reference.counts).map((value) => [value, known.get(value) ?? 0] as const),
  );
  const { missing, other, counts: own } = current.distribution;
  const present = Object.values(own).reduce((sum, count) => sum + count, other);
  return {
    type: "categorical",
    counts,
    other: present - Object.values(counts).reduce((sum, count) => sum + count, 0),
    missing,
  };
}
