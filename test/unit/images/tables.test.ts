import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { splitHoldout } from "../../../infra/images/trainer/holdout.js";
import { readTable, tableOfObjects } from "../../../infra/images/table/read-table.js";
import { textAt, type Table } from "../../../infra/images/table/table.js";
import { parquetBytes } from "../../../infra/images/table/write-parquet.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "continuo-tables-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const write = async (name: string, content: string | Uint8Array): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
};

const contents = (table: Table): Readonly<Record<string, readonly (string | undefined)[]>> =>
  Object.fromEntries(
    [...table.columns].map(([name, column]) => [
      name,
      Array.from({ length: table.rows }, (_, row) => textAt(column, row)),
    ]),
  );

const rows = [
  { when: "2001-01-01T00:00:00.000Z", name: "a,b", size: 1.5, good: true },
  { when: "2001-01-02T00:00:00.000Z", name: 'say "x"', size: null, good: false },
];

describe("reading tables", () => {
  it("gives the same table from Parquet, CSV, JSON lines and gzip", async () => {
    const table = tableOfObjects(rows);
    const lines = rows.map((row) => JSON.stringify(row)).join("\n");
    const csv =
      'when,name,size,good\n2001-01-01T00:00:00.000Z,"a,b",1.5,true\r\n2001-01-02T00:00:00.000Z,"say ""x""",,false\n';
    const files = await Promise.all([
      write("t.parquet", parquetBytes(table)),
      write("t.jsonl", lines),
      write("t.csv", csv),
      write("t.jsonl.gz", gzipSync(lines)),
    ]);
    for (const file of files) expect(contents(await readTable(file))).toEqual(contents(table));
  });

  it("joins the files of a folder and fills columns that one lacks", async () => {
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(folder, "parts"));
    await write("parts/1.jsonl", '{"a":1}\n{"a":2}\n');
    await write("parts/2.jsonl", '{"a":2.5,"b":"x"}\n');
    await write("parts/_SUCCESS", "");
    expect(contents(await readTable(join(folder, "parts")))).toEqual({
      a: ["1", "2", "2.5"],
      b: [undefined, undefined, "x"],
    });
  });

  it.each([
    [
      "cut.parquet",
      parquetBytes(tableOfObjects(rows)).slice(0, 40),
      /cut\.parquet \(40 bytes\) is not a readable.*it was cut off/,
    ],
    ["empty.parquet", "", /the file is empty/],
    ["text.parquet", "PAR0 nothing", /begins with PAR1, this one with "PAR0 nothing"/],
    ["bad.jsonl", '{"a":1}\n{"a":\n', /line 2/],
    ["array.jsonl", '{"a":1}\n[1]\n', /line 2 is not a JSON object/],
    ["short.csv", "a,b\n1\n", /record 1 has 1 cells, the header has 2/],
  ])("refuses %s with a reason", async (name, content, message) => {
    await expect(readTable(await write(name, content))).rejects.toThrow(message);
  });

  it("says that an address of another cloud is not read", async () => {
    await expect(readTable("s3://bucket/file.parquet")).rejects.toThrow(/s3:\/\/ is not read here/);
  });

  it("keeps hostile column names", async () => {
    const file = await write("hostile.jsonl", '{"__proto__":1,"constructor":"x"}\n');
    const table = await readTable(file);
    expect([...table.columns.keys()]).toEqual(["__proto__", "constructor"]);
  });
});

describe("the holdout", () => {
  const version = (month: number, days: number): Table =>
    tableOfObjects(
      Array.from({ length: days }, (_, day) => ({
        date: new Date(Date.UTC(2001, month, day + 1, 12)),
        day: day + 1,
        month,
      })),
    );

  it("is the newest version's last days; everything before trains, nothing is in both", () => {
    const options = { timeColumn: "date", holdoutDays: 7, seed: 1 };
    const { training, holdout, cutoffMs } = splitHoldout([version(0, 31), version(1, 28)], options);
    expect(cutoffMs).toBe(Date.UTC(2001, 1, 22));
    expect([training.rows, holdout.rows]).toEqual([31 + 21, 7]);
    expect(contents(holdout)["month"]).toEqual(Array.from({ length: 7 }, () => "1"));
  });

  it("never trains on an older version's rows that reach into it", () => {
    const options = { timeColumn: "date", holdoutDays: 7, seed: 1 };
    const { training } = splitHoldout([version(1, 28), version(1, 28)], options);
    expect(training.rows).toBe(42);
  });

  it("is a seeded fifth of the newest version without a time column", () => {
    const options = { timeColumn: undefined, holdoutDays: 7, seed: 5 };
    const versions = [version(0, 31), version(1, 28)];
    const [a, b] = [splitHoldout(versions, options), splitHoldout(versions, options)];
    expect(contents(a.holdout)).toEqual(contents(b.holdout));
    expect(a.training.rows + a.holdout.rows).toBe(59);
    expect(new Set(contents(a.holdout)["month"])).toEqual(new Set(["1"]));
  });

  it("names a missing or unreadable time column", () => {
    const options = { timeColumn: "at", holdoutDays: 7, seed: 1 };
    expect(() => splitHoldout([version(0, 3)], options)).toThrow(
      /time column at is not in the rows/,
    );
    const text = tableOfObjects([{ at: "soon" }]);
    expect(() => splitHoldout([text], options)).toThrow(/no readable time/);
  });
});
