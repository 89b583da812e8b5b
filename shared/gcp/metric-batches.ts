/** Which endpoints share a call of Cloud Monitoring. */
import { oneOfMax } from "./metric-series.js";
import type { MetricQuery } from "../ports/metrics.js";

/** Endpoints whose series come together. */
export interface MetricBatch {
  readonly queries: readonly MetricQuery[];
  readonly sinceMs: number;
  readonly untilMs: number;
}

const windowMs = 60_000;
/** Names travel in the address of a GET request, where quotes take three characters. */
const nameCharactersMax = 4000;
/** An answer is read as a whole, so it is kept to some ten megabytes. */
const pointsMax = 25_000;
/** Two deployed models, with responses of two kinds each. */
const seriesPerEndpoint = 4;

const pointsOf = (sinceMs: number, untilMs: number): number =>
  seriesPerEndpoint * Math.ceil((untilMs - sinceMs) / windowMs);

const batchOf = (queries: readonly MetricQuery[]): MetricBatch => ({
  queries,
  sinceMs: queries.reduce((first, { sinceMs }) => Math.min(first, sinceMs), Infinity),
  untilMs: queries.reduce((last, { untilMs }) => Math.max(last, untilMs), -Infinity),
});

const fits = ({ queries, sinceMs, untilMs }: MetricBatch): boolean =>
  queries.length <= oneOfMax &&
  queries.reduce((length, { endpoint }) => length + endpoint.length + 2, 0) <= nameCharactersMax &&
  queries.length * pointsOf(sinceMs, untilMs) <= pointsMax;

/** Spreads queries over as few batches as their answers' size allows; stretches of like age go together. */
export const batchesOf = (queries: readonly MetricQuery[]): readonly MetricBatch[] => {
  const batches: MetricBatch[] = [];
  let batch: MetricBatch | null = null;
  for (const query of queries.toSorted((a, b) => a.sinceMs - b.sinceMs)) {
    const wider = batchOf([...(batch?.queries ?? []), query]);
    if (batch === null || fits(wider)) batch = wider;
    else {
      batches.push(batch);
      batch = batchOf([query]);
    }
  }
  return batch === null ? batches : [...batches, batch];
};

/** The two halves of a batch, for a call that was refused; none when it is a single query. */
export const halvesOf = ({ queries }: MetricBatch): readonly MetricBatch[] => {
  if (queries.length < 2) return [];
  const middle = Math.ceil(queries.length / 2);
  return [batchOf(queries.slice(0, middle)), batchOf(queries.slice(middle))];
};
