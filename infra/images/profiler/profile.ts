/** Statistics of one dataset version. */
import type { ColumnProfile, Distribution, Profile } from "../../../events/artifacts.js";
import {
  categoricalDistribution,
  distributionEdges,
  numericDistribution,
} from "../../../shared/statistics/drift.js";
import { quantilesOfSorted } from "../../../shared/statistics/histogram.js";
import { meanAndVariance } from "../../../shared/statistics/two-sample.js";
import type { Column, NumberColumn, Table, TextColumn } from "../table/table.js";

const quantileProbabilities = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
const topValuesMax = 20;
const categoriesMax = 1000;

/** Number of distinct values in ascending numbers. */
function distinctOfSorted(sorted: Float64Array): number {
  let distinct = 0;
  for (let i = 0; i < sorted.length; i += 1) {
    if (i === 0 || sorted[i] !== sorted[i - 1]) distinct += 1;
  }
  return distinct;
}

function profileNumbers({ type, values }: NumberColumn): ColumnProfile {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted();
  const missing = values.length - sorted.length;
  const { counts, edges } = numericDistribution(values, distributionEdges(sorted));
  const shared = {
    type,
    missing,
    missingShare: values.length === 0 ? 0 : missing / values.length,
    distinct: distinctOfSorted(sorted),
    distribution: { type: "numeric" as const, edges: [...edges], counts: [...counts], missing },
  };
  if (sorted.length === 0) return shared;
  const { mean, variance } = meanAndVariance(sorted);
  const quantiles = quantilesOfSorted(sorted, quantileProbabilities);
  return {
    ...shared,
    min: sorted[0],
    max: sorted.at(-1),
    mean,
    standardDeviation: sorted.length < 2 ? 0 : Math.sqrt(variance),
    quantiles: Object.fromEntries(
      quantileProbabilities.map((probability, i) => [String(probability), quantiles[i] ?? NaN]),
    ),
  };
}

/** Counts of a text column's values, most frequent first. */
function valueCounts({ codes, dictionary }: TextColumn): readonly (readonly [string, number])[] {
  const counts = new Float64Array(dictionary.length);
  for (const code of codes) if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
  return dictionary
    .map((value, code) => [value, counts[code] ?? 0] as const)
    .filter(([, count]) => count > 0)
    .toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function profileText(column: TextColumn): ColumnProfile {
  const counts = valueCounts(column);
  const present = counts.reduce((sum, [, count]) => sum + count, 0);
  const missing = column.codes.length - present;
  const kept = counts.slice(0, categoriesMax);
  return {
    type: "string",
    missing,
    missingShare: column.codes.length === 0 ? 0 : missing / column.codes.length,
    distinct: counts.length,
    top: counts.slice(0, topValuesMax).map(([value, count]) => ({ value, count })),
    distribution: {
      type: "categorical",
      counts: Object.fromEntries(kept),
      other: present - kept.reduce((sum, [, count]) => sum + count, 0),
      missing,
    },
  };
}

/** Statistics of one column. */
const profileColumn = (column: Column): ColumnProfile =>
  column.type === "string" ? profileText(column) : profileNumbers(column);

/** Statistics of a table. */
export function profileTable(table: Table, dataset: string): Profile {
  const columns = [...table.columns].map(
    ([name, column]) => [name, profileColumn(column)] as const,
  );
  return { formatVersion: 1, dataset, rows: table.rows, columns: Object.fromEntries(columns) };
}

/** A column counted over the cells of an earlier distribution; undefined when their kinds differ. */
export function distributionLike(
  reference: Distribution,
  column: Column,
): Distribution | undefined {
  if (reference.type === "numeric") {
    if (column.type === "string") return undefined;
    const { edges, counts, missing } = numericDistribution(column.values, reference.edges);
    return { type: "numeric", edges: [...edges], counts: [...counts], missing };
  }
  if (column.type !== "string") return undefined;
  const values = Array.from(column.codes, (code) => column.dictionary[code]);
  const known = reference.other === 0 ? undefined : Object.keys(reference.counts);
  const options = known === undefined ? { categoriesMax } : { known };
  const { counts, other, missing } = categoricalDistribution(values, options);
  return { type: "categorical", counts: { ...counts }, other, missing };
}
