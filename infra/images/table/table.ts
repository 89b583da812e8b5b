/** A table of columns in typed arrays: what every image works on. */

/** Numbers, with NaN for missing; booleans are 0 and 1, timestamps milliseconds since 1970. */
export interface NumberColumn {
  readonly type: "number" | "integer" | "boolean" | "timestamp";
  readonly values: Float64Array;
}

/** Text as codes into a dictionary, with -1 for missing. */
export interface TextColumn {
  readonly type: "string";
  readonly codes: Int32Array;
  readonly dictionary: readonly string[];
}

/** One column of a table. */
export type Column = NumberColumn | TextColumn;

/** Columns of equal length by name. */
export interface Table {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, Column>;
}

/** The value of a column at a row as text; undefined when it is missing. */
export function textAt(column: Column, row: number): string | undefined {
  if (column.type === "string") return column.dictionary[column.codes[row] ?? -1];
  const value = column.values[row] ?? NaN;
  if (Number.isNaN(value)) return undefined;
  if (column.type === "boolean") return value === 1 ? "true" : "false";
  return column.type === "timestamp" ? new Date(value).toISOString() : String(value);
}

/** Whether the value at a row is missing. */
export function isMissing(column: Column, row: number): boolean {
  if (column.type === "string") return (column.codes[row] ?? -1) < 0;
  return Number.isNaN(column.values[row] ?? NaN);
}

/** The column as text, whatever its type; its distinct values become the dictionary. */
export function asText(column: Column): TextColumn {
  if (column.type === "string") return column;
  const byNumber = new Map<number, number>();
  const dictionary: string[] = [];
  const codes = new Int32Array(column.values.length);
  for (let row = 0; row < codes.length; row += 1) {
    const value = column.values[row] ?? NaN;
    if (Number.isNaN(value)) {
      codes[row] = -1;
      continue;
    }
    let code = byNumber.get(value);
    if (code === undefined) {
      code = dictionary.push(textAt(column, row) ?? "") - 1;
      byNumber.set(value, code);
    }
    codes[row] = code;
  }
  return { type: "string", codes, dictionary };
}

/** The given rows of a column, in that order. */
function takeColumn(column: Column, rows: Uint32Array): Column {
  if (column.type === "string") {
    return { ...column, codes: Int32Array.from(rows, (row) => column.codes[row] ?? -1) };
  }
  return { ...column, values: Float64Array.from(rows, (row) => column.values[row] ?? NaN) };
}

/** The given rows of a table, in that order. */
export function takeRows(table: Table, rows: Uint32Array): Table {
  const columns = [...table.columns].map(
    ([name, column]) => [name, takeColumn(column, rows)] as const,
  );
  return { rows: rows.length, columns: new Map(columns) };
}

/** The type that holds the values of both, text when nothing else does. */
function commonType(a: Column["type"], b: Column["type"]): Column["type"] {
  if (a === b) return a;
  const isNumeric = (type: Column["type"]): boolean => type === "number" || type === "integer";
  return isNumeric(a) && isNumeric(b) ? "number" : "string";
}

/** Whether no value of the column is there. */
const isEmpty = (column: Column): boolean =>
  column.type === "string"
    ? column.codes.every((code) => code < 0)
    : column.values.every((value) => Number.isNaN(value));

/** A column of missing values. */
const emptyColumn = (rows: number, like: Column): Column =>
  like.type === "string"
    ? { type: "string", codes: new Int32Array(rows).fill(-1), dictionary: [] }
    : { type: like.type, values: new Float64Array(rows).fill(NaN) };

/** Text columns end to end over one dictionary. */
function concatText(parts: readonly TextColumn[]): TextColumn {
  const codeOf = new Map<string, number>();
  const dictionary: string[] = [];
  const codes = new Int32Array(parts.reduce((sum, part) => sum + part.codes.length, 0));
  let position = 0;
  for (const part of parts) {
    const mapping = part.dictionary.map((text) => {
      const known = codeOf.get(text);
      if (known !== undefined) return known;
      const code = dictionary.push(text) - 1;
      codeOf.set(text, code);
      return code;
    });
    for (const code of part.codes) {
      codes[position] = code < 0 ? -1 : (mapping[code] ?? -1);
      position += 1;
    }
  }
  return { type: "string", codes, dictionary };
}

/** Columns end to end; a column without any value takes the others' type. */
function concatColumns(parts: readonly Column[]): Column {
  const filled = parts.filter((part) => !isEmpty(part));
  const like = filled[0] ?? parts[0];
  if (like === undefined) return { type: "number", values: new Float64Array() };
  const type = filled.map((part) => part.type).reduce(commonType, like.type);
  const sized = parts.map((part) =>
    isEmpty(part)
      ? emptyColumn(part.type === "string" ? part.codes.length : part.values.length, like)
      : part,
  );
  if (type === "string") return concatText(sized.map(asText));
  const numbers = sized.flatMap((part) => (part.type === "string" ? [] : [part.values]));
  const values = new Float64Array(numbers.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of numbers) {
    values.set(part, position);
    position += part.length;
  }
  return { type, values };
}

/** Tables end to end; a column that one of them lacks is missing in its rows. */
export function concatTables(tables: readonly Table[]): Table {
  const [only] = tables;
  if (only !== undefined && tables.length === 1) return only;
  const names = [...new Set(tables.flatMap((table) => [...table.columns.keys()]))];
  const columns = names.map((name) => {
    const like = tables
      .map((table) => table.columns.get(name))
      .find((column) => column !== undefined);
    const parts = tables.map(
      (table) =>
        table.columns.get(name) ??
        emptyColumn(table.rows, like ?? { type: "number", values: new Float64Array() }),
    );
    return [name, concatColumns(parts)] as const;
  });
  return {
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    columns: new Map(columns),
  };
}
