/** The images and the template of a training run, together, on the local Vertex AI. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { anomalies, evaluation } from "../../events/artifacts.js";
import { buildImages } from "../../infra/images/build.js";
import { recomputeVerdict } from "../../infra/images/evaluator/assess.js";
import { tableOfObjects } from "../../infra/images/table/read-table.js";
import { parquetBytes } from "../../infra/images/table/write-parquet.js";
import { defaultImages, trainingPipeline } from "../../infra/pipelines/train.js";
import { syntheticRows } from "../fixtures/trainer/synthetic-rows.js";
import {
  startPipelinesWorld,
  statesOf,
  taskOf,
  type PipelinesWorld,
} from "./vertex-pipelines-world.js";

let world: PipelinesWorld;
const folder = mkdtempSync(join(tmpdir(), "continuo-bundles-"));

beforeAll(async () => {
  const paths = await buildImages(folder);
  const images = Object.fromEntries(
    Object.entries(paths).map(([name, path]) => [
      `continuo/${name}`,
      { entrypoint: [process.execPath, path] },
    ]),
  );
  world = await startPipelinesWorld({ images });
});
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

const spec = trainingPipeline({ images: defaultImages });

const config = {
  label: "late",
  positiveClass: "yes",
  timeColumn: "date",
  holdoutDays: 7,
  features: [
    { name: "distance", type: "numeric" },
    { name: "wind", type: "numeric" },
    { name: "carrier", type: "categorical" },
    { name: "airport", type: "categorical" },
  ],
  schema: { columns: { distance: { type: "number", min: 0, max: 5000 } } },
  trainer: { algorithm: "gradient-boosting", parameters: { iterations: 15 }, seed: 1 },
  serving: { machineType: "n1-standard-2", usdPerHour: 0.1095 },
  evaluation: { primaryMetric: "auc", comparison: { mode: "non-inferiority", margin: 0.02 } },
};

/** One month of rows as Parquet. */
const month = (index: number, change: (row: object) => object = (row) => row): Uint8Array => {
  const rows = syntheticRows(3000, 100 + index);
  const step = (28 * 86_400_000) / rows.length;
  const dated = rows.map((row, i) =>
    change({ ...row, date: new Date(Date.UTC(2001, index, 1) + i * step) }),
  );
  return parquetBytes(tableOfObjects(dated.map((row) => Object.fromEntries(Object.entries(row)))));
};

const objectUrl = (name: string): string =>
  `${world.cloud.address}/storage/v1/b/artifacts/o/${encodeURIComponent(name)}?alt=media`;

const upload = async (name: string, body: Uint8Array): Promise<string> => {
  const query = new URLSearchParams({ uploadType: "media", name });
  const response = await fetch(
    `${world.cloud.address}/upload/storage/v1/b/artifacts/o?${query.toString()}`,
    { method: "POST", body: new Blob([new Uint8Array(body)]) },
  );
  expect(response.status).toBe(200);
  return `gs://artifacts/${name}`;
};

const read = async (uri: string): Promise<string> => {
  const response = await fetch(objectUrl(uri.replace("gs://artifacts/", "")));
  expect(response.status).toBe(200);
  return response.text();
};

/** Names of the objects with this prefix. */
const listed = async (prefix: string): Promise<readonly string[]> => {
  const query = new URLSearchParams({ prefix });
  const response = await fetch(
    `${world.cloud.address}/storage/v1/b/artifacts/o?${query.toString()}`,
  );
  const { items } = z
    .object({ items: z.array(z.object({ name: z.string() })).default([]) })
    .parse(await response.json());
  return items.map(({ name }) => name);
};

/** The champion's score of every stored row. */
const championsOf = (scores: string): readonly number[] =>
  scores
    .trim()
    .split("\n")
    .map((line) => z.object({ champion: z.number() }).parse(JSON.parse(line)).champion);

const outputUri = (
  job: Awaited<ReturnType<PipelinesWorld["ended"]>>,
  task: string,
  output: string,
): string => taskOf(job, task).outputs?.[output]?.artifacts?.[0]?.uri ?? "";

