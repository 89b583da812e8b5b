/** The hash chain of a model: anchored by the hour, walked on demand, and every forgery named. */
import { describe, expect, it } from "vitest";
import { verifyChain, type ChainEvidence, type ChainRecord } from "../../shared/domain/chain.js";
import { linkHash, nextLink } from "../../shared/domain/evolve.js";
import { verifyModel } from "../../shared/runtime/chain.js";
import { reconcile } from "../../shared/runtime/tick.js";
import { manifestOf } from "../fixtures/manifest.js";
import { command } from "./people.js";
import { churn, storyOf, type Story } from "./story.js";

const dayMs = 24 * 60 * 60 * 1000;

/** A model with a champion, whose head was anchored twice on the way. */
const anchoredStory = async (): Promise<Story> => {
  const story = await storyOf(manifestOf());
  await reconcile("first", story.world.ports);
  await story.firstChampion();
  await reconcile("second", story.world.ports);
  await command(story, "pause");
  await command(story, "resume");
  return story;
};

const recordsOf = ({ world }: Story): readonly ChainRecord[] =>
  [...world.journal.values()].flatMap((entry) =>
    entry.chain === null ? [] : [{ ...entry, chain: entry.chain }],
  );

const evidenceOf = async (story: Story): Promise<ChainEvidence> => {
  const { sequence, head } = story.model();
  return {
    head: { sequence, hash: head },
    records: recordsOf(story),
    anchors: await story.world.ports.anchors.list(churn),
    nowMs: story.world.nowMs,
  };
};

/** The chain made anew from a record on, as somebody would who can write the whole store. */
const rehashed = (records: readonly ChainRecord[]): readonly ChainRecord[] => {
  let state: { sequence: number; head: string } | null = null;
  return records.map((record) => {
    const fact = { ...record, decisions: record.decisions.map(({ decision }) => decision) };
    const chain = nextLink(state, fact);
    state = { sequence: chain.sequence, head: chain.hash };
    return { ...record, chain };
  });
};

const changedAt = (
  records: readonly ChainRecord[],
  index: number,
  change: (record: ChainRecord) => ChainRecord,
): readonly ChainRecord[] =>
  records.map((record, position) => (position === index ? change(record) : record));

const withReason = (record: ChainRecord): ChainRecord => ({
  ...record,
  decisions: record.decisions.map(({ decision }) => ({
    decision: { ...decision, reason: "because I say so" },
  })),
});

const endOf = (records: readonly ChainRecord[]) => records.at(-1)?.chain ?? null;

describe("anchoring", () => {
  it("writes the heads that have changed, once, and nothing when nothing has", async () => {
    const story = await anchoredStory();
    const before = [...story.world.anchored.values()];
    expect(before.map(({ model }) => model)).toEqual([churn, churn]);
    await reconcile("third", story.world.ports);
    const anchors = await story.world.ports.anchors.list(churn);
    expect(anchors).toHaveLength(3);
    expect(anchors.at(-1)).toMatchObject({
      sequence: story.model().sequence,
      hash: story.model().head,
    });
    const writes = story.world.writes();
    const effects = story.world.effects.length;
    for (const visit of ["fourth", "fifth", "sixth"]) await reconcile(visit, story.world.ports);
    expect(story.world.writes()).toBe(writes);
    expect(story.world.effects).toHaveLength(effects);
  });

  it("a head that changes while it is anchored is anchored again", async () => {
    const story = await anchoredStory();
    const { ports } = story.world;
    const interrupted = {
      ...ports,
      anchors: {
        ...ports.anchors,
        write: async (head: Parameters<typeof ports.anchors.write>[0]) => {
          await ports.anchors.write(head);
          await command(story, "pause");
        },
      },
    };
    await reconcile("third", interrupted);
    expect([...story.world.unanchored]).toEqual([churn]);
    await reconcile("fourth", ports);
    expect([...story.world.unanchored]).toEqual([]);
    const anchors = await ports.anchors.list(churn);
    expect(anchors.at(-1)?.hash).toBe(story.model().head);
  });

  it("the last head of a forgotten model is anchored too, and its chain stays whole", async () => {
    const story = await anchoredStory();
    await command(story, "forget");
    expect(story.world.models.has(churn)).toBe(false);
    const last = recordsOf(story).at(-1);
    const anchors = await story.world.ports.anchors.list(churn);
    expect(anchors.at(-1)?.hash).toBe(last?.chain.hash);
    const report = await verifyModel(churn, story.world.ports);
    expect(report).toMatchObject({ problems: [], head: null, records: recordsOf(story).length });
  });
});

