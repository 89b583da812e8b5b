import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  anomalies as anomaliesSchema,
  profile as profileSchema,
} from "../../../events/artifacts.js";
import { configurationSchema } from "../../../infra/images/configuration.js";
import { findAnomalies } from "../../../infra/images/profiler/anomalies.js";
import { withSource } from "../../../infra/images/profiler/duckdb.js";
import { profileSource, type Profiled } from "../../../infra/images/profiler/profile.js";
import { tableOfObjects } from "../../../infra/images/table/read-table.js";
import { parquetBytes } from "../../../infra/images/table/write-parquet.js";
import { distributionEdges, numericDistribution } from "../../../shared/statistics/drift.js";
import { quantilesOfSorted } from "../../../shared/statistics/histogram.js";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";

const configuration = configurationSchema.parse({
  label: "outcome",
  positiveClass: "late",
  timeColumn: "date",
  features: [
    { name: "distance", type: "numeric" },
    { name: "origin", type: "categorical" },
  ],
  schema: {
    columns: {
      distance: { type: "number", min: 10, max: 6000, missingShareMax: 0.01 },
      origin: { type: "string", domain: ["ORD", "LAX"] },
    },
    unexpectedColumns: "stop",
  },
  drift: { jsdMax: 0.1, linfMax: 0.2 },
});

type Row = Readonly<Record<string, unknown>>;

const goodRows = (count = 1000, seed = 1): readonly Row[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => ({
    date: new Date(Date.UTC(2001, 0, 1, 0, i)),
    distance: 1000 + 200 * normalDraw(random),
    origin: random() < 0.5 ? "ORD" : "LAX",
    outcome: random() < 0.3 ? "late" : "on-time",
  }));
};

const folder = mkdtempSync(join(tmpdir(), "profiler-test-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let files = 0;
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, `${(files += 1)}-${name}`);
  writeFileSync(path, content);
  return path;
};

/** Rows as a Parquet file. */
const stored = (rows: readonly Row[]): string =>
  file("rows.parquet", parquetBytes(tableOfObjects(rows)));

const profiled = (path: string): Promise<Profiled> =>
  withSource(path, (source) =>
    profileSource(source, path, {
      sliceColumns: ["origin"],
      isHeldOut: { timeColumn: "date", days: 1 },
    }),
  );

