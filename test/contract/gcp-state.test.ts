/** The State port on Firestore, against the local cloud. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  deployedModelId,
  modelName,
  modelVersionId,
  rolloutId,
  runId,
  type ModelName,
} from "../../events/ids.js";
import type { ContinuoEvent } from "../../events/index.js";
import type { Decision } from "../../shared/domain/decision.js";
import { RejectedError } from "../../shared/domain/errors.js";
import type { ModelState, RolloutRecord, RunRecord } from "../../shared/domain/state.js";
import { firestoreState } from "../../shared/gcp/firestore-state.js";
import { manifestSchema } from "../../shared/manifest/schema.js";
import type { Commit, JournalEntry, Partition, State } from "../../shared/ports/state.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

let cloud: LocalCloud;
let state: State;

beforeAll(async () => {
  cloud = await withLocalCloud(["firestore"]);
  state = firestoreState({
    projectId: cloud.projectId,
    region: "us-central1",
    bucket: "demo-bucket",
    identity: "continuo@demo-project.iam.gserviceaccount.com",
    localCloud: cloud.address,
  });
});

/** The state as another process sees it. */
const other = (): State =>
  firestoreState({
    projectId: cloud.projectId,
    region: "us-central1",
    bucket: "demo-bucket",
    identity: "other@demo-project.iam.gserviceaccount.com",
    localCloud: cloud.address,
  });

afterAll(async () => {
  await cloud.stop();
});

const manifest = (name: string, dataset: string, endpoint: string) =>
  manifestSchema.parse({
    apiVersion: "continuo/v1",
    kind: "Model",
    name,
    dataset: {
      name: dataset,
      matches: [`gs://lake/${dataset}/`],
      label: "late",
      positiveClass: "yes",
      features: [{ name: "distance", type: "numeric" }],
    },
    // A list inside a list is legal in a manifest, and a Firestore map could not hold it.
    training: {
      parameters: {
        layers: [
          [1, 2],
          [3, 4],
        ],
      },
    },
    promotion: { environments: [{ name: "production", endpoint }] },
  });

const stateOf = (name: string, change: Partial<ModelState> = {}): ModelState => ({
  model: modelName.parse(name),
  manifest: manifest(name, `${name}-data`, `${name}-endpoint`),
  manifestVersion: 1,
  manifestDigest: "digest",
  isPaused: false,
  parkedReason: null,
  datasets: [],
  trigger: null,
  seen: [],
  lastRunStartedAtMs: null,
  fruitlessRuns: 0,
  run: null,
  champion: null,
  rollout: null,
  waiting: null,
  budget: { month: "2026-11", spentUsd: 0, reservedUsd: 0 },
  sequence: 0,
  head: "",
  ...change,
});

const event = (id: string, correlationId?: string): ContinuoEvent => ({
  specversion: "1.0",
  type: "schedule.fired",
  id,
  source: "test",
  time: "2026-11-21T00:00:00.000Z",
  ...(correlationId === undefined ? {} : { correlationid: correlationId }),
  data: { model: modelName.parse("any-model"), schedule: "nightly" },
});

const remember: Decision = { do: "remember", content: "x", reason: "for the test" };

const entryOf = (key: string, name: string, change: Partial<JournalEntry> = {}): JournalEntry => ({
  key,
  model: modelName.parse(name),
  event: event(key),
  receivedAtMs: 1_000,
  function: "on-schedule-fired",
  decisions: [{ decision: remember, isDone: true }],
  isPending: false,
  stateVersion: 1,
  chain: null,
  ...change,
});

const commitOf = (
  key: string,
  next: ModelState | null | undefined,
  change: Partial<Commit> & { readonly entry?: JournalEntry } = {},
): Commit => ({
  entry: entryOf(key, "any-model"),
  ...(next === undefined ? {} : { state: next }),
  timers: [],
  runs: [],
  rollouts: [],
  ...change,
});

const put = async (next: ModelState): Promise<void> => {
  await state.transact(`put-${next.model}-${String(next.sequence)}`, next.model, () =>
    commitOf("put", next, { entry: entryOf(`put-${next.model}`, next.model) }),
  );
};

const partition = { index: 0, count: 1 };
const champion = deployedModelId.parse("1234567890");

const run: NonNullable<ModelState["run"]> = {
  phase: "requested",
  run: runId.parse("busy-r0123456789"),
  kind: "request",
  reason: "by hand",
  triggerCount: 1,
  datasetUris: [],
  fingerprint: "f",
  requestedAtMs: 1,
  sinceMs: 1,
  reservedUsd: 1,
  correlationId: "c",
};

