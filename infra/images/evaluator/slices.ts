/** Parts of the holdout, each compared on its own; many tests, so their p-values are adjusted together. */
import type { Slice } from "../../../events/artifacts.js";
import { areaUnderRoc } from "../../../shared/statistics/auc.js";
import { normalInterval, pairedAuc } from "../../../shared/statistics/delong.js";
import { normalCdf } from "../../../shared/statistics/distributions.js";
import { benjaminiHochberg } from "../../../shared/statistics/multiplicity.js";
import type { EvaluationSettings } from "../configuration.js";
import type { ScoredRows } from "./scored-rows.js";

/** A slice with fewer rows of either class says nothing about an area under the curve. */
const rowsOfClassMin = 10;
const slicesOfColumnMax = 200;

/** Rows of every value of a slice column. */
function rowsByValue(values: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const rows = new Map<string, number[]>();
  for (const [row, value] of values.entries()) {
    const known = rows.get(value);
    if (known === undefined) rows.set(value, [row]);
    else known.push(row);
  }
  return rows;
}

function sliceOf(
  scored: ScoredRows,
  column: string,
  value: string,
  rows: readonly number[],
): Slice | undefined {
  const labels = Uint8Array.from(rows, (row) => scored.labels[row] ?? 0);
  const positives = labels.reduce((sum, label) => sum + label, 0);
  if (Math.min(positives, rows.length - positives) < rowsOfClassMin) return undefined;
  const challenger = Float64Array.from(rows, (row) => scored.challenger[row] ?? 0);
  const shared = { column, value, rows: rows.length, positives };
  if (scored.champion === undefined) {
    return { ...shared, challengerAuc: areaUnderRoc(labels, challenger) };
  }
  const { champion: all } = scored;
  const champion = Float64Array.from(rows, (row) => all[row] ?? 0);
  const paired = pairedAuc(labels, champion, challenger);
  const [low, high] = normalInterval(paired.difference, paired.standardError, 0.95);
  return {
    ...shared,
    challengerAuc: paired.challenger,
    championAuc: paired.champion,
    improvement: paired.difference,
    interval: [low, high],
    pValue: normalCdf(paired.z),
  };
}

/** All slices that are large enough, the worst improvement first. */
export function slicesOf(scored: ScoredRows, settings: EvaluationSettings): readonly Slice[] {
  const found = settings.slices.flatMap(({ column, rowsMin }) =>
    [...rowsByValue(scored.slices.get(column) ?? [])]
      .filter(([, rows]) => rows.length >= rowsMin)
      .toSorted((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1))
      .slice(0, slicesOfColumnMax)
      .flatMap(([value, rows]) => sliceOf(scored, column, value, rows) ?? []),
  );
  if (scored.champion === undefined) return found;
  const adjusted = benjaminiHochberg(found.map(({ pValue }) => pValue ?? 1));
  return found
    .map((slice, i) => ({ ...slice, pAdjusted: adjusted[i] ?? 1 }))
    .toSorted((a, b) => (a.improvement ?? 0) - (b.improvement ?? 0));
}
