/** Rollouts that are looked at for answers, a metric of the user's own and late labels, through the real runtime. */
import { describe, expect, it } from "vitest";
import type { DeployedModelId } from "../../events/ids.js";
import { assess } from "../../shared/domain/analysis.js";
import { RejectedError } from "../../shared/domain/errors.js";
import type { ArmCounts, RolloutRecord, Segment, Verdict } from "../../shared/domain/state.js";
import type { Manifest } from "../../shared/manifest/schema.js";
import type { LoggedPrediction } from "../../shared/ports/prediction-log.js";
import type { Ports } from "../../shared/ports/ports.js";
import { seededRandom } from "../../shared/statistics/random.js";
import { manifestOf } from "../fixtures/manifest.js";
import { churn, storyOf, type Story } from "./story.js";

const random = seededRandom(31);
const logUri = "gs://demo-continuo/predictions";
const labelsUri = "gs://demo-continuo/labels/";

const manifestWith = (signals: object): Manifest => {
  const { rollout } = manifestOf();
  return manifestOf({
    rollout: { ...rollout, analysis: { ...rollout.analysis, ...signals } },
    monitoring: { predictionLog: logUri, quality: { labels: labelsUri, idField: "customer" } },
  });
};

/** What the world's endpoint logs and measures, by time. */
interface Behaviour {
  /** A request's score, by who answers. */
  readonly score: (isChallenger: boolean) => number;
  readonly conversion: (isChallenger: boolean) => number;
  /** Whether predictions are logged at all. */
  readonly isLogged: boolean;
}

const usual: Behaviour = {
  score: () => random() ** 2,
  conversion: () => 0.05 + 0.01 * random(),
  isLogged: true,
};

const arm = (requests: number): ArmCounts => ({
  requests,
  errors: 0,
  latencies: [requests, 0, 0, 0, 0, 0],
});

/** A champion and a challenger at 10 %, 1,000 requests a minute. */
const canary = async (
  manifest: Manifest,
  changes: Partial<Behaviour> = {},
  log: { readonly refusal?: string; readonly crowdedAboveMs?: number } = {},
): Promise<{ story: Story; logged: LoggedPrediction[]; spans: number[] }> => {
  const spans: number[] = [];
  const behaviour = { ...usual, ...changes };
  const logged: LoggedPrediction[] = [];
  const points: Record<DeployedModelId, { atMs: number; value: number }[]> = {};
  const through = (ports: Ports): Ports => ({
    ...ports,
    predictionLog: {
      read: async ({ sinceMs, untilMs, rowsMax }) => {
        if (log.refusal !== undefined) throw new RejectedError(log.refusal);
        spans.push(untilMs - sinceMs);
        const [first] = logged;
        if (first !== undefined && untilMs - sinceMs > (log.crowdedAboveMs ?? Infinity)) {
          const { requestId: _one, ...filler } = first;
          return Array.from({ length: rowsMax }, () => filler);
        }
        return logged.filter(({ timeMs }) => timeMs >= sinceMs && timeMs < untilMs);
      },
    },
    metrics: {
      counts: async (queries) => {
        const answers = await ports.metrics.counts(queries);
        return answers.map((answer, index) =>
          "error" in answer || answer.counts === null || queries[index]?.business === undefined
            ? answer
            : { counts: { ...answer.counts, business: { points, problem: null } } },
        );
      },
    },
  });
  const story = await storyOf(manifest, { through });
  await story.firstChampion();
  const champion = story.model().champion?.deployed["production"];
  if (champion === undefined) throw new Error("no champion");
  const serve = (id: DeployedModelId, isChallenger: boolean, atMs: number): void => {
    if (!behaviour.isLogged) return;
    const score = behaviour.score(isChallenger);
    const customer = `c${logged.length}`;
    logged.push({
      timeMs: atMs,
      deployedModelId: id,
      instance: { customer },
      prediction: { classes: ["no", "yes"], scores: [1 - score, score] },
      requestId: customer,
    });
  };
  for (let index = 0; index < 300; index += 1) {
    serve(champion, false, story.world.nowMs + index);
  }
  story.world.nowMs += 1000;
  await story.train("february");
  for (let visit = 0; visit < 8 && story.model().rollout?.phase !== "progressing"; visit += 1) {
    await story.pass(1);
  }
  const challenger = story.model().rollout?.deployed["production"];
  if (challenger === undefined) throw new Error("no challenger");
  // Six seconds of traffic before each look.
  const pass = async (seconds: number): Promise<void> => {
    const { rollout } = story.model();
    if (rollout?.phase === "progressing") {
      const startMs = story.world.nowMs;
      for (let index = 0; index < (1000 * seconds) / 60; index += 1) {
        const isChallenger = index % 100 < rollout.weight;
        serve(isChallenger ? challenger : champion, isChallenger, startMs + index * 60);
      }
      const share = rollout.weight / 100;
      const requests = Math.round(
        (1000 * (startMs + seconds * 1000 - rollout.stepStartedAtMs)) / 60_000,
      );
      story.world.series = {
        [champion]: arm(Math.round(requests * (1 - share))),
        [challenger]: arm(Math.round(requests * share)),
      };
      for (const [id, isChallenger] of [
        [champion, false],
        [challenger, true],
      ] as const) {
        const own = (points[id] ??= []);
        const value = behaviour.conversion(isChallenger);
        own.push({ atMs: startMs + seconds * 1000, value });
      }
    }
    await story.pass(seconds);
  };
  return { story: { ...story, pass }, logged, spans };
};

