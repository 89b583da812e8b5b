import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { ContinuoEvent } from "../../events/index.js";
import { monitoringReport, type MonitoringReport } from "../../events/monitoring.js";
import { monitoringAnomaly } from "../../events/sources/cloud-logging.js";
import type { Manifest } from "../../shared/manifest/schema.js";
import type { LoggedPrediction } from "../../shared/ports/prediction-log.js";
import type { Ports } from "../../shared/ports/ports.js";
import { detectDrift } from "../../shared/runtime/monitoring/detect.js";
import {
  categoricalDistribution,
  distributionEdges,
  numericDistribution,
} from "../../shared/statistics/drift.js";
import { seededRandom } from "../../shared/statistics/random.js";
import { manifestOf } from "../fixtures/manifest.js";
import { storyOf, type Story } from "./story.js";

const rowsMin = 400;
const folder = "gs://demo-continuo/predictions";
const modelFile = "gs://demo-continuo/model-january/model.json";
const evaluationFile = "gs://demo-continuo/report.json";

const manifest = manifestOf({
  dataset: {
    name: "customers",
    label: "left",
    positiveClass: "yes",
    features: [
      { name: "age", type: "numeric" },
      { name: "plan", type: "categorical" },
    ],
  },
  monitoring: {
    predictionLog: folder,
    drift: { rowsMin },
    skew: { rowsMin },
    quality: {
      rowsMin,
      labels: "gs://demo-continuo/labels/",
      idField: "customer",
      labelDelaySeconds: 0,
    },
  },
});

interface Customer {
  readonly age: number;
  readonly plan: string;
  readonly score: number;
}

const random = seededRandom(8);
const customer = (age = 30): Customer => ({
  age: age + 20 * random(),
  plan: random() < 0.6 ? "basic" : "pro",
  score: random(),
});
const customers = (count: number, age?: number): readonly Customer[] =>
  Array.from({ length: count }, () => customer(age));

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** A champion, trained on the usual customers and evaluated with an AUC of 0.8. */
const champion = async (triggers: Partial<Manifest["triggers"]> = {}): Promise<Story> => {
  const story = await storyOf({ ...manifest, triggers: { ...manifest.triggers, ...triggers } });
  await story.firstChampion();
  const trained = customers(4000);
  const numeric = (values: readonly number[]) =>
    numericDistribution(values, distributionEdges(values.toSorted((a, b) => a - b)));
  const { objects } = story.world.ports;
  const training = {
    rows: trained.length,
    positiveRate: 0.5,
    datasets: [],
    metrics: { auc: 0.8, logLoss: 0.5 },
    distributions: {
      age: numeric(trained.map(({ age }) => age)),
      plan: categoricalDistribution(trained.map(({ plan }) => plan)),
    },
    score: numeric(trained.map(({ score }) => score)),
  };
  await objects.write(modelFile, json({ training }), "application/json");
  const challenger = {
    auc: 0.8,
    averagePrecision: 0.8,
    logLoss: 0.5,
    brier: 0.2,
    accuracy: 0.7,
    calibrationError: 0.02,
  };
  await objects.write(evaluationFile, json({ challenger }), "application/json");
  return story;
};

/** The ports with these customers served by the champion, one a second. */
const serving = (story: Story, served: readonly Customer[]): Ports => {
  const id = story.model().champion?.deployed["production"];
  if (id === undefined) throw new Error("no champion in production");
  const startMs = story.world.nowMs;
  story.world.nowMs += (served.length + 1) * 1000;
  const predictions = served.map(({ score, ...instance }, index): LoggedPrediction => ({
    timeMs: startMs + index * 1000,
    deployedModelId: id,
    instance: { customer: `c${index}`, ...instance },
    prediction: { classes: ["no", "yes"], scores: [1 - score, score] },
  }));
  return { ...story.world.ports, predictionLog: { read: async () => predictions } };
};

const look = async (story: Story, ports: Ports): Promise<MonitoringReport> => {
  story.world.published.splice(0);
  await detectDrift(ports);
  const uri = (await ports.objects.list("gs://demo-continuo/monitoring/churn/")).at(-1) ?? "none";
  return monitoringReport.parse(JSON.parse(String(await ports.objects.read(uri, 1e6))));
};

