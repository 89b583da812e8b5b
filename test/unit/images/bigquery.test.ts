import { describe, expect, it } from "vitest";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bigqueryProfile, scriptOf } from "../../../infra/images/profiler/bigquery.js";
import { countsFromAbove } from "../../../infra/images/profiler/cells.js";
import { withSource } from "../../../infra/images/profiler/duckdb.js";
import { profileSource, type Profiled } from "../../../infra/images/profiler/profile.js";

/** What DuckDB calls otherwise. */
const translations = [
  "CREATE TYPE FLOAT64 AS DOUBLE",
  "CREATE MACRO IS_NAN(x) AS isnan(x)",
  "CREATE MACRO IS_INF(x) AS isinf(x)",
  "CREATE MACRO UNIX_MILLIS(t) AS epoch_ms(t)",
  "CREATE MACRO APPROX_QUANTILES(x, n) AS quantile_disc(x, [i / 100 FOR i IN range(0, 101)])",
];
const translated = (sql: string): string => sql.replaceAll("`", '"');

const rows = `SELECT
    CASE WHEN i % 17 = 0 THEN NULL WHEN i % 23 = 0 THEN 'NaN'::DOUBLE ELSE (i * 7919) % 1000 / 8 END AS "distance",
    i % 5 AS stops,
    CASE WHEN i % 3 = 0 THEN '' ELSE 'it''s \\ ' || i % 7 END AS "the carrier",
    i % 2 = 0 AS late,
    TIMESTAMP '2026-01-01' + INTERVAL (i) MINUTE AS departed
  FROM range(3000) t(i)`;

/** The rows as a table here and profiled from a file. */
async function profiledTable(): Promise<{ connection: DuckDBConnection; profiled: Profiled }> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  for (const statement of ["SET TimeZone = 'UTC'", ...translations])
    await connection.run(statement);
  await connection.run(`CREATE TABLE flights AS ${rows}`);
  const folder = await mkdtemp(join(tmpdir(), "bigquery-test-"));
  try {
    const path = join(folder, "rows.parquet");
    await connection.run(`COPY flights TO '${path}' (FORMAT parquet)`);
    const profiled = await withSource(path, (source) =>
      profileSource(source, path, { sliceColumns: ["the carrier"] }),
    );
    return { connection, profiled };
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("a profile as BigQuery SQL", () => {
  it("has, where the dialects agree, the answers of the profile that DuckDB makes", async () => {
    const { connection, profiled } = await profiledTable();
    const { columns } = profiled.profile;
    const names = Object.keys(columns);
    const statements = bigqueryProfile("flights", profiled.profile, ["the carrier"]);
    const answers = await Promise.all(
      statements.map(async ({ sql }) =>
        (await connection.runAndReadAll(translated(sql))).getRowObjectsJson(),
      ),
    );
    const [[summary = {}] = [], top = [], [above = {}] = [], groups = []] = answers;

    expect(Number(summary["total"])).toBe(profiled.profile.rows);
    for (const [i, name] of names.entries()) {
      const column = columns[name];
      expect(Number(summary[`p${i}`])).toBe(3000 - (column?.missing ?? NaN));
      if (column?.type === "string") continue;
      // A timestamp is counted in milliseconds.
      expect(Number(summary[`low${i}`])).toBe(column?.min);
      expect(Number(summary[`high${i}`])).toBe(column?.max);
      expect(Number(summary[`mean${i}`])).toBeCloseTo(column?.mean ?? NaN, 4);
      expect(summary[`q${i}`]).toHaveLength(101);
    }

    const numeric = names.flatMap((name, index) => {
      const distribution = columns[name]?.distribution;
      return distribution?.type === "numeric" ? [{ index, distribution }] : [];
    });
    expect(numeric).toHaveLength(4);
    for (const [place, { index, distribution }] of numeric.entries()) {
      const query = { index, edges: distribution.edges };
      expect(countsFromAbove(above, query, place)).toEqual(distribution.counts);
    }

    const carriers = top.filter(({ col }) => col === names.indexOf("the carrier"));
    expect(Object.fromEntries(carriers.map(({ val, n }) => [val, Number(n)]))).toEqual(
      Object.fromEntries(
        (columns["the carrier"]?.top ?? []).map(({ value, count }) => [value, count]),
      ),
    );
    const bySlice = (profiled.profile.groups ?? []).filter(({ by }) => by === "the carrier");
    expect(groups.map(({ val, total }) => [val ?? "", Number(total)])).toEqual(
      bySlice.map((group) => [group.value, group.rows]),
    );
    connection.closeSync();
  });

  it("names the table and odd columns so that BigQuery reads them", () => {
    const column = {
      type: "integer" as const,
      missing: 0,
      missingShare: 0,
      distinct: 2,
      distribution: { type: "numeric" as const, edges: [0.5], counts: [1, 1], missing: 0 },
    };
    const sql = scriptOf(bigqueryProfile("p.d.t", { columns: { "a`b\nDROP": column } }));
    expect(sql).toContain("FROM `p.d.t`");
    expect(sql).toContain("CAST(`a\\`b\nDROP` AS FLOAT64)");
    expect(sql).toContain("-- columns c0 = a`b DROP\n");
    expect(sql.match(/;\n/g)).toHaveLength(3);
  });

  it("leaves out the edges of a table without numbers", () => {
    const column = {
      type: "string" as const,
      missing: 0,
      missingShare: 0,
      distinct: 0,
      distribution: { type: "categorical" as const, counts: {}, other: 0, missing: 0 },
    };
    const statements = bigqueryProfile("t", { columns: { a: column } }, ["a"]);
    expect(statements.map(({ about }) => about)).toEqual([
      "columns c0 = a",
      "most frequent values",
      "rows by a",
    ]);
  });
});
