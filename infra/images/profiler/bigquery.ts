/**
 * The profile of a table that is too large for one machine, as BigQuery SQL text. Columns, and the edges that numbers
 * are counted over, come from an earlier profile, so that the answers can be compared with it.
 */
import type { Profile } from "../../../events/artifacts.js";
import { aboveSql, type CellQuery } from "./cells.js";
import {
  groupsSql,
  summarySql,
  tidyName,
  tidySource,
  topValuesSql,
  type Dialect,
  type SourceColumn,
  type StoredAs,
} from "./sql.js";

/** GoogleSQL's dialect. Quantiles come as 101 values from the least to the most, whatever was asked for. */
export const bigqueryDialect: Dialect = {
  quote: (name) => `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``,
  toNumber: (column, storedAs) => {
    if (storedAs === "timestamp") {
      return `CAST(UNIX_MILLIS(CAST(${column} AS TIMESTAMP)) AS FLOAT64)`;
    }
    // A boolean becomes a whole number first: there is no direct way.
    if (storedAs === "boolean") {
      return `CAST(CAST(CAST(${column} AS BOOL) AS INT64) AS FLOAT64)`;
    }
    const value = `CAST(${column} AS FLOAT64)`;
    return storedAs === "float" ? `CASE WHEN IS_NAN(${value}) THEN NULL ELSE ${value} END` : value;
  },
  toText: (column) => `NULLIF(CAST(${column} AS STRING), '')`,
  isInfinite: (x) => `IS_INF(${x})`,
  quantiles: (x) => `APPROX_QUANTILES(${x}, 100)`,
  distinct: (x, { isExact }) => (isExact ? `COUNT(DISTINCT ${x})` : `APPROX_COUNT_DISTINCT(${x})`),
};

const storedAsOf: Readonly<Record<Profile["columns"][string]["type"], StoredAs>> = {
  // Whole numbers may be stored as floats, of which one may be no number.
  integer: "float",
  number: "float",
  boolean: "boolean",
  timestamp: "timestamp",
  string: "text",
};

const topValuesMax = 5000;
const groupsMax = 20;

/** One statement of the profile. */
export interface Statement {
  readonly about: string;
  readonly sql: string;
}

/** The statements for a table with the columns of an earlier profile; `slices` name the columns to group by. */
export function bigqueryProfile(
  table: string,
  { columns }: Pick<Profile, "columns">,
  slices: readonly string[] = [],
): readonly Statement[] {
  const entries = Object.entries(columns);
  const named: readonly SourceColumn[] = entries.map(([name, { type }]) => ({
    name,
    storedAs: storedAsOf[type],
  }));
  const from = tidySource(bigqueryDialect, bigqueryDialect.quote(table), named);
  const indices = named.map((_, index) => index);
  const asked = entries.flatMap(([, { distribution }], index): readonly CellQuery[] =>
    distribution.type === "numeric" ? [{ index, edges: distribution.edges }] : [],
  );
  const grouped = indices.filter((index) => slices.includes(named[index]?.name ?? ""));
  const textType = "STRING";
  return [
    {
      about: `columns ${named.map(({ name }, index) => `${tidyName(index)} = ${name}`).join(", ")}`,
      sql: summarySql(bigqueryDialect, from, named, { probabilities: [], isExact: false }),
    },
    {
      about: "most frequent values",
      sql: topValuesSql(from, indices, { textType, limit: topValuesMax }),
    },
    ...(asked.length === 0
      ? []
      : [{ about: "values at or above the edges", sql: aboveSql(from, asked) }]),
    ...grouped.map((index) => ({
      about: `rows by ${named[index]?.name ?? ""}`,
      sql: groupsSql(from, named, { by: tidyName(index), textType, limit: groupsMax }),
    })),
  ];
}

/** The statements as one script. A line that ends early would end the comment, so names keep to theirs. */
export const scriptOf = (statements: readonly Statement[]): string =>
  statements
    .map(({ about, sql }) => `-- ${about.replaceAll(/[\r\n]+/g, " ")}\n${sql};\n`)
    .join("\n");
