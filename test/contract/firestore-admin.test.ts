/** Time to live through Firestore's admin API, by the official client; and that documents go when their time is over. */
import { v1 } from "firebase-admin/firestore";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "./firestore-targets.js";
import {
  eventually,
  grpcOptionsOf,
  restOptionsOf,
  testProject,
  withLocalCloud,
  type LocalCloud,
} from "./local-cloud.js";

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (let last = undo.pop(); last !== undefined; last = undo.pop()) await last();
});

const database = `projects/${testProject}/databases/(default)`;
const fieldName = (group: string, field: string): string =>
  `${database}/collectionGroups/${group}/fields/${field}`;
const name = fieldName("journal", "expireAt");

const start = async (settings: Parameters<typeof withLocalCloud>[1] = {}): Promise<LocalCloud> => {
  const cloud = await withLocalCloud(["firestore"], settings);
  undo.push(() => cloud.stop());
  return cloud;
};
const adminOf = (cloud: LocalCloud, transport: "gRPC" | "REST" = "gRPC") => {
  const options = transport === "gRPC" ? grpcOptionsOf(cloud.port) : restOptionsOf(cloud.port);
  const admin = new v1.FirestoreAdminClient(
    options as ConstructorParameters<typeof v1.FirestoreAdminClient>[0],
  );
  undo.push(() => admin.close());
  return admin;
};
const enable = async (admin: ReturnType<typeof adminOf>, field = name) => {
  const [operation] = await admin.updateField({
    field: { name: field, ttlConfig: {} },
    updateMask: { paths: ["ttl_config"] },
  });
  return operation;
};
const firestoreOf = (cloud: LocalCloud) => {
  const { firestore, close } = connect(`127.0.0.1:${cloud.port}`);
  undo.push(close);
  return firestore;
};

describe("a policy", () => {
  test.each(["gRPC", "REST"] as const)(
    "is enabled, shown, listed and disabled over %s",
    async (transport) => {
      const admin = adminOf(await start(), transport);
      const operation = await enable(admin);
      const [made] = await operation.promise();
      // What travels inside an operation the client leaves with the numbers of its enums: ACTIVE, ADD.
      expect(made).toMatchObject({ name, ttlConfig: { state: 2 } });
      expect(operation.metadata).toMatchObject({
        field: name,
        ttlConfigDelta: { changeType: 1 },
      });
      const again = await admin.checkUpdateFieldProgress(operation.name ?? "");
      expect(again.done).toBe(true);
      const [shown] = await admin.getField({ name });
      expect(shown.ttlConfig?.state).toBe("ACTIVE");
      const list = async (group: string): Promise<readonly unknown[]> => {
        const [fields] = await admin.listFields({
          parent: `${database}/collectionGroups/${group}`,
          filter: "ttlConfig:*",
        });
        return fields.map((field) => field.name);
      };
      expect([await list("journal"), await list("other"), await list("-")]).toEqual([
        [name],
        [],
        [name],
      ]);
      const [off] = await admin.updateField({
        field: { name },
        updateMask: { paths: ["ttl_config"] },
      });
      await off.promise();
      const [without] = await admin.getField({ name });
      expect(without.ttlConfig).toBeFalsy();
      expect(await list("-")).toEqual([]);
    },
  );

  test("is refused for a second field of a group, an index, or a name that is none", async () => {
    const admin = adminOf(await start());
    await enable(admin);
    await expect(enable(admin, fieldName("journal", "other"))).rejects.toMatchObject({ code: 9 });
    await expect(enable(admin, `${database}/fields/x`)).rejects.toMatchObject({ code: 3 });
    await expect(
      admin.updateField({ field: { name, indexConfig: { indexes: [] } } }),
    ).rejects.toMatchObject({ code: 12 });
    await expect(
      admin.listFields({ parent: `${database}/collectionGroups/journal` }),
    ).rejects.toMatchObject({ code: 3 });
    await expect(admin.createDatabase({ parent: `projects/${testProject}` })).rejects.toMatchObject(
      {
        code: 12,
      },
    );
  });
});

describe("documents", () => {
  test("go when their time is over, wherever the collection lies, and no others do", async () => {
    let nowMs = 1_800_000_000_000;
    const cloud = await start({ now: () => nowMs });
    const firestore = firestoreOf(cloud);
    const at = (ms: number): object => ({ expireAt: new Date(nowMs + ms) });
    await Promise.all([
      firestore.doc("journal/over").set(at(-1000)),
      firestore.doc("a/b/journal/deep").set(at(-1000)),
      firestore.doc("journal/later").set(at(60_000)),
      firestore.doc("journal/text").set({ expireAt: "2001-01-01T00:00:00Z" }),
      firestore.doc("journal/number").set({ expireAt: 5 }),
      firestore.doc("journal/none").set({}),
      firestore.doc("other/over").set(at(-1000)),
      firestore.doc("journal/over/inside/kept").set(at(-1000)),
    ]);
    await enable(adminOf(cloud));
    const remaining = async (): Promise<readonly string[]> =>
      (await firestore.collectionGroup("journal").get()).docs.map(({ id }) => id).toSorted();
    await eventually("both are deleted", async () => (await remaining()).length === 4);
    expect(await remaining()).toEqual(["later", "none", "number", "text"]);
    expect((await firestore.doc("other/over").get()).exists).toBe(true);
    expect((await firestore.doc("journal/over/inside/kept").get()).exists).toBe(true);
    nowMs += 61_000;
    await eventually("the third is deleted", async () => (await remaining()).length === 3);
  });

  test("go in their hundreds, are seen to go by listeners, and after a restart too", async () => {
    let nowMs = 1_800_000_000_000;
    const now = (): number => nowMs;
    const first = await withLocalCloud(["firestore"], { now });
    await enable(adminOf(first));
    await firestoreOf(first)
      .doc("journal/kept")
      .set({ expireAt: new Date(nowMs + 3_600_000) });
    for (let last = undo.pop(); last !== undefined; last = undo.pop()) await last();
    await first.stop({ keep: true });

    const firestore = firestoreOf(await start({ folder: first.folder, now }));
    let size = 0;
    const stop = firestore.collection("journal").onSnapshot((snapshot) => (size = snapshot.size));
    const writer = firestore.bulkWriter();
    for (let index = 0; index < 450; index += 1) {
      void writer.set(firestore.doc(`journal/d${index}`), { expireAt: new Date(nowMs + 60_000) });
    }
    await writer.close();
    await eventually("the listener sees all", () => size === 451);
    nowMs += 61_000;
    await eventually("the listener sees one", () => size === 1);
    const { docs } = await firestore.collection("journal").get();
    expect(docs.map(({ id }) => id)).toEqual(["kept"]);
    stop();
  });
});