const gate = async (rows: readonly Row[], previous?: readonly Row[], champion?: Baseline) => {
  const before = previous === undefined ? undefined : (await profiled(stored(previous))).profile;
  const found = await withSource(stored(rows), async (source) =>
    findAnomalies(source, await profileSource(source, "now", { sliceColumns: [] }), configuration, {
      previous: before,
      champion,
    }),
  );
  expect(anomaliesSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
  return found;
};
type Baseline = NonNullable<Parameters<typeof findAnomalies>[3]["champion"]>;

const changed = (change: (row: Row, index: number) => Row): readonly Row[] =>
  goodRows().map(change);

describe("the data gate", () => {
  it("lets good data pass, with the previous version's profile or without", async () => {
    const [alone, compared] = [await gate(goodRows()), await gate(goodRows(), goodRows(800, 2))];
    expect([alone.verdict, compared.verdict]).toEqual(["go", "go"]);
  });

  it.each([
    [
      "a missing column",
      goodRows().map(({ date, origin, outcome }) => ({ date, origin, outcome })),
      "missing-column",
      /distance is missing/,
    ],
    [
      "an unexpected column",
      changed((row) => ({ ...row, extra: 1 })),
      "unexpected-column",
      /extra/,
    ],
    [
      "text among the numbers",
      changed((row, i) => (i === 5 ? { ...row, distance: "far" } : row)),
      "type",
      /distance must be of type number, it holds string values, for example "far"/,
    ],
    [
      "values out of range",
      changed((row, i) => (i < 20 ? { ...row, distance: -1 } : row)),
      "range",
      /20 of 1000 values \(2\.0 %\)/,
    ],
    [
      "values outside the domain",
      changed((row, i) => (i < 3 ? { ...row, origin: "XXX" } : row)),
      "domain",
      /origin: 3 values \(0\.30 %\) lie outside its domain: "XXX"; allowed 0 %/,
    ],
    [
      "too many missing values",
      changed((row, i) => (i < 50 ? { ...row, distance: null } : row)),
      "missing-values",
      /missing in 50 of 1000 rows \(5\.0 %\), at most 1\.0 %/,
    ],
    [
      "a label without the positive class",
      changed((row) => ({ ...row, outcome: "on-time" })),
      "label",
      /never holds "late"/,
    ],
    [
      "infinite numbers",
      changed((row, i) => (i < 2 ? { ...row, distance: Infinity } : row)),
      "infinite-values",
      /distance holds 2 infinite values/,
    ],
    [
      "a constant label",
      changed((row) => ({ ...row, outcome: "late" })),
      "label",
      /holds "late" alone/,
    ],
  ] as const)("stops %s with its numbers", async (_name, rows, kind, message) => {
    const { verdict, anomalies } = await gate(rows);
    expect(verdict).toBe("stop");
    expect(anomalies.find((anomaly) => anomaly.kind === kind)?.message).toMatch(message);
  });

  it("takes backslashes and quotes of a domain for what they are", async () => {
    // More values than a profile lists, so that they are asked for by their literals.
    const odd = ["a\\b", "it's", ...Array.from({ length: 5001 }, (_, i) => `c${i}`)];
    const settings = configurationSchema.parse({
      label: "outcome",
      features: [{ name: "origin", type: "categorical" }],
      schema: { columns: { origin: { type: "string", domain: odd } } },
    });
    const rows = goodRows(odd.length).map((row, i) => ({ ...row, origin: odd[i] }));
    const found = await withSource(stored(rows), async (source) => {
      const { profile, ...rest } = await profileSource(source, "now", { sliceColumns: [] });
      return findAnomalies(source, { profile, ...rest }, settings, {
        previous: undefined,
        champion: undefined,
      });
    });
    expect(found.anomalies).toEqual([]);
  });

  it("tells of an empty table that it is empty, and nothing about its columns", async () => {
    const path = file("empty.csv", "date,distance,origin,outcome\n");
    const found = await withSource(path, async (source) =>
      findAnomalies(
        source,
        await profileSource(source, path, { sliceColumns: [] }),
        configuration,
        {},
      ),
    );
    expect(found.anomalies.map(({ kind }) => kind)).toEqual(["no-rows"]);
  });

  it("asks when a column has moved, with threshold and null quantile", async () => {
    const moved = changed((row) => ({ ...row, distance: Number(row["distance"]) + 300 }));
    const { verdict, anomalies } = await gate(moved, goodRows(1000, 2));
    expect(verdict).toBe("ask");
    expect(anomalies[0]?.message).toMatch(
      /jensen-shannon-divergence 0\.\d+ bits, above the threshold 0\.1/,
    );
  });

  it("notes what differs from the champion's training rows", async () => {
    const distances = goodRows(1000, 2).map((row) => Number(row["distance"]) - 400);
    const sorted = distances.toSorted((a, b) => a - b);
    const champion = { distance: numericDistribution(distances, distributionEdges(sorted)) };
    const baseline = {
      distance: {
        ...champion.distance,
        edges: [...champion.distance.edges],
        counts: [...champion.distance.counts],
      },
    };
    const { verdict, anomalies } = await gate(goodRows(), undefined, baseline);
    expect(verdict).toBe("go");
    expect(anomalies[0]).toMatchObject({ kind: "skew", severity: "note", column: "distance" });
  });

  it("compares categories that are written as numbers by their names", async () => {
    const coded = (low: number) => changed((row, i) => ({ ...row, origin: low + (i % 3) }));
    const settings = configurationSchema.parse({
      label: "outcome",
      features: [{ name: "origin", type: "categorical" }],
      drift: { jsdMax: 0.1, linfMax: 0.2 },
    });
    const trained = (names: readonly string[]): Baseline => ({
      origin: {
        type: "categorical",
        counts: Object.fromEntries(names.map((name) => [name, 1000])),
        other: 0,
        missing: 0,
      },
    });
    const verdicts: string[] = [];
    const told = async (
      rows: readonly Row[],
      champion: Baseline,
      previous?: readonly Row[],
      drift = settings.drift,
    ) => {
      const before = previous && (await profiled(stored(previous))).profile;
      const { verdict, anomalies } = await withSource(stored(rows), async (source) =>
        findAnomalies(
          source,
          await profileSource(source, "now", { sliceColumns: [] }),
          { ...settings, drift },
          { previous: before, champion },
        ),
      );
      verdicts.push(verdict);
      return anomalies.flatMap(({ kind, message }) => (kind === "no-schema" ? [] : [message]));
    };
    expect(await told(coded(1), trained(["1", "2", "3"]))).toEqual([]);
    expect(await told(coded(7), trained(["1", "2", "3"]))).toEqual([
      expect.stringMatching(/^column origin differs from the champion's training data: l-infinity/),
    ]);
    // Names in place of numbers have no distance: that alone is told.
    const kinds = await told(goodRows(), trained(["ORD", "LAX"]), coded(1));
    expect(kinds).toEqual([
      "column origin has moved since the previous version: it held numbers and holds text",
    ]);
    const letPass = { jsdMax: 1, linfMax: 1 };
    expect(await told(goodRows(), trained(["ORD", "LAX"]), coded(1), letPass)).toEqual(kinds);
    expect(verdicts).toEqual(["go", "go", "ask", "go"]);
  });

  it("does not ask about a small sample that merely looks different", async () => {
    const found = await gate(goodRows(12, 4), goodRows(12, 5));
    expect(found.anomalies).toEqual([]);
  });
});

describe("profiles", () => {
  it("hold what the columns hold", async () => {
    const path = file(
      "rows.jsonl",
      [
        { n: 1, t: "a", b: true, d: "2001-01-01", m: null },
        { n: 2, t: "b", b: false, d: "2001-01-02", m: null },
        { n: 4, t: "b", b: true, d: "2001-01-03T12:00:00Z", m: null },
        { n: null, t: null, b: true, d: "2001-01-04", m: null },
      ]
        .map((row) => JSON.stringify(row))
        .join("\n"),
    );
    const { profile: found } = await profiled(path);
    const profile = profileSchema.parse(JSON.parse(JSON.stringify(found)));
    expect(profile.columns["n"]).toMatchObject({
      type: "integer",
      missing: 1,
      missingShare: 0.25,
      distinct: 3,
      min: 1,
      max: 4,
      quantiles: { "0.5": 2 },
    });
    expect(profile.columns["t"]).toMatchObject({
      type: "string",
      top: [
        { value: "b", count: 2 },
        { value: "a", count: 1 },
      ],
    });
    expect(profile.columns["b"]?.type).toBe("boolean");
    expect(profile.columns["d"]).toMatchObject({ type: "timestamp", max: Date.UTC(2001, 0, 4) });
    expect(profile.columns["m"]?.missingShare).toBe(1);
    expect(profile.inferredSchema?.["n"]).toEqual({
      type: "integer",
      min: 0,
      missingShareMax: 0.5,
    });
  });

  it("are the same as an independent count in this process, ties on edges included", async () => {
    const random = seededRandom(5);
    const values = Array.from({ length: 3000 }, (_, i) =>
      i % 50 === 0 ? null : Math.round(4000 * normalDraw(random)) / 1000,
    );
    const { profile } = await profiled(stored(values.map((value) => ({ value }))));
    const present = Float64Array.from(values.filter((value) => value !== null)).toSorted();
    const edges = distributionEdges(present);
    const found = profile.columns["value"];
    expect(found).toMatchObject({ missing: 60, distinct: new Set(present).size });
    expect(found?.quantiles?.["0.95"]).toBeCloseTo(quantilesOfSorted(present, [0.95])[0] ?? NaN, 9);
    const distribution = found?.distribution;
    if (distribution?.type !== "numeric") throw new Error("not numeric");
    for (const [i, edge] of edges.entries()) expect(distribution.edges[i]).toBeCloseTo(edge, 9);
    expect(distribution.counts).toEqual(numericDistribution(present, distribution.edges).counts);
  });

  it.each(["csv", "json", "parquet", "folder of Parquet"] as const)(
    "are the same from %s",
    async (kind) => {
      const rows = Array.from({ length: 60 }, (_, i) => ({
        n: i % 7,
        t: i % 3 === 0 ? "a" : 'b,"c',
      }));
      const csv = rows.map(({ n, t }) => `${n},"${t.replaceAll('"', '""')}"`);
      const path = {
        csv: () => file("a.csv", `n,t\n${csv.join("\n")}\n`),
        json: () => file("a.json", rows.map((row) => JSON.stringify(row)).join("\n")),
        parquet: () => stored(rows),
        "folder of Parquet": () => {
          const parts = mkdtempSync(join(folder, "parts-"));
          for (const [i, part] of [rows.slice(0, 20), rows.slice(20)].entries()) {
            writeFileSync(join(parts, `${i}.parquet`), parquetBytes(tableOfObjects(part)));
          }
          return parts;
        },
      }[kind]();
      const { profile } = await profiled(path);
      expect(profile.rows).toBe(60);
      expect(profile.columns["n"]).toMatchObject({ type: "integer", distinct: 7, min: 0, max: 6 });
      expect(profile.columns["t"]?.top).toEqual([
        { value: 'b,"c', count: 40 },
        { value: "a", count: 20 },
      ]);
    },
  );

  it("call a text file's yes and no what they are called there, and true and false a boolean", async () => {
    const rows = Array.from({ length: 40 }, (_, i) =>
      [i, "ORD", i % 2 === 0 ? "yes" : "no", i % 4 === 0 ? "true" : "false", i % 2].join(","),
    );
    const path = file("words.csv", ["distance,origin,outcome,is_wet,bit", ...rows].join("\n"));
    const { profile } = await profiled(path);
    const { outcome, is_wet: wet, bit } = profile.columns;
    expect(outcome).toMatchObject({ type: "string", distinct: 2 });
    expect(outcome?.top?.map(({ value }) => value)).toEqual(["no", "yes"]);
    expect(wet).toMatchObject({ type: "boolean", mean: 0.25 });
    expect(bit).toMatchObject({ type: "integer" });
  });

  it("tell the splits and slices apart", async () => {
    const { profile } = await profiled(stored(goodRows(3000)));
    const of = (by: string) => (profile.groups ?? []).filter((group) => group.by === by);
    expect(
      of("split")
        .map(({ value }) => value)
        .toSorted(),
    ).toEqual(["holdout", "training"]);
    for (const by of ["split", "origin"]) {
      expect(of(by).reduce((sum, { rows }) => sum + rows, 0)).toBe(3000);
    }
    expect(of("origin")[0]?.columns["distance"]?.mean).toBeGreaterThan(900);
  });

  it("survive numbers of every size: what a mean cannot hold is kept out of it", async () => {
    const values = [1e308, -1e308, 1, 2, 3, NaN, Infinity, null];
    const { profile } = await profiled(stored(values.map((value) => ({ value }))));
    expect(profile.columns["value"]).toMatchObject({
      missing: 2,
      infinite: 1,
      min: -1e308,
      max: 1e308,
      mean: 2,
    });
  });

  it("keep the thousand most frequent of 100,000 categories and count the others", async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `c${i}`);
    const { profile } = await profiled(file("many.csv", `t\n${lines.join("\n")}\nc7\n`));
    const { distinct, distribution, top } = profile.columns["t"] ?? {};
    expect(distinct).toBe(100_000);
    expect(top?.[0]).toEqual({ value: "c7", count: 2 });
    expect(distribution).toMatchObject({ other: 99_000 });
  });

  it.each([
    ["a Parquet file that was cut off", () => stored(goodRows(10)), /not a readable Parquet/],
    ["nothing", () => file("empty.json", ""), /is empty/],
    ["no such file", () => join(folder, "none.csv"), /cannot read/],
  ] as const)("name the file: %s", async (name, make, message) => {
    const path = make();
    if (name.startsWith("a Parquet"))
      writeFileSync(path, parquetBytes(tableOfObjects(goodRows(10))).slice(0, 200));
    await expect(profiled(path)).rejects.toThrow(message);
  });
});
