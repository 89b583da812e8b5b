import fc from "fast-check";
import Database from "libsql";
import { describe, expect, test } from "vitest";
import { openEngine, commit, type Engine } from "../../../infra/local/firestore/engine.js";
import {
  compareMatches,
  isAfterStart,
  isBeforeEnd,
  matchOf,
  type Match,
} from "../../../infra/local/firestore/query-evaluate.js";
import { readQuery, type Query } from "../../../infra/local/firestore/query-model.js";
import { runQuery } from "../../../infra/local/firestore/query-run.js";
import type { Row } from "../../../infra/local/firestore/store.js";
import type { WireFilter, WireQuery, WireValue } from "../../../infra/local/firestore/wire.js";
import { readWrite } from "../../../infra/local/firestore/writes.js";

const database = "projects/p/databases/(default)";
const root = `${database}/documents`;
let clockMs = 1_000_000;
const open = (): Engine => openEngine({ db: new Database(":memory:"), now: () => (clockMs += 1) });

type WireFields = Readonly<Record<string, WireValue>>;

const fill = async (
  engine: Engine,
  documents: Readonly<Record<string, WireFields>>,
): Promise<void> => {
  const writes = Object.entries(documents).map(([path, fields]) =>
    readWrite({ update: { name: `${root}/${path}`, fields } }, database),
  );
  await commit(engine, writes, undefined);
};

const everything = (engine: Engine): readonly Row[] =>
  runQuery(engine.store, readQuery(root, { from: [{ allDescendants: true }] })).rows;

/** What a query answers, by looking at every document of its collection. */
const slowly = (query: Query, rows: readonly Row[]): readonly string[] => {
  const found: Match[] = rows
    .filter(({ document }) => document.name.split("/").at(-2) === query.collectionId)
    .flatMap((row) => matchOf(query, row) ?? [])
    .toSorted((a, b) => compareMatches(query, a, b))
    .filter((match) => isAfterStart(query, match) && isBeforeEnd(query, match));
  return found
    .slice(query.offset, query.offset + (query.limit ?? found.length))
    .map(({ row }) => row.document.name);
};