const anomaliesOf = ({ comparisons }: MonitoringReport): readonly string[] =>
  comparisons.flatMap(({ kind, columns }) =>
    columns.flatMap(({ feature, isAnomaly }) => (isAnomaly ? [`${kind} ${feature}`] : [])),
  );

const publishedTo = ({ world }: Story, topic: string): readonly unknown[] =>
  world.published.flatMap((one) => (one.topic === topic ? [one.body] : []));

/** Labels that agree with the scores as often as an AUC of `agreement` at the two ends asks. */
const writeLabels = async (
  story: Story,
  served: readonly Customer[],
  label: (customer: Customer, index: number) => string | null,
  name = "labels",
): Promise<void> => {
  const lines = served.flatMap((one, index) => {
    const value = label(one, index);
    return value === null ? [] : [JSON.stringify({ id: `c${index}`, label: value })];
  });
  await story.world.ports.objects.write(
    `gs://demo-continuo/labels/${name}.jsonl`,
    Buffer.from(lines.join("\n")),
    "application/jsonl",
  );
};

const byScore = ({ score }: Customer): string => (random() < score ? "yes" : "no");
const byChance = (): string => (random() < 0.5 ? "yes" : "no");

describe("a look at what the champion served", () => {
  it("finds nothing where nothing changed, and says what it measured", async () => {
    const story = await champion();
    const served = customers(1000);
    await writeLabels(story, served, byScore);
    const report = await look(story, serving(story, served));
    expect(anomaliesOf(report)).toEqual([]);
    expect(report.comparisons.map(({ kind, columns }) => [kind, columns.length])).toEqual([
      ["drift", 2],
      ["drift", 1],
      ["skew", 2],
      ["skew", 1],
    ]);
    expect(report.quality.map(({ method, isDecayed }) => [method, isDecayed])).toEqual([
      ["labels", false],
      ["estimate", false],
    ]);
    expect(report.unknown).toEqual([]);
    expect(story.world.logged).toEqual([]);
    expect(publishedTo(story, "alert")).toEqual([]);
  });

  it("names the one feature that moved, against earlier rows and against the training rows", async () => {
    const story = await champion();
    const ports = serving(story, [...customers(500), ...customers(500, 42)]);
    const report = await look(story, ports);
    expect(anomaliesOf(report)).toEqual(["drift age", "skew age"]);
    expect(anomalyEvents(story)).toMatchObject([
      { type: "drift.detected", data: { anomalies: [{ feature: "age" }] } },
      { type: "skew.detected", data: { anomalies: [{ feature: "age" }] } },
    ]);
    // Looking again at the same rows is the same report and the same log entries.
    const insertIds = (): readonly unknown[] =>
      story.world.logged.map((entry) => (entry as { insertId: string }).insertId);
    const before = new Set(insertIds());
    await look(story, ports);
    expect(new Set(insertIds())).toEqual(before);
  });

  it("tells that the quality fell once labels say so with confidence, and a retraining follows", async () => {
    const story = await champion();
    const served = customers(1000);
    await writeLabels(story, served, byChance);
    const report = await look(story, serving(story, served));
    const [byLabels, byEstimate] = report.quality;
    expect(byLabels).toMatchObject({
      method: "labels",
      rows: 1000,
      baseline: 0.8,
      isDecayed: true,
    });
    expect(byLabels?.value).toBeCloseTo(0.5, 1);
    // Its own confidence cannot know that the world has changed.
    expect(byEstimate).toMatchObject({ method: "estimate", isDecayed: false });
    expect(publishedTo(story, "alert")).toMatchObject([
      { type: "performance.decayed", data: { model: "churn", metric: "auc", method: "labels" } },
    ]);
    story.world.nowMs += 86_400_000;
    await story.deliver();
    await story.pass(1);
    expect(story.model().run).toMatchObject({ kind: "decay" });
  });

  it("tells that the quality fell when the scores lose their confidence before any label comes", async () => {
    const story = await champion();
    const unsure = customers(500).map((one) => ({ ...one, score: 0.4 + 0.2 * one.score }));
    const report = await look(story, serving(story, [...customers(500), ...unsure]));
    expect(report.quality).toMatchObject([{ method: "estimate", isDecayed: true }]);
    expect(anomaliesOf(report)).toEqual(["drift score", "skew score"]);
    expect(report.unknown.join()).toMatch(/quality by labels: 0 of 400 labelled predictions/);
  });

  it("counts a prediction once, believes the newest label, and leaves strangers out", async () => {
    const story = await champion();
    const served = customers(1000);
    await writeLabels(story, served, byChance, "a-first");
    await writeLabels(story, served, byScore, "b-corrected");
    await story.world.ports.objects.write(
      "gs://demo-continuo/labels/c-strange.jsonl",
      Buffer.from('{"id":"nobody","label":"yes"}\nnot json\n{"label":"yes"}\n'),
      "application/jsonl",
    );
    const ports = serving(story, served);
    const twice: Ports = {
      ...ports,
      predictionLog: {
        read: async (query) => {
          const once = await ports.predictionLog.read(query);
          return [...once, ...once.map((one) => ({ ...one, prediction: { scores: [] } }))];
        },
      },
    };
    const report = await look(story, twice);
    expect(report.quality[0]).toMatchObject({ method: "labels", rows: 1000, isDecayed: false });
    expect(report.unknown).toContain(
      'quality by labels: 2 lines of gs://demo-continuo/labels/ are no {"id", "label"} and were left out',
    );
  });

  it("compares with the first rows that it served, however many came since", async () => {
    const story = await champion();
    // Older by a little with each customer: the newest rows differ from the first, and not from those before.
    const served = Array.from({ length: 20 * rowsMin }, (_, i) => customer(30 + (20 * i) / 8000));
    const ports = serving(story, served);
    const asked: unknown[] = [];
    const bounded: Ports = {
      ...ports,
      predictionLog: {
        read: async (query) => {
          const { untilMs, rowsMax, isFirst = false } = query;
          const all = await ports.predictionLog.read(query);
          const inSpan = all.filter(({ timeMs }) => timeMs < untilMs);
          asked.push({ rowsMax, isFirst });
          return isFirst ? inSpan.slice(0, rowsMax) : inSpan.slice(-rowsMax);
        },
      },
    };
    expect(anomaliesOf(await look(story, bounded))).toEqual(["drift age", "skew age"]);
    expect(asked).toEqual([
      { rowsMax: 2 * rowsMin, isFirst: false },
      { rowsMax: rowsMin, isFirst: true },
      { rowsMax: 200_000, isFirst: false },
    ]);
  });

  it("reads booleans as the trainer counts them", async () => {
    const story = await champion();
    const body = await story.world.ports.objects.read(modelFile, 1e6);
    const { training } = JSON.parse(String(body));
    training.distributions.plan = categoricalDistribution(
      Array.from({ length: 4000 }, (_, i) => String(i % 2 === 0)),
    );
    await story.world.ports.objects.write(modelFile, json({ training }), "application/json");
    const ports = serving(story, customers(1000));
    const flagged: Ports = {
      ...ports,
      predictionLog: {
        read: async (query) =>
          (await ports.predictionLog.read(query)).map((one, index) => ({
            ...one,
            instance: { ...one.instance, plan: index % 2 === 0 },
          })),
      },
    };
    expect(anomaliesOf(await look(story, flagged))).toEqual([]);
  });

  it.each([
    {
      what: "labels name a class that nobody knows",
      label: (_: Customer, index: number) => ["yes", "no", "maybe"][index % 3] ?? "no",
      why: /labels name 3 classes instead of two: "maybe", "no", "yes"/,
    },
    {
      what: "too few labels came",
      label: ({ score }: Customer, index: number) =>
        (index < 500 ? byScore(customer()) : null) && String(score),
      why: /labels came for 500 of 1000 predictions/,
    },
    { what: "every label is the same", label: () => "no", why: /all labels are of one class/ },
  ])("gives no verdict when $what", async ({ label, why }) => {
    const story = await champion();
    const served = customers(1000);
    await writeLabels(story, served, label);
    const report = await look(story, serving(story, served));
    expect(report.quality.map(({ method }) => method)).toEqual(["estimate"]);
    expect(report.unknown.join()).toMatch(why);
  });

  it("gives no verdict on few rows, without a baseline, or on answers without a score", async () => {
    const story = await champion();
    await story.world.ports.objects.write(modelFile, Buffer.from("{"), "application/json");
    const ports = serving(story, customers(450));
    const mute: Ports = {
      ...ports,
      predictionLog: {
        read: async (query) =>
          (await ports.predictionLog.read(query)).map((one) => ({ ...one, prediction: "yes" })),
      },
    };
    const report = await look(story, mute);
    expect(report.comparisons).toEqual([]);
    expect(report.unknown).toEqual([
      "drift: 450 predictions since its promotion, two windows of 400 are needed",
      "skew: gs://demo-continuo/model-january says nothing of its training rows",
      "quality by labels: 0 of 400 labelled predictions",
      "quality by estimate: 450 predictions, two windows of 400 are needed",
    ]);
  });

  it("a model that cannot be looked at is told, and hides no other", async () => {
    const story = await champion();
    const ports = serving(story, customers(1000));
    const other = { ...story.model(), model: "other" } as ReturnType<Story["model"]>;
    let reads = 0;
    const broken: Ports = {
      ...ports,
      state: { ...ports.state, models: async () => [other, story.model()] },
      predictionLog: {
        read: async (query) => {
          reads += 1;
          if (reads === 1) throw new Error("the log cannot be read");
          return ports.predictionLog.read(query);
        },
      },
    };
    await expect(detectDrift(broken)).rejects.toThrow("the log cannot be read");
    expect(await ports.objects.list("gs://demo-continuo/monitoring/churn/")).toHaveLength(1);
  });

  describe("whose answers tell how each feature moved them", () => {
    /** Attributions of `age` and `plan`; `age` counts for `weight` as much as usual. */
    const told = (weight: number) => ({
      age: weight * (0.2 + 0.1 * random()),
      plan: 0.3 * random() - 0.15,
    });
    const telling = (
      ports: Ports,
      of: (index: number) => Readonly<Record<string, number>> | undefined,
    ): Ports => ({
      ...ports,
      predictionLog: {
        read: async (query) =>
          (await ports.predictionLog.read(query)).map((one, index) => {
            const attributions = of(index);
            return attributions === undefined ? one : { ...one, attributions };
          }),
      },
    });

    it("names the feature whose influence moved although its values did not", async () => {
      const story = await champion();
      const ports = telling(serving(story, customers(1000)), (index) => told(index < 500 ? 1 : 2));
      const report = await look(story, ports);
      const [influence] = report.comparisons.filter(({ objective }) => objective === "attribution");
      expect(influence).toMatchObject({
        kind: "drift",
        columns: [
          { feature: "age", isAnomaly: true },
          { feature: "plan", isAnomaly: false },
        ],
      });
      expect(anomaliesOf(report)).toEqual(["drift age"]);
      expect(story.world.logged).toMatchObject([
        { payload: { anomalyObjective: "FEATURE_ATTRIBUTION_DRIFT", totalAnomaliesCount: 1 } },
      ]);
      expect(anomalyEvents(story)).toMatchObject([
        { type: "drift.detected", data: { objective: "attribution" } },
      ]);
    });

    it("finds nothing where their influence stays, and says when too few of them tell", async () => {
      const story = await champion();
      const ports = serving(story, customers(1000));
      const steady = await look(
        story,
        telling(ports, () => told(1)),
      );
      expect(anomaliesOf(steady)).toEqual([]);
      expect(steady.comparisons.map(({ objective }) => objective)).toContain("attribution");
      const few = await look(
        story,
        telling(ports, (index) => (index < 500 || index > 990 ? told(1) : undefined)),
      );
      expect(few.unknown).toContain(
        "drift of attributions: 400 of the first and 9 of the newest predictions have them, 50 of each are needed",
      );
    });
  });
});

