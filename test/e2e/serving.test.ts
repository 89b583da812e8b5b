/** What is served decides, and nothing else: artifacts, containers and the points that Monitoring shows. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  instanceAt,
  isUp,
  newFolder,
  outside,
  play,
  printed,
  removeFolder,
  sendRequests,
  tickEverySecond,
  until,
  uploadVersion,
  type Outside,
  type Playing,
  type Rollout,
} from "./instance.js";

const folder = newFolder();
afterAll(() => removeFolder(folder));

/** Both containers are told the same; only the faulty one listens. */
const env = { FAULT_AFTER_REQUESTS: "45", FAULT_DELAY_MS: "80", FAULT_ERROR_RATE: "0.3" };

const artifactOf = async (seen: Outside, model: string): Promise<string> => {
  const run = (await seen.runs(model)).find(({ outcome }) => outcome === "registered");
  if (run === undefined || run.evaluation === null) throw new Error(`${model} has no version yet`);
  return run.evaluation.artifact;
};

/** Applies a manifest of the demo, changed. */
const apply = async (
  { continuo }: Outside,
  model: string,
  change: (manifest: string) => string,
): Promise<void> => {
  const yaml = fileURLToPath(new URL(`../../infra/demo/${model}.yaml`, import.meta.url));
  const file = join(folder, `${model}.yaml`);
  writeFileSync(file, change(readFileSync(yaml, "utf8")));
  const { code, err } = await continuo("apply", "-f", file);
  if (code !== 0) throw new Error(err);
};

/** Few and clear looks: one at 20 % and one at 100 %, each at no less than 100 requests. */
const shortSteps = (manifest: string): string =>
  manifest
    .replace(/^ {2}steps: .*\n/m, "")
    .replace("rollout:\n", "rollout:\n  steps: [20, 100]\n")
    .replace(/requestsMin: \d+/, "requestsMin: 100");

const endOfRollout = (seen: Outside, model: string, versionId: string): Promise<Rollout> =>
  until(`the end of the rollout of version ${versionId} of ${model}`, 90, async () => {
    const rollouts = await seen.rollouts(model);
    return rollouts.find((one) => one.versionId === versionId && !one.isLive) ?? null;
  });

const predictions = z.object({
  predictions: z.array(z.object({ classes: z.array(z.string()), scores: z.array(z.number()) })),
});

const latenessOf = (body: unknown): readonly number[] =>
  predictions
    .parse(body)
    .predictions.map(({ classes, scores }) => scores[classes.indexOf("late")] ?? Number.NaN);

