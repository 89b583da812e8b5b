/** What the schema's rules and the baselines ask of the rows beyond their profile. */
import { z } from "zod";
import type { ColumnProfile, Distribution } from "../../../events/artifacts.js";
import type { ColumnRule } from "../configuration.js";
import type { Source } from "./duckdb.js";
import { cellCounts, textLike, type Profiled, type ValueCount } from "./profile.js";
import { doubleLiteral, textLiteral, tidyName } from "./sql.js";

/** An earlier distribution of a column. */
export interface Reference {
  readonly kind: "drift" | "skew";
  readonly column: string;
  readonly distribution: Distribution;
}

/** Answers, by column. */
export interface Facts {
  readonly outsideRange: ReadonlyMap<string, number>;
  readonly outsideDomain: ReadonlyMap<
    string,
    { readonly outside: number; readonly examples: readonly string[] }
  >;
  /** The references with these rows counted over their cells. */
  readonly compared: readonly { readonly reference: Reference; readonly now: Distribution }[];
}

type Rules = ReadonlyMap<string, Partial<ColumnRule>>;

const counts = z.record(z.string(), z.coerce.number());

/** Values outside their range; asked only of columns whose extremes lie outside. */
async function outsideRange(
  source: Source,
  { profile, columns, from }: Profiled,
  rules: Rules,
): Promise<Facts["outsideRange"]> {
  const asked = columns.flatMap(({ name }, index) => {
    const { min = -Infinity, max = Infinity } = rules.get(name) ?? {};
    const { min: low, max: high, infinite = 0 } = profile.columns[name] ?? {};
    if (low === undefined || high === undefined) return [];
    if (low >= min && high <= max && infinite === 0) return [];
    const x = tidyName(index);
    const bounds = [
      ...(Number.isFinite(min) ? [`${x} < ${doubleLiteral(min)}`] : []),
      ...(Number.isFinite(max) ? [`${x} > ${doubleLiteral(max)}`] : []),
    ];
    return bounds.length === 0 ? [] : [{ name, condition: bounds.join(" OR ") }];
  });
  if (asked.length === 0) return new Map();
  const parts = asked.map(({ condition }, i) => `COUNT(*) FILTER (${condition}) AS n${i}`);
  const [row = {}] = await source.query(`SELECT ${parts.join(", ")} FROM ${from} AS tidy`, counts);
  return new Map(asked.map(({ name }, i) => [name, row[`n${i}`] ?? 0]));
}

const foreignRow = z.object({ val: z.coerce.string(), n: z.coerce.number() });
const examplesMax = 5;

/** Values outside their domain: from the profile where it lists them all, else asked. */
async function outsideDomain(
  source: Source,
  { values, columns, from }: Profiled,
  rules: Rules,
): Promise<Facts["outsideDomain"]> {
  const found = new Map<
    string,
    { readonly outside: number; readonly examples: readonly string[] }
  >();
  for (const [index, { name, storedAs }] of columns.entries()) {
    const { domain } = rules.get(name) ?? {};
    const listed = values.get(name);
    if (domain === undefined || listed === undefined) continue;
    const allowed = new Set(domain);
    const x = tidyName(index);
    const list = domain.map((value) =>
      storedAs === "text" ? textLiteral(value) : doubleLiteral(Number(value)),
    );
    const foreign = listed.isComplete
      ? listed.counts
          .filter(({ value }) => !allowed.has(value))
          .map(({ value, count }) => ({ val: value, n: count }))
      : await source.query(
          `SELECT CAST(${x} AS VARCHAR) AS val, COUNT(*) AS n FROM ${from} AS tidy WHERE ${x} IS NOT NULL AND ${x} NOT IN (${list.join(", ")}) GROUP BY ${x} ORDER BY COUNT(*) DESC, ${x}`,
          foreignRow,
        );
    found.set(name, {
      outside: foreign.reduce((sum, { n }) => sum + n, 0),
      examples: foreign.slice(0, examplesMax).map(({ val }) => val),
    });
  }
  return found;
}

/** Categories may be written as numbers: a column with few of them is compared as the names that they are. */
const asText = (
  column: ColumnProfile,
  listed: readonly ValueCount[],
  isComplete: boolean,
): ColumnProfile =>
  column.distribution.type === "categorical" || !isComplete
    ? column
    : {
        ...column,
        distribution: {
          type: "categorical",
          counts: Object.fromEntries(listed.map(({ value, count }) => [value, count])),
          other: 0,
          missing: column.missing,
        },
      };

/** The rows counted over the cells of earlier distributions; all numeric ones in one pass. */
async function compared(
  source: Source,
  { profile, values, columns, from }: Profiled,
  references: readonly Reference[],
): Promise<Facts["compared"]> {
  const numeric = references.flatMap((reference) => {
    const { column, distribution } = reference;
    const current = profile.columns[column]?.distribution;
    const index = columns.findIndex(({ name }) => name === column);
    return distribution.type === "numeric" && current?.type === "numeric"
      ? [{ reference, index, edges: distribution.edges, missing: current.missing }]
      : [];
  });
  const cells = await cellCounts(source, from, numeric);
  const numbers = numeric.map(({ reference, edges, missing }, i) => ({
    reference,
    now: { type: "numeric" as const, edges: [...edges], counts: [...(cells[i] ?? [])], missing },
  }));
  const texts = references.flatMap((reference) => {
    const { column, distribution } = reference;
    const current = profile.columns[column];
    if (distribution.type !== "categorical" || current === undefined) return [];
    const { counts: listed = [], isComplete = false } = values.get(column) ?? {};
    const now = textLike(distribution, asText(current, listed, isComplete), listed);
    return now === undefined ? [] : [{ reference, now }];
  });
  return [...numbers, ...texts];
}

/** Asks for everything that the rules and baselines need. */
export const askFacts = async (
  source: Source,
  profiled: Profiled,
  rules: Rules,
  references: readonly Reference[],
): Promise<Facts> => ({
  outsideRange: await outsideRange(source, profiled, rules),
  outsideDomain: await outsideDomain(source, profiled, rules),
  compared: await compared(source, profiled, references),
});
