/**
 * The profile of several parts from the profiles of each, without their rows: parts that are profiled side by side, where
 * one machine would take too long. Rows, missing and infinite values, extremes, means, deviations and the counts of
 * categories are those of the whole; the cells of numbers are spread evenly where their edges differ, so that a quantile
 * is off by the mass of a cell at most; of distinct values the largest part's number is known to be there.
 */
import type {
  ColumnGroup,
  ColumnProfile,
  Distribution,
  Profile,
} from "../../../events/artifacts.js";
import { mergeMoments, type Moments } from "../../../shared/statistics/sketches.js";
import { ImageError } from "../arguments.js";
import { inferSchema } from "./infer-schema.js";

type Numeric = Extract<Distribution, { readonly type: "numeric" }>;
type Categorical = Extract<Distribution, { readonly type: "categorical" }>;

const categoriesMax = 1000;
const topValuesMax = 20;
/** More edges than this are thinned out to about equal masses. */
const edgesMax = 200;
const edgesKept = 40;

const total = (counts: Iterable<number>): number => {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
};

/** One part's share in a merged distribution: its cells have an end on both sides. */
interface Part {
  readonly distribution: Numeric;
  readonly low: number;
  readonly high: number;
}

/** How many of a part's values lie below a point, were each cell filled evenly. */
function massBelow({ distribution, low, high }: Part, point: number): number {
  const { edges, counts } = distribution;
  let mass = 0;
  for (const [cell, count] of counts.entries()) {
    const start = edges[cell - 1] ?? Math.min(low, edges[0] ?? low);
    const end = edges[cell] ?? Math.max(high, edges.at(-1) ?? high);
    if (point >= end && end > start) mass += count;
    else if (point > start && end > start) mass += (count * (point - start)) / (end - start);
    else if (start === end && point > start) mass += count;
  }
  return mass;
}

/** Edges of about equal mass; those in between are given up. */
function thinned(
  edges: readonly number[],
  below: readonly number[],
  rows: number,
): readonly number[] {
  if (edges.length <= edgesMax) return edges;
  const wanted = Array.from({ length: edgesKept }, (_, i) => ((i + 1) * rows) / (edgesKept + 1));
  const places = wanted.map((mass) => below.findIndex((found) => found >= mass));
  return [...new Set(places)].flatMap((place) => edges[place] ?? []);
}

function mergeNumeric(a: Part, b: Part): Numeric {
  const missing = a.distribution.missing + b.distribution.missing;
  if (a.distribution.edges.join() === b.distribution.edges.join()) {
    const counts = a.distribution.counts.map((count, i) => count + (b.distribution.counts[i] ?? 0));
    return { type: "numeric", edges: a.distribution.edges, counts, missing };
  }
  const rows = total(a.distribution.counts) + total(b.distribution.counts);
  const massAt = (edge: number): number => massBelow(a, edge) + massBelow(b, edge);
  const union = [...new Set([...a.distribution.edges, ...b.distribution.edges])].toSorted(
    (x, y) => x - y,
  );
  const edges = thinned(union, union.map(massAt), rows);
  const below = [0, ...edges.map(massAt), rows];
  const counts = below.slice(1).map((mass, i) => Math.max(0, mass - (below[i] ?? 0)));
  return { type: "numeric", edges: [...edges], counts, missing };
}

function mergeCategorical(a: Categorical, b: Categorical): Categorical {
  const counts = new Map(Object.entries(a.counts));
  for (const [value, count] of Object.entries(b.counts)) {
    counts.set(value, (counts.get(value) ?? 0) + count);
  }
  const sorted = [...counts].toSorted((x, y) => y[1] - x[1] || (x[0] < y[0] ? -1 : 1));
  const rest = sorted.slice(categoriesMax).map(([, count]) => count);
  return {
    type: "categorical",
    counts: Object.fromEntries(sorted.slice(0, categoriesMax)),
    other: a.other + b.other + total(rest),
    missing: a.missing + b.missing,
  };
}

const least = (values: readonly (number | undefined)[]): number | undefined =>
  values.reduce((found, value) =>
    found === undefined || (value ?? found) < found ? value : found,
  );
const most = (values: readonly (number | undefined)[]): number | undefined =>
  values.reduce((found, value) =>
    found === undefined || (value ?? found) > found ? value : found,
  );

const momentsOf = ({ mean, standardDeviation = 0, infinite = 0, distribution }: ColumnProfile) => {
  const present = distribution.type === "numeric" ? total(distribution.counts) : 0;
  const count = mean === undefined ? 0 : present - infinite;
  return { count, mean: mean ?? 0, squares: standardDeviation ** 2 * Math.max(0, count - 1) };
};

const momentsText = ({
  count,
  mean,
  squares,
}: Moments): Pick<ColumnProfile, "mean" | "standardDeviation"> =>
  count === 0 ? {} : { mean, standardDeviation: count < 2 ? 0 : Math.sqrt(squares / (count - 1)) };

/** The value below which a share of a part's values lies, found by halving. */
function quantileOf(part: Part, share: number): number {
  const wanted = share * total(part.distribution.counts);
  let [low, high] = [part.low, part.high];
  for (let step = 0; step < 60; step += 1) {
    const middle = low + (high - low) / 2;
    if (massBelow(part, middle) < wanted) low = middle;
    else high = middle;
  }
  return high;
}

