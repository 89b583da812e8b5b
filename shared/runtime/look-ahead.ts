/** Reads in a few calls what the visits of many models are about to ask Monitoring one by one. */
import type { ContinuoEvent } from "../../events/index.js";
import type { Need } from "../domain/facts.js";
import { needs } from "../domain/needs.js";
import type { ModelState } from "../domain/state.js";
import type { MetricAnswer, MetricQuery, Metrics } from "../ports/metrics.js";
import type { Ports } from "../ports/ports.js";

/** What Monitoring is asked for one step of a rollout. */
export const metricQuery = ({
  endpoint,
  sinceMs,
  untilMs,
  champion,
  challenger,
  signals,
}: Need & { readonly fact: "series" }): MetricQuery => ({
  endpoint,
  sinceMs,
  untilMs,
  ...(signals?.business === undefined
    ? {}
    : {
        business: {
          metric: signals.business.metric,
          label: signals.business.label,
          of: champion === null ? [challenger] : [champion, challenger],
        },
      }),
});

/** Windows that have ended since then are left to the next look. */
const aheadMsMax = 60_000;

/** Everything but its end, which moves on with the clock: another step is another query. */
const keyOf = ({ endpoint, sinceMs, business }: MetricQuery): string =>
  JSON.stringify([endpoint, sinceMs, business?.metric, business?.label]);

/** When nothing can be read, each of the looks has failed, and nothing else of the visits. */
const answersTo = async (
  queries: readonly MetricQuery[],
  { counts }: Metrics,
): Promise<readonly MetricAnswer[]> => {
  try {
    return await counts(queries);
  } catch (error) {
    const failed = { error: error instanceof Error ? error : new Error(String(error)) };
    return queries.map(() => failed);
  }
};

/** What is being read, and the ports that answer with it. */
interface LookAhead {
  readonly ports: Ports;
  /** Settles, never fails, once everything is read. */
  readonly read: Promise<unknown>;
}

/**
 * Begins to read the metrics that visits of these models will look at; only those visits wait for it. Whatever else is
 * asked for, because a model has moved on meanwhile or was waited for too long, is read when it is asked for.
 */
export const lookAhead = (
  states: readonly ModelState[],
  visitOf: (state: ModelState) => ContinuoEvent,
  ports: Ports,
): LookAhead => {
  const nowMs = ports.clock();
  const queries = states.flatMap((state) =>
    needs(state, visitOf(state), nowMs).flatMap((need) =>
      need.fact === "series" ? [metricQuery(need)] : [],
    ),
  );
  if (queries.length === 0) return { ports, read: Promise.resolve() };
  const ahead = new Map(queries.map((query, index) => [keyOf(query), { query, index }]));
  const read = answersTo(queries, ports.metrics);
  const known = async (query: MetricQuery): Promise<MetricAnswer | undefined> => {
    const found = ahead.get(keyOf(query));
    return found !== undefined && query.untilMs - found.query.untilMs <= aheadMsMax
      ? (await read)[found.index]
      : undefined;
  };
  const counts: Metrics["counts"] = async (asked) => {
    const found = (await Promise.all(asked.map(known))).flatMap((answer) => answer ?? []);
    return found.length === asked.length ? found : ports.metrics.counts(asked);
  };
  return { ports: { ...ports, metrics: { counts } }, read };
};
