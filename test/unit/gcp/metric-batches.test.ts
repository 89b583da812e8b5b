import { describe, expect, it } from "vitest";
import { deployedModelId, type DeployedModelId } from "../../../events/ids.js";
import { CloudError } from "../../../shared/gcp/errors.js";
import { batchesOf } from "../../../shared/gcp/metric-batches.js";
import { monitoringMetrics } from "../../../shared/gcp/monitoring-metrics.js";
import type { Rest } from "../../../shared/gcp/rest.js";
import type { MetricQuery } from "../../../shared/ports/metrics.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const nowMs = 1_000 * hourMs;
const served = (id: number): DeployedModelId => deployedModelId.parse(String(id));

const fleet = (size: number, ageMs: number, more: Partial<MetricQuery> = {}): MetricQuery[] =>
  Array.from({ length: size }, (_, index) => ({
    endpoint: `endpoint-${index}`,
    sinceMs: nowMs - ageMs,
    untilMs: nowMs,
    ...more,
  }));

const sizesOf = (queries: readonly MetricQuery[]): readonly number[] =>
  batchesOf(queries).map((batch) => batch.queries.length);

describe("batches of endpoints", () => {
  it("hold a hundred while their steps are younger than an hour, and fewer as answers grow", () => {
    expect(sizesOf(fleet(250, hourMs))).toEqual([100, 100, 50]);
    expect(sizesOf(fleet(100, 2 * hourMs))).toEqual([52, 48]);
    expect(sizesOf(fleet(4, 1000 * hourMs))).toEqual([1, 1, 1, 1]);
    expect(sizesOf([])).toEqual([]);
  });

  it("put an old step with its like, so that it does not lengthen what is read of the young", () => {
    const [young, old] = [fleet(100, minuteMs), fleet(3, 30 * hourMs)];
    const batches = batchesOf([...young.slice(0, 50), ...old, ...young.slice(50)]);
    expect(batches.map(({ queries }) => queries.length)).toEqual([3, 100]);
    expect(batches[1]).toMatchObject({ sinceMs: nowMs - minuteMs, untilMs: nowMs });
  });

  it("stay short enough for an address, however long the endpoints' names are", () => {
    const long = fleet(100, minuteMs).map(({ endpoint, ...query }) => ({
      ...query,
      endpoint: endpoint.padEnd(63, "x"),
    }));
    expect(Math.max(...sizesOf(long))).toBeLessThan(64);
    expect(sizesOf(long).reduce((sum, size) => sum + size, 0)).toBe(100);
  });
});

/** Monitoring in a few lines: a response of each endpoint in the filter that is not faulty, and what is thrown for those. */
const monitoring = (fault: (filter: string) => Error | null) => {
  const filters: string[] = [];
  const unused = (): never => {
    throw new Error("only json is called");
  };
  const rest: Rest = {
    send: unused,
    call: unused,
    json: async ({ query = {} }) => {
      const filter = String(query["filter"]);
      filters.push(filter);
      const error = fault(filter);
      if (error !== null) throw error;
      if (!filter.includes("response_count")) return {};
      const endTime = new Date(nowMs).toISOString();
      const startTime = new Date(nowMs - minuteMs).toISOString();
      return {
        timeSeries: [...filter.matchAll(/"(endpoint-\d+)"/g)].map(([, endpoint]) => ({
          metric: { labels: { deployed_model_id: "1" } },
          resource: { labels: { endpoint_id: endpoint } },
          points: [{ interval: { startTime, endTime }, value: { int64Value: "9" } }],
        })),
      };
    },
  };
  const config = { projectId: "demo", region: "r", bucket: "b", identity: "i@x" };
  return { filters, counts: monitoringMetrics(config, rest).counts };
};

const failedOf = (answers: Awaited<ReturnType<ReturnType<typeof monitoring>["counts"]>>) =>
  answers.flatMap((answer, index) => ("error" in answer ? [index] : []));

describe("a batch that cannot be read", () => {
  it("is halved where it is refused as it is written, so that only the faulty endpoint has no look", async () => {
    const { counts, filters } = monitoring((filter) =>
      filter.includes('"endpoint-37"') ? new CloudError("INVALID_ARGUMENT", "no such id") : null,
    );
    const answers = await counts(fleet(100, hourMs));
    expect(failedOf(answers)).toEqual([37]);
    expect(answers[37]).toMatchObject({
      error: { name: "RejectedError", message: expect.stringContaining("endpoint-37") },
    });
    expect(answers[36]).toMatchObject({ counts: { arms: { 1: { requests: 9 } } } });
    expect(filters.length).toBeLessThan(100);
  });

  it("is not repeated where it may work later, and fails no other batch", async () => {
    const { counts, filters } = monitoring((filter) =>
      filter.includes('"endpoint-7"') && filter.includes("cpu")
        ? new CloudError("RESOURCE_EXHAUSTED", "too many reads")
        : null,
    );
    const answers = await counts(fleet(150, hourMs));
    expect(failedOf(answers)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(answers[0]).toMatchObject({ error: { name: "UnavailableError" } });
    expect(filters).toHaveLength(10);
  });

  it("harms nobody else where it is a metric of somebody's own", async () => {
    const { counts, filters } = monitoring((filter) =>
      filter.includes("custom.googleapis.com") ? new CloudError("UNAVAILABLE", "later") : null,
    );
    const business = { metric: "custom.googleapis.com/basket", label: "arm", of: [served(1)] };
    const [first, second, ...others] = fleet(5, hourMs);
    const asking = [first, second].flatMap((query) => (query ? [{ ...query, business }] : []));
    const answers = await counts([...others, ...asking]);
    expect(failedOf(answers)).toEqual([3, 4]);
    // Both ask for the same metric.
    expect(filters.filter((filter) => filter.includes("custom.googleapis.com"))).toHaveLength(1);
  });
});

describe("a metric of the users' own", () => {
  it("is read once for all who share it, a hundred deployed models to a call", async () => {
    const { counts, filters } = monitoring(() => null);
    const answers = await counts(
      fleet(90, hourMs).map((query, index) => ({
        ...query,
        business: {
          metric: "custom.googleapis.com/basket",
          label: "arm",
          of: [served(2 * index + 1), served(2 * index + 2)],
        },
      })),
    );
    const own = filters.filter((filter) => filter.includes("custom.googleapis.com"));
    // Two for 180 deployed models, and one to see whether any series has that label, as none was found.
    expect(own.map((filter) => (filter.match(/"\d+"/g) ?? []).length)).toEqual([100, 80, 0]);
    expect(own[0]).toContain('metric.labels.arm = one_of("1","2",');
    expect(answers[5]).toMatchObject({ counts: { business: { points: {}, problem: null } } });
  });
});