const keysOf = async (query: Parameters<State["timeline"]>[0]): Promise<readonly string[]> =>
  (await state.timeline(query)).map(({ key }) => key);

const foundBy = async (query: Parameters<State["models"]>[0]): Promise<readonly string[]> =>
  (await state.models(query)).map(({ model }) => model).toSorted();

describe("a decision's transaction", () => {
  it("writes the state and reads it back as it was", async () => {
    const next = stateOf("first");
    const result = await state.transact("first-1", next.model, (before) => {
      expect(before).toBeUndefined();
      return commitOf("first-1", next);
    });
    expect(result.outcome).toBe("committed");
    expect(await state.model(next.model)).toEqual(next);
  });

  it("answers a second delivery with the first one's entry and leaves the state alone", async () => {
    const next = stateOf("twice");
    const entry = entryOf("twice-1", "twice", {
      isPending: true,
      decisions: [{ decision: remember, isDone: false }],
    });
    await state.transact("twice-1", next.model, () => commitOf("twice-1", next, { entry }));
    const again = await state.transact("twice-1", next.model, () =>
      commitOf("twice-1", stateOf("twice", { sequence: 99 }), { entry }),
    );
    expect(again).toEqual({ outcome: "duplicate", entry });
    expect((await state.model(next.model))?.sequence).toBe(0);
  });

  it("writes nothing when there is nothing to write", async () => {
    const model = modelName.parse("nothing");
    expect(await state.transact("nothing-1", model, () => null)).toEqual({ outcome: "nothing" });
    expect(await state.entry("nothing-1")).toBeNull();
  });

  it("loses none of many concurrent decisions on one model, whatever process makes them", async () => {
    const model = modelName.parse("counted");
    await put(stateOf("counted"));
    const others = other();
    const count = 30;
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        (index % 2 === 0 ? state : others).transact(`counted-${String(index)}`, model, (before) => {
          const sequence = (before?.sequence ?? 0) + 1;
          return commitOf("counted", stateOf("counted", { sequence }), {
            entry: entryOf(`counted-${String(index)}`, "counted"),
          });
        }),
      ),
    );
    expect((await state.model(model))?.sequence).toBe(count);
  });

  it("keeps apart what shares a request: a duplicate among many, and one that cannot be stored", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `shared-${String(index)}`);
    const decide = (name: string, sequence: number, content = "x") => {
      const entry = entryOf(`${name}-${String(sequence)}`, name, {
        decisions: [{ decision: { ...remember, content }, isDone: true }],
      });
      return state.transact(entry.key, modelName.parse(name), () =>
        commitOf(entry.key, stateOf(name, { sequence }), { entry }),
      );
    };
    await Promise.all(names.map((name) => decide(name, 1)));
    // What another process has journalled is known from the refusal of the commit alone.
    await other().transact("shared-3-2", modelName.parse("shared-3"), () =>
      commitOf("shared-3-2", stateOf("shared-3", { sequence: 2 }), {
        entry: entryOf("shared-3-2", "shared-3"),
      }),
    );
    const results = await Promise.allSettled(
      names.map((name) => decide(name, 2, name === "shared-5" ? "x".repeat(950_000) : "x")),
    );
    expect(
      results.map((one) => (one.status === "fulfilled" ? one.value.outcome : "refused")),
    ).toEqual(
      names.map((name) =>
        name === "shared-3" ? "duplicate" : name === "shared-5" ? "refused" : "committed",
      ),
    );
    const sequences = await Promise.all(
      names.map(async (name) => (await state.model(modelName.parse(name)))?.sequence),
    );
    expect(sequences).toEqual(names.map((name) => (name === "shared-5" ? 1 : 2)));
  });

  it("forgets a model", async () => {
    const model = modelName.parse("forgotten");
    await put(stateOf("forgotten"));
    await state.transact("forgotten-1", model, () =>
      commitOf("forgotten-1", null, { entry: entryOf("forgotten-1", "forgotten") }),
    );
    expect(await state.model(model)).toBeNull();
  });

  it("refuses an entry that is too large, with what to do", async () => {
    const model = modelName.parse("large");
    const entry = entryOf("large-1", "large", {
      decisions: [{ decision: { ...remember, content: "x".repeat(950_000) }, isDone: true }],
    });
    const attempt = state.transact("large-1", model, () =>
      commitOf("large-1", stateOf("large"), { entry }),
    );
    await expect(attempt).rejects.toThrow(RejectedError);
    await expect(attempt).rejects.toThrow(/at most 900000 .* bucket/);
    expect(await state.model(model)).toBeNull();
  });
});

