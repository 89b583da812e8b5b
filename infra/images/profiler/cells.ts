/** Counts of numbers between edges, by DuckDB's own histogram. */
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
