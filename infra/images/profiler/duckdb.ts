/** DuckDB in this process: opened over the files of one dataset version. */
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import type { DuckDBConnection } from "@duckdb/node-api";
import { explain, ImageError } from "../arguments.js";
import { expandAddress, localFile, readBytes } from "../io.js";
import { duckdbDialect, textLiteral, type SourceColumn, type StoredAs } from "./sql.js";

/** A dataset version that can be asked. */
export interface Source {
  readonly columns: readonly SourceColumn[];
  /** The rows as a relation's name. */
  readonly relation: string;
  /** Runs a query; every value is a number, a text, a list or null. */
  readonly query: <Row extends z.ZodType>(
    sql: string,
    row: Row,
  ) => Promise<readonly z.infer<Row>[]>;
}

/** Loads the native module only here: nothing but the profiler's process may pay for it. */
async function openConnection(): Promise<DuckDBConnection> {
  try {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return connection;
  } catch (cause) {
    throw new ImageError(
      `DuckDB cannot be loaded for ${process.platform}-${process.arch}: ${explain(cause)}. Install its bindings with "npm install --include=optional @duckdb/node-api"; they exist for linux, darwin and win32 on x64 and arm64 with glibc (on Alpine use a Debian image)`,
      { cause },
    );
  }
}

const storedAsOf = (sqlType: string): StoredAs => {
  if (sqlType === "BOOLEAN") return "boolean";
  if (/^U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?$/.test(sqlType)) return "integer";
  if (/^(?:FLOAT|DOUBLE|DECIMAL.*)$/.test(sqlType)) return "float";
  return /^(?:DATE$|TIMESTAMP)/.test(sqlType) ? "timestamp" : "text";
};

/** The DuckDB function that reads a file, by its name, then by its first bytes. */
function readerOf(name: string, begin: Uint8Array): "parquet" | "csv" | "json" {
  const text = Buffer.from(begin).toString("latin1");
  if (text.startsWith("PAR1") || /\.parquet$/i.test(name)) return "parquet";
  if (/\.(?:json|jsonl|ndjson)(?:\.gz)?$/i.test(name)) return "json";
  return /\.csv(?:\.gz)?$/i.test(name) || !/^\s*\{/.test(text) ? "csv" : "json";
}

/** How each kind of file is read. */
const readOptions = {
  parquet: "union_by_name = true",
  // Every row is looked at before a type is chosen, and a missing cell is missing in text as well. DuckDB would take
  // "yes" and "no" for a boolean, and the label's classes would be called "true" and "false"; left to itself it would
  // also guess another separator, or skip lines until the rest has one width.
  csv: "union_by_name = true, header = true, delim = ',', quote = '\"', escape = '\"', skip = 0, sample_size = -1, nullstr = '', null_padding = false, auto_type_candidates = ['BIGINT', 'DOUBLE', 'TIME', 'DATE', 'TIMESTAMP', 'VARCHAR']",
  json: "union_by_name = true, sample_size = -1, format = 'newline_delimited', convert_strings_to_integers = false",
} as const;

/** A file where DuckDB can read it: on this disk, or copied to a folder of this run. */
interface Staged {
  readonly path: string;
  readonly reader: keyof typeof readOptions;
}

async function stage(address: string, folder: string, index: number): Promise<Staged> {
  const local = localFile(address);
  const found = local === undefined ? { bytes: await readBytes(address) } : await peek(local);
  if (found.bytes.length === 0) throw new ImageError(`${address} is empty`);
  const isGzip = found.bytes[0] === 0x1f && found.bytes[1] === 0x8b;
  const named = basename(address);
  const suffix = isGzip && !named.endsWith(".gz") ? ".gz" : "";
  const reader = readerOf(named, isGzip ? new Uint8Array() : found.bytes);
  if (!isGzip && reader !== "parquet") requireLines(address, reader, found.bytes);
  if (local !== undefined && suffix === "") return { path: local, reader };
  const path = join(folder, `${index}-${named}${suffix}`);
  const bytes = local === undefined ? found.bytes : await readBytes(address);
  await writeFile(path, bytes);
  return { path, reader };
}

const beginBytes = 64;

/** Text that would be read as something else than it is. */
function requireLines(address: string, reader: "csv" | "json", bytes: Uint8Array): void {
  const begin = bytes.subarray(0, beginBytes);
  if (begin.includes(0)) {
    throw new ImageError(`${address} is not UTF-8 text (it holds zero bytes): save it as UTF-8`);
  }
  if (reader === "json" && Buffer.from(begin).toString("latin1").trimStart().startsWith("[")) {
    throw new ImageError(`${address} is one JSON array: write an object on each line instead`);
  }
}

/** The first bytes of a file. */
async function peek(path: string): Promise<{ readonly bytes: Uint8Array }> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(beginBytes), 0, beginBytes, 0);
      return { bytes: buffer.subarray(0, bytesRead) };
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new ImageError(`cannot read ${path}: ${explain(cause)}`, { cause });
  }
}