describe("verify", () => {
  it("finds nothing wrong with a chain that nobody touched", async () => {
    const story = await anchoredStory();
    expect(await verifyModel(churn, story.world.ports)).toEqual({
      problems: [],
      records: recordsOf(story).length,
      since: 1,
      head: { sequence: story.model().sequence, hash: story.model().head },
      anchors: 2,
      expired: 0,
    });
    expect(recordsOf(story).length).toBeGreaterThan(10);
  });

  it("knows nothing of a model that never was", async () => {
    const { world } = await storyOf(manifestOf());
    expect(await verifyModel("nobody" as typeof churn, world.ports)).toBeNull();
  });

  it.each([
    ["another reason", withReason],
    ["another time", (record: ChainRecord) => ({ ...record, receivedAtMs: 1 })],
    [
      "another event",
      (record: ChainRecord) => ({ ...record, event: { ...record.event, id: "forged" } }),
    ],
    ["no decisions", (record: ChainRecord) => ({ ...record, decisions: [] })],
  ] as const)("names every record that was given %s", async (_what, change) => {
    const evidence = await evidenceOf(await anchoredStory());
    for (const [index, { chain }] of evidence.records.entries()) {
      const records = changedAt(evidence.records, index, change);
      const { problems } = verifyChain({ ...evidence, records });
      expect(problems).toEqual([
        expect.objectContaining({
          kind: "tampered",
          sequence: chain.sequence,
          event: records[index]?.event.id,
        }),
      ]);
    }
  });

  it("names a record that was changed and given a hash that fits", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const records = changedAt(evidence.records, 4, (record) => {
      const forged = withReason(record);
      const fact = { ...forged, decisions: forged.decisions.map(({ decision }) => decision) };
      return { ...forged, chain: { ...record.chain, hash: linkHash(record.chain, fact) } };
    });
    const { problems } = verifyChain({ ...evidence, records });
    expect(problems).toMatchObject([{ kind: "rewritten", event: records[4]?.event.id }]);
  });

  it("names the place of every missing record by its neighbour's event", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const anchored = new Set(evidence.anchors.map(({ sequence }) => sequence));
    for (let index = 0; index < evidence.records.length - 1; index += 1) {
      const records = evidence.records.toSpliced(index, 1);
      const { problems } = verifyChain({ ...evidence, records });
      const sequence = index + 1;
      expect(problems[0]).toMatchObject({
        kind: "missing",
        sequence,
        event: evidence.records[index + 1]?.event.id,
      });
      // An anchor says the same once more.
      expect(problems).toHaveLength(anchored.has(sequence) ? 2 : 1);
    }
  });

  it("names both records that were exchanged", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const [third, fourth] = [evidence.records[2], evidence.records[3]];
    if (third === undefined || fourth === undefined) throw new Error("the story is too short");
    const records = evidence.records
      .with(2, { ...fourth, chain: third.chain })
      .with(3, { ...third, chain: fourth.chain });
    const { problems } = verifyChain({ ...evidence, records });
    expect(problems).toMatchObject([
      { kind: "reordered", sequence: 3, event: fourth.event.id },
      { kind: "reordered", sequence: 4, event: third.event.id },
    ]);
  });

  it("shows that the newest records were cut off", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const records = evidence.records.slice(0, -2);
    expect(verifyChain({ ...evidence, records }).problems).toMatchObject([
      { kind: "truncated", sequence: evidence.head?.sequence, event: records.at(-1)?.event.id },
    ]);
  });

  it("shows by an anchor that records were cut off together with the head", async () => {
    const story = await anchoredStory();
    await reconcile("third", story.world.ports);
    const evidence = await evidenceOf(story);
    const records = evidence.records.slice(0, -2);
    const { problems } = verifyChain({ ...evidence, records, head: endOf(records) });
    expect(problems).toMatchObject([{ kind: "truncated", sequence: evidence.head?.sequence }]);
  });

  it("shows by an anchor that the chain was made anew with other content", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const records = rehashed(changedAt(evidence.records, 3, withReason));
    const whole = { ...evidence, records, head: endOf(records) };
    const [, last] = evidence.anchors;
    expect(verifyChain(whole).problems).toMatchObject([
      { kind: "rewritten", sequence: last?.sequence },
    ]);
    // Without anchors nobody could tell.
    expect(verifyChain({ ...whole, anchors: [] }).problems).toEqual([]);
  });

  it("shows a record that was put in besides", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const [first] = evidence.records;
    if (first === undefined) throw new Error("the story is empty");
    const extra = { ...first, event: { ...first.event, id: "besides" } };
    const { problems } = verifyChain({ ...evidence, records: [...evidence.records, extra] });
    expect(problems.map(({ event }) => event)).toContain("besides");
  });

  it("shows a state that was set back to an earlier head", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const earlier = evidence.records.at(-3)?.chain ?? null;
    const { problems } = verifyChain({ ...evidence, head: earlier });
    expect(problems.map(({ kind, event }) => ({ kind, event }))).toEqual(
      evidence.records.slice(-2).map(({ event }) => ({ kind: "stray", event: event.id })),
    );
  });

  it("takes records for expired only when an anchor or their successor is as old", async () => {
    const evidence = await evidenceOf(await anchoredStory());
    const last = evidence.anchors.at(-1)?.sequence ?? 0;
    const records = evidence.records.filter(({ chain }) => chain.sequence > last);
    expect(verifyChain({ ...evidence, records }).problems[0]).toMatchObject({ kind: "missing" });
    const later = { ...evidence, records, nowMs: evidence.nowMs + 31 * dayMs };
    expect(verifyChain(later)).toMatchObject({ problems: [], expired: 2, since: last + 1 });
    expect(verifyChain({ ...later, records: records.slice(1) }).problems).toEqual([]);
  });
});
