/** What the local Firestore promises beyond Google's emulator: speed under contention, durability, limits of time, REST. */
import type { Firestore } from "firebase-admin/firestore";
import { mkdtempSync, rmSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { listenOnce } from "./firestore-listen.js";
import { connect } from "./firestore-targets.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (let last = undo.pop(); last !== undefined; last = undo.pop()) await last();
});

const open = (cloud: LocalCloud, preferRest = false): Firestore => {
  const { firestore, close } = connect(`127.0.0.1:${cloud.port}`, { preferRest });
  undo.push(close);
  return firestore;
};
const start = async (settings: Parameters<typeof withLocalCloud>[1] = {}): Promise<LocalCloud> => {
  const cloud = await withLocalCloud(["firestore"], settings);
  undo.push(() => cloud.stop());
  return cloud;
};

interface RestReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A plain request to the documents of a local cloud. */
const request = async (
  address: string,
  method: string,
  path: string,
  body?: object,
): Promise<RestReply> => {
  const documents = `${address}/v1/projects/demo-project/databases/(default)/documents`;
  const response = await fetch(`${documents}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as RestReply["body"] };
};

describe("contention", () => {
  test.each([20, 64])(
    "%i transactions on one document queue for it, hardly one runs twice, and none is lost",
    async (clients) => {
      const firestore = open(await start());
      const reference = firestore.doc("counters/one");
      await reference.set({ n: 0 });
      let runs = 0;
      const increment = (): Promise<unknown> =>
        firestore.runTransaction(async (transaction) => {
          runs += 1;
          const snapshot = await transaction.get(reference);
          transaction.update(reference, { n: Number(snapshot.get("n")) + 1 });
        });
      await Promise.all(Array.from({ length: clients }, increment));
      expect((await reference.get()).get("n")).toBe(clients);
      // A holder that the machine keeps from running for longer than its hold has to begin again.
      expect(runs).toBeLessThan(2 * clients);
    },
  );

  test("transactions that take the oldest open item take each item once", async () => {
    const firestore = open(await start());
    const items = firestore.collection("items");
    await Promise.all(
      Array.from({ length: 12 }, (_, n) => items.doc(`i${n}`).set({ open: true, n })),
    );
    const take = (): Promise<number> =>
      firestore.runTransaction(async (transaction) => {
        const { docs } = await transaction.get(
          items.where("open", "==", true).orderBy("n").limit(1),
        );
        const [item] = docs;
        if (item === undefined) return -1;
        transaction.update(item.ref, { open: false });
        return Number(item.get("n"));
      });
    const taken = await Promise.all(Array.from({ length: 12 }, take));
    expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n));
  });

  test("a plain write waits for a transaction that has read the document", async () => {
    const firestore = open(await start());
    const reference = firestore.doc("a/b");
    await reference.set({ n: 1 });
    let plain: Promise<unknown> = Promise.resolve();
    await firestore.runTransaction(async (transaction) => {
      const snapshot = await transaction.get(reference);
      plain = reference.set({ n: 100 });
      transaction.update(reference, { n: Number(snapshot.get("n")) + 1, seen: true });
    });
    await plain;
    expect((await reference.get()).data()).toEqual({ n: 100 });
  });
});

describe("time", () => {
  test("a transaction without requests for a minute has expired, and so has one of 270 seconds", async () => {
    let nowMs = 1_800_000_000_000;
    const firestore = open(await start({ now: () => nowMs }));
    const reference = firestore.doc("a/b");
    let runs = 0;
    await firestore.runTransaction(async (transaction) => {
      runs += 1;
      await transaction.get(reference);
      if (runs === 1) nowMs += 61_000;
      transaction.set(reference, { runs });
    });
    // The client begins again when it reads that the transaction has expired.
    expect((await reference.get()).get("runs")).toBe(2);
    const slow = firestore.runTransaction(
      async (transaction) => {
        for (let step = 0; step < 6; step += 1) {
          await transaction.get(reference);
          nowMs += 50_000;
        }
        transaction.set(reference, { slow: true });
      },
      { maxAttempts: 1 },
    );
    await expect(slow).rejects.toThrow("transaction has expired");
  });

  test("update times rise although the clock stands still or goes back", async () => {
    let nowMs = 1_800_000_000_000;
    const firestore = open(await start({ now: () => nowMs }));
    const times: string[] = [];
    for (const stepMs of [0, 0, -5_000, 1]) {
      nowMs += stepMs;
      const { writeTime } = await firestore.doc("a/b").set({ stepMs, n: times.length });
      times.push(writeTime.valueOf());
    }
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => (a < b ? -1 : 1)));
  });
});

describe("durability", () => {
  test("everything is there after a restart, and times go on rising", async () => {
    const first = await withLocalCloud(["firestore"]);
    const before = await open(first)
      .doc("a/b")
      .set({ n: 1, t: new Date(5), b: Buffer.from("x") });
    await first.stop({ keep: true });
    const second = await start({ folder: first.folder, now: () => 1_000 });
    const firestore = open(second);
    expect((await firestore.collection("a").where("n", "==", 1).get()).size).toBe(1);
    const after = await firestore.doc("a/b").update({ n: 2 });
    expect(after.writeTime.valueOf() > before.writeTime.valueOf()).toBe(true);
  });

  test("a listener's resume token of before a restart begins it anew, and misses nothing", async () => {
    const first = await withLocalCloud(["firestore"]);
    const collection = open(first).collection("watched");
    await collection.doc("a").set({ n: 1 });
    const { resumeToken } = await listenOnce(`127.0.0.1:${first.port}`, collection)();
    await collection.doc("b").set({ n: 1 });
    await first.stop({ keep: true });
    const second = await start({ folder: first.folder });
    const listened = await listenOnce(`127.0.0.1:${second.port}`, collection)(resumeToken);
    expect(listened.isReset).toBe(true);
    expect(listened.changed.toSorted()).toEqual(["a", "b"]);
  });

  test("what was acknowledged survives SIGKILL in the middle of writing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuo-kill-"));
    undo.push(async () => {
      rmSync(folder, { recursive: true, force: true });
      await Promise.resolve();
    });
    const child = spawn(
      process.execPath,
      ["--import", "tsx", join(import.meta.dirname, "firestore-server.ts"), folder],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const port = await new Promise<number>((resolve) => {
      child.stdout.once("data", (chunk: Buffer) => {
        resolve(Number(chunk.toString()));
      });
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const acknowledged: string[] = [];
    const writers = 16;
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; n < 10_000; n += 1) {
        const id = `w${writer}-${n}`;
        await request(`http://127.0.0.1:${port}`, "PATCH", `/k/${id}`, {
          fields: { n: { integerValue: String(n) } },
        });
        acknowledged.push(id);
        if (acknowledged.length === 400) child.kill("SIGKILL");
      }
    };
    // Every connection breaks when the process dies.
    await Promise.allSettled(Array.from({ length: writers }, async (_, writer) => write(writer)));
    await ended;
    const { docs } = await open(await start({ folder }))
      .collection("k")
      .get();
    const survivors = new Set(docs.map(({ id }) => id));
    expect(acknowledged.filter((id) => !survivors.has(id))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(400);
    expect(survivors.size).toBeLessThanOrEqual(acknowledged.length + writers);
  });
});

