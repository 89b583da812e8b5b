/**
 * The profile as SQL text: the same aggregates for DuckDB, which reads files, and for BigQuery, where tables are too
 * large for one machine. A query runs over columns that are named c0, c1 ... and hold numbers or text, NULL for missing.
 */

/** How a column's values are stored, as far as the profile cares. */
export type StoredAs = "boolean" | "integer" | "float" | "timestamp" | "text";

/** A column of the source. */
export interface SourceColumn {
  readonly name: string;
  readonly storedAs: StoredAs;
}

/** What the dialects say differently. */
export interface Dialect {
  /** A column's or a table's name, quoted. */
  readonly quote: (name: string) => string;
  /** The column as a double: NULL for missing and not-a-number, milliseconds since 1970 for a timestamp. */
  readonly toNumber: (column: string, storedAs: StoredAs) => string;
  /** The column as text; NULL for missing and empty. */
  readonly toText: (column: string) => string;
  readonly isInfinite: (x: string) => string;
  /** Array of quantiles at probabilities that are multiples of 1/100; `isExact` sorts all values. */
  readonly quantiles: (
    x: string,
    probabilities: readonly number[],
    options: { readonly isExact: boolean },
  ) => string;
  readonly distinct: (x: string, options: { readonly isExact: boolean }) => string;
}

/** Beyond this size a square overflows: such values are kept out of mean and standard deviation. */
export const momentSizeMax = 1e150;

/** A number as a literal of type double. */
export function doubleLiteral(value: number): string {
  const text = String(value);
  return text.includes("e") ? text : `${text}e0`;
}

/** Text as DuckDB's literal: a quote is doubled, a backslash is itself. */
export const textLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The tidy name of a column. */
export const tidyName = (index: number): string => `c${index}`;

/** The source with tidy columns: c0, c1 ... in order. */
export function tidySource(
  dialect: Dialect,
  source: string,
  columns: readonly SourceColumn[],
  condition?: string,
): string {
  const expressions = columns.map(({ name, storedAs }, i) => {
    const column = dialect.quote(name);
    const value = storedAs === "text" ? dialect.toText(column) : dialect.toNumber(column, storedAs);
    return `${value} AS ${tidyName(i)}`;
  });
  const where = condition === undefined ? "" : ` WHERE ${condition}`;
  return `(SELECT ${expressions.join(", ")} FROM ${source}${where})`;
}

const isNumeric = ({ storedAs }: SourceColumn): boolean => storedAs !== "text";

/** One row with the aggregates of all columns: `rows`, then p (present), d (distinct) ... with the column's number. */
export function summarySql(
  dialect: Dialect,
  from: string,
  columns: readonly SourceColumn[],
  options: { readonly probabilities: readonly number[]; readonly isExact: boolean },
): string {
  const { isExact, probabilities } = options;
  const parts = columns.flatMap((column, i) => {
    const x = tidyName(i);
    const shared = [`COUNT(${x}) AS p${i}`, `${dialect.distinct(x, { isExact })} AS d${i}`];
    if (!isNumeric(column)) return [...shared, `MIN(${x}) AS low${i}`, `MAX(${x}) AS high${i}`];
    const finite = `CASE WHEN ${dialect.isInfinite(x)} THEN NULL ELSE ${x} END`;
    const small = `CASE WHEN ABS(${x}) <= ${doubleLiteral(momentSizeMax)} THEN ${x} END`;
    return [
      ...shared,
      `MIN(${finite}) AS low${i}`,
      `MAX(${finite}) AS high${i}`,
      `COUNT(${finite}) AS finite${i}`,
      `COUNT(${small}) AS small${i}`,
      `AVG(${small}) AS mean${i}`,
      `STDDEV_SAMP(${small}) AS sd${i}`,
      `SUM(CASE WHEN ${x} <> FLOOR(${x}) THEN 1 ELSE 0 END) AS fractions${i}`,
      `${dialect.quantiles(finite, probabilities, { isExact })} AS q${i}`,
    ];
  });
  return `SELECT COUNT(*) AS total, ${parts.join(", ")} FROM ${from} AS tidy`;
}

/** Rows [col: column number, val: value as text, n: count] of the most frequent values, in that order. */
export const topValuesSql = (
  from: string,
  columns: readonly number[],
  options: { readonly textType: string; readonly limit: number },
): string =>
  columns
    .map((i) => {
      const x = tidyName(i);
      return `SELECT * FROM (SELECT ${i} AS col, CAST(${x} AS ${options.textType}) AS val, COUNT(*) AS n FROM ${from} AS tidy WHERE ${x} IS NOT NULL GROUP BY ${x} ORDER BY COUNT(*) DESC, ${x} LIMIT ${options.limit}) AS top${i}`;
    })
    .join(" UNION ALL ");

/** Rows [value, rows, then m (missing) and mean with the column's number], the largest groups first. */
export function groupsSql(
  from: string,
  columns: readonly SourceColumn[],
  options: { readonly by: string; readonly textType: string; readonly limit: number },
): string {
  const parts = columns.flatMap((column, i) => {
    const x = tidyName(i);
    const missing = `COUNT(*) - COUNT(${x}) AS m${i}`;
    const small = `CASE WHEN ABS(${x}) <= ${doubleLiteral(momentSizeMax)} THEN ${x} END`;
    return isNumeric(column) ? [missing, `AVG(${small}) AS mean${i}`] : [missing];
  });
  return `SELECT CAST(${options.by} AS ${options.textType}) AS val, COUNT(*) AS total, ${parts.join(", ")} FROM ${from} AS tidy GROUP BY ${options.by} ORDER BY COUNT(*) DESC, ${options.by} LIMIT ${options.limit}`;
}

/** DuckDB's dialect. */
export const duckdbDialect: Dialect = {
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  toNumber: (column, storedAs) => {
    if (storedAs === "timestamp") {
      // Through a time with a zone, so that an offset in text counts; the session's zone is UTC.
      return `CAST(epoch_ms(CAST(${column} AS TIMESTAMPTZ)) AS DOUBLE)`;
    }
    // Through a boolean, because a text file holds "true" and "false".
    if (storedAs === "boolean") return `CAST(CAST(${column} AS BOOLEAN) AS DOUBLE)`;
    const value = `CAST(${column} AS DOUBLE)`;
    return storedAs === "float" ? `NULLIF(${value}, 'nan'::DOUBLE)` : value;
  },
  toText: (column) => `NULLIF(CAST(${column} AS VARCHAR), '')`,
  isInfinite: (x) => `isinf(${x})`,
  quantiles: (x, probabilities, { isExact }) =>
    `${isExact ? "quantile_cont" : "approx_quantile"}(${x}, [${probabilities.join(", ")}])`,
  distinct: (x, { isExact }) => (isExact ? `COUNT(DISTINCT ${x})` : `approx_count_distinct(${x})`),
};
