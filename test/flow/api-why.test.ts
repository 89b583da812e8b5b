import { afterEach, describe, expect, it } from "vitest";
import { rolloutId } from "../../events/ids.js";
import type { RolloutRecord } from "../../shared/domain/state.js";
import type { JournalEntry } from "../../shared/ports/state.js";
import { manifestOf } from "../fixtures/manifest.js";
import { apiServer, type ApiServer } from "./api-server.js";
import { arm, churn, storyOf, type Story } from "./story.js";

const servers: ApiServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const started = async (): Promise<{ readonly story: Story; readonly api: ApiServer }> => {
  const story = await storyOf(manifestOf());
  const api = await apiServer(story.world.ports);
  servers.push(api);
  return { story, api };
};

interface Told {
  readonly answer: string;
  readonly reasons: readonly string[];
  readonly numbers: Readonly<Record<string, number>>;
  readonly steps: readonly { readonly decision: string; readonly numbers: object }[];
}

const why = async (api: ApiServer, id: string): Promise<Told> => {
  const { status, body } = await api.call("GET", `/why/${encodeURIComponent(id)}`);
  expect(status).toBe(200);
  return body as unknown as Told;
};

const decisionsOf = ({ steps }: Told): string => steps.map(({ decision }) => decision).join("\n");

/** Brings a second version to the first step of its canary. */
const canary = async (
  story: Story,
): Promise<{ readonly champion: string; readonly challenger: string }> => {
  await story.firstChampion();
  await story.train("february");
  for (let visit = 0; visit < 8 && story.model().rollout?.phase !== "progressing"; visit += 1) {
    await story.pass(1);
  }
  return {
    champion: story.model().champion?.deployed["production"] ?? "",
    challenger: story.model().rollout?.deployed["production"] ?? "",
  };
};

describe("why", () => {
  it("a run was promoted: from its data to its last step, with the numbers of both gates", async () => {
    const { story, api } = await started();
    const { champion, challenger } = await canary(story);
    const run = story.model().rollout?.run ?? "";
    for (const weight of [10, 50, 100]) {
      story.world.series = {
        [champion]: arm(weight === 100 ? 0 : 1000 - 10 * weight),
        [challenger]: arm(10 * weight),
      };
      await story.pass(61);
    }
    for (let visit = 0; visit < 4; visit += 1) await story.pass(1);
    const told = await why(api, run);
    expect(told.answer).toContain("passed the evaluation gate");
    expect(told.answer).toContain("promoted");
    expect(told.numbers).toMatchObject({ "challenger.auc": 0.7, requests: expect.any(Number) });
    expect(decisionsOf(told)).toMatch(/request training run[^]*start rollout[^]*promote version 2/);
  });

  it("an old run ended as it did, however much has happened to the model since", async () => {
    const { story, api } = await started();
    const { world } = story;
    const { champion, challenger } = await canary(story);
    const { run, rollout } = story.model().rollout ?? { run: null, rollout: null };
    const remark = (index: number, rollouts: readonly RolloutRecord[]) => {
      const said = { severity: "info", title: `remark ${index}`, body: `about ${run}` } as const;
      const key = `remark-${index}`;
      const entry: JournalEntry = {
        key,
        model: churn,
        event: {
          specversion: "1.0",
          type: "notification.raised",
          id: key,
          source: "test",
          time: new Date(world.nowMs).toISOString(),
          data: { model: churn, ...said },
        },
        receivedAtMs: world.nowMs,
        function: "test",
        decisions: [{ decision: { do: "notify", ...said, reason: "a test" }, isDone: true }],
        isPending: false,
        stateVersion: 0,
        chain: null,
      };
      return world.ports.state.transact(key, churn, () => ({
        entry,
        timers: [],
        runs: [],
        rollouts,
      }));
    };
    await remark(0, []);
    world.series = { [champion]: arm(900), [challenger]: arm(100, 30) };
    for (let visit = 0; visit < 8; visit += 1) await story.pass(5);
    const record = world.rollouts.get(rollout ?? "");
    if (record === undefined) throw new Error("the rollout left no record");
    world.nowMs += 3_600_000;
    for (let index = 1; index <= 600; index += 1) {
      const id = rolloutId.parse(`churn-o${String(index).padStart(10, "0")}`);
      await remark(index, [{ ...record, rollout: id, run: null, endedAtMs: world.nowMs + index }]);
    }
    const told = await why(api, run ?? "");
    expect(told.answer).toContain("version 2 of churn was rolled back");
    expect(decisionsOf(told)).toContain("remark 0");
    expect(decisionsOf(told)).not.toContain("remark 1");
  });

  it("a run was refused by its evaluation", async () => {
    const { story, api } = await started();
    await story.arrive("january");
    const run = story.model().run?.run ?? "";
    await story.endJob({
      dataGate: { verdict: "go", reasons: [], profileUri: "gs://p" },
      evaluation: {
        report: "gs://demo-continuo/report.json",
        outcome: "reject",
        reasons: ["auc 0.51 is below 0.6"],
        numbers: { "challenger.auc": 0.51 },
        artifact: "gs://demo-continuo/model",
        artifactDigest: "sha256:1",
      },
    });
    const told = await why(api, run);
    expect(told.answer).toContain("refused by the evaluation gate");
    expect(told.reasons.join("; ")).toContain("auc 0.51 is below 0.6");
    expect(told.numbers).toMatchObject({ "challenger.auc": 0.51 });
  });

  it("a rollout was rolled back, with what was counted on both sides", async () => {
    const { story, api } = await started();
    const { champion, challenger } = await canary(story);
    const rollout = story.model().rollout?.rollout ?? "";
    story.world.series = { [champion]: arm(900), [challenger]: arm(100, 30) };
    await story.pass(5);
    for (let visit = 0; visit < 4; visit += 1) await story.pass(1);
    const told = await why(api, rollout);
    expect(told.answer).toBe("version 2 of churn was rolled back");
    expect(told.reasons.join(" ")).toContain("errors");
    expect(told.numbers).toMatchObject({ requests: 100, errors: 30 });
    expect(decisionsOf(told)).toContain("roll back version 2");
  });

  it("a dataset was stopped, by its address and by its fingerprint", async () => {
    const { story, api } = await started();
    await story.arrive("january");
    const fingerprint = story.model().run?.fingerprint ?? "";
    await story.endJob({
      dataGate: { verdict: "stop", reasons: ["age: 3 % missing"], profileUri: "gs://p" },
    });
    for (const id of ["gs://demo-continuo/january.parquet", fingerprint]) {
      const told = await why(api, id);
      expect(told.answer).toContain("stopped at the data gate before any training");
      expect(told.reasons).toEqual(["data gate: age: 3 % missing"]);
    }
  });

  it("one event, by its key in the journal, and the model by its name", async () => {
    const { story, api } = await started();
    await story.arrive("january");
    const key = [...story.world.journal.keys()].at(-1) ?? "";
    expect(decisionsOf(await why(api, key))).toContain("submit pipeline job");
    expect((await why(api, "churn")).answer).toContain("churn has no champion yet");
  });
});
