import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { profile as profileSchema, type Profile } from "../../../events/artifacts.js";
import { withSource } from "../../../infra/images/profiler/duckdb.js";
import { mergeProfiles } from "../../../infra/images/profiler/merge.js";
import { profileSource } from "../../../infra/images/profiler/profile.js";
import { tableOfObjects } from "../../../infra/images/table/read-table.js";
import { parquetBytes } from "../../../infra/images/table/write-parquet.js";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";

type Row = Readonly<Record<string, unknown>>;

const folder = mkdtempSync(join(tmpdir(), "profiler-merge-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let files = 0;
const profiled = (rows: readonly Row[]): Promise<Profile> => {
  const path = join(folder, `${(files += 1)}.parquet`);
  writeFileSync(path, parquetBytes(tableOfObjects(rows)));
  return withSource(path, async (source) => {
    const { profile } = await profileSource(source, path, { sliceColumns: ["shop"] });
    return profile;
  });
};

const random = seededRandom(11);
/** Parts that differ from each other: later rows are dearer and sold elsewhere. */
const rows = Array.from({ length: 3000 }, (_, i): Row => ({
  price: i % 50 === 0 ? null : 100 + i / 100 + 20 * normalDraw(random),
  stars: 1 + Math.floor(5 * random()),
  shop: ["north", "south", i < 1500 ? "west" : "east"][i % 3],
  ...(i < 1000 ? {} : { coupon: random() < 0.5 ? "yes" : "no" }),
}));

describe("profiles of parts", () => {
  let parts: readonly Profile[] = [];
  let whole: Profile;
  let merged: Profile;
  beforeAll(async () => {
    whole = await profiled(rows);
    parts = await Promise.all([
      profiled(rows.slice(0, 700)),
      profiled(rows.slice(700, 1900)),
      profiled(rows.slice(1900)),
    ]);
    merged = parts.reduce(mergeProfiles);
  });

  it("together count what the whole counts", () => {
    expect(profileSchema.parse(JSON.parse(JSON.stringify(merged)))).toEqual(merged);
    expect(merged.rows).toBe(3000);
    expect(Object.keys(merged.columns)).toEqual(Object.keys(whole.columns));
    const exactly = ({ columns }: Profile) =>
      Object.entries(columns).map(([name, column]) => [
        name,
        [column.type, column.missing, column.missingShare, column.min, column.max],
        [column.mean, column.standardDeviation].map((value) => value?.toPrecision(12)),
        column.type === "string" && [column.distribution, column.distinct, column.top],
      ]);
    expect(exactly(merged)).toEqual(exactly(whole));
    const groups = (profile: Profile) =>
      profile.groups
        ?.map(({ value, rows: count, columns }) => [value, count, columns["price"]?.missing])
        .toSorted();
    expect(groups(merged)).toEqual(groups(whole));
    expect(merged.inferredSchema?.["shop"]).toEqual(whole.inferredSchema?.["shop"]);
  });

  it("keep few values apart exactly, and many within the mass of a cell", () => {
    expect(merged.columns["stars"]?.distribution).toEqual(whole.columns["stars"]?.distribution);
    const prices = rows
      .flatMap(({ price }) => (typeof price === "number" ? [price] : []))
      .toSorted((a, b) => a - b);
    const { quantiles = {}, distribution } = merged.columns["price"] ?? {};
    for (const [probability, value] of Object.entries(quantiles)) {
      const rank = prices.filter((price) => price < value).length / prices.length;
      // A part's cell holds a twentieth of its values.
      expect(Math.abs(rank - Number(probability))).toBeLessThan(0.05);
    }
    if (distribution?.type !== "numeric") throw new Error("prices are numbers");
    expect(distribution.counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(2940, 6);
    expect(distribution.missing).toBe(60);
  });

  it("are the same in any order", () => {
    const turned = parts.toReversed().reduce(mergeProfiles);
    const told = ({ columns }: Profile) =>
      Object.fromEntries(
        Object.entries(columns).map(([name, { missing, min, max, mean, distribution }]) => [
          name,
          [
            missing,
            min,
            max,
            mean?.toPrecision(12),
            distribution.type === "categorical" && distribution,
          ],
        ]),
      );
    expect(told(turned)).toEqual(told(merged));
  });

  it("stay small however many there are, and an empty one changes nothing", async () => {
    const many = await Promise.all(
      Array.from({ length: 12 }, (_, i) => profiled(rows.slice(250 * i, 250 * (i + 1)))),
    );
    const all = many.reduce(mergeProfiles);
    const { distribution } = all.columns["price"] ?? {};
    if (distribution?.type !== "numeric") throw new Error("prices are numbers");
    expect(distribution.edges.length).toBeLessThanOrEqual(200);
    expect(distribution.counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(2940, 6);
    const nothing: Profile = { formatVersion: 1, dataset: "none", rows: 0, columns: {} };
    expect(mergeProfiles(merged, nothing).columns).toEqual(merged.columns);
  });

  it("that hold text here and numbers there are an error that names the column", async () => {
    const text = await profiled(rows.slice(0, 10).map((row) => ({ ...row, price: "dear" })));
    const [first] = parts;
    if (first === undefined) throw new Error("no part");
    expect(() => mergeProfiles(first, text)).toThrow(
      /column price holds number values in one part/,
    );
  });
});
