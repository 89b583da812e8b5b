/** Heads of hash chains: marked in Firestore, anchored in a bucket that keeps them, against the local cloud. */
import { Storage } from "@google-cloud/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelName } from "../../events/ids.js";
import type { ContinuoEvent } from "../../events/index.js";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { provisionBucket } from "../../shared/gcp/provision-bucket.js";
import type { Ports } from "../../shared/ports/ports.js";
import { anchorHeads, verifyModel } from "../../shared/runtime/chain.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import { manifestOf } from "../fixtures/manifest.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

let cloud: LocalCloud;
let ports: Ports;
let storage: Storage;
let changes: readonly string[];

const churn = modelName.parse("churn");

beforeAll(async () => {
  cloud = await withLocalCloud(["firestore", "storage"]);
  const config: GcpConfig = {
    projectId: cloud.projectId,
    region: "us-central1",
    bucket: "demo-bucket",
    identity: "continuo@demo-project.iam.gserviceaccount.com",
    localCloud: cloud.address,
  };
  changes = await provisionBucket(config, {});
  ports = gcpPorts(config);
  storage = new Storage({ projectId: cloud.projectId, apiEndpoint: cloud.address });
});

afterAll(async () => {
  await cloud.stop();
});

const names = async (): Promise<readonly string[]> => {
  const [files] = await storage.bucket("demo-bucket-audit").getFiles();
  return files.map(({ name }) => name);
};

/** Decides something that changes a model, and performs nothing. */
const decide = async (event: ContinuoEvent): Promise<void> => {
  const mute: Ports = {
    ...ports,
    endpoints: { ...ports.endpoints, ensure: async () => undefined },
    schedules: { sync: async () => undefined },
  };
  await handleEvent(event, { function: "api", ports: mute, models: [churn] });
};

const envelope = (id: string) => ({
  specversion: "1.0" as const,
  id,
  source: "test",
  time: new Date().toISOString(),
});

const applied: ContinuoEvent = {
  ...envelope("apply"),
  type: "manifest.applied",
  data: { model: churn, manifest: manifestOf(), version: 1, digest: "d", by: "ada" },
};

const commanded = (id: string, command: "pause" | "resume" | "forget"): ContinuoEvent => ({
  ...envelope(id),
  type: "command.issued",
  data: { model: churn, command, by: "ada", reason: "for the test" },
});

describe("anchored heads", () => {
  it("lie in a bucket of their own, which keeps them", async () => {
    expect(changes).toContain("created bucket demo-bucket-audit");
    const [metadata] = await storage.bucket("demo-bucket-audit").getMetadata();
    expect(Number(metadata.retentionPolicy?.retentionPeriod)).toBe(30 * 86_400);
  });

  it("are written once for each head that has changed, and not at all for the others", async () => {
    await decide(applied);
    await decide(commanded("p1", "pause"));
    await anchorHeads(ports);
    expect(await names()).toEqual([
      expect.stringMatching(/^heads\/churn\/000000000002-[0-9a-f]{64}$/),
    ]);
    expect(await ports.state.unanchored({ after: null, limit: 10 })).toEqual([]);
    await anchorHeads(ports);
    expect(await names()).toHaveLength(1);
    await decide(commanded("r1", "resume"));
    const [head] = await ports.state.unanchored({ after: null, limit: 10 });
    expect(head).toMatchObject({ model: churn, sequence: 3 });
    await anchorHeads(ports);
    expect(await names()).toHaveLength(2);
    const anchors = await ports.anchors.list(churn);
    expect(anchors.map(({ sequence }) => sequence)).toEqual([2, 3]);
    expect(anchors[1]?.hash).toBe(head?.hash);
    expect(Math.abs((anchors[1]?.anchoredAtMs ?? 0) - Date.now())).toBeLessThan(3_600_000);
  });

  it("cannot be written over, or deleted before their time", async () => {
    const [anchor] = await ports.anchors.list(churn);
    if (anchor === undefined) throw new Error("nothing is anchored");
    await ports.anchors.write(anchor);
    const [name = ""] = await names();
    const file = storage.bucket("demo-bucket-audit").file(name);
    const refusals = await Promise.allSettled([
      file.delete(),
      file.save("another head", { resumable: false }),
    ]);
    expect(
      refusals.map((refusal) =>
        refusal.status === "rejected" ? String(refusal.reason) : "it was allowed",
      ),
    ).toEqual([expect.stringMatching(/retention/i), expect.stringMatching(/retention/i)]);
  });

  it("a mark stays when its model changed while the head was anchored", async () => {
    const before = await ports.state.model(churn);
    if (before === null) throw new Error("the model is gone");
    await decide(commanded("p2", "pause"));
    await ports.state.markAnchored({ model: churn, sequence: before.sequence, hash: before.head });
    expect(await ports.state.unanchored({ after: null, limit: 10 })).toHaveLength(1);
  });
});

describe("the chain in Firestore", () => {
  it("is read by its places, a page at a time", async () => {
    const page = await ports.state.chain({ model: churn, afterSequence: 1, limit: 2 });
    expect(page.map(({ chain }) => chain?.sequence)).toEqual([2, 3]);
  });

  it("is whole, also after its model was forgotten", async () => {
    expect(await verifyModel(churn, ports)).toMatchObject({ problems: [], records: 4, anchors: 2 });
    await decide(commanded("f1", "forget"));
    expect(await ports.state.model(churn)).toBeNull();
    expect(await verifyModel(churn, ports)).toMatchObject({ problems: [], records: 5, anchors: 3 });
  });

  it("shows a record that was changed in the store, by its event", async () => {
    const { firestoreClient } = await import("../../shared/gcp/firestore-client.js");
    const firestore = await firestoreClient({
      projectId: cloud.projectId,
      region: "us-central1",
      bucket: "demo-bucket",
      identity: "continuo@demo-project.iam.gserviceaccount.com",
      localCloud: cloud.address,
    });
    const journal = firestore.collection("journal");
    const found = await journal.where("model", "==", churn).where("sequence", "==", 3).get();
    const [document] = found.docs;
    const entry: unknown = document?.get("entry");
    if (document === undefined || typeof entry !== "string") throw new Error("no such record");
    await document.ref.update({ entry: entry.replace("for the test", "for no reason") });
    const changed = await verifyModel(churn, ports);
    expect(changed?.problems).toMatchObject([{ kind: "tampered", sequence: 3, event: "r1" }]);
    await document.ref.delete();
    const removed = await verifyModel(churn, ports);
    expect(removed?.problems).toMatchObject([
      { kind: "missing", sequence: 3, event: "p2" },
      { kind: "missing", sequence: 3 },
    ]);
  });
});
