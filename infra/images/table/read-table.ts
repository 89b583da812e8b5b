/** Reads Parquet, CSV and JSON lines into tables; the format comes from the name, then the bytes. */
import { gunzipSync } from "node:zlib";
import { parquetMetadata, parquetRead, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { explain, ImageError } from "../arguments.js";
import { expandAddress, readBytes } from "../io.js";
import { buildColumn, buildColumnFromText } from "./column-builder.js";
import { parseCsv } from "./csv.js";
import { concatTables, type Table } from "./table.js";

/** Columns of a Parquet file; `wanted` limits what is decoded. */
async function readParquet(
  bytes: Uint8Array<ArrayBuffer>,
  wanted?: readonly string[],
): Promise<Table> {
  const { buffer, byteOffset, byteLength } = bytes;
  const file = buffer.slice(byteOffset, byteOffset + byteLength);
  const metadata = parquetMetadata(file);
  const names = parquetSchema(metadata)
    .children.map((child) => child.element.name)
    .filter((name) => wanted === undefined || wanted.includes(name));
  const rows = Number(metadata.num_rows);
  const parts = new Map(names.map((name) => [name, new Map<number, ArrayLike<unknown>>()]));
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: names,
    onChunk: ({ columnName, columnData, rowStart }) => {
      parts.get(columnName)?.set(rowStart, columnData);
    },
  });
  const columns = [...parts].map(([name, found]) => {
    const inOrder = [...found].toSorted(([a], [b]) => a - b).map(([, values]) => values);
    return [name, buildColumn(...inOrder)] as const;
  });
  return { rows, columns: new Map(columns) };
}

/** Rows of objects as columns; keys that a row lacks are missing there. */
export function tableOfObjects(objects: readonly Readonly<Record<string, unknown>>[]): Table {
  const names = new Set(objects.flatMap((object) => Object.keys(object)));
  const columns = [...names].map(
    (name) =>
      [
        name,
        buildColumn(objects.map((object) => (Object.hasOwn(object, name) ? object[name] : null))),
      ] as const,
  );
  return { rows: objects.length, columns: new Map(columns) };
}

function parseLine(line: string, number: number): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ImageError(`line ${number} is not a JSON object`);
  }
  return Object.fromEntries(Object.entries(value));
}

function readJsonLines(text: string): Table {
  const objects = text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [parseLine(line, index + 1)];
    } catch (cause) {
      throw new ImageError(`line ${index + 1}: ${explain(cause)}`, { cause });
    }
  });
  return tableOfObjects(objects);
}

function readCsv(text: string): Table {
  const [header, ...records] = parseCsv(text);
  if (header === undefined) throw new ImageError("the file is empty: a CSV needs a header line");
  const broken = records.findIndex((record) => record.length !== header.length);
  if (broken >= 0) {
    const cells = records[broken]?.length ?? 0;
    throw new ImageError(
      `record ${broken + 1} has ${cells} cells, the header has ${header.length}`,
    );
  }
  const columns = header.map(
    (name, i) => [name, buildColumnFromText(records.map((record) => record[i] ?? ""))] as const,
  );
  return { rows: records.length, columns: new Map(columns) };
}

/** The first and last four bytes of every complete Parquet file. */
const parquetMark = "PAR1";
const isParquet = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.subarray(0, 4)).toString("latin1") === parquetMark;
const hasParquetEnd = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.subarray(-4)).toString("latin1") === parquetMark;

async function parse(
  name: string,
  raw: Uint8Array<ArrayBuffer>,
  wanted?: readonly string[],
): Promise<Table> {
  const isGzip = raw[0] === 0x1f && raw[1] === 0x8b;
  const bytes = isGzip ? new Uint8Array(gunzipSync(raw)) : raw;
  if (bytes.length === 0) throw new ImageError("the file is empty");
  if (isParquet(bytes) && !hasParquetEnd(bytes)) {
    throw new ImageError(
      "it begins as Parquet and has no end: it was cut off, or is still being written",
    );
  }
  if (isParquet(bytes)) return readParquet(bytes, wanted);
  if (/\.parquet$/i.test(name)) {
    const begin = Buffer.from(bytes.subarray(0, 16)).toString("latin1");
    throw new ImageError(
      `a Parquet file begins with ${parquetMark}, this one with ${JSON.stringify(begin)}`,
    );
  }
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const isCsv = /\.csv(?:\.gz)?$/i.test(name) || !/^\s*\{/.test(text);
  return isCsv ? readCsv(text) : readJsonLines(text);
}

async function readFileTable(address: string, wanted?: readonly string[]): Promise<Table> {
  const bytes = await readBytes(address);
  try {
    return await parse(address, bytes, wanted);
  } catch (cause) {
    throw new ImageError(
      `${address} (${bytes.length} bytes) is not a readable Parquet, CSV or JSON lines file: ${explain(cause)}`,
      { cause },
    );
  }
}

/** The table behind an address (a file, or a folder of files); `wanted` limits Parquet's columns. */
export async function readTable(address: string, wanted?: readonly string[]): Promise<Table> {
  const files = await expandAddress(address);
  if (files.length === 0) throw new ImageError(`${address} holds no files`);
  return concatTables(await Promise.all(files.map((file) => readFileTable(file, wanted))));
}
