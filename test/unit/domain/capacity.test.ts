import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { EndpointFacts, Facts } from "../../../shared/domain/facts.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { supersededBy } from "../../../shared/domain/superseded.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  armOf,
  champion,
  championInProduction,
  churn,
  cleaning,
  dataset,
  endpointOf,
  eventOf,
  inProduction,
  nowMs,
  production,
  progressing,
  rollouts,
  segmentOf,
  stateOf,
  those,
} from "./situations.js";

const visit = eventOf("model.visited", { model: churn, by: "tick" });
const autoscaled = manifestOf({ serving: { replicasMin: 1, replicasMax: 12 } });
const progress = stateOf({
  manifest: autoscaled,
  champion,
  datasets: [dataset],
  rollout: { ...progressing, championReplicas: 8 },
});
const canary = { [championInProduction]: 90, [inProduction]: 10 };

/** Production as it is with so many replicas of each. */
const withReplicas = (
  challenger: { readonly min: number; readonly available: number },
  changes: Partial<EndpointFacts> = {},
  split: EndpointFacts["trafficSplit"] = canary,
): Facts => ({
  endpoints: {
    [production]: endpointOf(split, undefined, {
      replicas: {
        [championInProduction]: { min: 1, max: 12, available: 7 },
        [inProduction]: { max: 12, ...challenger },
      },
      ...changes,
    }),
  },
  series: segmentOf({ champion: armOf(900), challenger: armOf(100) }),
});

const look = (state: ModelState, facts: Facts, atMs = nowMs): readonly Decision[] =>
  decide(state, { event: visit, facts }, atMs);

const next = (state: ModelState, decisions: readonly Decision[], atMs = nowMs): ModelState => {
  const evolved = after(state, decisions, atMs);
  if (evolved === null) throw new Error("the model was forgotten");
  return evolved;
};

const one = { min: 1, available: 1 };

describe("capacity before traffic", () => {
  it("the challenger's replicas rise to its share of the champion's before the weight does", () => {
    const decisions = look(progress, withReplicas(one));
    expect(those(decisions, "scale-deployed-model")).toMatchObject([
      { endpoint: production, deployedModelId: inProduction, replicasMin: 4, replicasMax: 12 },
    ]);
    expect(those(decisions, "set-traffic-split")).toHaveLength(0);
    expect(next(progress, decisions).rollout).toMatchObject({
      weight: 10,
      awaitedReplicas: { count: 4, sinceMs: nowMs },
    });
  });

  it("the weight waits for the replicas that serve, not for those that were asked for", () => {
    const asked = next(progress, look(progress, withReplicas(one)));
    const starting = look(asked, withReplicas({ min: 4, available: 3 }), nowMs + 60_000);
    expect(starting).toMatchObject([{ do: "ignore" }]);
    expect(starting[0]?.reason).toMatch(/50 % takes 4 replicas of \d+, 3 serve/);
    const ready = look(asked, withReplicas({ min: 4, available: 4 }), nowMs + 120_000);
    expect(those(ready, "set-traffic-split")).toHaveLength(1);
    const risen = next(asked, ready).rollout;
    expect(risen).toMatchObject({ phase: "progressing", weight: 50, championReplicas: 8 });
    expect(risen).not.toHaveProperty("awaitedReplicas");
  });

  it("replicas that suffice take no step of their own", () => {
    const decisions = look(progress, withReplicas({ min: 1, available: 4 }));
    expect(those(decisions, "scale-deployed-model")).toHaveLength(0);
    expect(those(decisions, "set-traffic-split")).toHaveLength(1);
  });

  it("the first weight waits for its replicas too", () => {
    const state = stateOf({ manifest: autoscaled, champion, rollout: rollouts.deploying });
    const facts = withReplicas({ min: 1, available: 0 }, {}, { [championInProduction]: 100 });
    const asked = look(state, facts);
    expect(those(asked, "scale-deployed-model")).toMatchObject([{ replicasMin: 1 }]);
    const ready = withReplicas(one, {}, { [championInProduction]: 100 });
    const started = look(next(state, asked), ready, nowMs + 1000);
    expect(next(state, started).rollout).toMatchObject({ weight: 10, championReplicas: 7 });
  });

  it("a challenger that fails while its replicas start is rolled back at once", () => {
    const asked = next(progress, look(progress, withReplicas(one)));
    const failing = segmentOf({ champion: armOf(900), challenger: armOf(100, 60) });
    const facts = { ...withReplicas(one, { operation: "operations/1" }), series: failing };
    expect(those(look(asked, facts), "set-traffic-split")).toMatchObject([
      { split: { [championInProduction]: 100 } },
    ]);
  });

  it("a change that failed late is asked for again, and one that never comes ends the rollout", () => {
    let state = next(progress, look(progress, withReplicas(one)));
    expect(look(state, withReplicas(one), nowMs + 599_999)).toMatchObject([{ do: "ignore" }]);
    const again = look(state, withReplicas(one), nowMs + 600_000);
    expect(those(again, "scale-deployed-model")).toHaveLength(1);
    state = next(state, again);
    const overdue = look(state, withReplicas(one), nowMs + 3_600_000);
    expect(those(overdue, "roll-back")[0]?.reason).toMatch(/60 minutes after they were asked for/);
  });

  it("nothing is asked of an endpoint that another operation is changing", () => {
    const busy = { operation: "operations/7" };
    for (const challenger of [one, { min: 4, available: 4 }]) {
      const decisions = look(progress, withReplicas(challenger, busy));
      expect(decisions).toMatchObject([{ do: "ignore" }]);
      expect(decisions[0]?.reason).toContain("operations/7");
    }
  });

  it("the promoted model goes back to its manifest's replicas once the former champion is gone", () => {
    const promoted: ModelState = {
      ...progress,
      champion: { ...champion, deployed: { production: inProduction } },
      rollout: { ...cleaning, outcome: "promoted", retired: [] },
    };
    const facts = withReplicas({ min: 8, available: 8 }, {}, { [inProduction]: 100 });
    const asked = look(promoted, facts);
    expect(those(asked, "scale-deployed-model")).toMatchObject([
      { deployedModelId: inProduction, replicasMin: 1, replicasMax: 12 },
    ]);
    const [scale] = those(asked, "scale-deployed-model");
    const waiting = next(promoted, asked);
    expect(scale && supersededBy(scale, waiting)).toBeNull();
    expect(look(waiting, facts, nowMs + 1000)).toMatchObject([{ do: "ignore" }]);
    const done = withReplicas(one, {}, { [inProduction]: 100 });
    expect(those(look(waiting, done, nowMs + 2000), "end-rollout")).toHaveLength(1);
    expect(those(look(waiting, facts, nowMs + 600_000), "end-rollout")).toHaveLength(1);
  });

  it("a late change of replicas that nothing waits for any more is left out", () => {
    const [scale] = those(look(progress, withReplicas(one)), "scale-deployed-model");
    expect(scale && supersededBy(scale, next(progress, look(progress, withReplicas(one))))).toBe(
      null,
    );
    expect(scale && supersededBy(scale, { ...progress, rollout: cleaning })).toMatch(/not wait/);
  });
});
