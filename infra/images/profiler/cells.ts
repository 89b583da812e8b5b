/** Counts of numbers between edges: by DuckDB's own histogram, or in SQL that every dialect reads. */
import { z } from "zod";
import { doubleLiteral, tidyName } from "./sql.js";

/** A numeric column, by its number, and the ascending edges to count it over. */
export interface CellQuery {
  readonly index: number;
  readonly edges: readonly number[];
}

const entries = z
  .array(
    z.object({
      key: z.union([z.number(), z.string()]).transform(Number),
      value: z.coerce.number(),
    }),
  )
  .nullable()
  .transform((found) => found ?? []);

const view = new DataView(new ArrayBuffer(8));

/** The next double below a finite one. */
function below(value: number): number {
  if (value === 0) return -Number.MIN_VALUE;
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? -1n : 1n));
  return view.getFloat64(0);
}

/**
 * Upper ends of all cells but the last. DuckDB counts a value on an edge to the left of it and we to the right, so every
 * edge gives way to the double below it; but a value on the last edge belongs to the last cell that has two edges, as in
 * a closed histogram.
 */
const endsOf = (edges: readonly number[]): readonly number[] =>
  edges.map((edge, i) => (i > 0 && i === edges.length - 1 ? edge : below(edge)));

/** One row with the histograms of all asked columns, in one pass. */
export const histogramsSql = (from: string, asked: readonly CellQuery[]): string =>
  `SELECT ${asked
    .map(({ index, edges }, place) => {
      const x = tidyName(index);
      if (edges.length === 0) return `COUNT(${x}) AS n${place}`;
      return `histogram(${x}, [${endsOf(edges).map(doubleLiteral).join(", ")}]) AS h${place}`;
    })
    .join(", ")} FROM ${from} AS tidy`;

/** The counts of one asked column: below the first edge, between the edges, at or above the last. */
export function countsOf(
  row: Readonly<Record<string, unknown>>,
  { edges }: CellQuery,
  place: number,
): readonly number[] {
  if (edges.length === 0) return [Number(row[`n${place}`])];
  const counts = Array.from({ length: edges.length + 1 }, () => 0);
  const cellOf = new Map(endsOf(edges).map((end, cell) => [end, cell]));
  for (const { key, value } of entries.parse(row[`h${place}`])) {
    // What lies above all ends has a key of its own.
    const cell = cellOf.get(key) ?? edges.length;
    counts[cell] = (counts[cell] ?? 0) + value;
  }
  return counts;
}

/** One row with, for every edge of every asked column, how many values lie at or above it (a) and on the last one (top). */
export const aboveSql = (from: string, asked: readonly CellQuery[]): string =>
  `SELECT ${asked
    .flatMap(({ index, edges }, place) => {
      const x = tidyName(index);
      const top = edges.at(-1);
      return [
        `COUNT(${x}) AS n${place}`,
        ...edges.map(
          (edge, i) =>
            `COUNT(CASE WHEN ${x} >= ${doubleLiteral(edge)} THEN 1 END) AS a${place}_${i}`,
        ),
        ...(top === undefined
          ? []
          : [`COUNT(CASE WHEN ${x} = ${doubleLiteral(top)} THEN 1 END) AS top${place}`]),
      ];
    })
    .join(", ")} FROM ${from} AS tidy`;

/** The counts of one asked column from such a row, as `countsOf` gives them. */
export function countsFromAbove(
  row: Readonly<Record<string, unknown>>,
  { edges }: CellQuery,
  place: number,
): readonly number[] {
  const above = [row[`n${place}`], ...edges.map((_, i) => row[`a${place}_${i}`]), 0].map(Number);
  const onTop = edges.length > 1 ? Number(row[`top${place}`]) : 0;
  return edges.concat(0).map((_, cell) => {
    const counted = (above[cell] ?? 0) - (above[cell + 1] ?? 0);
    if (cell === edges.length) return counted - onTop;
    return cell === edges.length - 1 ? counted + onTop : counted;
  });
}