/** Numbers may be whole in one part only; a part without values says nothing of its type. */
function mergedType(name: string, a: ColumnProfile, b: ColumnProfile): ColumnProfile["type"] {
  const types = new Set([a.type, b.type]);
  if (types.size === 1) return a.type;
  if (types.has("integer") && types.has("number")) return "number";
  throw new ImageError(
    `column ${name} holds ${a.type} values in one part and ${b.type} in another`,
  );
}

const partOf = (column: ColumnProfile, distribution: Numeric): Part => ({
  distribution,
  low: column.min ?? 0,
  high: column.max ?? 0,
});

function mergeColumns(
  name: string,
  a: ColumnProfile,
  b: ColumnProfile,
  rows: number,
): ColumnProfile {
  const type = mergedType(name, a, b);
  const missing = a.missing + b.missing;
  const shared = { type, missing, missingShare: rows === 0 ? 0 : missing / rows };
  if (a.distribution.type === "categorical" && b.distribution.type === "categorical") {
    const distribution = mergeCategorical(a.distribution, b.distribution);
    const isComplete = a.distribution.other + b.distribution.other === 0;
    const names = new Set(
      [a.distribution, b.distribution].flatMap(({ counts }) => Object.keys(counts)),
    );
    const top = Object.entries(distribution.counts).map(([value, count]) => ({ value, count }));
    return {
      ...shared,
      distinct: isComplete ? names.size : Math.max(a.distinct, b.distinct),
      top: top.toSorted((x, y) => y.count - x.count).slice(0, topValuesMax),
      distribution,
    };
  }
  if (a.distribution.type !== "numeric" || b.distribution.type !== "numeric") {
    throw new ImageError(
      `column ${name} was counted as numbers in one part and as text in another`,
    );
  }
  const distribution = mergeNumeric(partOf(a, a.distribution), partOf(b, b.distribution));
  const [min, max] = [least([a.min, b.min]), most([a.max, b.max])];
  const infinite = (a.infinite ?? 0) + (b.infinite ?? 0);
  const probabilities = Object.keys(a.quantiles ?? b.quantiles ?? {});
  const whole = { distribution, low: min ?? 0, high: max ?? 0 };
  return {
    ...shared,
    distinct: Math.max(a.distinct, b.distinct),
    ...(infinite === 0 ? {} : { infinite }),
    ...(min === undefined || max === undefined ? {} : { min, max }),
    ...momentsText(mergeMoments(momentsOf(a), momentsOf(b))),
    ...(probabilities.length === 0
      ? {}
      : {
          quantiles: Object.fromEntries(
            probabilities.map((p) => [p, quantileOf(whole, Number(p))]),
          ),
        }),
    distribution,
  };
}

const groupKey = ({ by, value }: ColumnGroup): string => JSON.stringify([by, value]);

function mergeGroups(a: readonly ColumnGroup[], b: readonly ColumnGroup[]): readonly ColumnGroup[] {
  const merged = new Map(a.map((group) => [groupKey(group), group]));
  for (const group of b) {
    const own = merged.get(groupKey(group));
    if (own === undefined) {
      merged.set(groupKey(group), group);
      continue;
    }
    const columns = Object.entries(group.columns).map(([name, other]) => {
      const mine = own.columns[name] ?? { missing: own.rows };
      const [present, others] = [own.rows - mine.missing, group.rows - other.missing];
      const mean =
        mine.mean === undefined || other.mean === undefined
          ? (mine.mean ?? other.mean)
          : mine.mean + ((other.mean - mine.mean) * others) / (present + others);
      const missing = mine.missing + other.missing;
      return [name, { missing, ...(mean === undefined ? {} : { mean }) }] as const;
    });
    merged.set(groupKey(group), {
      ...own,
      rows: own.rows + group.rows,
      columns: Object.fromEntries(columns),
    });
  }
  return [...merged.values()];
}

/** A column that a part lacks is missing in all of its rows. */
const absent = (like: ColumnProfile, rows: number): ColumnProfile => ({
  type: like.type,
  missing: rows,
  missingShare: 1,
  distinct: 0,
  distribution:
    like.distribution.type === "numeric"
      ? { ...like.distribution, counts: like.distribution.counts.map(() => 0), missing: rows }
      : { type: "categorical", counts: {}, other: 0, missing: rows },
});

/** The profile of both parts together. */
export function mergeProfiles(a: Profile, b: Profile): Profile {
  const rows = a.rows + b.rows;
  const names = [...new Set([...Object.keys(a.columns), ...Object.keys(b.columns)])];
  const columns = names.flatMap((name) => {
    const [own, other] = [a.columns[name], b.columns[name]];
    const like = own ?? other;
    if (like === undefined) return [];
    // Without a value there is no type, whatever a reader took it for.
    const ofA = own === undefined || own.missing === a.rows ? absent(other ?? like, a.rows) : own;
    const ofB = other === undefined || other.missing === b.rows ? absent(ofA, b.rows) : other;
    return [[name, mergeColumns(name, ofA, ofB, rows)] as const];
  });
  const merged: Profile = {
    formatVersion: 1,
    dataset: `${a.dataset} ${b.dataset}`,
    rows,
    columns: Object.fromEntries(columns),
    isApproximate: true,
    groups: [...mergeGroups(a.groups ?? [], b.groups ?? [])],
  };
  return { ...merged, inferredSchema: inferSchema(merged) };
}