/** The events that the entries of the log become on their way through the sink. */
const anomalyEvents = ({ world }: Story): readonly ContinuoEvent[] =>
  world.logged.flatMap((logged) => {
    const { log, insertId, timestampMs, payload } = logEntry.parse(logged);
    return eventsOf({
      insertId,
      logName: `projects/demo/logs/${encodeURIComponent(log)}`,
      timestamp: new Date(timestampMs).toISOString(),
      jsonPayload: payload,
    });
  });

const logEntry = z.object({
  log: z.string(),
  insertId: z.string(),
  timestampMs: z.number(),
  payload: z.looseObject({}),
});

const eventsOf = (body: unknown): readonly ContinuoEvent[] => {
  const reading = monitoringAnomaly({ id: "1", publishTime: "", attributes: {}, body });
  if (reading === null || !("events" in reading)) throw new Error(JSON.stringify(reading));
  return reading.events;
};

const vertexPayload = new URL(
  "../fixtures/payloads/vertex_monitoring_v1_anomaly_logentry.json",
  import.meta.url,
);

/** What Vertex AI's Model Monitoring writes about the same window: its own entry, with this one's numbers. */
const asVertexWrites = (event: ContinuoEvent): unknown => {
  if (event.type !== "drift.detected" && event.type !== "skew.detected") throw new Error("none");
  const { deployedModelId, window, anomalies } = event.data;
  const body = z
    .looseObject({ jsonPayload: z.looseObject({}) })
    .parse(JSON.parse(readFileSync(vertexPayload, "utf8")));
  return {
    ...body,
    timestamp: window.end,
    jsonPayload: {
      ...body.jsonPayload,
      anomalyObjective: event.type === "skew.detected" ? "RAW_FEATURE_SKEW" : "RAW_FEATURE_DRIFT",
      startTime: window.start,
      endTime: window.end,
      deployedModelId,
      totalAnomaliesCount: anomalies.length,
      featureAnomalies: anomalies.map(({ feature, deviation, threshold }) => ({
        featureDisplayName: feature,
        deviation,
        threshold,
      })),
    },
  };
};

