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

/**
 * One row with the histograms of all asked columns, in one pass. DuckDB counts a value on an edge to the left of
 * it and we to the right, so -x is counted over -edges.
 */
export const histogramsSql = (from: string, asked: readonly CellQuery[]): string =>
  `SELECT ${asked
    .flatMap(({ index, edges }, place) => {
      const x = tidyName(index);
      const negated = edges.toReversed().map((edge) => doubleLiteral(-edge));
      const top = edges.at(-1);
      if (top === undefined) return [`COUNT(${x}) AS n${place}`];
      return [
        `histogram(-${x}, [${negated.join(", ")}]) AS h${place}`,
        `COUNT(*) FILTER (${x} = ${doubleLiteral(top)}) AS top${place}`,
      ];
    })
    .join(", ")} FROM ${from} AS tidy`;

/** The counts of one asked column: below the first edge, between the edges, at or above the last. */
export function countsOf(
  row: Readonly<Record<string, unknown>>,
  { edges }: CellQuery,
  place: number,
): readonly number[] {
  const counts = Array.from({ length: edges.length + 1 }, () => 0);
  if (edges.length === 0) return [Number(row[`n${place}`])];
  const cellOf = new Map(edges.map((edge, i) => [edge, i + 1]));
  for (const { key, value } of entries.parse(row[`h${place}`])) {
    const cell = key === Infinity ? 0 : (cellOf.get(-key) ?? 0);
    counts[cell] = (counts[cell] ?? 0) + value;
  }
  // A value on the last edge belongs to the last cell that has two edges, as in a closed histogram.
  if (edges.length > 1) {
    const onTop = Number(row[`top${place}`]);
    counts[edges.length] = (counts[edges.length] ?? 0) - onTop;
    counts[edges.length - 1] = (counts[edges.length - 1] ?? 0) + onTop;
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