describe("the journal", () => {
  it("finds pending entries, oldest first, until they are marked as done", async () => {
    const keys = ["pending-b", "pending-a", "pending-c"];
    for (const [index, key] of keys.entries()) {
      await state.record(
        entryOf(key, "any-model", {
          receivedAtMs: 100 - index,
          isPending: true,
          decisions: [{ decision: remember, isDone: false }],
        }),
      );
    }
    const found = async (): Promise<readonly string[]> =>
      (await state.pendingEntries({ partition, beforeMs: 101, limit: 10 })).map(({ key }) => key);
    expect(await found()).toEqual(["pending-c", "pending-a", "pending-b"]);
    await state.markDone("pending-a");
    expect(await found()).toEqual(["pending-c", "pending-b"]);
    const done = await state.entry("pending-a");
    expect(done).toMatchObject({ isPending: false, decisions: [{ isDone: true }] });
    await state.markDone("pending-b");
    await state.markDone("pending-c");
    expect(await found()).toEqual([]);
  });

  it("keeps an entry that concerns no model", async () => {
    const entry = entryOf("of-no-model", "any-model", { model: null });
    await state.record(entry);
    expect(await state.entry("of-no-model")).toEqual(entry);
  });

  it("leaves the first entry of a duplicate as it is", async () => {
    await state.record(entryOf("recorded", "any-model", { function: "first" }));
    await state.record(entryOf("recorded", "any-model", { function: "second" }));
    expect((await state.entry("recorded"))?.function).toBe("first");
  });

  it("tells the newest first, of a model, of a chain of events, and of a span of time", async () => {
    for (const at of [5000, 7000, 6000]) {
      const key = `told-${String(at)}`;
      const chain = at === 7000 ? "chain-b" : "chain-a";
      await state.record(entryOf(key, "told", { receivedAtMs: at, event: event(key, chain) }));
    }
    const model = modelName.parse("told");
    expect(await keysOf({ model, limit: 10 })).toEqual(["told-7000", "told-6000", "told-5000"]);
    expect(await keysOf({ model, limit: 1 })).toEqual(["told-7000"]);
    expect(await keysOf({ correlationId: "chain-a", limit: 10 })).toEqual([
      "told-6000",
      "told-5000",
    ]);
    expect(await keysOf({ afterMs: 5500, limit: 10 })).toEqual(["told-7000", "told-6000"]);
    expect(await keysOf({ model, afterMs: 6000, limit: 10 })).toEqual(["told-7000"]);
    expect(await keysOf({ model, untilMs: 6000, limit: 1 })).toEqual(["told-6000"]);
    expect(await keysOf({ afterMs: 5000, untilMs: 6000, limit: 10 })).toEqual(["told-6000"]);
  });
});

describe("finding models", () => {
  it("finds them by dataset, deployed model, endpoint, open work, and all", async () => {
    await put(
      stateOf("busy", {
        run,
        champion: {
          versionId: modelVersionId.parse("1"),
          run: null,
          artifactUri: "gs://b/a",
          artifactDigest: "d",
          servingImage: "i",
          deployed: { production: champion },
          sinceMs: 1,
          report: null,
        },
      }),
    );
    await put(stateOf("quiet"));
    expect(await foundBy({ by: "dataset", keys: ["busy-data", "gs://lake/quiet-data/"] })).toEqual([
      "busy",
      "quiet",
    ]);
    const many = Array.from({ length: 40 }, (_, index) => `dataset-${String(index)}`);
    expect(await foundBy({ by: "dataset", keys: [...many, "quiet-data"] })).toEqual(["quiet"]);
    expect(await foundBy({ by: "dataset", keys: [] })).toEqual([]);
    expect(await foundBy({ by: "deployed-model", id: champion })).toEqual(["busy"]);
    expect(await foundBy({ by: "endpoint", endpoint: "quiet-endpoint" })).toEqual(["quiet"]);
    const open = async (): Promise<readonly string[]> =>
      (await state.modelPage({ openIn: partition, after: null, limit: 10 })).map(
        ({ model }) => model,
      );
    expect(await open()).toEqual(["busy"]);
    expect(await foundBy({ by: "all" })).toEqual(expect.arrayContaining(["busy", "quiet"]));
    await put(stateOf("busy", { sequence: 1 }));
    expect(await open()).toEqual([]);
  });

  it("lists models page by page, each once, and what is open by partition", async () => {
    const names = Array.from(
      { length: 25 },
      (_, index) => `page-${String(index).padStart(2, "0")}`,
    );
    await Promise.all(names.map((name) => put(stateOf(name, { run }))));
    const pages = async (limit: number, openIn?: Partition): Promise<readonly string[]> => {
      const found: string[] = [];
      for (let after: ModelName | null = null; ;) {
        const page: readonly ModelState[] = await state.modelPage({
          ...(openIn === undefined ? {} : { openIn }),
          after,
          limit,
        });
        found.push(...page.map(({ model }) => model).filter((name) => name.startsWith("page-")));
        after = page.at(-1)?.model ?? null;
        if (page.length < limit) return found;
      }
    };
    expect(await pages(7)).toEqual(names);
    expect(await pages(7, partition)).toEqual(names);
    const shares = await Promise.all([0, 1, 2].map((index) => pages(5, { index, count: 3 })));
    expect(shares.flat().toSorted()).toEqual(names);
    expect(shares.every((share) => share.length > 0)).toBe(true);
  });
});

