import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { championScores } from "../../../infra/images/evaluator/champion-scores.js";

const folder = mkdtempSync(join(tmpdir(), "champion-scores-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it("a champion's scores are kept by its model and the rows, and what is broken is scored anew", async () => {
  const [champion, rows, kept] = ["model.json", "rows.parquet", "kept"].map((name) =>
    join(folder, name),
  );
  if (champion === undefined || rows === undefined || kept === undefined) throw new Error("none");
  writeFileSync(champion, "a model");
  writeFileSync(rows, "rows");
  const address = { folder: kept, champion, rows };
  const ask = async (value: number, of = address) => {
    const { scores, isKept } = await championScores(of, 2, () => Float64Array.of(0, value));
    return [...scores, isKept];
  };
  expect(await ask(0.1)).toEqual([0, 0.1, false]);
  expect(await ask(0.2)).toEqual([0, 0.1, true]);
  // Another address of the same content has the same scores.
  const copy = join(folder, "copy.parquet");
  writeFileSync(copy, "rows");
  expect(await ask(0.3, { ...address, rows: copy })).toEqual([0, 0.1, true]);
  writeFileSync(copy, "other rows");
  expect(await ask(0.4, { ...address, rows: copy })).toEqual([0, 0.4, false]);
  writeFileSync(champion, "another model");
  expect(await ask(0.5)).toEqual([0, 0.5, false]);
  expect(readdirSync(kept)).toHaveLength(3);

  for (const name of readdirSync(kept)) writeFileSync(join(kept, name), "half");
  expect(await ask(0.6)).toEqual([0, 0.6, false]);
  expect(await ask(0.7)).toEqual([0, 0.6, true]);
  expect(await ask(0.8, { ...address, folder: "" })).toEqual([0, 0.8, false]);
  // A place that cannot be written to costs the next run its time, and this one nothing.
  expect(await ask(0.9, { ...address, folder: join(rows, "no folder") })).toEqual([0, 0.9, false]);
});
