/**
 * Parts of the holdout, each compared on its own. Many tests: the p-values of ordinary slices are adjusted by
 * Benjamini and Hochberg, those of the guards, which people named, by Holm among themselves.
 */
import type { Slice } from "../../../events/artifacts.js";
import { normalInterval } from "../../../shared/statistics/delong.js";
import { normalCdf } from "../../../shared/statistics/distributions.js";
import { benjaminiHochberg, holm } from "../../../shared/statistics/multiplicity.js";
import { pairedPower } from "../../../shared/statistics/power.js";
import type { EvaluationSettings } from "../configuration.js";
import { pairedEstimate, powerStep } from "./compare.js";
import { sideOf, valueOf } from "./metrics.js";
import { takeScored, type ScoredRows } from "./scored-rows.js";
import { unmeasurable } from "./unmeasurable.js";

const slicesOfColumnMax = 200;
/** Power is stated for a fall of the margin and this many of the comparison's steps. */
const harmSteps = 5;

/** Slices that were judged, the worst improvement first, and how many were too small. */
export interface Slices {
  readonly judged: readonly Slice[];
  readonly skipped: number;
  /** A sentence for every guard, and every column, that people asked for and no row could answer. */
  readonly unjudged: readonly string[];
}

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

/** A slice before the number of slices is known. */
interface Measured {
  readonly slice: Slice;
  readonly isGuard: boolean;
  readonly standardError: number;
}

/** Guards without a verdict of their own, with the reason, and columns that no row has. */
function unjudgedOf(
  scored: ScoredRows,
  settings: EvaluationSettings,
  judged: readonly Pick<Slice, "column" | "value">[],
): readonly string[] {
  return settings.slices.flatMap(({ column, rowsMin, guards }) => {
    const values = scored.slices.get(column);
    if (values === undefined) return [`no row has the slice column ${column}`];
    const isJudged = new Set(
      judged.filter((slice) => slice.column === column).map(({ value }) => value),
    );
    return guards
      .filter((guard) => !isJudged.has(guard))
      .map((guard) => {
        const rows = values.filter((value) => value === guard).length;
        const why =
          rows === 0
            ? "it is in no row"
            : rows < rowsMin
              ? `it has ${rows} of ${rowsMin} rows`
              : `its ${rows} rows do not tell one version from another`;
        return `guard ${column} = ${JSON.stringify(guard)} was not judged: ${why}`;
      });
  });
}

function measure(
  scored: ScoredRows,
  settings: EvaluationSettings,
  named: Pick<Slice, "column" | "value"> & { readonly margin: number; readonly isGuard: boolean },
): Measured | undefined {
  if (unmeasurable(scored) !== undefined) return undefined;
  const { column, value, margin, isGuard } = named;
  const metric = settings.primaryMetric;
  const challenger = sideOf(scored, scored.challenger);
  const shared = { column, value, rows: scored.labels.length };
  if (scored.champion === undefined) {
    const own = valueOf(metric, challenger);
    return Number.isFinite(own)
      ? { slice: { ...shared, challenger: own }, isGuard, standardError: NaN }
      : undefined;
  }
  const champion = sideOf(scored, scored.champion);
  const found = pairedEstimate(metric, champion, challenger, { isQuick: true });
  const { improvement, standardError } = found;
  if (!Number.isFinite(improvement) || !Number.isFinite(standardError)) return undefined;
  const [low, high] = normalInterval(improvement, standardError, 0.95);
  const above = improvement + margin;
  const pValue = standardError === 0 ? (above < 0 ? 0 : 1) : normalCdf(above / standardError);
  return {
    slice: {
      ...shared,
      challenger: found.challenger,
      champion: found.champion,
      improvement,
      interval: [low, high],
      margin,
      pValue,
      powerEffect: margin + harmSteps * powerStep(metric, found.champion),
    },
    isGuard,
    standardError,
  };
}

/** Adjusts one family of slices and says which of them refuse the challenger. */
function judge(
  family: readonly Measured[],
  adjustment: NonNullable<Slice["adjustment"]>,
  alpha: number,
): readonly Slice[] {
  const adjust = adjustment === "holm" ? holm : benjaminiHochberg;
  const adjusted = adjust(family.map(({ slice }) => slice.pValue ?? 1));
  return family.map(({ slice, standardError }, i) => {
    const pAdjusted = adjusted[i] ?? 1;
    const { powerEffect = 0, margin = 0 } = slice;
    return {
      ...slice,
      pAdjusted,
      adjustment,
      isWorse: pAdjusted < alpha,
      // The first step of both procedures asks for alpha / m: at least this power, often more.
      power: pairedPower(powerEffect - margin, standardError, alpha / family.length),
    };
  });
}

/** All slices that are large enough, the worst improvement first. */
export function slicesOf(scored: ScoredRows, settings: EvaluationSettings): Slices {
  const { alpha, margin: marginOfAll } = settings.comparison;
  let skipped = 0;
  const found = settings.slices.flatMap(({ column, rowsMin, margin = marginOfAll, guards }) => {
    const isNamed = new Set(guards);
    const values = [...rowsByValue(scored.slices.get(column) ?? [])].toSorted(
      (a, b) =>
        Number(isNamed.has(b[0])) - Number(isNamed.has(a[0])) ||
        b[1].length - a[1].length ||
        (a[0] < b[0] ? -1 : 1),
    );
    return values.flatMap(([value, rows], place) => {
      const isJudged = rows.length >= rowsMin && place < slicesOfColumnMax;
      const measured = isJudged
        ? measure(takeScored(scored, rows), settings, {
            column,
            value,
            margin,
            isGuard: isNamed.has(value),
          })
        : undefined;
      if (measured === undefined) skipped += 1;
      return measured ?? [];
    });
  });
  const unjudged = unjudgedOf(
    scored,
    settings,
    found.map(({ slice }) => slice),
  );
  if (scored.champion === undefined) {
    const judged = found.map(({ slice }) => slice);
    return { judged, skipped, unjudged };
  }
  const guards = found.filter(({ isGuard }) => isGuard);
  const others = found.filter(({ isGuard }) => !isGuard);
  const judged = [
    ...judge(guards, "holm", alpha),
    ...judge(others, "benjamini-hochberg", alpha),
  ].toSorted((a, b) => (a.improvement ?? 0) - (b.improvement ?? 0));
  return { judged, skipped, unjudged };
}