/** What the text of a column may mean when all of its values say so, the rarer first. */
const meanings = [
  {
    storedAs: "timestamp",
    // Of the right form is not enough: there is no 30th of February.
    cast: "TIMESTAMPTZ",
    pattern: "\\d{4}-\\d{2}-\\d{2}([T ]\\d{2}:\\d{2}(:\\d{2}([.]\\d+)?)?)?(Z|[+-]\\d{2}:?\\d{2})?",
  },
  { storedAs: "boolean", cast: "BOOLEAN", pattern: "(?i)(true|false)" },
] as const;
const meaningRowsSampled = 100;

/** Text columns of which every value is an ISO time or a boolean become that; most are ruled out by the first rows. */
async function recogniseText(
  columns: readonly SourceColumn[],
  query: Source["query"],
): Promise<readonly SourceColumn[]> {
  const counts = z.record(z.string(), z.coerce.number());
  const matching = async (
    names: readonly string[],
    { pattern, cast }: (typeof meanings)[number],
    from: string,
  ): Promise<readonly string[]> => {
    if (names.length === 0) return [];
    const parts = names.flatMap((name, i) => {
      const value = duckdbDialect.toText(duckdbDialect.quote(name));
      return [
        `COUNT(${value}) AS p${i}`,
        `COUNT(TRY_CAST(${value} AS ${cast})) FILTER (regexp_full_match(${value}, '${pattern}')) AS t${i}`,
      ];
    });
    const [row = {}] = await query(`SELECT ${parts.join(", ")} FROM ${from}`, counts);
    return names.filter((_, i) => (row[`p${i}`] ?? 0) > 0 && row[`p${i}`] === row[`t${i}`]);
  };
  const text = columns.filter((column) => column.storedAs === "text").map(({ name }) => name);
  const found = new Map<string, StoredAs>();
  for (const meaning of meanings) {
    const first = `(FROM dataset_rows LIMIT ${meaningRowsSampled})`;
    const likely = await matching(text, meaning, first);
    for (const name of await matching(likely, meaning, "dataset_rows")) {
      found.set(name, meaning.storedAs);
    }
  }
  return columns.map((column) => ({
    ...column,
    storedAs: found.get(column.name) ?? column.storedAs,
  }));
}

const description = z.object({ column_name: z.string(), column_type: z.string() });

/** The first line of DuckDB's message: the rest quotes the query. */
const firstLine = (cause: unknown): string => explain(cause).split("\n")[0] ?? "";

/** Runs `use` with the dataset version open, and cleans up behind it. */
export async function withSource<Result>(
  dataset: string,
  use: (source: Source) => Promise<Result>,
): Promise<Result> {
  const files = await expandAddress(dataset);
  if (files.length === 0) throw new ImageError(`${dataset} holds no files`);
  const folder = await mkdtemp(join(tmpdir(), "profiler-"));
  const connection = await openConnection();
  try {
    const staged = await Promise.all(files.map((file, i) => stage(file, folder, i)));
    const [first] = staged;
    if (first === undefined || staged.some(({ reader }) => reader !== first.reader)) {
      throw new ImageError(`${dataset} mixes formats: keep Parquet, CSV and JSON lines apart`);
    }
    const query: Source["query"] = async (sql, row) => {
      const reader = await connection.runAndReadAll(sql).catch((cause: unknown) => {
        throw new ImageError(`${dataset} cannot be profiled: ${firstLine(cause)}`, { cause });
      });
      return z.array(row).parse(reader.getRowObjectsJson());
    };
    const list = staged.map(({ path }) => textLiteral(path)).join(", ");
    const scan = `read_${first.reader}([${list}], ${readOptions[first.reader]})`;
    // Text is parsed once; Parquet is compact and stays where it is.
    const kind = first.reader === "parquet" ? "VIEW" : "TABLE";
    const columns = await (async () => {
      try {
        await connection.run(`CREATE TEMP ${kind} dataset_rows AS SELECT * FROM ${scan}`);
        return await query("DESCRIBE dataset_rows", description);
      } catch (cause) {
        throw new ImageError(
          `${dataset} is not a readable Parquet, CSV or JSON lines file: ${firstLine(cause)}${first.reader === "csv" ? " Each line of a CSV file has as many cells as its header, separated by commas." : ""}`,
          { cause },
        );
      }
    })();
    return await use({
      columns: await recogniseText(
        columns.map(({ column_name: name, column_type: type }) => ({
          name,
          storedAs: storedAsOf(type),
        })),
        query,
      ),
      relation: "dataset_rows",
      query,
    });
  } finally {
    connection.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}