describe("two models that serve", () => {
  const started: { demo?: Playing; seen?: Outside; stops: (() => Promise<void> | void)[] } = {
    stops: [],
  };

  beforeAll(async () => {
    started.demo = play(folder, "demo", "--fresh", "--acts", "1", "--sample", "0.02");
    await printed(started.demo, "everything stays up", 120);
    const seen = outside(started.demo);
    started.seen = seen;
    started.stops.push(tickEverySecond(seen).stop);
    await until("the second model's champion", 60, async () => {
      const [rollout] = await seen.rollouts("flights-january");
      return rollout?.outcome === "promoted" ? true : null;
    });
  });
  afterAll(async () => {
    for (const stop of started.stops) await stop();
    await started.demo?.stop();
  });

  const world = (): Outside => {
    if (started.seen === undefined) throw new Error("nothing is up");
    return started.seen;
  };

  it("predict the opposite from an artifact whose trees are turned round", async () => {
    const seen = world();
    const { bucket, parent } = seen;
    const artifact = await artifactOf(seen, "flights-late");
    const tree = z.looseObject({ value: z.array(z.number()) });
    const model = z
      .looseObject({ predictor: z.looseObject({ baseline: z.number(), trees: z.array(tree) }) })
      .parse(
        JSON.parse(
          String(await seen.getObject(`${artifact.replace(`gs://${bucket}/`, "")}/model.json`)),
        ),
      );
    const { predictor } = model;
    const turned = {
      ...model,
      predictor: {
        ...predictor,
        baseline: -predictor.baseline,
        trees: predictor.trees.map((one) => ({ ...one, value: one.value.map((value) => -value) })),
      },
    };
    await seen.putObject("turned/model.json", Buffer.from(JSON.stringify(turned)));
    const versionId = await uploadVersion(seen, {
      env,
      model: "turned-round",
      artifactUri: `gs://${bucket}/turned`,
      image: "continuo/predictor",
      aliases: [],
      isFirst: true,
    });
    const endpoints = seen.endpoints();
    const [creation] = await endpoints.createEndpoint({
      parent,
      endpointId: "turned-round",
      endpoint: { displayName: "turned-round" },
    });
    await creation.promise();
    const [deployment] = await endpoints.deployModel({
      endpoint: `${parent}/endpoints/turned-round`,
      deployedModel: {
        model: `${parent}/models/turned-round@${versionId}`,
        dedicatedResources: {
          machineSpec: { machineType: "n1-standard-2" },
          minReplicaCount: 1,
          maxReplicaCount: 1,
        },
      },
      trafficSplit: { "0": 100 },
    });
    await deployment.promise();
    await endpoints.close();

    const instances = Array.from({ length: 50 }, (_, index) => instanceAt(index));
    const before = latenessOf(await seen.predict("flights-production", instances));
    const after = latenessOf(await seen.predict("turned-round", instances));
    expect(new Set(before.map((score) => score.toFixed(3))).size).toBeGreaterThan(20);
    expect(after).toHaveLength(before.length);
    for (const [index, score] of before.entries()) {
      expect(after[index]).toBeCloseTo(1 - score, 9);
    }
  });

  /** Rolls out one version of each model at once, both from their champion's artifact. */
  const roll = async (images: {
    readonly late: string;
    readonly january: string;
  }): Promise<{ readonly late: Rollout; readonly january: Rollout }> => {
    const seen = world();
    const rolled = async (model: string, image: string): Promise<Rollout> => {
      const artifactUri = await artifactOf(seen, model);
      const versionId = await uploadVersion(seen, {
        env,
        model,
        artifactUri,
        image,
        aliases: ["challenger"],
      });
      return endOfRollout(seen, model, versionId);
    };
    const [late, january] = await Promise.all([
      rolled("flights-late", images.late),
      rolled("flights-january", images.january),
    ]);
    return { late, january };
  };

  const outcomes = ({ late, january }: { late: Rollout; january: Rollout }) => ({
    late: late.outcome,
    january: january.outcome,
  });

  const failed = ({ history }: Rollout): readonly string[] =>
    history.flatMap(({ verdict }) => (verdict.result === "failed" ? verdict.reasons : []));

  it("promote one artifact in the good container and roll it back in the faulty one", async () => {
    const seen = world();
    await apply(seen, "flights-late", shortSteps);
    await apply(seen, "flights-january", shortSteps);
    for (const endpoint of ["flights-production", "january-production"]) {
      const { stop } = sendRequests(seen, { folder, endpoint, perSecond: 150 });
      started.stops.push(stop);
    }
    const rolled = await roll({ late: "continuo/predictor", january: "continuo/faulty-predictor" });
    expect(outcomes(rolled)).toEqual({ late: "promoted", january: "rolled-back" });
    expect(failed(rolled.late)).toEqual([]);
    expect(failed(rolled.january).join()).toContain("of the challenger is worse");
  });

  it("end the other way round when the two names stand for each other's code", async () => {
    const file = join(folder, "images.json");
    const { images } = z
      .object({ images: z.record(z.string(), z.unknown()) })
      .parse(JSON.parse(readFileSync(file, "utf8")));
    const swapped = {
      ...images,
      "continuo/predictor": images["continuo/faulty-predictor"],
      "continuo/faulty-predictor": images["continuo/predictor"],
    };
    writeFileSync(file, JSON.stringify({ images: swapped }));
    const rolled = await roll({ late: "continuo/predictor", january: "continuo/faulty-predictor" });
    expect(outcomes(rolled)).toEqual({ late: "rolled-back", january: "promoted" });
    expect(failed(rolled.late).join()).toContain("of the challenger is worse");
    expect(failed(rolled.january)).toEqual([]);
  });
});

describe("the same state with Monitoring emptied", () => {
  const started: { up?: Playing; stops: (() => Promise<void> | void)[] } = { stops: [] };
  afterAll(async () => {
    for (const stop of started.stops) await stop();
    await started.up?.stop();
  });

  it("leaves the challenger at 1 %: nothing advances, nothing is rolled back", async () => {
    started.up = play(folder, "up", "--metric-delay-ms", "86400000");
    await isUp(started.up);
    const seen = outside(started.up);
    await apply(seen, "flights-late", (manifest) => manifest);
    const ticks = tickEverySecond(seen);
    const requests = sendRequests(seen, { folder, endpoint: "flights-production", perSecond: 300 });
    started.stops.push(ticks.stop, requests.stop);
    const versionId = await uploadVersion(seen, {
      env,
      model: "flights-late",
      artifactUri: await artifactOf(seen, "flights-late"),
      image: "continuo/predictor",
      aliases: ["challenger"],
    });
    const current = async (): Promise<Rollout> => {
      const rollout = (await seen.rollouts("flights-late")).find(
        (one) => one.versionId === versionId,
      );
      if (rollout === undefined) throw new Error("no rollout yet");
      return rollout;
    };
    await until("the canary's first step", 60, async () =>
      (await current()).phase === "progressing" ? true : null,
    );
    const looked = ticks.count();
    await until("ten ticks", 60, () => (ticks.count() >= looked + 10 ? true : null));

    const rollout = await current();
    expect(rollout).toMatchObject({ isLive: true, phase: "progressing", weight: 1 });
    expect(rollout.history.map(({ verdict }) => verdict.result)).not.toContain("successful");
    expect(rollout.history.map(({ verdict }) => verdict.result)).not.toContain("failed");
    const { deployedModels, trafficSplit } = z
      .object({
        deployedModels: z.array(z.object({ id: z.string(), modelVersionId: z.string() })),
        trafficSplit: z.record(z.string(), z.number()),
      })
      .parse(
        (
          await seen
            .endpoints()
            .getEndpoint({ name: `${seen.parent}/endpoints/flights-production` })
        )[0],
      );
    const challenger = deployedModels.find((deployed) => deployed.modelVersionId === versionId);
    expect(Object.values(trafficSplit).toSorted((a, b) => a - b)).toEqual([1, 99]);
    expect(trafficSplit[challenger?.id ?? ""]).toBe(1);
    // It does serve its share: what is missing is only the sight of it.
    await until("an answer of the challenger", 60, async () => {
      const reply = await seen.predict("flights-production", [instanceAt(1)]);
      const { deployedModelId } = z.object({ deployedModelId: z.string() }).parse(reply);
      return deployedModelId === challenger?.id ? true : null;
    });
  });
});