const wireValue: fc.Arbitrary<WireValue> = fc.oneof(
  fc.constant<WireValue>({ nullValue: "NULL_VALUE" }),
  fc.integer({ min: -2, max: 2 }).map((value) => ({ integerValue: String(value) })),
  fc.constantFrom(Number.NaN, -0.5, 1.5, -0).map((value) => ({ doubleValue: value })),
  fc
    .constantFrom("", "a", "b", "x".repeat(300), `${"x".repeat(300)}y`)
    .map((value) => ({ stringValue: value })),
  fc.boolean().map((value) => ({ booleanValue: value })),
);
const fieldValue: fc.Arbitrary<WireValue> = fc.oneof(
  { weight: 4, arbitrary: wireValue },
  {
    weight: 1,
    arbitrary: fc.array(wireValue, { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
  },
  { weight: 1, arbitrary: wireValue.map((x) => ({ mapValue: { fields: { x } } })) },
);
const anyPath = fc.constantFrom("p", "q", "p.x");
const leaf: fc.Arbitrary<WireFilter> = fc
  .oneof(
    fc.record({
      path: anyPath,
      op: fc.constantFrom(
        "EQUAL",
        "NOT_EQUAL",
        "LESS_THAN",
        "LESS_THAN_OR_EQUAL",
        "GREATER_THAN",
        "GREATER_THAN_OR_EQUAL",
        "ARRAY_CONTAINS",
      ),
      value: fieldValue,
    }),
    fc.record({
      path: anyPath,
      op: fc.constantFrom("IN", "NOT_IN", "ARRAY_CONTAINS_ANY"),
      value: fc
        .array(wireValue, { minLength: 1, maxLength: 3 })
        .map((values) => ({ arrayValue: { values } })),
    }),
  )
  .map(({ path, op, value }) => ({ fieldFilter: { field: { fieldPath: path }, op, value } }));
const filter: fc.Arbitrary<WireFilter> = fc.oneof(
  leaf,
  fc
    .record({
      op: fc.constantFrom("AND", "OR"),
      filters: fc.array(leaf, { minLength: 1, maxLength: 2 }),
    })
    .map((compositeFilter) => ({ compositeFilter })),
);
const wireQuery: fc.Arbitrary<WireQuery> = fc.record(
  {
    from: fc.boolean().map((allDescendants) => [{ collectionId: "c", allDescendants }]),
    where: filter,
    orderBy: fc
      .uniqueArray(fc.constantFrom("p", "q"), { maxLength: 2 })
      .chain((paths) =>
        fc
          .constantFrom("ASCENDING", "DESCENDING")
          .map((direction) => paths.map((path) => ({ field: { fieldPath: path }, direction }))),
      ),
    offset: fc.integer({ min: 0, max: 3 }),
    limit: fc.integer({ min: 1, max: 5 }).map((value) => ({ value })),
  },
  { requiredKeys: ["from"] },
);
const cursor = fc.record({ values: fc.tuple(fieldValue), before: fc.boolean() });

/** Queries that the service refuses are none of this test's business. */
const readable = (wire: WireQuery): Query | undefined => {
  try {
    return readQuery(root, wire);
  } catch {
    return undefined;
  }
};

describe("queries", () => {
  test("answer through an index what they answer by looking at every document", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.constantFrom("p", "q"), fieldValue), {
          minLength: 5,
          maxLength: 25,
        }),
        fc.array(fc.tuple(wireQuery, fc.option(cursor), fc.option(cursor)), {
          minLength: 10,
          maxLength: 10,
        }),
        async (documents, queries) => {
          const engine = open();
          await fill(
            engine,
            Object.fromEntries(documents.map((fields, index) => [`c/d${index}`, fields])),
          );
          await fill(
            engine,
            Object.fromEntries(
              documents.slice(0, 3).map((fields, index) => [`c/d0/c/e${index}`, fields]),
            ),
          );
          const rows = everything(engine);
          for (const [wire, start, end] of queries) {
            const isOrdered = (wire.orderBy ?? []).length > 0;
            const query = readable({
              ...wire,
              ...(start === null || !isOrdered ? {} : { startAt: start }),
              ...(end === null || !isOrdered ? {} : { endAt: end }),
            });
            if (query === undefined) continue;
            const scope = query.allDescendants
              ? rows
              : rows.filter(({ document }) => !document.name.includes("/d0/"));
            expect(runQuery(engine.store, query).rows.map(({ document }) => document.name)).toEqual(
              slowly(query, scope),
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("find documents with too many fields to index", async () => {
    const engine = open();
    const wide = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`f${index}`, { integerValue: "1" }]),
    );
    await fill(engine, { "c/wide": wide, "c/narrow": { f7: { integerValue: "1" } } });
    const where = {
      fieldFilter: { field: { fieldPath: "f7" }, op: "EQUAL", value: { integerValue: "1" } },
    };
    const find = (wire: WireQuery): readonly string[] =>
      runQuery(engine.store, readQuery(root, { from: [{ collectionId: "c" }], ...wire })).rows.map(
        ({ document }) => document.name.split("/").at(-1) ?? "",
      );
    expect(find({ where })).toEqual(["narrow", "wide"]);
    expect(find({ orderBy: [{ field: { fieldPath: "f7" } }] })).toEqual(["narrow", "wide"]);
  });

  test("read a few documents of a large collection, not all of them", async () => {
    const engine = open();
    const documents = Object.fromEntries(
      Array.from({ length: 3_000 }, (_, index) => [
        `c/d${String(index).padStart(5, "0")}`,
        {
          slot: { integerValue: String(index) },
          ...(index % 1_000 === 0 ? { pending: { booleanValue: true } } : {}),
        },
      ]),
    );
    await fill(engine, documents);
    let read = 0;
    const counting = new Proxy(engine.store, {
      get: (store, name) => {
        const member: unknown = Reflect.get(store, name);
        if (typeof member !== "function") return member;
        return (...parameters: readonly unknown[]): unknown => {
          const answer: unknown = Reflect.apply(member, store, [...parameters]);
          if (Array.isArray(answer)) read += answer.length;
          return answer;
        };
      },
    });
    const cost = (wire: WireQuery): { readonly found: number; readonly read: number } => {
      read = 0;
      const { rows } = runQuery(
        counting,
        readQuery(root, { from: [{ collectionId: "c" }], ...wire }),
      );
      return { found: rows.length, read };
    };
    const compare = (fieldPath: string, op: string, value: WireValue): WireFilter => ({
      fieldFilter: { field: { fieldPath }, op, value },
    });
    expect(cost({ where: compare("pending", "EQUAL", { booleanValue: true }) })).toEqual({
      found: 3,
      read: 3,
    });
    const range = {
      compositeFilter: {
        op: "AND",
        filters: [
          compare("slot", "GREATER_THAN_OR_EQUAL", { integerValue: "100" }),
          compare("slot", "LESS_THAN", { integerValue: "120" }),
        ],
      },
    };
    expect(cost({ where: range })).toEqual({ found: 20, read: 21 });
    const newest = cost({
      orderBy: [{ field: { fieldPath: "slot" }, direction: "DESCENDING" }],
      limit: { value: 5 },
    });
    expect(newest.found).toBe(5);
    expect(newest.read).toBeLessThanOrEqual(10);
  });
});

test.each([
  ["or", { compositeFilter: { op: "OR", filters: ["EQUAL", "NOT_IN"] } }],
  ["in", { compositeFilter: { op: "AND", filters: ["IN", "NOT_IN"] } }],
  [
    "array-contains-any",
    { compositeFilter: { op: "AND", filters: ["ARRAY_CONTAINS_ANY", "NOT_IN"] } },
  ],
] as const)("not-in does not stand beside %s", (_, { compositeFilter: { op, filters } }) => {
  const list = { arrayValue: { values: [{ integerValue: "1" }] } };
  const filterOf = (operator: string, index: number) => ({
    fieldFilter: {
      field: { fieldPath: `f${index}` },
      op: operator,
      value: operator === "EQUAL" ? { integerValue: "1" } : list,
    },
  });
  const where = { compositeFilter: { op, filters: filters.map(filterOf) } };
  expect(() => readQuery(root, { from: [{ collectionId: "c" }], where })).toThrow(
    /'NOT_IN' cannot/,
  );
});