describe("an alert", () => {
  /** A look at customers who became older, under a manifest that answers alerts so. */
  const alerted = async (answer: "ignore" | "notify" | "page" | "retrain") => {
    const story = await champion({ drift: answer, skew: answer, debounceSeconds: 0 });
    await look(story, serving(story, [...customers(500), ...customers(500, 42)]));
    return story;
  };

  it("is the same event whether Vertex AI's monitoring wrote it or our own detector", async () => {
    const own = anomalyEvents(await alerted("ignore"));
    const theirs = own.flatMap((event) => eventsOf(asVertexWrites(event)));
    expect(own.map(({ type }) => type)).toEqual(["drift.detected", "skew.detected"]);
    expect(theirs.map(({ type, time, data }) => ({ type, time, data }))).toEqual(
      own.map(({ type, time, data }) => ({ type, time, data })),
    );
  });

  it.each(["ignore", "notify", "page", "retrain"] as const)(
    "is answered by %s alike from both, as the manifest says",
    async (answer) => {
      for (const index of [0, 1]) {
        const outcomes: unknown[] = [];
        for (const origin of ["ours", "Vertex AI's"]) {
          const story = await alerted(answer);
          const event = anomalyEvents(story)[index];
          if (event === undefined) throw new Error("no alert");
          const [alert = event] = origin === "ours" ? [event] : eventsOf(asVertexWrites(event));
          story.world.nowMs += 2 * 86_400_000;
          story.world.published.splice(0);
          await story.handle(alert);
          const told = publishedTo(story, "notification");
          await story.deliver();
          await story.pass(1);
          outcomes.push({ run: story.model().run?.kind ?? null, told: told.length });
          expect(told).toMatchObject(
            answer === "ignore" || answer === "retrain"
              ? []
              : [{ data: { severity: answer === "page" ? "page" : "warning" } }],
          );
        }
        const kind = index === 0 ? "drift" : "skew";
        expect(outcomes[0]).toMatchObject({ run: answer === "retrain" ? kind : null });
        expect(outcomes[1]).toEqual(outcomes[0]);
      }
    },
  );
});
