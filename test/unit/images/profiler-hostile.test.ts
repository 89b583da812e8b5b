/** Files that nobody meant to write: the profiler names what is wrong with each, or follows a rule that it states. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  anomalies as anomaliesSchema,
  profile as profileSchema,
  type Anomalies,
  type Profile,
} from "../../../events/artifacts.js";
import { configurationSchema } from "../../../infra/images/configuration.js";
import { findAnomalies } from "../../../infra/images/profiler/anomalies.js";
import { withSource } from "../../../infra/images/profiler/duckdb.js";
import { profileSource } from "../../../infra/images/profiler/profile.js";
import { tableOfObjects } from "../../../infra/images/table/read-table.js";
import { parquetBytes } from "../../../infra/images/table/write-parquet.js";

type Row = Readonly<Record<string, unknown>>;

const configuration = configurationSchema.parse({
  label: "y",
  positiveClass: "a",
  timeColumn: "t",
  holdoutDays: 1,
  features: [
    { name: "x", type: "numeric" },
    { name: "c", type: "categorical" },
  ],
  schema: { columns: { y: { type: "string" } } },
});

const folder = mkdtempSync(join(tmpdir(), "profiler-hostile-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What is said of a file of this name and content; every number in it can be written as JSON. */
const judged = async (
  name: string,
  content: string | Uint8Array,
): Promise<{ readonly profile: Profile; readonly found: Anomalies }> => {
  const path = join(mkdtempSync(join(folder, "dataset-")), name);
  writeFileSync(path, content);
  return withSource(path, async (source) => {
    const profiled = await profileSource(source, path, {
      sliceColumns: ["c", "nowhere"],
      isHeldOut: { timeColumn: "t", days: 1 },
    });
    const found = await findAnomalies(source, profiled, configuration, {
      previous: profiled.profile,
    });
    return {
      profile: profileSchema.parse(JSON.parse(JSON.stringify(profiled.profile))),
      found: anomaliesSchema.parse(JSON.parse(JSON.stringify(found))),
    };
  });
};

const rows = (count: number, change: (index: number) => Row = () => ({})): readonly Row[] =>
  Array.from({ length: count }, (_, i) => ({
    t: `2001-01-0${1 + (i % 5)}`,
    x: i % 7,
    c: "abc"[i % 3],
    y: i % 2 === 1 ? "a" : "b",
    ...change(i),
  }));

const jsonLines = (found: readonly Row[]): string =>
  found.map((row) => JSON.stringify(row)).join("\n");
const parquet = (found: readonly Row[]): Uint8Array => parquetBytes(tableOfObjects(found));
const said = ({ anomalies }: Anomalies): string =>
  anomalies.map(({ severity, message }) => `${severity}: ${message}`).join("\n");

describe("a file that is", () => {
  it.each([
    ["empty", "a.jsonl", "", /a\.jsonl is empty/],
    [
      "one JSON array",
      "a.json",
      JSON.stringify(rows(3)),
      /is one JSON array: write an object on each line/,
    ],
    [
      "text of two bytes a letter",
      "a.csv",
      Buffer.from("t,x\n1,2\n", "utf16le"),
      /save it as UTF-8/,
    ],
    [
      "CSV with lines of several lengths",
      "a.csv",
      "t,x,c,y\n2001-01-01,1,a,a\n2001-01-01,1\n2001-01-01,1,a,b,more,more\n",
      /Each line of a CSV file has as many cells as its header/,
    ],
    ["Parquet by its name alone", "a.parquet", "PAR1garbagePAR1", /not a readable Parquet/],
  ] as const)("%s is an error that names it", async (_what, name, content, message) => {
    await expect(judged(name, content)).rejects.toThrow(message);
  });

  it("separated by semicolons has one column, as the trainer will see it", async () => {
    const { found } = await judged("a.csv", "t;x;c;y\n2001-01-01;1;a;a\n");
    expect(found.verdict).toBe("stop");
    expect(said(found)).toContain("column x is missing; the file has t;x;c;y");
  });
});

describe("rows", () => {
  it.each([
    ["none at all", "a.csv", "t,x,c,y\n", /^stop: the dataset has no rows$/],
    ["one", "a.jsonl", jsonLines(rows(1)), /stop: the label y never holds "a"/],
    [
      "all alike",
      "a.jsonl",
      jsonLines(rows(50, () => ({ x: 3, c: "a", y: "a" }))),
      /stop: the label y holds "a" alone/,
    ],
    [
      "without any value",
      "a.jsonl",
      jsonLines(rows(50, () => ({ t: null, x: null, c: null, y: null }))),
      /feature x has no value in any of 50 rows.*\n.*feature c has no value.*\nstop: the time t is missing in 50 of 50 rows/,
    ],
    [
      "whose feature is never a number",
      "a.parquet",
      parquet(rows(50, () => ({ x: Number.NaN }))),
      /stop: feature x has no value in any of 50 rows; .*missingShareMax: 1/,
    ],
    [
      "with infinities",
      "a.parquet",
      parquet(rows(50, (i) => ({ x: i % 3 === 0 ? Infinity : -Infinity }))),
      /stop: column x holds 50 infinite values/,
    ],
    [
      "with a time in words",
      "a.jsonl",
      jsonLines(rows(50, (i) => (i === 3 ? { t: "yesterday" } : {}))),
      /stop: column t must be of type timestamp, it holds string values, for example "yesterday"/,
    ],
    [
      "with a day that no calendar has",
      "a.jsonl",
      jsonLines(rows(50, (i) => (i === 3 ? { t: "2001-02-30" } : {}))),
      /stop: column t must be of type timestamp/,
    ],
    [
      "without a time here and there",
      "a.jsonl",
      jsonLines(rows(50, (i) => (i === 3 ? { t: null } : {}))),
      /^note: the time t is missing in 1 of 50 rows: these are neither trained on nor judged by$/,
    ],
    [
      "with objects for numbers",
      "a.jsonl",
      jsonLines(rows(50, (i) => ({ x: { deep: i } }))),
      /stop: column x must be of type number/,
    ],
    [
      "with a class in each row",
      "a.jsonl",
      jsonLines(rows(2000, (i) => ({ y: i === 0 ? "a" : `k${i}` }))),
      /stop: the label y holds 2000 classes instead of two/,
    ],
  ] as const)("%s: the verdict says so", async (_what, name, content, message) => {
    const { found } = await judged(name, content);
    expect(said(found)).toMatch(message);
  });

  it.each([
    ["out of order", rows(50).toReversed()],
    ["of 1e308 and its opposite", rows(50, (i) => ({ x: i % 2 === 0 ? 1e308 : -1e308 }))],
    ["of the smallest numbers there are", rows(200, (i) => ({ x: i * 5e-324 }))],
    ["with odd names", rows(50, () => ({ "a\"b';--": 1, constructor: 2, toString: 3 }))],
    ["with odd values", rows(50, (i) => ({ c: i % 2 === 0 ? "toString" : "constructor" }))],
    ["that are a number here and missing there", rows(50, (i) => ({ x: i % 2 === 0 ? null : i }))],
  ] as const)("%s pass, and every row is counted", async (_what, found) => {
    const { profile, found: anomalies } = await judged("a.jsonl", jsonLines(found));
    expect(anomalies).toMatchObject({ verdict: "go", anomalies: [] });
    for (const { distribution, missing } of Object.values(profile.columns)) {
      const counts =
        distribution.type === "numeric"
          ? distribution.counts
          : [...Object.values(distribution.counts), distribution.other];
      expect(counts.reduce((sum, count) => sum + count, missing)).toBe(found.length);
    }
  });
});