describe("a training run on the local Vertex AI", () => {
  it("profiles, trains and evaluates; the next run compares with the champion on fresh rows", async () => {
    const january = await upload("data/2001-01.parquet", month(0));
    const parameters = { dataset_uris: [january], config };
    await world.submit("first", spec, { parameters });
    const first = await world.ended("first");
    expect(String(first.state)).toBe("PIPELINE_STATE_SUCCEEDED");
    const model = outputUri(first, "condition-1.train", "model");
    const report = evaluation.parse(
      JSON.parse(await read(outputUri(first, "condition-1.evaluate", "evaluation"))),
    );
    expect(report.verdict.outcome).toBe("accept");
    expect(report.comparison?.against).toBe("constant");

    const february = await upload("data/2001-02.parquet", month(1));
    const parametersOfSecond = {
      ...parameters,
      dataset_uris: [january, february],
      champion_model_uri: model,
      baseline_profile_uri: outputUri(first, "profile", "profile"),
      champion_scores_uri: "gs://artifacts/champion-scores/",
    };
    await world.submit("second", spec, { parameters: parametersOfSecond });
    const second = await world.ended("second");
    expect(String(second.state)).toBe("PIPELINE_STATE_SUCCEEDED");
    const next = evaluation.parse(
      JSON.parse(await read(outputUri(second, "condition-1.evaluate", "evaluation"))),
    );
    expect(next.comparison?.against).toBe("champion");
    expect(next.rows).toBe(750);
    const { champion: cost } = next.resources;
    expect(cost?.usdPerMillionRows).toBeCloseTo(
      ((cost?.microsecondsPerRow ?? 0) * 0.1095) / 3600,
      12,
    );
    const scores = await read(outputUri(second, "condition-1.evaluate", "scores"));
    expect(recomputeVerdict(scores, next)).toEqual(next.verdict);

    expect(championsOf(scores)).toHaveLength(750);

    // Scores of this champion on these rows are kept: a mark in their place shows that they are read again.
    const [address = "", ...others] = await listed("champion-scores/");
    expect([address, ...others]).toEqual([
      expect.stringMatching(/^champion-scores\/[0-9a-f]{64}-[0-9a-f]{64}\.f64$/),
    ]);
    await upload(address, new Uint8Array(new Float64Array(750).fill(0.25).buffer));
    await world.submit("third", spec, {
      parameters: {
        ...parametersOfSecond,
        config: { ...config, trainer: { ...config.trainer, parameters: { iterations: 11 } } },
      },
    });
    // Another positive class is another question than the champion was trained for.
    await world.submit("turned", spec, {
      parameters: { ...parametersOfSecond, config: { ...config, positiveClass: "no" } },
    });
    const [third, turned] = [await world.ended("third"), await world.ended("turned")];
    expect(String(third.state)).toBe("PIPELINE_STATE_SUCCEEDED");
    const again = championsOf(await read(outputUri(third, "condition-1.evaluate", "scores")));
    expect(again).toEqual(Array.from({ length: 750 }, () => 0.25));
    expect(String(turned.state)).toBe("PIPELINE_STATE_FAILED");
    expect(taskOf(turned, "condition-1.evaluate").error?.message).toMatch(
      /the champion predicts whether late is "yes", and the manifest asks whether late is "no"/,
    );
  });

  it("stops a broken column at the data gate, before any training", async () => {
    const broken = month(2, (row) => ({ ...row, distance: -1 }));
    const uri = await upload("data/broken.parquet", broken);
    await world.submit("broken", spec, { parameters: { dataset_uris: [uri], config } });
    const job = await world.ended("broken");
    expect(String(job.state)).toBe("PIPELINE_STATE_SUCCEEDED");
    const gate = anomalies.parse(JSON.parse(await read(outputUri(job, "profile", "anomalies"))));
    expect(gate.verdict).toBe("stop");
    expect(gate.anomalies[0]?.message).toMatch(/distance must lie in \[0, 5000\]: 3000 of 3000/);
    expect(statesOf(job)["condition-1"]).toBe("NOT_TRIGGERED");
    expect(Object.values(statesOf(job)).filter((state) => state === "SUCCEEDED")).toHaveLength(1);
  });

  it.each([
    ["truncated", month(3).slice(0, 5000), /not a readable Parquet/],
    ["missing", undefined, /cannot read gs:\/\/artifacts\/data\/missing\.parquet/],
  ] as const)("fails clearly when the file is %s", async (name, bytes, message) => {
    const uri = `gs://artifacts/data/${name}.parquet`;
    if (bytes !== undefined) await upload(`data/${name}.parquet`, bytes);
    await world.submit(name, spec, { parameters: { dataset_uris: [uri], config } });
    const job = await world.ended(name);
    expect(String(job.state)).toBe("PIPELINE_STATE_FAILED");
    expect(taskOf(job, "profile").error?.message).toMatch(message);
  });
});
