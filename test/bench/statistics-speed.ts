/** Speeds: histograms over a large Parquet file beside DuckDB alone, an analysis tick, and the evaluator on a million rows. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { deployedModelId } from "../../events/ids.js";
import { evaluationSettings } from "../../infra/images/configuration.js";
import { assess } from "../../infra/images/evaluator/assess.js";
import { histogramsSql } from "../../infra/images/profiler/cells.js";
import { withSource } from "../../infra/images/profiler/duckdb.js";
import { cellCounts } from "../../infra/images/profiler/profile.js";
import { duckdbDialect, tidySource } from "../../infra/images/profiler/sql.js";
import { jensenShannonDivergence } from "../../shared/statistics/divergence.js";
import {
  binomialDraw,
  multinomialDraw,
  normalDraw,
  seededRandom,
  type Random,
} from "../../shared/statistics/random.js";
import { assess as assessLook } from "../../shared/domain/analysis.js";
import { segmentFrom, type MetricCounts } from "../../shared/domain/segment.js";
import type { ArmCounts } from "../../shared/domain/state.js";
import { defaultPolicy } from "./canaries.js";

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

const sliceCount = 50;

/** What the image has to do beside reading and scoring: judge scores that are there. */
async function judging(): Promise<readonly string[]> {
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
  const airports = Array.from(labels, (_, i) => `airport ${(i * 7919) % sliceCount}`);
  const scored = {
    task: "binary-classification" as const,
    classes: [],
    labels,
    challenger: scores(1.1),
    champion: scores(1),
    slices: new Map([["airport", airports]]),
  };
  const settings = evaluationSettings.parse({ slices: [{ column: "airport" }] });
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const step = () =>
      assess(scored, { settings, constantScore: 0.2, models: { challenger: "b" } });
    times.push(await timed(() => Promise.resolve(step())));
  }
  return [
    "judging 1 M scored rows with 50 slices, with the scores' digest",
    seconds(times),
    "under 10",
  ];
}

const run = promisify(execFile);
const image = (name: string): readonly string[] => [
  "--import",
  "tsx",
  new URL(`../../infra/images/${name}/main.ts`, import.meta.url).pathname,
];

/** The whole image: reads Parquet, scores two versions of 100 trees, judges, writes scores and report. */
async function evaluator(): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "bench-statistics-"));
  const at = (name: string): string => join(folder, name);
  try {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const numbers = Array.from({ length: columns }, (_, i) => `random() * ${i + 1} AS x${i}`);
    const make = (size: number, name: string) =>
      connection.run(
        `COPY (SELECT *, CASE WHEN random() < 1 / (1 + exp(1.4 - x0 - x1)) THEN 'late' ELSE 'on time' END AS outcome FROM (SELECT ${numbers.join(", ")}, 'airport ' || CAST(FLOOR(random() * ${sliceCount}) AS INTEGER) AS airport, TIMESTAMP '2026-01-01' + INTERVAL (CAST(random() * 2500000 AS INTEGER)) SECOND AS departed FROM range(${size}))) TO '${at(name)}' (FORMAT parquet)`,
      );
    await make(40_000, "training.parquet");
    await make(1_000_000, "rows.parquet");
    connection.closeSync();
    const config = JSON.stringify({
      label: "outcome",
      positiveClass: "late",
      timeColumn: "departed",
      features: [
        ...numbers.map((_, i) => ({ name: `x${i}`, type: "numeric" })),
        { name: "airport", type: "categorical" },
      ],
      evaluation: { slices: [{ column: "airport" }] },
      trainer: {},
    });
    const datasets = JSON.stringify([at("training.parquet")]);
    const trained = [
      "--datasets",
      datasets,
      "--config",
      config,
      "--holdout",
      at("holdout.parquet"),
    ];
    await run(process.execPath, [...image("trainer"), ...trained, "--model", at("champion")]);
    await run(process.execPath, [...image("trainer"), ...trained, "--model", at("challenger")]);
    const out = ["evaluation", "scores", "verdict"].flatMap((name) => [`--${name}`, at(name)]);
    const models = ["--model", at("challenger"), "--champion", at("champion")];
    const times: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const step = () =>
        run(process.execPath, [
          ...image("evaluator"),
          ...models,
          "--rows",
          at("rows.parquet"),
          "--config",
          config,
          ...out,
        ]);
      times.push(await timed(step));
    }
    return [
      "the evaluator image: 1 M rows x 9 from Parquet, two versions of 100 trees scored, 50 slices",
      seconds(times),
      "under 10",
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const rollouts = 1000;
const [championModel, challengerModel] = [deployedModelId.parse("1"), deployedModelId.parse("2")];

/** An hour of per-minute counts, latencies in 66 buckets, memory and processor of both versions. */
function hourOfCounts(random: Random): MetricCounts {
  const bounds = Array.from({ length: 65 }, (_, i) => 2 ** (i / 4));
  const weights = [...bounds, Infinity].map((_, i) => Math.exp(-(((i - 24) / 4) ** 2) / 2));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => weight / all);
  const arm = (requests: number): ArmCounts => ({
    requests,
    errors: binomialDraw(random, requests, 0.01),
    latencies: Array.from(multinomialDraw(random, requests, shares)),
  });
  const windows = Array.from({ length: 60 }, () => ({ champion: arm(900), challenger: arm(100) }));
  const sum = (arms: readonly ArmCounts[]): ArmCounts => ({
    requests: arms.reduce((total, { requests }) => total + requests, 0),
    errors: arms.reduce((total, { errors }) => total + errors, 0),
    latencies: weights.map((_, i) =>
      arms.reduce((total, { latencies }) => total + (latencies[i] ?? 0), 0),
    ),
  });
  const usage = () =>
    windows.map((_, i) => ({
      atMs: 60_000 * i,
      memoryBytes: 1e8 * (1 + random() / 100),
      cpu: 0.3 + random() / 10,
    }));
  return {
    endMs: 3_600_000,
    bounds,
    windows: windows.map(({ champion, challenger }) => ({
      [championModel]: champion,
      [challengerModel]: challenger,
    })),
    arms: {
      [championModel]: sum(windows.map(({ champion }) => champion)),
      [challengerModel]: sum(windows.map(({ challenger }) => challenger)),
    },
    usage: { [championModel]: usage(), [challengerModel]: usage() },
  };
}

/** One tick's analysis of many rollouts, from counts to verdict; processor time, because it shares a function. */
function tick(): readonly string[] {
  const random = seededRandom(2);
  const hours = Array.from({ length: rollouts }, () => hourOfCounts(random));
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const before = process.cpuUsage();
    for (const counts of hours) {
      const pair = { champion: championModel, challenger: challengerModel };
      const current = segmentFrom(counts, {
        ...pair,
        weight: 10,
        sinceMs: 0,
        latencyRatioMax: defaultPolicy.latencyRatioMax,
        cpuRatioMax: defaultPolicy.cpuRatioMax,
      });
      assessLook({
        earlier: [],
        current,
        stepStartedAtMs: 0,
        bakeMs: 600_000,
        policy: defaultPolicy,
      });
    }
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1e6);
  }
  return [
    "one analysis tick: 1,000 rollouts, an hour of per-minute series each (processor time)",
    seconds(times),
    "under 1",
  ];
}

/** Rows of a table: what, median seconds (least and most), goal. */
export const measureSpeeds = async (): Promise<readonly (readonly string[])[]> => [
  ...(await histograms()),
  tick(),
  await judging(),
  await evaluator(),
];
