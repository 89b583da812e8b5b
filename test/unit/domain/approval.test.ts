import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { ModelState, RolloutState } from "../../../shared/domain/state.js";
import {
  after,
  awaiting,
  champion,
  churn,
  dataset,
  eventOf,
  factsOf,
  nowMs,
  rollout,
  rollouts,
  stateOf,
  those,
  withPeople,
} from "./situations.js";

const waitingFor = (changes: Partial<typeof awaiting> = {}, quorum = 2): ModelState =>
  stateOf({
    manifest: withPeople(quorum),
    champion,
    datasets: [dataset],
    rollout: { ...awaiting, ...changes },
  });

const answer = (
  state: ModelState,
  by: string,
  decision: "approve" | "refuse" = "approve",
  atMs = nowMs,
): readonly [readonly Decision[], RolloutState | null | undefined] => {
  const event = eventOf(
    "approval.given",
    { model: churn, rollout, decision, by },
    `${by}/${decision}`,
  );
  const decisions = decide(state, { event, facts: {} }, atMs);
  return [decisions, after(state, decisions, atMs)?.rollout];
};

const next = (state: ModelState, decisions: readonly Decision[]): ModelState => {
  const evolved = after(state, decisions);
  if (evolved === null) throw new Error("the model was forgotten");
  return evolved;
};

describe("approvals", () => {
  it("an environment that needs people asks them, with a deadline and the command to type", () => {
    const state = stateOf({
      manifest: withPeople(),
      champion,
      rollout: rollouts["smoke-testing"],
    });
    const event = eventOf("model.visited", { model: churn, by: "tick" });
    const decisions = decide(state, { event, facts: factsOf["well"] ?? {} }, nowMs);
    expect(after(state, decisions)?.rollout).toMatchObject({
      phase: "awaiting-approval",
      approvedBy: [],
      expiresAtMs: nowMs + 7 * 86_400_000,
    });
    expect(those(decisions, "set-timer")).toMatchObject([{ kind: "approval-deadline" }]);
    expect(those(decisions, "notify")[0]?.body).toContain(`continuo approve churn ${rollout}`);
  });

  it("one of two is not enough", () => {
    const [decisions, current] = answer(waitingFor(), "ada");
    expect(current).toMatchObject({ phase: "awaiting-approval", approvedBy: ["ada"] });
    expect(decisions[0]?.reason).toBe("approved by ada: 1 of 2");
  });

  it("the same person twice is one person", () => {
    const state = waitingFor({ approvedBy: ["ada"] });
    const [decisions, current] = answer(state, "ada");
    expect(decisions).toMatchObject([{ do: "ignore" }]);
    expect(current).toEqual(state.rollout);
  });

  it("two people let the challenger into production, in whatever order", () => {
    for (const order of [
      ["ada", "bob"],
      ["bob", "ada"],
    ]) {
      let state = waitingFor();
      let decisions: readonly Decision[] = [];
      for (const by of order) {
        [decisions] = answer(state, by);
        state = next(state, decisions);
      }
      expect(state.rollout).toMatchObject({ phase: "deploying", environment: 1 });
      expect(those(decisions, "deploy-model")).toMatchObject([{ environment: "production" }]);
      expect(those(decisions, "clear-timer")).toMatchObject([{ kind: "approval-deadline" }]);
    }
  });

  it("one refusal ends the rollout, however many approved", () => {
    const [decisions, current] = answer(waitingFor({ approvedBy: ["ada"] }), "eve", "refuse");
    expect(current).toMatchObject({ phase: "cleaning", outcome: "aborted" });
    expect(decisions[0]?.reason).toBe("eve refused");
  });

  it("an approval that comes after the deadline does not count", () => {
    const [decisions, current] = answer(waitingFor({}, 1), "ada", "approve", nowMs + 3_600_000);
    expect(current).toMatchObject({ phase: "cleaning", outcome: "aborted" });
    expect(decisions[0]?.reason).toMatch(/nobody approved in time/);
  });

  it("at the deadline the rollout ends, by its timer or by a visit", () => {
    const state = waitingFor();
    for (const event of [
      eventOf("model.visited", { model: churn, by: "tick" }),
      eventOf("timer.fired", {
        model: churn,
        timer: "churn/approval-deadline",
        kind: "approval-deadline",
        dueAt: new Date(nowMs).toISOString(),
      }),
    ]) {
      const early = decide(state, { event, facts: {} }, nowMs + 3_599_999);
      expect(those(early, "roll-back")).toHaveLength(0);
      const late = decide(state, { event, facts: {} }, nowMs + 3_600_000);
      expect(those(late, "roll-back")).toMatchObject([{ to: { outcome: "aborted" } }]);
    }
  });

  it("an approval of a rollout that does not wait is ignored, whatever its phase", () => {
    for (const [phase, current] of Object.entries(rollouts)) {
      if (phase === "awaiting-approval") continue;
      const state = stateOf({ champion, rollout: current });
      expect(answer(state, "ada")).toMatchObject([[{ do: "ignore" }], current]);
    }
  });

  it("an approval of another rollout is ignored", () => {
    const event = eventOf("approval.given", {
      model: churn,
      rollout: "churn-o9999999999",
      decision: "approve",
      by: "ada",
    });
    const decisions = decide(waitingFor(), { event, facts: {} }, nowMs);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
  });
});
