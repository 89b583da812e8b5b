import { describe, expect, it } from "vitest";
import {
  anomalies as anomaliesSchema,
  profile as profileSchema,
} from "../../../events/artifacts.js";
import { configurationSchema } from "../../../infra/images/configuration.js";
import { findAnomalies } from "../../../infra/images/profiler/anomalies.js";
import { profileTable } from "../../../infra/images/profiler/profile.js";
import { buildColumn } from "../../../infra/images/table/column-builder.js";
import { tableOfObjects } from "../../../infra/images/table/read-table.js";
import type { Table } from "../../../infra/images/table/table.js";
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

const gate = (table: Table, previous?: Table) => {
  const before = previous === undefined ? undefined : profileTable(previous, "before");
  const found = findAnomalies(table, profileTable(table, "now"), configuration, before);
  expect(anomaliesSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
  return found;
};

const changed = (change: (row: Row, index: number) => Row): Table =>
  tableOfObjects(goodRows().map(change));

describe("the data gate", () => {
  it("lets good data pass, with the previous version's profile or without", () => {
    const table = tableOfObjects(goodRows());
    expect(gate(table).verdict).toBe("go");
    expect(gate(table, tableOfObjects(goodRows(800, 2))).verdict).toBe("go");
  });

  it.each([
    [
      "a missing column",
      tableOfObjects(goodRows().map(({ date, origin, outcome }) => ({ date, origin, outcome }))),
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
      /3 values .*"XXX"/,
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
    ["no rows", tableOfObjects([]), "no-rows", /no rows/],
  ] as const)("stops %s with its numbers", (_name, table, kind, message) => {
    const { verdict, anomalies } = gate(table);
    expect(verdict).toBe("stop");
    expect(anomalies.find((anomaly) => anomaly.kind === kind)?.message).toMatch(message);
  });

  it("tells of an empty table that it is empty, and nothing about its columns", () => {
    const names = [...tableOfObjects(goodRows(1, 1)).columns.keys()];
    const empty = { rows: 0, columns: new Map(names.map((name) => [name, buildColumn([])])) };
    expect(gate(empty).anomalies.map(({ kind }) => kind)).toEqual(["no-rows"]);
  });

  it("asks when a column has moved, with threshold and null quantile", () => {
    const moved = changed((row) => ({ ...row, distance: Number(row["distance"]) + 300 }));
    const { verdict, anomalies } = gate(moved, tableOfObjects(goodRows(1000, 2)));
    expect(verdict).toBe("ask");
    expect(anomalies[0]?.message).toMatch(
      /jensen-shannon-divergence 0\.\d+ bits, above the threshold 0\.1/,
    );
  });

  it("does not ask about a small sample that merely looks different", () => {
    const few = tableOfObjects(goodRows(12, 4));
    expect(gate(few, tableOfObjects(goodRows(12, 5))).verdict).not.toBe("stop");
    expect(gate(few, tableOfObjects(goodRows(12, 5))).anomalies).toEqual([]);
  });
});

describe("profiles", () => {
  it("hold what the columns hold", () => {
    const table = tableOfObjects([
      { n: 1, t: "a", b: true, d: "2001-01-01", m: null },
      { n: 2, t: "b", b: false, d: "2001-01-02", m: null },
      { n: 4, t: "b", b: true, d: "2001-01-03T12:00:00Z", m: null },
      { n: null, t: null, b: true, d: "2001-01-04", m: null },
    ]);
    const profile = profileSchema.parse(JSON.parse(JSON.stringify(profileTable(table, "x"))));
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
    expect(profile.columns["d"]?.type).toBe("timestamp");
    expect(profile.columns["m"]?.missingShare).toBe(1);
  });
});
