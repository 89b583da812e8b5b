/** Metrics of the users' own: read for the deployed models of many rollouts at once, and told apart by a label. */
import type { MetricCounts } from "../domain/segment.js";
import type { Point } from "../domain/signals.js";
import type { MetricAnswer, MetricQuery } from "../ports/metrics.js";
import type { GcpConfig } from "./config.js";
import { asCloudError, translated } from "./errors.js";
import type { MetricBatch } from "./metric-batches.js";
import { grouped, labelsOfAny, oneOfMax, samples, within, type Sample } from "./metric-series.js";
import type { Rest } from "./rest.js";

type Business = NonNullable<MetricCounts["business"]>;
type Asked = NonNullable<MetricQuery["business"]>;

/** What was found of a metric: samples by label, a refusal to tell, or an error to try again after. */
type Read =
  | { readonly samples: ReadonlyMap<string | undefined, readonly Sample[]> }
  | { readonly refused: string }
  | { readonly error: Error };

const readAll = async (
  config: GcpConfig,
  rest: Rest,
  metric: string,
  label: string,
  { queries, sinceMs, untilMs }: MetricBatch,
): Promise<Read> => {
  const ids = [...new Set(queries.flatMap(({ business }) => business?.of ?? []))];
  const query = { metricType: metric, sinceMs, untilMs };
  const found: Sample[] = [];
  for (let first = 0; first < ids.length; first += oneOfMax) {
    const labels = { [label]: ids.slice(first, first + oneOfMax) };
    found.push(...(await samples(config, rest, { ...query, labels })));
  }
  if (found.length === 0) {
    const others = await labelsOfAny(config, rest, query);
    if (others !== null && others[label] === undefined) {
      return { refused: `no series of ${metric} has the label ${label}` };
    }
  }
  return { samples: grouped(found, ({ labels }) => labels[label]) };
};

/** What is refused for good is told with the verdict, so that errors and latency are judged all the same. */
const read = async (
  config: GcpConfig,
  rest: Rest,
  metric: string,
  label: string,
  batch: MetricBatch,
): Promise<Read> => {
  try {
    return await readAll(config, rest, metric, label, batch);
  } catch (error) {
    const { status, message } = asCloudError(error);
    // A metric that nobody has written yet is not known to Monitoring.
    if (status === "NOT_FOUND") return { samples: new Map() };
    return status === "INVALID_ARGUMENT" || status === "PERMISSION_DENIED"
      ? { refused: `${metric} cannot be read: ${message}` }
      : { error: translated(`read ${metric}`, error) };
  }
};

/** The points of the models wanted; a count grows with the traffic, so it would call the larger arm the better one. */
const pointsOf = (
  { metric, of }: Asked,
  query: MetricQuery,
  found: ReadonlyMap<string | undefined, readonly Sample[]>,
): Business => {
  const points: Record<string, readonly Point[]> = {};
  for (const id of of) {
    const own = within(found.get(id) ?? [], query);
    if (own.some(({ isTotal, distribution }) => isTotal && distribution === undefined)) {
      return {
        points: {},
        problem: `${metric} counts what happened, and a count grows with the traffic: write a mean or a rate (a gauge, or a distribution)`,
      };
    }
    if (own.length === 0) continue;
    points[id] = own.map(({ endMs, count, distribution }) => ({
      atMs: endMs,
      value: distribution === undefined ? count : (distribution.mean ?? Number.NaN),
    }));
  }
  return { points, problem: null };
};

const keyOf = ({ metric, label }: Asked): string => `${metric} ${label}`;

/**
 * Reads each metric that a batch asks for, and returns what adds it to the counts of whoever asked for it. One that
 * cannot be read now harms nobody else.
 */
export const businessReader = async (
  config: GcpConfig,
  rest: Rest,
  batch: MetricBatch,
): Promise<(query: MetricQuery, counts: MetricCounts | null) => MetricAnswer> => {
  const found = new Map<string, Read>();
  for (const { business } of batch.queries) {
    if (business === undefined || found.has(keyOf(business))) continue;
    const { metric, label } = business;
    const queries = batch.queries.filter(
      (query) => query.business !== undefined && keyOf(query.business) === keyOf(business),
    );
    found.set(keyOf(business), await read(config, rest, metric, label, { ...batch, queries }));
  }
  return (query, counts) => {
    const own = query.business === undefined ? undefined : found.get(keyOf(query.business));
    if (counts === null || query.business === undefined || own === undefined) return { counts };
    if ("error" in own) return own;
    const business =
      "refused" in own
        ? { points: {}, problem: own.refused }
        : pointsOf(query.business, query, own.samples);
    return { counts: { ...counts, business } };
  };
};
