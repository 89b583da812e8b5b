/** A storm of alerts, duplicates and poison, pushed to the running system by Google's own client. */
import { createHash } from "node:crypto";
import { PubSub } from "@google-cloud/pubsub";
import { Firestore } from "firebase-admin/firestore";
import { GoogleAuth, googleAuthLibrary } from "google-gax";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { datasetOf, manifestOf } from "./crash/manifest.js";
import {
  isUp,
  newFolder,
  outside,
  play,
  removeFolder,
  tickEverySecond,
  until,
  type Outside,
  type Playing,
} from "./instance.js";
import { poisonFor } from "./poison.js";
import { push } from "../simulation/scale/pushes.js";
import { alertStorm } from "../simulation/scale/storm.js";
import { seededRandom } from "../../shared/statistics/random.js";

const alerts = 5000;
const repeatedAlerts = 500;
const duplicates = 20;
const source = "storm-test";

const entryShape = z.looseObject({
  model: z.string().nullable(),
  event: z.looseObject({ id: z.string(), type: z.string(), source: z.string() }),
  decisions: z.array(
    z.looseObject({ decision: z.looseObject({ do: z.string(), reason: z.string() }) }),
  ),
});
const letterShape = z.looseObject({ id: z.string(), digest: z.string(), reason: z.string() });
const countShape = z.looseObject({ model: z.string().nullable(), count: z.number() });

const sumOf = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);

/** A model that waits a few seconds for more before it trains, and then for an hour. */
const patient = (model: string, newData: boolean) => ({
  ...manifestOf(model),
  triggers: { newData, debounceSeconds: 6, debounceSecondsMax: 120, cooldownSeconds: 3600 },
});

const event = (type: string, id: string, data: unknown): Buffer =>
  Buffer.from(
    JSON.stringify({
      specversion: "1.0",
      type,
      id,
      source,
      time: new Date().toISOString(),
      data,
    }),
  );

const alert = (model: string, index: number): Buffer => {
  const start = Date.parse("2026-01-01T00:00:00Z") + index * 60_000;
  return event("drift.detected", `${model}/alert-${index}`, {
    model,
    objective: "feature",
    window: {
      start: new Date(start).toISOString(),
      end: new Date(start + 3_600_000).toISOString(),
    },
    anomalies: [{ feature: "wind", deviation: 0.15, threshold: 0.1 }],
  });
};

