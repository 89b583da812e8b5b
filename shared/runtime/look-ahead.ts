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

interface Ahead {
  readonly untilMs: number;
  readonly answer: MetricAnswer;
}

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

/**
 * The ports, with the metrics already read that visits of these models will look at. Whatever else is asked for, because
 * a model has moved on meanwhile or was waited for too long, is read when it is asked for.
 */
export const lookAhead = async (
  states: readonly ModelState[],
  visitOf: (state: ModelState) => ContinuoEvent,
  ports: Ports,
): Promise<Ports> => {
  const nowMs = ports.clock();
  const queries = states.flatMap((state) =>
    needs(state, visitOf(state), nowMs).flatMap((need) =>
      need.fact === "series" ? [metricQuery(need)] : [],
    ),
  );
  if (queries.length === 0) return ports;
  const answers = await answersTo(queries, ports.metrics);
  const ahead = new Map<string, Ahead>();
  for (const [index, query] of queries.entries()) {
    const answer = answers[index];
    if (answer !== undefined) ahead.set(keyOf(query), { untilMs: query.untilMs, answer });
  }
  const known = (query: MetricQuery): readonly MetricAnswer[] => {
    const found = ahead.get(keyOf(query));
    return found !== undefined && query.untilMs - found.untilMs <= aheadMsMax ? [found.answer] : [];
  };
  return {
    ...ports,
    metrics: {
      counts: async (asked) => {
        const found = asked.flatMap(known);
        return found.length === asked.length ? found : ports.metrics.counts(asked);
      },
    },
  };
};
