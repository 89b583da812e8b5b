/** Speeds: histograms over a large Parquet file beside DuckDB alone, and the evaluator on a million rows. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { evaluationSettings } from "../../infra/images/configuration.js";
import { assess } from "../../infra/images/evaluator/assess.js";
import { histogramsSql } from "../../infra/images/profiler/cells.js";
import { withSource } from "../../infra/images/profiler/duckdb.js";
import { cellCounts } from "../../infra/images/profiler/profile.js";
import { duckdbDialect, tidySource } from "../../infra/images/profiler/sql.js";
import { jensenShannonDivergence } from "../../shared/statistics/divergence.js";
import { normalDraw, seededRandom } from "../../shared/statistics/random.js";

const rows = 10_000_000;
const columns = 8;
const rounds = 5;

const seconds = (values: readonly number[]): string => {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, high = 0] = [sorted[0], sorted.at(-1)];
  return `${(sorted[sorted.length >> 1] ?? 0).toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
};

/** Seconds that a step takes. */
async function timed(step: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await step();
  return (performance.now() - started) / 1000;
}

const anyRow = z.record(z.string(), z.unknown());

async function histograms(): Promise<readonly (readonly string[])[]> {
  const folder = await mkdtemp(join(tmpdir(), "bench-statistics-"));
  const path = join(folder, "rows.parquet");
  try {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const made = Array.from(
      { length: columns },
      (_, i) => `(random() + random()) * ${i + 1} AS c${i}`,
    );
    await connection.run(
      `COPY (SELECT ${made.join(", ")} FROM range(${rows})) TO '${path}' (FORMAT parquet)`,
    );
    connection.closeSync();
    return await withSource(path, async (source) => {
      const from = tidySource(duckdbDialect, source.relation, source.columns);
      const asked = source.columns.map((_, index) => ({
        index,
        edges: Array.from({ length: 19 }, (__, i) => ((i + 1) * (index + 1)) / 10),
      }));
      const reference = asked.map(({ edges }) => [...edges, 1].map((_, i) => 1 + i));
      const plain = `SELECT ${asked
        .map(
          ({ index, edges }) =>
            `histogram(c${index}, [${edges.map((edge) => `${edge}e0`).join(", ")}])`,
        )
        .join(", ")} FROM ${source.relation}`;
      const grouped = asked
        .map(
          ({ index }) =>
            `SELECT ${index} AS col, CAST(FLOOR(c${index} * ${10 / (index + 1)}) AS INTEGER) AS cell, COUNT(*) AS n FROM ${source.relation} GROUP BY 2`,
        )
        .join(" UNION ALL ");
      const times: { ours: number[]; plain: number[]; grouped: number[] } = {
        ours: [],
        plain: [],
        grouped: [],
      };
      // In turns, so that a disturbance hits all alike; the first round only warms the file's pages.
      for (let round = 0; round <= rounds; round += 1) {
        const found = {
          plain: await timed(() => source.query(plain, anyRow)),
          ours: await timed(async () => {
            const counts = await cellCounts(source, from, asked);
            return counts.map((cells, i) => jensenShannonDivergence(reference[i] ?? [], cells));
          }),
          grouped: await timed(() => source.query(grouped, anyRow)),
        };
        if (round === 0) continue;
        times.ours.push(found.ours);
        times.plain.push(found.plain);
        times.grouped.push(found.grouped);
      }
      const ratios = times.ours.map((time, i) => time / (times.plain[i] ?? NaN));
      console.log(`histograms: ${histogramsSql(from, asked).length} characters of SQL`);
      return [
        ["10 M rows x 8 histograms and JSD from Parquet, ours", seconds(times.ours), ""],
        ["DuckDB's histogram() over the same edges alone", seconds(times.plain), ""],
        ["ours / DuckDB's histogram(), round by round", seconds(ratios), "at most 1.1"],
        ["DuckDB, GROUP BY equal widths (another histogram)", seconds(times.grouped), ""],
      ];
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function evaluator(): Promise<readonly string[]> {
  const random = seededRandom(1);
  const size = 1_000_000;
  const labels = Uint8Array.from({ length: size }, () => (random() < 0.2 ? 1 : 0));
  const noise = Float64Array.from(labels, () => normalDraw(random));
  const scores = (signal: number): Float64Array =>
    Float64Array.from(
      labels,
      (label, i) =>
        1 / (1 + Math.exp(1 - signal * label - (noise[i] ?? 0) - 0.3 * normalDraw(random))),
    );
  const scored = {
    task: "binary-classification" as const,
    classes: [],
    labels,
    challenger: scores(1.1),
    champion: scores(1),
    slices: new Map([["airport", Array.from(labels, (_, i) => `airport ${(i * 7919) % 50}`)]]),
  };
  const settings = evaluationSettings.parse({ slices: [{ column: "airport" }] });
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    times.push(
      await timed(() =>
        Promise.resolve(
          assess(scored, { settings, constantScore: 0.2, models: { challenger: "b" } }),
        ),
      ),
    );
  }
  return ["evaluator: 1 M rows, 50 slices, scores' digest included", seconds(times), "under 10"];
}

/** Rows of a table: what, median seconds (least and most), goal. */
export const measureSpeeds = async (): Promise<readonly (readonly string[])[]> => [
  ...(await histograms()),
  await evaluator(),
];