describe("REST", () => {
  test("serves what gRPC serves", async () => {
    const firestore = open(await start(), true);
    const reference = firestore.doc("r/one");
    const data = {
      n: 1,
      d: Number.NaN,
      t: new Date(1_234_567),
      b: Buffer.from("x"),
      m: {},
      big: 2 ** 53,
    };
    await reference.set(data);
    await firestore.runTransaction(async (transaction) => {
      const snapshot = await transaction.get(reference);
      transaction.update(reference, { n: Number(snapshot.get("n")) + 1 });
    });
    const read = await reference.get();
    expect(read.get("n")).toBe(2);
    expect(read.get("d")).toBeNaN();
    expect(read.get("b")).toEqual(data.b);
    expect((await firestore.collection("r").where("n", "in", [2, 3]).get()).size).toBe(1);
    expect((await firestore.collection("r").count().get()).data().count).toBe(1);
    expect((await firestore.listCollections()).map(({ id }) => id)).toEqual(["r"]);
  });

  test("a document is created, read, patched and deleted with plain requests", async () => {
    const cloud = await start();
    const call = (method: string, path: string, body?: object): Promise<RestReply> =>
      request(cloud.address, method, path, body);
    const created = await call("POST", "/p/q/c?documentId=d", {
      fields: { n: { integerValue: "1" } },
    });
    expect(created.body["name"]).toBe(
      "projects/demo-project/databases/(default)/documents/p/q/c/d",
    );
    expect((await call("POST", "/p/q/c?documentId=d", {})).status).toBe(409);
    const patched = await call("PATCH", "/c/d?updateMask.fieldPaths=m", {
      fields: { m: { stringValue: "x" } },
    });
    expect(patched.body["fields"]).toEqual({ m: { stringValue: "x" } });
    expect((await call("GET", "/c/d")).status).toBe(200);
    expect((await call("GET", "/c")).body["documents"]).toHaveLength(1);
    expect((await call("DELETE", "/c/d")).status).toBe(200);
    expect((await call("GET", "/c/d")).status).toBe(404);
    expect((await call("POST", "/p/q/c", { nonsense: 1 })).status).toBe(400);
  });
});

describe("REST addresses", () => {
  test.each([
    ["POST", "/rooms?documentId=a", 200, "documents/rooms/a"],
    ["POST", "/rooms/a/seats?documentId=b", 200, "documents/rooms/a/seats/b"],
    ["GET", "/rooms/a/seats/b", 200, "documents/rooms/a/seats/b"],
    ["GET", "/rooms/a", 200, "documents/rooms/a"],
  ])("%s %s is about one document", async (method, path, status, name) => {
    const cloud = await start();
    const root = "projects/demo-project/databases/(default)/";
    for (const known of ["/rooms/a", "/rooms/a/seats/b"]) {
      if (method === "GET") await request(cloud.address, "PATCH", known, {});
    }
    const reply = await request(cloud.address, method, path, method === "POST" ? {} : undefined);
    expect(reply.status).toBe(status);
    expect(reply.body["name"]).toBe(`${root}${name}`);
  });

  test.each(["/rooms", "/rooms/a/seats"])("GET %s lists a collection", async (path) => {
    const cloud = await start();
    await request(cloud.address, "PATCH", `${path}/x`, {});
    const reply = await request(cloud.address, "GET", path);
    expect(reply.body["documents"]).toHaveLength(1);
  });
});

describe("databases", () => {
  test("do not see each other", async () => {
    const cloud = await start();
    const first = open(cloud);
    const { firestore: second, close } = connect(`127.0.0.1:${cloud.port}`, {
      projectId: "other-project",
    });
    undo.push(close);
    await first.doc("a/b").set({ n: 1 });
    expect((await second.doc("a/b").get()).exists).toBe(false);
    expect(await second.listCollections()).toEqual([]);
  });
});