describe("a storm", () => {
  const folder = newFolder();
  const started: { up?: Playing; stop: (() => Promise<unknown> | void)[] } = { stop: [] };
  let seen: Outside;
  let pubsub: PubSub;
  let firestore: Firestore;

  const publish = (topic: string, data: Buffer, attributes: Record<string, string> = {}) =>
    pubsub.topic(topic).publishMessage({ data, attributes });

  const documents = async <Value>(
    collection: string,
    field: string,
    shape: z.ZodType<Value>,
  ): Promise<readonly Value[]> => {
    const found = await firestore.collection(collection).get();
    return found.docs.map((document) => shape.parse(JSON.parse(String(document.get(field)))));
  };

  const arrival = async (model: string, id: string): Promise<Buffer> => {
    const rows = Buffer.from(datasetOf(seededRandom(id.length)));
    const uri = await seen.putObject(`storm/${id}.csv`, rows);
    return event("dataset.arrived", id, { dataset: model, uris: [uri], fingerprint: id });
  };

  beforeAll(async () => {
    started.up = play(folder, "up");
    await isUp(started.up);
    seen = outside(started.up);
    const { functions, token } = started.up.instance();
    const auth = new GoogleAuth({
      authClient: new googleAuthLibrary.PassThroughClient(),
      projectId: seen.project,
    });
    const { host } = new URL(seen.cloud);
    const projectId = seen.project;
    pubsub = new PubSub({ projectId, auth, apiEndpoint: host, emulatorMode: true });
    firestore = new Firestore({ projectId, host, ssl: false });
    started.stop.push(
      tickEverySecond(seen).stop,
      () => pubsub.close(),
      () => firestore.terminate(),
    );
    for (const manifest of [patient("stormy", false), patient("neighbour", true)]) {
      const reply = await fetch(`${functions}/api/manifests`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(manifest),
      });
      if (!reply.ok) throw new Error(await reply.text());
    }
    await publish("dataset", await arrival("stormy", "rows-of-stormy"));
    await until("the dataset of the stormy model", 30, async () =>
      (await documents("journal", "entry", entryShape)).some(
        (entry) => entry.event.id === "rows-of-stormy",
      )
        ? true
        : null,
    );
  });
  afterAll(async () => {
    for (const stop of started.stop) await stop();
    await started.up?.stop();
    removeFolder(folder);
  });

  it("of alerts, duplicates and poison starts one run, and only the poison dies", async () => {
    const poison = poisonFor("stormy", "storm-poison");
    const dataset = await arrival("neighbour", "rows-of-neighbour");
    const sent = [
      ...Array.from({ length: alerts }, (_, index) => publish("alert", alert("stormy", index))),
      ...Array.from({ length: repeatedAlerts }, (_, index) =>
        publish("alert", alert("stormy", index * 7)),
      ),
      ...poison.map(({ topic, data, attributes = {} }) => publish(topic, data, { ...attributes })),
      ...Array.from({ length: duplicates }, () => publish("dataset", dataset)),
    ];
    await Promise.all(sent);
    await publish("dataset", await arrival("neighbour", "rows-after-the-storm"));

    const run = await until("the end of the stormy model's run", 180, async () => {
      const [newest] = await seen.runs("stormy");
      return newest?.isLive === false ? newest : null;
    });
    expect(run.trigger).toBe("drift");
    const admittedOf = async (): Promise<number> =>
      (await documents("journal", "entry", entryShape)).filter(({ event: { id } }) =>
        id.startsWith("stormy/alert-"),
      ).length;
    const countedOf = async (): Promise<number> =>
      sumOf((await documents("alertCounts", "counted", countShape)).map(({ count }) => count));
    const [admitted, counted] = await until("the last alert's count", 60, async () => {
      const found = [await admittedOf(), await countedOf()] as const;
      return sumOf(found) >= alerts ? found : null;
    });
    // An alert that was let through is journalled once; its duplicate is counted while the window is open.
    expect(admitted + counted).toBeLessThanOrEqual(alerts + repeatedAlerts);
    expect(admitted).toBeLessThan(alerts / 50);

    const letters = await until("every dead letter", 60, async () => {
      const found = await documents("deadLetters", "letter", letterShape);
      return found.length >= poison.length ? found : null;
    });
    const reasons = new Map(letters.map(({ digest, reason }) => [digest, reason]));
    expect(letters).toHaveLength(poison.length);
    for (const { what, data, reason } of poison) {
      const digest = createHash("sha256").update(data).digest("hex");
      expect(`${what}: ${reasons.get(digest) ?? "no dead letter"}`).toMatch(reason);
    }

    const journal = await documents("journal", "entry", entryShape);
    expect(journal.filter(({ event: { source: from } }) => from === "storm/poison")).toEqual([]);
    const ofNeighbour = journal.filter(({ event: { id } }) => id === "rows-of-neighbour");
    expect(ofNeighbour).toHaveLength(1);
    await until("the event after the storm", 30, async () =>
      (await documents("journal", "entry", entryShape)).some(
        ({ event: { id } }) => id === "rows-after-the-storm",
      )
        ? true
        : null,
    );
    const runs = await seen.runs("stormy");
    expect(runs).toHaveLength(1);
    const pipelines = seen.pipelines();
    const [jobs] = await pipelines.listPipelineJobs({ parent: seen.parent });
    await pipelines.close();
    const ofStormy = jobs.filter(({ labels }) => labels?.["continuo-model"] === "stormy");
    expect(ofStormy).toHaveLength(1);

    // The same storm on the virtual clock comes to the same.
    const simulated = await alertStorm({ alerts, isCoalesced: true });
    expect({
      runs: runs.length,
      deadAlerts: letters.length - poison.length,
      lostAlerts: Math.max(0, alerts - admitted - counted),
    }).toEqual({
      runs: simulated.runs,
      deadAlerts: simulated.deadLetters,
      lostAlerts: alerts - simulated.admitted - simulated.counted,
    });
    // So do the duplicates and the poison, message by message.
    const pushed = await push(
      [
        ...poison,
        ...Array.from({ length: duplicates }, () => ({ topic: "dataset", data: dataset })),
      ],
      { model: "neighbour", startMs: Date.now() },
    );
    const byDigest = Object.fromEntries(
      poison.map(({ data }) => [createHash("sha256").update(data).digest("hex"), 1]),
    );
    expect(pushed.letters).toEqual(byDigest);
    expect(Object.fromEntries(letters.map(({ digest }) => [digest, 1]))).toEqual(pushed.letters);
    expect(ofNeighbour).toHaveLength(pushed.entries["rows-of-neighbour"] ?? 0);
    expect(Object.keys(pushed.entries).filter((id) => id.startsWith("storm-poison"))).toEqual([]);
    console.log(
      `${alerts + repeatedAlerts} alerts: ${admitted} decided, ${counted} counted, ${runs.length} run; simulated: ${simulated.admitted}, ${simulated.counted}, ${simulated.runs}`,
    );
  });
});
