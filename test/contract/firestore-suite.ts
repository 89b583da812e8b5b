/** What a Firestore must do, said through firebase-admin; run against every target. */
import {
  FieldPath,
  FieldValue,
  Filter,
  GeoPoint,
  Timestamp,
  type CollectionReference,
  type DocumentSnapshot,
  type QueryDocumentSnapshot,
  type QuerySnapshot,
  type Firestore,
  type Query,
} from "firebase-admin/firestore";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./local-cloud.js";
import { listenOnce } from "./firestore-listen.js";
import { connect, type Target } from "./firestore-targets.js";

let collections = 0;

/** Runs the suite against a target that `start` brings up; without one it is skipped, and says so by its name. */
export const firestoreSuite = (
  name: string,
  start: (() => Promise<Target>) | undefined,
  { isEmulator = false }: { readonly isEmulator?: boolean } = {},
): void => {
  describe.skipIf(start === undefined)(`Firestore: ${name}`, () => {
    let target: Target;
    let firestore: Firestore;
    let close: () => Promise<void>;

    beforeAll(async () => {
      if (start === undefined) return;
      target = await start();
      ({ firestore, close } = connect(target.host));
    });
    afterAll(async () => {
      await close();
      await target.stop();
    });

    const fresh = (): CollectionReference => {
      collections += 1;
      return firestore.collection(`c${collections}-${Math.random().toString(36).slice(2)}`);
    };
    const fill = async (
      documents: Readonly<Record<string, object>>,
    ): Promise<CollectionReference> => {
      const collection = fresh();
      const batch = firestore.batch();
      for (const [id, data] of Object.entries(documents)) batch.set(collection.doc(id), data);
      await batch.commit();
      return collection;
    };
    const idsOf = async (query: Query): Promise<readonly string[]> =>
      (await query.get()).docs.map(({ id }) => id);
    const codeOf = async (promise: Promise<unknown>): Promise<number> => {
      try {
        await promise;
        return 0;
      } catch (error) {
        return (error as { readonly code: number }).code;
      }
    };

    describe("documents", () => {
      test("every type of value comes back as it was stored", async () => {
        const reference = fresh().doc("all");
        const data = {
          null: null,
          yes: true,
          no: false,
          integer: 42,
          negative: -7,
          double: 1.5,
          infinity: Number.POSITIVE_INFINITY,
          notANumber: Number.NaN,
          negativeZero: -0,
          text: "grüße 🚀",
          empty: "",
          bytes: Buffer.from([0, 1, 255]),
          time: new Timestamp(1_700_000_000, 123_456_000),
          before1970: new Timestamp(-5, 1000),
          place: new GeoPoint(-12.5, 99.25),
          reference,
          list: [1, "two", null, { three: 3 }],
          nothing: [],
          map: { inner: { deep: [1] }, "with.dot": 1, "with`tick": 2 },
          emptyMap: {},
          vector: FieldValue.vector([1, 2.5]),
        };
        await reference.set(data);
        const read = (await reference.get()).data() ?? {};
        expect(read["reference"].path).toBe(reference.path);
        expect(Object.is(read["negativeZero"], -0)).toBe(true);
        expect(read["vector"].toArray()).toEqual([1, 2.5]);
        const { reference: _a, vector: _b, ...others } = read;
        const { reference: _c, vector: _d, ...expected } = data;
        expect(others).toEqual(expected);
      });

      test("timestamps are cut to microseconds", async () => {
        const reference = fresh().doc();
        await reference.set({ time: new Timestamp(1, 123_456_789) });
        expect((await reference.get()).get("time")).toEqual(new Timestamp(1, 123_456_000));
      });

      test("a document is created once", async () => {
        const reference = fresh().doc("once");
        await reference.create({ n: 1 });
        expect(await codeOf(reference.create({ n: 2 }))).toBe(6);
        expect((await reference.get()).data()).toEqual({ n: 1 });
      });

      test("updating needs a document, and a stale update time is refused", async () => {
        const reference = fresh().doc("u");
        expect(await codeOf(reference.update({ n: 1 }))).toBe(5);
        const first = await reference.set({ n: 1 });
        await reference.update({ n: 2 });
        expect([3, 9]).toContain(
          await codeOf(reference.update({ n: 3 }, { lastUpdateTime: first.writeTime })),
        );
        const current = await reference.get();
        await reference.update({ n: 4 }, { lastUpdateTime: current.updateTime ?? first.writeTime });
        expect((await reference.get()).get("n")).toBe(4);
      });

      test("deleting is quiet without a document, and says so with a precondition", async () => {
        const reference = fresh().doc("d");
        await reference.delete();
        expect(await codeOf(reference.delete({ exists: true }))).toBe(5);
        await reference.set({});
        await reference.delete({ exists: true });
        expect((await reference.get()).exists).toBe(false);
      });

      test("masks change only what they name", async () => {
        const reference = fresh().doc("m");
        await reference.set({ a: 1, b: { c: 2, d: 3 }, e: [1] });
        await reference.set({ b: { c: 9 }, f: 1 }, { merge: true });
        await reference.update({ "b.d": FieldValue.delete(), "g.h": 5 });
        await reference.set({ a: 7, b: { c: 0 } }, { mergeFields: ["a"] });
        expect((await reference.get()).data()).toEqual({
          a: 7,
          b: { c: 9 },
          e: [1],
          f: 1,
          g: { h: 5 },
        });
        await reference.update(new FieldPath("odd.name", "x y"), 1);
        expect((await reference.get()).get(new FieldPath("odd.name", "x y"))).toBe(1);
        await reference.set({ only: true });
        expect((await reference.get()).data()).toEqual({ only: true });
      });

      test("update times rise, create times stay, and an unchanged document keeps its time", async () => {
        const reference = fresh().doc("t");
        await reference.set({ n: 1 });
        const first = await reference.get();
        await reference.set({ n: 2 });
        const second = await reference.get();
        expect(second.createTime?.isEqual(first.createTime ?? Timestamp.now())).toBe(true);
        expect(Number(second.updateTime?.valueOf().replace(".", ""))).toBeGreaterThan(
          Number(first.updateTime?.valueOf().replace(".", "")),
        );
        await reference.set({ n: 2 });
        const third = await reference.get();
        expect(third.updateTime?.valueOf()).toBe(second.updateTime?.valueOf());
      });

      test("a batch is one piece: one refused write refuses all", async () => {
        const collection = await fill({ a: { n: 1 }, b: {} });
        const batch = firestore.batch();
        batch.update(collection.doc("a"), { n: 2 });
        batch.create(collection.doc("b"), { n: 3 });
        expect(await codeOf(batch.commit())).toBe(6);
        expect((await collection.doc("a").get()).get("n")).toBe(1);
      });

      test("writes of a batch apply in order, also to one document", async () => {
        const reference = fresh().doc("x");
        const batch = firestore.batch();
        batch.set(reference, { n: 1 });
        batch.update(reference, { m: 2 });
        batch.update(reference, { n: FieldValue.increment(5) });
        await batch.commit();
        expect((await reference.get()).data()).toEqual({ n: 6, m: 2 });
      });

      test("many documents are read at once, masked, missing ones included", async () => {
        const collection = await fill({ a: { n: 1, m: 1 }, b: { n: 2, m: 2 } });
        const read = await firestore.getAll(
          collection.doc("a"),
          collection.doc("no"),
          collection.doc("b"),
          {
            fieldMask: ["n"],
          },
        );
        expect(read.map((snapshot) => snapshot.data())).toEqual([{ n: 1 }, undefined, { n: 2 }]);
      });

      test("documents and requests have their size limits", async () => {
        const collection = fresh();
        expect(await codeOf(collection.doc("big").set({ text: "x".repeat(1_048_576) }))).toBe(3);
        await collection.doc("fits").set({ text: "x".repeat(1_000_000) });
        expect((await collection.doc("fits").get()).get("text")).toHaveLength(1_000_000);
      });

      test("BulkWriter answers each write on its own", async () => {
        const collection = await fill({ there: { n: 1 } });
        const writer = firestore.bulkWriter();
        writer.onWriteError(() => false);
        const outcomes = [
          writer.create(collection.doc("there"), { n: 2 }),
          writer.set(collection.doc("new"), { n: 3 }),
          writer.delete(collection.doc("gone")),
        ].map((write) => codeOf(write));
        await writer.close();
        expect(await Promise.all(outcomes)).toEqual([6, 0, 0]);
        expect(await idsOf(collection)).toEqual(["new", "there"]);
      });
    });

    describe("transforms", () => {
      test("server times are one time for the whole commit", async () => {
        const collection = fresh();
        const batch = firestore.batch();
        batch.set(collection.doc("a"), { at: FieldValue.serverTimestamp() });
        batch.set(collection.doc("b"), { at: FieldValue.serverTimestamp(), n: 1 });
        await batch.commit();
        const [a, b] = await firestore.getAll(collection.doc("a"), collection.doc("b"));
        expect(a?.get("at")).toEqual(b?.get("at"));
        expect(a?.get("at")).toBeInstanceOf(Timestamp);
      });

      test("increments add integers and doubles, start where there is no number, and stop at the limits", async () => {
        const reference = fresh().doc();
        await reference.set({ i: 1, d: 1.5, s: "text", max: BigInt("9223372036854775807") });
        await reference.update({
          i: FieldValue.increment(2),
          d: FieldValue.increment(1),
          s: FieldValue.increment(4),
          new: FieldValue.increment(-3),
          "deep.er": FieldValue.increment(1),
          max: FieldValue.increment(10),
        });
        expect((await reference.get()).data()).toEqual({
          i: 3,
          d: 2.5,
          s: 4,
          new: -3,
          deep: { er: 1 },
          max: Number(9223372036854775807n),
        });
      });

      test("array unions add what is missing and removals take every copy", async () => {
        const reference = fresh().doc();
        await reference.set({ a: [1, 2, 2, { k: 1 }], b: "no array" });
        await reference.update({
          a: FieldValue.arrayUnion(2, 3, 3, { k: 1 }),
          b: FieldValue.arrayUnion("x"),
        });
        expect((await reference.get()).data()).toEqual({ a: [1, 2, 2, { k: 1 }, 3], b: ["x"] });
        await reference.update({
          a: FieldValue.arrayRemove(2, { k: 1 }),
          c: FieldValue.arrayRemove(1),
        });
        expect((await reference.get()).data()).toEqual({ a: [1, 3], b: ["x"], c: [] });
      });
    });

    describe("queries", () => {
      const mixed = {
        a: { v: null },
        b: { v: false },
        c: { v: true },
        d: { v: Number.NaN },
        e: { v: -1.5 },
        f: { v: 3 },
        g: { v: 3.5 },
        h: { v: new Timestamp(5, 0) },
        i: { v: "a" },
        j: { v: "b" },
        k: { v: Buffer.from([1]) },
        m: { v: new GeoPoint(1, 2) },
        n: { v: [1, 2] },
        o: { v: [1, 3] },
        p: { v: { a: 1 } },
        q: { v: { a: 2 } },
        z: { other: 1 },
      };

      test("values of all types sort in one order", async () => {
        const collection = await fill(mixed);
        const expected = [
          "a",
          "b",
          "c",
          "d",
          "e",
          "f",
          "g",
          "h",
          "i",
          "j",
          "k",
          "m",
          "n",
          "o",
          "p",
          "q",
        ];
        expect(await idsOf(collection.orderBy("v"))).toEqual(expected);
        expect(await idsOf(collection.orderBy("v", "desc"))).toEqual(expected.toReversed());
      });

      test("comparisons stay within the operand's type", async () => {
        const collection = await fill(mixed);
        expect(await idsOf(collection.where("v", ">", -2))).toEqual(["e", "f", "g"]);
        expect(await idsOf(collection.where("v", "<=", 3))).toEqual(["e", "f"]);
        expect(await idsOf(collection.where("v", ">=", "a").where("v", "<", "b"))).toEqual(["i"]);
        expect(await idsOf(collection.where("v", "==", null))).toEqual(["a"]);
        expect(await idsOf(collection.where("v", "==", Number.NaN))).toEqual(["d"]);
        expect(await idsOf(collection.where("v", "==", 3))).toEqual(["f"]);
        expect(await idsOf(collection.where("v", "==", [1, 2]))).toEqual(["n"]);
        expect(await idsOf(collection.where("v", "==", { a: 2 }))).toEqual(["q"]);
        expect(await idsOf(collection.where("v", "!=", null))).toEqual(
          Object.keys(mixed).slice(1, -1),
        );
        expect(await idsOf(collection.where("v", "!=", Number.NaN))).toEqual(
          Object.keys(mixed).filter((id) => !["a", "d", "z"].includes(id)),
        );
        expect(await idsOf(collection.where("v", "not-in", [3, "a"]))).toEqual(
          Object.keys(mixed).filter((id) => !["a", "f", "i", "z"].includes(id)),
        );
      });

      test("names sort by bytes, with numeric ids first", async () => {
        const collection = await fill({
          b: {},
          B: {},
          "10": {},
          "9": {},
          é: {},
          __id7__: {},
          __id10__: {},
        });
        expect(await idsOf(collection)).toEqual(["__id7__", "__id10__", "10", "9", "B", "b", "é"]);
      });

      test("filters combine with and, or, in and the array operators", async () => {
        const collection = await fill({
          a: { kind: "x", n: 1, tags: ["r", "g"] },
          b: { kind: "x", n: 2, tags: ["g"] },
          c: { kind: "y", n: 3, tags: [] },
          d: { kind: "z", n: 4, tags: ["r", "b"] },
          e: { kind: "z", n: 5 },
        });
        expect(await idsOf(collection.where("kind", "==", "x").where("n", ">", 1))).toEqual(["b"]);
        expect(await idsOf(collection.where("kind", "in", ["y", "z"]))).toEqual(["c", "d", "e"]);
        expect(await idsOf(collection.where("tags", "array-contains", "r"))).toEqual(["a", "d"]);
        expect(await idsOf(collection.where("tags", "array-contains-any", ["g", "b"]))).toEqual([
          "a",
          "b",
          "d",
        ]);
        const either = Filter.or(
          Filter.where("n", "==", 5),
          Filter.and(Filter.where("kind", "==", "x"), Filter.where("tags", "array-contains", "r")),
        );
        expect(await idsOf(collection.where(either))).toEqual(["a", "e"]);
        expect(
          await idsOf(collection.where(FieldPath.documentId(), "in", ["b", "e", "no"])),
        ).toEqual(["b", "e"]);
        expect(await idsOf(collection.where(FieldPath.documentId(), ">", "c"))).toEqual(["d", "e"]);
        expect(await idsOf(collection.where("n", ">", 1).where("kind", "<", "z"))).toEqual([
          "b",
          "c",
        ]);
      });

      test("several orders, limits, offsets, cursors and limitToLast", async () => {
        const collection = await fill({
          a: { g: 1, n: 1 },
          b: { g: 1, n: 2 },
          c: { g: 2, n: 1 },
          d: { g: 2, n: 2 },
          e: { g: 2 },
        });
        const ordered = collection.orderBy("g", "desc").orderBy("n");
        expect(await idsOf(ordered)).toEqual(["c", "d", "a", "b"]);
        expect(await idsOf(ordered.limit(2))).toEqual(["c", "d"]);
        expect(await idsOf(ordered.offset(1).limit(2))).toEqual(["d", "a"]);
        expect(await idsOf(ordered.limitToLast(2))).toEqual(["a", "b"]);
        expect(await idsOf(ordered.startAt(2, 2))).toEqual(["d", "a", "b"]);
        expect(await idsOf(ordered.startAfter(2))).toEqual(["a", "b"]);
        expect(await idsOf(ordered.endBefore(1, 2))).toEqual(["c", "d", "a"]);
        expect(await idsOf(ordered.endAt(2))).toEqual(["c", "d"]);
        const d = await collection.doc("d").get();
        expect(await idsOf(ordered.startAfter(d))).toEqual(["a", "b"]);
        expect(await idsOf(collection.startAt(d).limit(1))).toEqual(["d"]);
        expect(
          await idsOf(collection.orderBy("n").startAfter(await collection.doc("a").get())),
        ).toEqual(["c", "b", "d"]);
      });

      test("a selection returns only its fields", async () => {
        const collection = await fill({ a: { n: 1, m: { x: 1, y: 2 } } });
        const [selected] = (await collection.select("m.x").get()).docs;
        expect(selected?.data()).toEqual({ m: { x: 1 } });
        const [bare] = (await collection.select().get()).docs;
        expect(bare?.data()).toEqual({});
      });

      test("a collection group finds its id at every depth", async () => {
        const collection = await fill({ a: { n: 1 }, b: { n: 2 } });
        const group = `g${collection.id}`;
        await collection.doc("a").collection(group).doc("x").set({ n: 1 });
        await collection.doc("missing").collection(group).doc("y").set({ n: 2 });
        await firestore.collection(group).doc("z").set({ n: 3 });
        expect((await idsOf(firestore.collectionGroup(group))).toSorted()).toEqual(["x", "y", "z"]);
        expect(await idsOf(firestore.collectionGroup(group).where("n", ">=", 2))).toEqual([
          "y",
          "z",
        ]);
        expect(await idsOf(collection)).toEqual(["a", "b"]);
        expect((await collection.listDocuments()).map(({ id }) => id)).toEqual([
          "a",
          "b",
          "missing",
        ]);
        expect((await collection.doc("missing").listCollections()).map(({ id }) => id)).toEqual([
          group,
        ]);
        await firestore.recursiveDelete(collection);
        expect(await idsOf(firestore.collectionGroup(group))).toEqual(["z"]);
      });

      test("aggregates count, sum and average", async () => {
        const { AggregateField } = await import("firebase-admin/firestore");
        const collection = await fill({
          a: { n: 1 },
          b: { n: 2.5 },
          c: { n: "text" },
          d: {},
          e: { n: 4, m: 1 },
        });
        expect((await collection.count().get()).data().count).toBe(5);
        expect((await collection.limit(2).count().get()).data().count).toBe(2);
        const sums = collection.aggregate({
          sum: AggregateField.sum("n"),
          mean: AggregateField.average("n"),
        });
        expect((await sums.get()).data()).toEqual({ sum: 7.5, mean: 2.5 });
        const none = collection
          .where("m", "==", 99)
          .aggregate({ sum: AggregateField.sum("n"), mean: AggregateField.average("n") });
        expect((await none.get()).data()).toEqual({ sum: 0, mean: null });
      });

      test("a large collection is read whole, and a few of it by value", async () => {
        const collection = fresh();
        const writer = firestore.bulkWriter();
        for (let index = 0; index < 700; index += 1) {
          const pending = index % 350 === 0 ? { pending: true } : {};
          void writer.set(collection.doc(`d${String(index).padStart(4, "0")}`), {
            n: index % 10,
            slot: index,
            ...pending,
          });
        }
        await writer.close();
        expect((await collection.get()).size).toBe(700);
        expect((await collection.orderBy("n").get()).size).toBe(700);
        expect(
          (await collection.orderBy("slot", "desc").limit(2).get()).docs.map((d) => d.get("slot")),
        ).toEqual([699, 698]);
        expect(await idsOf(collection.where("pending", "==", true))).toEqual(["d0000", "d0350"]);
        expect((await collection.where("slot", ">=", 100).where("slot", "<", 600).get()).size).toBe(
          500,
        );
        const pages = await Promise.all([
          idsOf(collection.orderBy("n").limit(300)),
          idsOf(collection.orderBy("n").offset(300)),
        ]);
        expect(new Set(pages.flat()).size).toBe(700);
      });
    });

    describe("collections", () => {
      test("are listed below a document, and documents also where only something below them exists", async () => {
        const top = fresh().doc("top");
        await Promise.all([
          top.collection("beds").doc("1").set({}),
          top.collection("arcs").doc("1").set({}),
          top.collection("arcs").doc("ghost").collection("deep").doc("1").set({}),
        ]);
        const below = await top.listCollections();
        expect(below.map(({ id }) => id)).toEqual(["arcs", "beds"]);
        const documents = await top.collection("arcs").listDocuments();
        expect(documents.map(({ id }) => id)).toEqual(["1", "ghost"]);
      });

      test("are deleted with all that is below them", async () => {
        const collection = await fill({ a: { n: 1 }, b: { n: 2 } });
        await collection.doc("a").collection("deep").doc("x").collection("er").doc("y").set({});
        await firestore.recursiveDelete(collection);
        expect(await collection.listDocuments()).toEqual([]);
        expect(await collection.doc("a").listCollections()).toEqual([]);
      });

      // Google's emulator has no PartitionQuery.
      test.skipIf(isEmulator)(
        "of one id are read in partitions that join to the whole",
        async () => {
          const parent = fresh();
          const id = `group-${parent.id}`;
          const writer = firestore.bulkWriter();
          for (let index = 0; index < 300; index += 1) {
            void writer.set(
              parent
                .doc(`p${index % 7}`)
                .collection(id)
                .doc(`d${index}`),
              { index },
            );
          }
          await writer.close();
          const seen: QueryDocumentSnapshot[] = [];
          let partitions = 0;
          for await (const partition of firestore.collectionGroup(id).getPartitions(4)) {
            partitions += 1;
            seen.push(...(await partition.toQuery().get()).docs);
          }
          expect(partitions).toBeGreaterThanOrEqual(1);
          expect(partitions).toBeLessThanOrEqual(5);
          expect(new Set(seen.map(({ ref }) => ref.path)).size).toBe(300);
          expect(seen).toHaveLength(300);
        },
      );
    });

    describe("listeners", () => {
      /** The snapshots of a listener as they come. */
      const watch = <Seen>(
        listenTo: (onNext: (seen: Seen) => void, onError: (error: Error) => void) => () => void,
      ): {
        readonly next: (what: string, isIt: (seen: Seen) => boolean) => Promise<Seen>;
        readonly stop: () => void;
      } => {
        const seen: Seen[] = [];
        const errors: Error[] = [];
        const stop = listenTo(
          (snapshot) => seen.push(snapshot),
          (error) => errors.push(error),
        );
        return {
          next: (what, isIt) =>
            eventually(what, () => {
              const [error] = errors;
              if (error !== undefined) throw error;
              return seen.find(isIt);
            }),
          stop,
        };
      };

      test("a document is watched from missing to created, changed and deleted", async () => {
        const reference = fresh().doc("watched");
        const listener = watch<DocumentSnapshot>((next, fail) => reference.onSnapshot(next, fail));
        await listener.next("missing at first", ({ exists }) => !exists);
        await reference.set({ n: 1 });
        await listener.next("created", (snapshot) => snapshot.get("n") === 1);
        await reference.update({ n: 2 });
        await listener.next("changed", (snapshot) => snapshot.get("n") === 2);
        await reference.delete();
        await reference.set({ n: 3 });
        const last = await listener.next("created again", (snapshot) => snapshot.get("n") === 3);
        expect(last.id).toBe("watched");
        listener.stop();
      });

      test("a query is watched as documents enter, change, leave and vanish", async () => {
        const collection = await fill({ a: { n: 1 }, b: { n: 2 }, c: { n: 3 } });
        const ids = (snapshot: QuerySnapshot): string => snapshot.docs.map(({ id }) => id).join();
        const query = collection.where("n", ">=", 2).orderBy("n");
        const listener = watch<QuerySnapshot>((next, fail) => query.onSnapshot(next, fail));
        await listener.next("the first results", (snapshot) => ids(snapshot) === "b,c");
        await collection.doc("a").set({ n: 9 });
        await listener.next("one enters", (snapshot) => ids(snapshot) === "b,c,a");
        await collection.doc("b").set({ n: 1 });
        await listener.next("one leaves", (snapshot) => ids(snapshot) === "c,a");
        await collection.doc("c").delete();
        const last = await listener.next("one vanishes", (snapshot) => ids(snapshot) === "a");
        expect(last.docChanges().map(({ type }) => type)).toEqual(["removed"]);
        listener.stop();
      });

      test("a limit shows the next when one goes", async () => {
        const collection = await fill({ a: { n: 1 }, b: { n: 2 }, c: { n: 3 } });
        const ids = (snapshot: QuerySnapshot): string => snapshot.docs.map(({ id }) => id).join();
        const query = collection.orderBy("n").limit(2);
        const listener = watch<QuerySnapshot>((next, fail) => query.onSnapshot(next, fail));
        await listener.next("the first two", (snapshot) => ids(snapshot) === "a,b");
        await collection.doc("a").delete();
        const last = await listener.next("the next two", (snapshot) => ids(snapshot) === "b,c");
        expect(last.size).toBe(2);
        listener.stop();
      });
    });

    describe("a resume token", () => {
      // Google's emulator takes the token and tells everything again.
      test.skipIf(isEmulator)(
        "tells what changed, came and went since, and nothing else",
        async () => {
          const collection = await fill({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } });
          const listened = listenOnce(target.host, collection);
          const first = await listened();
          expect(first.changed.toSorted()).toEqual(["a", "b", "c"]);
          await collection.doc("a").set({ n: 2 });
          await collection.doc("b").delete();
          await collection.doc("d").set({ n: 1 });
          const second = await listened(first.resumeToken);
          expect(second.changed.toSorted()).toEqual(["a", "d"]);
          expect(second.gone).toEqual(["b"]);
          const third = await listened(second.resumeToken);
          expect([...third.changed, ...third.gone]).toEqual([]);
        },
      );
    });

    describe("transactions", () => {
      test("twenty at once increment one document and none is lost", async () => {
        const reference = fresh().doc("counter");
        await reference.set({ n: 0 });
        const increment = (): Promise<unknown> =>
          firestore.runTransaction(
            async (transaction) => {
              const snapshot = await transaction.get(reference);
              transaction.update(reference, { n: Number(snapshot.get("n")) + 1 });
            },
            { maxAttempts: 30 },
          );
        await Promise.all(Array.from({ length: 20 }, increment));
        expect((await reference.get()).get("n")).toBe(20);
      }, 120_000);

      test("two that read the same document are not both committed on what they read", async () => {
        const reference = fresh().doc("contended");
        let attempts = 0;
        const arrived: (() => void)[] = [];
        const both = new Promise<void>((resolve) => {
          arrived.push(() => undefined, resolve);
        });
        const run = (key: string): Promise<unknown> =>
          firestore.runTransaction(
            async (transaction) => {
              attempts += 1;
              const seen = (await transaction.get(reference)).data() ?? {};
              arrived.shift()?.();
              await both;
              transaction.set(reference, { ...seen, [key]: true });
            },
            { maxAttempts: 30 },
          );
        await Promise.all([run("first"), run("second")]);
        // Both were written, so that one of them has read again what the other had committed.
        expect((await reference.get()).data()).toEqual({ first: true, second: true });
        expect(attempts).toBeGreaterThanOrEqual(3);
      }, 120_000);

      test("money moved between accounts by crossing transactions is neither made nor lost", async () => {
        const collection = await fill({ a: { n: 100 }, b: { n: 100 }, c: { n: 100 } });
        const move = (from: string, to: string): Promise<unknown> =>
          firestore.runTransaction(
            async (transaction) => {
              const source = await transaction.get(collection.doc(from));
              const sink = await transaction.get(collection.doc(to));
              transaction.update(source.ref, { n: Number(source.get("n")) - 1 });
              transaction.update(sink.ref, { n: Number(sink.get("n")) + 1 });
            },
            { maxAttempts: 30 },
          );
        const pairs = [
          ["a", "b"],
          ["b", "c"],
          ["c", "a"],
          ["b", "a"],
          ["a", "c"],
          ["c", "b"],
        ] as const;
        await Promise.all(pairs.map(([from, to]) => move(from, to)));
        const balances = (await collection.get()).docs.map((document) => Number(document.get("n")));
        expect(balances).toEqual([100, 100, 100]);
      }, 60_000);

      test("no phantom: transactions that count before they add never exceed the limit", async () => {
        const collection = fresh();
        const open = collection.where("open", "==", true);
        const add = (): Promise<boolean> =>
          firestore.runTransaction(
            async (transaction) => {
              const { size } = await transaction.get(open);
              if (size >= 3) return false;
              transaction.create(collection.doc(), { open: true });
              return true;
            },
            { maxAttempts: 30 },
          );
        const added = await Promise.all(Array.from({ length: 8 }, add));
        expect(added.filter(Boolean)).toHaveLength(3);
        expect((await open.get()).size).toBe(3);
      }, 120_000);

      test("a transaction that throws leaves no trace and no lock", async () => {
        const reference = fresh().doc("left");
        await reference.set({ n: 1 });
        const failing = firestore.runTransaction(async (transaction) => {
          await transaction.get(reference);
          transaction.update(reference, { n: 2 });
          throw new Error("changed my mind");
        });
        await expect(failing).rejects.toThrow("changed my mind");
        await reference.update({ n: 3 });
        expect((await reference.get()).get("n")).toBe(3);
      });

      test("creating what exists fails the transaction at once", async () => {
        const reference = fresh().doc("exists");
        await reference.set({});
        const creating = firestore.runTransaction(async (transaction) => {
          await transaction.get(reference);
          transaction.create(reference, {});
        });
        expect(await codeOf(creating)).toBe(6);
      });

      test("a read-only transaction sees one moment", async () => {
        const collection = await fill({ a: { n: 1 }, b: { n: 1 } });
        const seen = await firestore.runTransaction(
          async (transaction) => {
            const first = await transaction.get(collection.doc("a"));
            await collection.doc("b").set({ n: 2 });
            await collection.doc("c").set({ n: 2 });
            await collection.doc("a").delete();
            const second = await transaction.get(collection.doc("b"));
            const all = await transaction.get(collection);
            return [first.get("n"), second.get("n"), all.docs.map(({ id }) => id)];
          },
          { readOnly: true },
        );
        expect(seen).toEqual([1, 1, ["a", "b"]]);
        expect(await idsOf(collection)).toEqual(["b", "c"]);
      });

      test("a read at a past time sees the past", async () => {
        const reference = fresh().doc("past");
        const { writeTime } = await reference.set({ n: 1 });
        await reference.set({ n: 2 });
        const read = await firestore.runTransaction(
          async (transaction) => (await transaction.get(reference)).get("n"),
          { readOnly: true, readTime: writeTime },
        );
        expect(read).toBe(1);
      });
    });
  });
};
