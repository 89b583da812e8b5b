/** Writes a table as Parquet. */
import { parquetWriteBuffer } from "hyparquet-writer";
import { isMissing, textAt, type Column, type Table } from "./table.js";

const parquetType = {
  number: "DOUBLE",
  integer: "DOUBLE",
  boolean: "BOOLEAN",
  timestamp: "TIMESTAMP",
  string: "STRING",
} as const;

/** The value of one cell in the form that the Parquet type wants. */
function cell(column: Column, row: number): unknown {
  if (isMissing(column, row)) return null;
  if (column.type === "string") return textAt(column, row);
  const value = column.values[row] ?? NaN;
  if (column.type === "boolean") return value === 1;
  return column.type === "timestamp" ? new Date(value) : value;
}

/** The table as the bytes of a Parquet file (snappy). */
export function parquetBytes(table: Table): Uint8Array {
  const columnData = [...table.columns].map(([name, column]) => ({
    name,
    type: parquetType[column.type],
    nullable: true,
    data: Array.from({ length: table.rows }, (_, row) => cell(column, row)),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
