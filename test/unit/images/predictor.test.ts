import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { configurationSchema } from "../../../infra/images/configuration.js";
import { faultInjector } from "../../../infra/images/faulty-predictor/faults.js";
import { loadModel } from "../../../infra/images/model/load.js";
import { scoreTable } from "../../../infra/images/model/score.js";
import { predictWith, type Predict } from "../../../infra/images/predictor/predict.js";
import { predictionServer, type BeforePredict } from "../../../infra/images/predictor/server.js";
import { tableOfObjects } from "../../../infra/images/table/read-table.js";
import { trainModel } from "../../../infra/images/trainer/train.js";
import { syntheticRows } from "../../fixtures/trainer/synthetic-rows.js";

const rows = syntheticRows(1000, 1).map((row) => ({ ...row }));
const table = tableOfObjects(rows);
const model = trainModel(
  table,
  configurationSchema.parse({
    label: "late",
    positiveClass: "yes",
    features: [
      { name: "distance", type: "numeric" },
      { name: "wind", type: "numeric" },
      { name: "carrier", type: "categorical" },
    ],
    trainer: { algorithm: "gradient-boosting", parameters: { iterations: 10 } },
  }),
  { datasets: ["synthetic"], before: undefined },
);
const predict = predictWith(model);
const instance = { distance: 500, wind: 0.3, carrier: "C1" };

describe("predictions", () => {
  it("of instances equal the scores of the same rows in a file, and sum to 1", () => {
    const scores = scoreTable(model, table);
    const predictions = predict({ instances: rows });
    expect(predictions.map(({ scores: [, positive] }) => positive)).toEqual([...scores]);
    expect(predictions[0]?.classes).toEqual(["no", "yes"]);
    expect(predictions.every(({ scores: [a, b] }) => Math.abs(a + b - 1) < 1e-12)).toBe(true);
  });

  it("take null for missing, unknown categories and features beyond the model's", () => {
    const instances = [
      { ...instance, wind: null },
      { ...instance, carrier: "ZZ" },
      { ...instance, __proto__: { x: 1 }, more: { a: [1] } },
    ];
    expect(predict({ instances })).toHaveLength(3);
  });

  it.each([
    [{ instances: [{ distance: 1 }] }, /instances\[0\] lacks wind, carrier/],
    [
      { instances: [instance, { ...instance, distance: "far" }] },
      /instances\[1\]\.distance must be a number/,
    ],
    [{ instances: [{ ...instance, carrier: ["C1"] }] }, /carrier must be text/],
    [{ instances: [] }, /instances/],
    [{ instances: [5] }, /instances\.0/],
    [{}, /instances/],
    [null, /the body must be/],
  ])("refuse %j", (body, message) => {
    expect(() => predict(body)).toThrow(message);
  });
});

/** Runs a test against a listening server on a free port of the loopback. */
async function withServer(
  options: { readonly predict: () => Predict | undefined; readonly before?: BeforePredict },
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = predictionServer({ healthRoute: "/health", predictRoute: "/predict", ...options });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve());
  });
  try {
    const { port } = server.address() as AddressInfo;
    await use(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const post = (url: string, body: string): Promise<Response> => fetch(url, { method: "POST", body });

describe("the prediction server", () => {
  it("answers 503 until its model is loaded", async () => {
    let ready: Predict | undefined;
    await withServer({ predict: () => ready }, async (url) => {
      expect((await fetch(`${url}/health`)).status).toBe(503);
      expect((await post(`${url}/predict`, "{}")).status).toBe(503);
      ready = predict;
      expect((await fetch(`${url}/health`)).status).toBe(200);
      const response = await post(`${url}/predict`, JSON.stringify({ instances: [instance] }));
      const { predictions } = z
        .object({ predictions: z.array(z.unknown()) })
        .parse(await response.json());
      expect([response.status, predictions.length]).toEqual([200, 1]);
    });
  });

  it("says what is wrong with a bad body, and serves on", async () => {
    await withServer({ predict: () => predict }, async (url) => {
      const bad = await post(`${url}/predict`, "{");
      expect([bad.status, await bad.text()]).toEqual([400, expect.stringContaining("not JSON")]);
      const huge = await post(`${url}/predict`, " ".repeat(16_000_000));
      expect(huge.status).toBe(413);
      expect((await fetch(`${url}/other`)).status).toBe(404);
      const good = await post(`${url}/predict`, JSON.stringify({ instances: [instance] }));
      expect(good.status).toBe(200);
    });
  });

  it("injects faults only after the first requests", async () => {
    const before = faultInjector({
      afterRequests: 3,
      abovePerSecond: 0,
      delayMs: 0,
      errorRate: 1,
      leakBytes: 0,
      leakBytesMax: 0,
      usual: { delayMs: 0, errorRate: 0 },
      seed: 1,
    });
    await withServer({ predict: () => predict, before }, async (url) => {
      const statuses: number[] = [];
      for (let i = 0; i < 5; i += 1) {
        const response = await post(`${url}/predict`, JSON.stringify({ instances: [instance] }));
        statuses.push(response.status);
      }
      expect(statuses).toEqual([200, 200, 200, 500, 500]);
    });
  });
});

describe("loading a model", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "continuo-model-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it("reads back what was written", async () => {
    await writeFile(join(folder, "model.json"), JSON.stringify(model));
    expect(await loadModel(folder)).toEqual(model);
  });

  const predictor = model.predictor;
  const trees = predictor.algorithm === "gradient-boosting" ? predictor.trees : [];
  it.each([
    ["no JSON", "{bad", /is not JSON/],
    ["another format", JSON.stringify({ ...model, format: "pickle" }), /format/],
    [
      "a tree that loops",
      JSON.stringify({
        ...model,
        predictor: {
          ...predictor,
          trees: trees.map((tree) => ({ ...tree, left: tree.left.map(() => 0) })),
        },
      }),
      /not a usable model/,
    ],
  ])("refuses %s, naming the file", async (_name, text, message) => {
    const file = join(folder, "broken.json");
    await writeFile(file, text);
    await expect(loadModel(file)).rejects.toThrow(message);
    await expect(loadModel(file)).rejects.toThrow("broken.json");
  });

  it("says which file is missing", async () => {
    await expect(loadModel(join(folder, "none"))).rejects.toThrow(
      /cannot read .*none\/model\.json/,
    );
  });
});