describe("timers, runs, rollouts and dead letters", () => {
  it("fires each timer once it is due, and none that was cleared or set anew", async () => {
    const model = modelName.parse("timed");
    const timers = [
      { model, kind: "trigger", dueAtMs: 200 },
      { model, kind: "run-deadline", dueAtMs: 100 },
      { model, kind: "approval-deadline", dueAtMs: 300 },
    ] as const;
    await state.transact("timed-1", model, () =>
      commitOf("timed-1", undefined, { entry: entryOf("timed-1", "timed"), timers }),
    );
    const due = async (at: number): Promise<readonly string[]> =>
      (await state.dueTimers({ partition, nowMs: at, limit: 10 })).map(({ kind }) => kind);
    expect(await due(99)).toEqual([]);
    expect(await due(200)).toEqual(["run-deadline", "trigger"]);
    await state.transact("timed-2", model, () =>
      commitOf("timed-2", undefined, {
        entry: entryOf("timed-2", "timed"),
        timers: [
          { model, kind: "run-deadline", dueAtMs: null },
          { model, kind: "trigger", dueAtMs: 400 },
        ],
      }),
    );
    expect(await due(300)).toEqual(["approval-deadline"]);
  });

  it("keeps ended runs and rollouts, newest first", async () => {
    const model = modelName.parse("ended");
    const record = (id: string, endedAtMs: number): RunRecord => ({
      ...run,
      run: runId.parse(id),
      model,
      outcome: "rejected",
      reasons: ["worse"],
      endedAtMs,
    });
    const rollout: RolloutRecord = {
      rollout: rolloutId.parse("ended-o1"),
      run: null,
      cause: "by hand",
      versionId: modelVersionId.parse("2"),
      artifactUri: "gs://b/a",
      artifactDigest: "d",
      servingImage: "i",
      report: null,
      startedAtMs: 1,
      environment: 0,
      deployed: {},
      history: [],
      correlationId: "c",
      model,
      outcome: "aborted",
      reasons: ["by hand"],
      endedAtMs: 9,
    };
    await state.transact("ended-1", model, () =>
      commitOf("ended-1", undefined, {
        entry: entryOf("ended-1", "ended"),
        runs: [record("ended-r1", 10), record("ended-r2", 20)],
        rollouts: [rollout],
      }),
    );
    expect((await state.runs({ model, limit: 10 })).map((one) => one.run)).toEqual([
      "ended-r2",
      "ended-r1",
    ]);
    expect((await state.runs({ limit: 1 })).map((one) => one.run)).toEqual(["ended-r2"]);
    expect(await state.run(runId.parse("ended-r1"))).toMatchObject({ endedAtMs: 10 });
    expect(await state.run(runId.parse("ended-r3"))).toBeNull();
    expect(await state.rollout(rollout.rollout)).toEqual(rollout);
    expect(await state.rollouts({ model, limit: 10 })).toEqual([rollout]);
  });

  it("keeps dead letters with foreign attributes and remembers a redrive", async () => {
    const letter = {
      id: "projects/p/subscriptions/on-x/1",
      function: "on-dataset-arrived",
      topic: "dataset",
      reason: "unknown type",
      receivedAtMs: 50,
      data: "e30=",
      digest: "abc",
      attributes: { "__odd.name__": "v", "a.b": "c" },
      redrivenAtMs: null,
    };
    await state.addDeadLetter(letter);
    await state.markRedriven(letter.id, 60);
    await state.addDeadLetter(letter);
    expect(await state.deadLetter(letter.id)).toEqual({ ...letter, redrivenAtMs: 60 });
    expect(await state.deadLetters(10)).toEqual([{ ...letter, redrivenAtMs: 60 }]);
  });
});
