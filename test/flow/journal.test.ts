import { describe, expect, it } from "vitest";
import { canonicalJson, evolve, nextLink } from "../../shared/domain/evolve.js";
import type { ModelState } from "../../shared/domain/state.js";
import type { JournalEntry } from "../../shared/ports/state.js";
import { manifestOf } from "../fixtures/manifest.js";
import { serve, until } from "./crashing.js";
import { command, untilPhase } from "./people.js";
import { churn, storyOf, type Story } from "./story.js";

const isIdle = (story: Story): boolean =>
  story.model().rollout === null && story.model().run === null;

/** A promotion, a roll-back and a pause: most of what can be decided. */
const eventful = async (): Promise<Story> => {
  const story = await storyOf(manifestOf({ triggers: { debounceSeconds: 60 } }));
  await story.arrive("december");
  await story.pass(61);
  await story.endJob({
    dataGate: { verdict: "stop", reasons: ["age: gone"], profileUri: "gs://p" },
  });
  for (const name of ["january", "february", "march"]) {
    await story.arrive(name);
    await story.pass(61);
    await story.endJob({
      dataGate: { verdict: "go", reasons: [], profileUri: `gs://p/${name}` },
      evaluation: {
        report: "gs://demo-continuo/report.json",
        outcome: "accept",
        reasons: ["better"],
        numbers: { "challenger.auc": 0.7 },
        artifact: `gs://demo-continuo/${name}`,
        artifactDigest: "sha256:1",
      },
    });
    if (name === "february") {
      await untilPhase(story, "progressing");
      await command(story, "pause");
      await command(story, "resume");
    }
    await until(
      story,
      () => isIdle(story),
      61,
      () => serve(story, name === "march" ? 0.5 : 0),
    );
  }
  return story;
};

/** The entries that changed the state, as the store would give them back, oldest first. */
const chainOf = (story: Story): readonly (JournalEntry & { chain: object })[] =>
  [...story.world.journal.values()]
    .flatMap((entry) => (entry.chain === null ? [] : [{ ...entry, chain: entry.chain }]))
    .toSorted((a, b) => a.chain.sequence - b.chain.sequence)
    .map((entry) => JSON.parse(JSON.stringify(entry)) as JournalEntry & { chain: object });

describe("the journal", () => {
  it("folding its decisions from nothing gives the state that is stored", async () => {
    const story = await eventful();
    let state: ModelState | null = null;
    for (const { decisions, receivedAtMs, chain } of chainOf(story)) {
      for (const { decision } of decisions) state = evolve(state, decision, receivedAtMs);
      if (state === null) throw new Error("the model was forgotten");
      state = { ...state, sequence: chain?.sequence ?? 0, head: chain?.hash ?? "" };
    }
    expect(canonicalJson(state)).toBe(canonicalJson(story.model()));
    expect(story.model().champion?.versionId).toBe("2");
  });

  it("is a chain of hashes without a gap", async () => {
    const story = await eventful();
    const entries = chainOf(story);
    expect(entries.length).toBeGreaterThan(30);
    let before: ModelState | null = null;
    for (const [index, entry] of entries.entries()) {
      const decisions = entry.decisions.map(({ decision }) => decision);
      const link = nextLink(before, { ...entry, decisions });
      expect(link).toEqual(entry.chain);
      expect(entry.chain).toMatchObject({ sequence: index + 1 });
      before = { ...story.model(), sequence: link.sequence, head: link.hash };
    }
    expect(before?.head).toBe(story.model().head);
  });

  it("every decision has a reason, and nothing is left to perform", async () => {
    const story = await eventful();
    for (const { decisions, isPending } of story.world.journal.values()) {
      expect(isPending).toBe(false);
      expect(decisions.length).toBeGreaterThan(0);
      expect(decisions.every(({ decision }) => decision.reason.trim() !== "")).toBe(true);
    }
  });

  it("a chain of events leads from the data's arrival to its model's promotion", async () => {
    const story = await eventful();
    const chain = await story.world.ports.state.timeline({
      correlationId: "data/february",
      limit: 500,
    });
    const types = new Set(chain.map(({ event }) => event.type));
    expect([...types].toSorted()).toEqual([
      "command.issued",
      "dataset.arrived",
      "evaluation.completed",
      "model.visited",
      "pipeline-job.changed",
      "timer.fired",
      "training-run.requested",
    ]);
    const decided = chain.flatMap(({ decisions }) => decisions.map(({ decision }) => decision.do));
    expect(decided).toEqual(
      expect.arrayContaining([
        "record-dataset",
        "submit-pipeline-job",
        "register-model-version",
        "start-rollout",
        "promote",
        "end-rollout",
      ]),
    );
  });

  it("an idle system writes nothing", async () => {
    const story = await eventful();
    const { size } = story.world.journal;
    const writes = story.world.writes();
    for (let visit = 0; visit < 10; visit += 1) await story.pass(60);
    expect(story.world.journal.size).toBe(size);
    expect(story.world.writes()).toBe(writes);
  });

  it("an event that concerns no model is recorded too", async () => {
    const story = await storyOf(manifestOf());
    await story.handle({
      specversion: "1.0",
      id: "data/strangers",
      source: "test",
      time: new Date(story.world.nowMs).toISOString(),
      type: "dataset.arrived",
      data: { dataset: "strangers", uris: ["gs://b/o"] },
    });
    const [entry] = await story.world.ports.state.timeline({ limit: 1 });
    expect(entry).toMatchObject({ model: null, isPending: false });
    expect(entry?.decisions[0]?.decision.reason).toMatch(/no applied manifest/);
    expect(await story.world.ports.state.timeline({ model: churn, limit: 10 })).toHaveLength(1);
  });
});