const recordOf = async ({ world }: Story): Promise<RolloutRecord | undefined> => {
  const [record] = await world.ports.state.rollouts({ model: churn, limit: 1 });
  return record;
};

/** Looks until the rollout has ended or stands still. */
const untilOver = async (story: Story, seconds = 6): Promise<void> => {
  for (let look = 0; look < 200; look += 1) {
    const { rollout } = story.model();
    if (rollout === null || rollout.phase === "parked") return;
    await story.pass(seconds);
  }
};

/** The verdicts of a rollout, made again from what they kept. */
const madeAgain = (record: RolloutRecord, { rollout }: Manifest): readonly Verdict[] => {
  const measured = record.history.flatMap(({ verdict }) => verdict.measured ?? []);
  return measured.map((current: Segment, index) =>
    assess({
      earlier: measured.slice(0, index),
      current,
      stepStartedAtMs: current.startMs,
      bakeMs: rollout.bakeSeconds * 1000,
      policy: rollout.analysis,
      policyVersion: 1,
    }),
  );
};

describe("a challenger whose answers, metric and labels are looked at", () => {
  const all = manifestWith({
    predictions: {},
    quality: {},
    business: {
      metric: "custom.googleapis.com/shop/conversion",
      better: "higher",
      windowSeconds: 6,
    },
  });

  it("is promoted when it is like the champion, and every verdict can be made again", async () => {
    const { story } = await canary(all);
    await untilOver(story);
    const record = await recordOf(story);
    expect(record?.outcome).toBe("promoted");
    const last = record?.history[1]?.verdict.numbers;
    expect(last?.["predictions"]).toBeGreaterThanOrEqual(100);
    expect(last?.["businessWindows"]).toBeGreaterThanOrEqual(10);
    if (record === undefined) throw new Error("no record");
    expect(madeAgain(record, all)).toEqual(record.history.map(({ verdict }) => verdict));
  });

  it("is rolled back when it answers otherwise", async () => {
    const { story } = await canary(all, {
      score: (isChallenger) => (isChallenger ? 0.6 + 0.4 * random() : random() ** 2),
    });
    await untilOver(story);
    const record = await recordOf(story);
    expect(record?.outcome).toBe("rolled-back");
    expect(record?.reasons.join()).toMatch(
      /analysis at 10 % failed: prediction distribution of the challenger differs: .*; scores above 0\.\d+.* of \d+ logged requests, the champion's/,
    );
    if (record === undefined) throw new Error("no record");
    expect(madeAgain(record, all)).toEqual(record.history.map(({ verdict }) => verdict));
  });

  it("is rolled back when the business metric falls", async () => {
    const { story } = await canary(all, {
      conversion: (isChallenger) => (isChallenger ? 0.04 : 0.05) + 0.01 * random(),
    });
    await untilOver(story);
    const record = await recordOf(story);
    expect(record?.outcome).toBe("rolled-back");
    expect(record?.reasons.join()).toContain("business metric of the challenger is worse");
  });

  it("is rolled back by labels that come for an earlier step while a later one bakes", async () => {
    const { story, logged } = await canary(manifestWith({ quality: {} }));
    const weight = (): number | null => {
      const { rollout } = story.model();
      return rollout?.phase === "progressing" ? rollout.weight : null;
    };
    for (let look = 0; look < 40 && weight() === 10; look += 1) await story.pass(6);
    expect(weight()).toBe(50);
    const challenger = story.model().rollout?.deployed["production"];
    const labels = logged.map(({ instance, deployedModelId, prediction }) => {
      const [, score = 0] = (prediction as { scores: number[] }).scores;
      // The champion is right as often as it says; the challenger's answers mean nothing.
      const isYes = random() < (deployedModelId === challenger ? 0.5 : score);
      return JSON.stringify({ id: instance["customer"], label: isYes ? "yes" : "no" });
    });
    await story.world.ports.objects.write(
      `${labelsUri}first.jsonl`,
      Buffer.from(labels.join("\n")),
      "application/jsonl",
    );
    await untilOver(story);
    const record = await recordOf(story);
    expect(record?.outcome).toBe("rolled-back");
    expect(record?.reasons.join()).toMatch(
      /analysis at 50 % failed: quality of the challenger is worse: .* labelled predictions/,
    );
  });

  it("never advances while nothing is logged, and is parked at its limit", async () => {
    const { story } = await canary(all, { isLogged: false });
    await untilOver(story, 60);
    const { rollout } = story.model();
    expect(rollout).toMatchObject({ phase: "parked", weight: 10 });
    expect(rollout?.phase === "parked" && rollout.parkedReason).toContain(
      "fewer than 200 logged answers of the champion, from before the rollout or in this step",
    );
  });

  it("is judged by the first predictions of a step where more are logged than can be read", async () => {
    const { story, spans } = await canary(
      manifestWith({ predictions: {} }),
      {},
      {
        crowdedAboveMs: 20_000,
      },
    );
    await story.pass(60);
    const hourMs = 60 * 60 * 1000;
    const first = spans.filter((span) => span < hourMs);
    // The whole step, then half of it, and so on, until it can be read.
    expect(first.slice(-3)).toEqual([60_000, 30_000, 15_000]);
    const { rollout } = story.model();
    expect(rollout?.phase === "progressing" && rollout.lastVerdict?.numbers).toMatchObject({
      predictions: 30,
    });
    const crowded = await canary(manifestWith({ predictions: {} }), {}, { crowdedAboveMs: 1 });
    await crowded.story.pass(60);
    const { rollout: parked } = crowded.story.model();
    expect(parked?.phase === "progressing" && parked.lastVerdict).toMatchObject({
      result: "error",
      reasons: [
        expect.stringMatching(
          /more than 200000 predictions are logged in .* lower monitoring\.samp/,
        ),
      ],
    });
  });

  it("is not judged by a log that refuses to be read, and rolled back for errors all the same", async () => {
    const { story } = await canary(all, {}, { refusal: "no such table: predictions" });
    await story.pass(61);
    const { rollout } = story.model();
    expect(rollout?.phase === "progressing" && rollout.lastVerdict).toMatchObject({
      result: "error",
      reasons: [
        "the prediction distribution could not be measured: no such table: predictions",
        "quality could not be measured: no such table: predictions",
      ],
    });
    const [champion, challenger] = [
      story.model().champion?.deployed["production"],
      rollout?.deployed["production"],
    ];
    if (champion === undefined || challenger === undefined) throw new Error("nothing serves");
    story.world.series = {
      [champion]: arm(900),
      [challenger]: { ...arm(100), errors: 60 },
    };
    story.world.nowMs += 1000;
    await untilErrors(story, champion, challenger);
    expect((await recordOf(story))?.reasons.join()).toContain("error rate of the challenger");
  });
});

/** Looks while the challenger fails, until the rollout has ended. */
const untilErrors = async (
  { world, model, handle }: Story,
  champion: DeployedModelId,
  challenger: DeployedModelId,
): Promise<void> => {
  for (let look = 0; look < 20 && model().rollout !== null; look += 1) {
    world.series = { [champion]: arm(900), [challenger]: { ...arm(100), errors: 60 } };
    world.nowMs += 1000;
    await handle({
      specversion: "1.0",
      id: `look/${look}`,
      source: "test",
      time: new Date(world.nowMs).toISOString(),
      type: "model.visited",
      data: { model: churn, by: "tick" },
    });
  }
};
