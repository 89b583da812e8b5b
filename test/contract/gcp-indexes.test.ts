/** Every query that the adapters make has its index in Terraform: the local Firestore needs none, the real one refuses. */
import { Query } from "firebase-admin/firestore";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { modelName, runId } from "../../events/ids.js";
import { database } from "../../shared/gcp/database.js";
import { firestoreAdmission } from "../../shared/gcp/firestore-admission.js";
import { firestoreState } from "../../shared/gcp/firestore-state.js";
import type { Admission } from "../../shared/ports/admission.js";
import type { State } from "../../shared/ports/state.js";
import { everything } from "../../shared/gcp/slots.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

const fieldFilter = z.object({ field: z.object({ fieldPath: z.string() }), op: z.string() });
const filter = z.object({
  fieldFilter: fieldFilter.optional(),
  compositeFilter: z
    .object({ filters: z.array(z.object({ fieldFilter: fieldFilter.optional() })) })
    .optional(),
});
const request = z.object({
  structuredQuery: z.object({
    from: z.array(z.object({ collectionId: z.string() })),
    where: filter.nullish(),
    orderBy: z
      .array(z.object({ field: z.object({ fieldPath: z.string() }), direction: z.string() }))
      .default([]),
  }),
});

/** What a query asks of the indexes: fields by equality in any order, then fields in an order. */
interface Need {
  readonly collection: string;
  readonly equal: readonly string[];
  readonly ordered: readonly string[];
}

const toProto = z.looseObject({ toProto: z.function({ output: request }) });

const needOf = (query: unknown): Need => {
  const { structuredQuery } = toProto.parse(query).toProto.call(query);
  const { from, where, orderBy } = structuredQuery;
  const filters = [
    ...(where?.fieldFilter === undefined ? [] : [where.fieldFilter]),
    ...(where?.compositeFilter?.filters ?? []).flatMap(({ fieldFilter: one }) => one ?? []),
  ];
  const isEquality = ({ op }: { readonly op: string }): boolean =>
    op === "EQUAL" || op === "IN" || op.startsWith("ARRAY_CONTAINS");
  const ranges = filters.filter((one) => !isEquality(one)).map(({ field }) => field.fieldPath);
  const orders = orderBy
    .filter(({ field }) => field.fieldPath !== "__name__")
    .map(({ field, direction }) => `${field.fieldPath} ${direction}`);
  return {
    collection: from[0]?.collectionId ?? "",
    equal: filters.filter(isEquality).map(({ field }) => field.fieldPath),
    ordered: [
      ...ranges
        .filter((path) => !orders.some((order) => order.startsWith(`${path} `)))
        .map((path) => `${path} ASCENDING`),
      ...orders,
    ],
  };
};

const isServed = ({ collection, equal, ordered }: Need): boolean => {
  if (ordered.length === 0 || (equal.length === 0 && ordered.length === 1)) {
    // Equalities are merged from the indexes that every field has by itself, if it was left to it.
    return [...equal, ...ordered.map((order) => order.split(" ", 1)[0])].every(
      (field) =>
        !database.withoutIndex.some((one) => one.collection === collection && one.field === field),
    );
  }
  return Object.values(database.indexes).some(({ collection: of, fields }) => {
    const first = fields.slice(0, equal.length).map(({ path }) => path);
    const rest = fields.slice(equal.length).map(({ path, order }) => `${path} ${order}`);
    return (
      of === collection &&
      equal.every((field) => first.includes(field)) &&
      JSON.stringify(rest) === JSON.stringify(ordered)
    );
  });
};

describe("the queries of the adapters", () => {
  let cloud: LocalCloud;
  let state: State;
  let admission: Admission;
  let asked: readonly { readonly mock: { readonly contexts: readonly unknown[] } }[];

  beforeAll(async () => {
    cloud = await withLocalCloud(["firestore"]);
    const config = {
      projectId: cloud.projectId,
      region: "us-central1",
      bucket: "demo-bucket",
      identity: "continuo@demo-project.iam.gserviceaccount.com",
      localCloud: cloud.address,
    };
    state = firestoreState(config);
    admission = firestoreAdmission(config);
    asked = [vi.spyOn(Query.prototype, "get"), vi.spyOn(Query.prototype, "count")];
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await cloud.stop();
  });

  it("have their indexes", async () => {
    const model = modelName.parse("flight-delay");
    const run = runId.parse("flight-delay-r1");
    const limit = 10;
    await Promise.all([
      state.pendingEntries({ partition: everything, beforeMs: 5, limit }),
      state.timeline({ limit }),
      state.timeline({ model, limit }),
      state.timeline({ correlationId: "c", limit }),
      state.timeline({ model, correlationId: "c", afterMs: 3, limit }),
      state.timeline({ model, afterMs: 3, untilMs: 5, limit }),
      state.chain({ model, afterSequence: 3, limit }),
      state.unanchored({ after: null, limit }),
      state.unanchored({ after: model, limit }),
      state.modelPage({ after: null, limit }),
      state.modelPage({ after: model, openIn: everything, limit }),
      state.dueTimers({ partition: everything, nowMs: 5, limit }),
      state.runs({ limit }),
      state.runs({ model, limit }),
      state.rollouts({ limit }),
      state.rollouts({ model, limit }),
      state.alertCounts(run),
      state.deadLetters(limit),
      admission.enqueue({
        run,
        model,
        accelerator: null,
        enqueuedAtMs: 5,
        event: {
          type: "training-run.requested",
          id: "training-run.requested/r1",
          source: "test",
          specversion: "1.0",
          time: "2026-01-05T12:00:00Z",
          data: { run, model, reason: "new data" },
        },
      }),
    ]);
    await admission.waiting({ accelerator: "NVIDIA_L4", limit });
    await admission.length();
    await admission.place(run);
    const seen = asked.flatMap(({ mock }) => mock.contexts.map(needOf));
    expect(seen.length).toBeGreaterThan(20);
    const missing = new Set(
      seen.filter((need) => !isServed(need)).map((need) => JSON.stringify(need)),
    );
    expect([...missing]).toEqual([]);
  });
});
