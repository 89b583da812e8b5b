/** The Admission port on Firestore and its copy in memory: the same promises. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelName, runId, type RunId } from "../../events/ids.js";
import { firestoreAdmission } from "../../shared/gcp/firestore-admission.js";
import { firestoreState } from "../../shared/gcp/firestore-state.js";
import type { GcpConfig } from "../../shared/gcp/config.js";
import type { Admission, WaitingSubmission } from "../../shared/ports/admission.js";
import type { AlertCount, State } from "../../shared/ports/state.js";
import { memoryState } from "../fixtures/memory-state.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

let cloud: LocalCloud;
const memory = memoryState();
const ports: { [target: string]: { admission: Admission; state: State } } = {
  memory: { admission: memory.admission, state: memory.state },
};

beforeAll(async () => {
  cloud = await withLocalCloud(["firestore"]);
  const config: GcpConfig = {
    projectId: cloud.projectId,
    region: "us-central1",
    bucket: "demo-bucket",
    identity: "continuo@demo-project.iam.gserviceaccount.com",
    localCloud: cloud.address,
  };
  ports["Firestore"] = { admission: firestoreAdmission(config), state: firestoreState(config) };
});

afterAll(async () => {
  await cloud.stop();
});

const model = modelName.parse("churn");
const runOf = (digit: number): RunId => runId.parse(`churn-r000000000${digit}`);

const waitingOf = (digit: number, accelerator: string | null = null): WaitingSubmission => ({
  run: runOf(digit),
  model,
  accelerator,
  enqueuedAtMs: 1000 + digit,
  event: {
    specversion: "1.0",
    type: "training-run.requested",
    id: `request-${digit}`,
    source: "test",
    time: "2026-11-21T00:00:00.000Z",
    data: { model, run: runOf(digit), reason: "for the test" },
  },
});

describe.each(["memory", "Firestore"])("admission in %s", (target) => {
  const admission = (): Admission => {
    const found = ports[target]?.admission;
    if (found === undefined) throw new Error(`no ${target}`);
    return found;
  };

  it("keeps what waits in order of arrival, by what it competes for", async () => {
    const { enqueue, waiting, remove, length, place } = admission();
    for (const digit of [3, 1, 2]) await enqueue(waitingOf(digit));
    await enqueue(waitingOf(4, "NVIDIA_TESLA_T4"));
    await enqueue({ ...waitingOf(1), enqueuedAtMs: 9999 });
    const runs = async (accelerator: string | null, limit = 10) =>
      (await waiting({ accelerator, limit })).map(({ run }) => run);
    expect(await runs(null)).toEqual([runOf(1), runOf(2), runOf(3)]);
    expect(await runs(null, 2)).toEqual([runOf(1), runOf(2)]);
    expect(await runs("NVIDIA_TESLA_T4")).toEqual([runOf(4)]);
    expect((await waiting({ accelerator: null, limit: 1 }))[0]).toEqual(waitingOf(1));
    expect([await length(), await place(runOf(3)), await place(runOf(4))]).toEqual([4, 3, 1]);
    await remove(waitingOf(1).event);
    await remove(waitingOf(1).event);
    expect([await length(), await place(runOf(3)), await place(runOf(1))]).toEqual([3, 2, null]);
  });

  it("keeps two requests of one run apart: who takes one out leaves the other", async () => {
    const { enqueue, waiting, remove, place } = admission();
    const first = { ...waitingOf(8, "NVIDIA_L4"), enqueuedAtMs: 1 };
    const again = { ...first, enqueuedAtMs: 2, event: { ...first.event, id: "request-8/2" } };
    await enqueue(first);
    await enqueue(again);
    await remove(first.event);
    expect(await waiting({ accelerator: "NVIDIA_L4", limit: 10 })).toEqual([again]);
    expect(await place(runOf(8))).toBe(1);
    await remove(again.event);
    expect(await place(runOf(8))).toBeNull();
  });

  it("changes the ledger in a transaction, and writes nothing for nothing", async () => {
    const { ledger, change } = admission();
    expect(await ledger()).toEqual({ admitted: [], closedUntilMs: 0, holders: {} });
    const holders = { NVIDIA_TESLA_T4: [{ model, run: runOf(1) }] };
    await change((now) => ({ ...now, holders, admitted: [{ atMs: 5, count: 2 }] }));
    await change(() => null);
    await change((now) => ({ ...now, closedUntilMs: 7 }));
    expect(await ledger()).toEqual({
      admitted: [{ atMs: 5, count: 2 }],
      closedUntilMs: 7,
      holders,
    });
  });

  it("loses no change among several at once that it accepts", async () => {
    const { ledger, change } = admission();
    const before = (await ledger()).closedUntilMs;
    const results = await Promise.allSettled(
      [1, 2, 3].map(() => change((now) => ({ ...now, closedUntilMs: now.closedUntilMs + 1 }))),
    );
    const accepted = results.filter(({ status }) => status === "fulfilled").length;
    expect((await ledger()).closedUntilMs).toBe(before + accepted);
    expect(accepted).toBeGreaterThan(0);
  });

  it("stores alert counts of a run, the newer in place of the older", async () => {
    const store = ports[target]?.state;
    const count: AlertCount = {
      id: "one",
      model,
      run: runOf(7),
      kind: "drift",
      severity: "warning",
      count: 3,
      firstAtMs: 1,
      lastAtMs: 2,
      reasons: ["age drifted"],
    };
    await store?.countAlerts(count);
    await store?.countAlerts({ ...count, count: 5, lastAtMs: 4 });
    await store?.countAlerts({ ...count, id: "two", run: null });
    expect(await store?.alertCounts(runOf(7))).toEqual([{ ...count, count: 5, lastAtMs: 4 }]);
  });
});
