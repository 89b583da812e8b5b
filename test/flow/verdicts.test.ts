/** Each verdict, as `continuo why` and the console tell it: inputs, method, numbers, limits and the policy's version. */
import { afterEach, describe, expect, it } from "vitest";
import type { MonitoringReport } from "../../events/monitoring.js";
import { evaluationSettings } from "../../infra/images/configuration.js";
import { assess } from "../../infra/images/evaluator/assess.js";
import type { VerdictCard } from "../../shared/runtime/api/verdicts.js";
import { seededRandom } from "../../shared/statistics/random.js";
import { manifestOf } from "../fixtures/manifest.js";
import { apiServer, token, type ApiServer } from "./api-server.js";
import { arm, churn, storyOf, type Story } from "./story.js";

const servers: ApiServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

interface Told {
  readonly cards: readonly VerdictCard[];
  /** The console's page about the same. */
  readonly page: string;
}

/** What the api and the console say of an id; `path` is the console's page about it. */
const told = async (story: Story, id: string, path = "why"): Promise<Told> => {
  const api = await apiServer(story.world.ports);
  servers.push(api);
  const { status, body } = await api.call("GET", `/why/${encodeURIComponent(id)}`);
  expect(status).toBe(200);
  const accept = { accept: "text/html" };
  const welcome = await fetch(`${api.address}/console/?token=${token}`, { headers: accept });
  const cookie = (welcome.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const page = await fetch(`${api.address}/console/${path}/${encodeURIComponent(id)}`, {
    headers: { ...accept, cookie },
  });
  return { cards: body["verdicts"] as VerdictCard[], page: await page.text() };
};

const cardOf = ({ cards }: Told, about: string): VerdictCard => {
  const found = cards.find((card) => card.about === about);
  if (found === undefined) throw new Error(`only: ${cards.map((card) => card.about).join(", ")}`);
  return found;
};

/** Whatever a card says is on the console's page too. */
const expectOnPage = (
  { page }: Told,
  { about, method, inputs, findings = [], policyVersion }: VerdictCard,
): void => {
  const text = page.replaceAll("&#39;", "'").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
  for (const said of [about, method, ...inputs, ...findings]) expect(text).toContain(said);
  if (policyVersion !== null) expect(text).toContain(`manifest version ${policyVersion}`);
};

const model = "gs://demo-continuo/model";

/** An evaluation by the real evaluator: the challenger is turned round where the plan is pro. */
const evaluated = () => {
  const random = seededRandom(5);
  const rows = 2000;
  const plans = Array.from({ length: rows }, (_, row) => (row % 4 === 0 ? "pro" : "basic"));
  const champion = Float64Array.from({ length: rows }, () => random());
  const labels = Array.from(champion, (score) => (random() < score ? 1 : 0));
  const challenger = champion.map((score, row) => (plans[row] === "pro" ? 1 - score : score));
  return assess(
    {
      task: "binary-classification",
      labels,
      classes: [],
      challenger,
      champion,
      slices: new Map([["plan", plans]]),
    },
    {
      settings: evaluationSettings.parse({
        thresholds: { auc: { min: 0.6 } },
        comparison: { mode: "non-inferiority", margin: 0.3 },
        slices: [{ column: "plan", rowsMin: 300 }],
      }),
      models: { challenger: model, champion: "gs://demo-continuo/champion" },
    },
  );
};

describe("a verdict is explained", () => {
  it("of the data gate: each anomaly's numbers beside what is allowed", async () => {
    const story = await storyOf(manifestOf());
    const anomaliesUri = "gs://demo-continuo/anomalies.json";
    await story.world.ports.objects.write(
      anomaliesUri,
      json({
        formatVersion: 1,
        dataset: "customers",
        verdict: "stop",
        anomalies: [
          {
            column: "age",
            kind: "missing-values",
            severity: "stop",
            message: "age: 3 % missing, allowed 0 %",
            numbers: { missing: 30, share: 0.03, allowed: 0 },
          },
          { kind: "no-schema", severity: "note", message: "there is no schema", numbers: {} },
        ],
      }),
      "application/json",
    );
    await story.arrive("january");
    const run = story.model().run?.run ?? "";
    const reasons = ["age: 3 % missing, allowed 0 %"];
    await story.endJob({
      dataGate: { verdict: "stop", reasons, profileUri: "gs://p", anomaliesUri },
    });
    const answer = await told(story, run);
    const card = cardOf(answer, "data gate");
    expect(card).toMatchObject({
      result: "stop",
      inputs: ["gs://demo-continuo/january.parquet"],
      findings: ["stop: age: 3 % missing, allowed 0 %", "note: there is no schema"],
      numbers: { "age.missing-values.share": 0.03 },
      thresholds: { "age.missing-values.allowed": 0, jsdMax: 0.3, linfMax: 0.3 },
      policyVersion: 1,
    });
    expect(card.method).toMatch(/dataset\.schema.*Jensen-Shannon/);
    expectOnPage(answer, card);
  });

  it("of the evaluation gate: the test, its interval and power, and the slice that decided", async () => {
    const story = await storyOf(manifestOf());
    const report = "gs://demo-continuo/evaluation.json";
    const evaluation = evaluated();
    expect(evaluation.verdict.outcome).toBe("reject");
    await story.world.ports.objects.write(report, json(evaluation), "application/json");
    await story.arrive("january");
    const run = story.model().run?.run ?? "";
    await story.endJob({
      dataGate: { verdict: "go", reasons: [], profileUri: "gs://p" },
      evaluation: {
        report,
        outcome: "reject",
        reasons: evaluation.verdict.reasons,
        numbers: { "challenger.auc": evaluation.challenger["auc"] ?? 0 },
        artifact: model,
        artifactDigest: "sha256:1",
      },
    });
    const answer = await told(story, run);
    const card = cardOf(answer, "evaluation gate");
    expect(card).toMatchObject({ result: "reject", policyVersion: 1 });
    expect(card.inputs).toEqual([
      report,
      `challenger ${model}`,
      "champion gs://demo-continuo/champion",
      expect.stringMatching(/^2000 rows; scores sha256:[0-9a-f]{64}$/),
      "worst slice: plan = pro",
    ]);
    expect(card.method).toMatch(
      /^DeLong's paired test .* \(auc, non-inferiority against the champion, same rows\); 2 slices, adjusted/,
    );
    expect(card.numbers).toMatchObject({ "worst slice.rows": 500 });
    expect(card.numbers["worst slice.power"]).toBeGreaterThan(0);
    expect(card.thresholds).toMatchObject({ alpha: 0.05, margin: 0.3, "auc.min": 0.6 });
    expectOnPage(answer, card);
    const { page } = await told(story, run, "runs");
    for (const drawn of ["ROC curve", "Precision and recall", "Calibration", "confusion at a"]) {
      expect(page).toContain(drawn);
    }
    expect(page).toMatch(/plan = pro<\/th>\s*<td class="figure">500<\/td>/);
    expect(page).toMatch(/aria-label="95 % interval -0\.7\d+ to -0\.5\d+"/);
    expect(page).not.toContain("NaN");
  });

  it("of a rollout's step: windows, counts, evidence, every limit, and the look that goes on", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    await story.train("february");
    for (let visit = 0; visit < 8 && story.model().rollout?.phase !== "progressing"; visit += 1) {
      await story.pass(1);
    }
    const champion = story.model().champion?.deployed["production"];
    const { rollout } = story.model();
    const challenger = rollout?.deployed["production"];
    if (champion === undefined || challenger === undefined) throw new Error("no canary");
    story.world.series = { [champion]: arm(900), [challenger]: arm(100) };
    await story.pass(61);
    const live = await told(story, rollout?.rollout ?? "");
    const step = cardOf(live, "rollout at 10 %");
    expect(step).toMatchObject({
      result: "successful",
      inputs: [
        expect.stringContaining(`version 2 of churn`),
        expect.stringMatching(/^windows from 2026-.*Z to 2026-.*Z$/),
      ],
      numbers: { requests: 100, championRequests: 900, logEvidence: expect.any(Number) },
      thresholds: {
        alpha: 0.05,
        errorRatioMax: 1.2,
        latencyRatioMax: 1.5,
        requestsMin: 50,
        logEvidenceLimit: -Math.log(0.05),
      },
      policyVersion: 1,
    });
    expect(step.method).toContain("holds at every look");
    expectOnPage(live, step);
    story.world.series = { [champion]: arm(500), [challenger]: arm(500, 400) };
    await story.pass(5);
    for (let visit = 0; visit < 4; visit += 1) await story.pass(1);
    const ended = await told(story, rollout?.rollout ?? "");
    expect(ended.cards.map(({ about, result }) => `${about}: ${result}`)).toEqual([
      "rollout at 10 %: successful",
      "rollout at 50 %: failed",
    ]);
  });

  it("of drift: our report on the window, and of a foreign alert what it says itself", async () => {
    const story = await storyOf(manifestOf({ triggers: { drift: "notify", debounceSeconds: 0 } }));
    await story.firstChampion();
    const window = { start: "2026-01-05T12:00:00.000Z", end: "2026-01-05T13:00:00.000Z" };
    const deployedModelId = story.model().champion?.deployed["production"];
    if (deployedModelId === undefined) throw new Error("no champion");
    const report: MonitoringReport = {
      formatVersion: 1,
      model: "churn",
      versionId: "1",
      deployedModelId,
      policyVersion: 1,
      window: { ...window, rows: 1000 },
      comparisons: [
        {
          kind: "drift",
          objective: "feature",
          columns: [
            {
              feature: "age",
              statistic: "jensen-shannon-divergence",
              value: 0.4,
              nullQuantile: 0.01,
              stability: 1.5,
              threshold: 0.1,
              isAnomaly: true,
            },
          ],
        },
      ],
      quality: [
        {
          method: "labels",
          metric: "auc",
          value: 0.6,
          baseline: 0.8,
          threshold: 0.75,
          standardError: 0.02,
          rows: 900,
          isDecayed: true,
        },
      ],
      unknown: [],
    };
    await story.world.ports.objects.write(
      `gs://demo-continuo/monitoring/churn/${window.end}.json`,
      json(report),
      "application/json",
    );
    const alert = (id: string, over: { readonly start: string; readonly end: string }) =>
      story.handle({
        specversion: "1.0",
        id,
        source: "//logging.googleapis.com/projects/demo/logs/anomaly",
        time: over.end,
        type: "drift.detected",
        data: {
          deployedModelId,
          objective: "feature",
          window: over,
          anomalies: [{ feature: "age", deviation: 0.4, threshold: 0.1 }],
        },
      });
    await alert("ours", window);
    const later = { start: "2026-01-05T13:00:00.000Z", end: "2026-01-05T14:00:00.000Z" };
    await alert("theirs", later);
    const entries = await story.world.ports.state.timeline({ model: churn, limit: 50 });
    const keyOf = (id: string): string => entries.find(({ event }) => event.id === id)?.key ?? "";
    const ours = await told(story, keyOf("ours"));
    const card = cardOf(ours, "drift of features");
    expect(card).toMatchObject({
      result: "anomaly",
      inputs: [
        `1000 predictions from ${window.start} to ${window.end}`,
        `version 1 (${deployedModelId})`,
        "against its first rows",
      ],
      numbers: { age: 0.4, "age by chance": 0.01, "age stability": 1.5 },
      thresholds: { age: 0.1 },
      policyVersion: 1,
    });
    expectOnPage(ours, card);
    const theirs = cardOf(await told(story, keyOf("theirs")), "drift of features");
    expect(theirs).toMatchObject({
      inputs: [`window ${later.start} to ${later.end}`, `deployed model ${deployedModelId}`],
      method: "as its origin, //logging.googleapis.com/projects/demo/logs/anomaly, measured it",
      thresholds: { age: 0.1 },
    });
    // The model's own story shows the newest look, quality included.
    const quality = cardOf(await told(story, "churn"), "quality by labels");
    expect(quality).toMatchObject({
      result: "decayed",
      numbers: { value: 0.6, baseline: 0.8, rows: 900 },
      thresholds: { auc: 0.75 },
    });
  });
});
