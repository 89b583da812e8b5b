/** The way into the next environment, and the people who must approve it. */
import { countAnswer, expired } from "../approval.js";
import { type Decision, ignore } from "../decision.js";
import { freezeAt, freezeText } from "../freeze.js";
import type { ModelState, RolloutState } from "../state.js";
import { rollBack } from "./ending.js";
import { type InPhase, environmentAt } from "./parts.js";
import { enter } from "./starting.js";

/** Moves on from an environment whose gate is passed, or waits for people. */
export const decideNextEnvironment = (
  state: ModelState,
  rollout: RolloutState,
  reason: string,
  nowMs: number,
): readonly Decision[] => {
  const index = rollout.environment + 1;
  const { name, approval } = environmentAt(state, index);
  if (approval.by === "people") {
    const expiresAtMs = nowMs + approval.expiresSeconds * 1000;
    return [
      {
        do: "advance-rollout",
        to: { ...rollout, phase: "awaiting-approval", sinceMs: nowMs, expiresAtMs, approvedBy: [] },
        reason: `${reason}; ${name} needs ${approval.quorum} approval(s)`,
      },
      {
        do: "set-timer",
        kind: "approval-deadline",
        dueAtMs: expiresAtMs,
        reason: "approvals expire",
      },
      {
        do: "notify",
        severity: "warning",
        title: `${state.model}: version ${rollout.versionId} waits for approval to enter ${name}`,
        body: `${reason}. Approve with: continuo approve ${state.model} ${rollout.rollout}`,
        reason: "people must act",
      },
    ];
  }
  const [to, deploy] = enter(state, rollout, index, nowMs, `${reason}; next is ${name}`);
  return [{ do: "advance-rollout", to, reason }, deploy];
};

/** Nobody approved in time. */
export const expire = (
  state: ModelState,
  rollout: InPhase<"awaiting-approval">,
  nowMs: number,
): readonly Decision[] =>
  rollBack(state, rollout, { outcome: "aborted", reason: expired, severity: "warning" }, nowMs);

const quorumOf = (state: ModelState, rollout: InPhase<"awaiting-approval">): number => {
  const { approval } = environmentAt(state, rollout.environment + 1);
  return approval.by === "people" ? approval.quorum : 0;
};

/** Whether enough people approved. */
export const hasQuorum = (state: ModelState, rollout: InPhase<"awaiting-approval">): boolean =>
  rollout.approvedBy.length >= quorumOf(state, rollout);

/** The challenger enters the environment that people approved. */
export const enterApproved = (
  state: ModelState,
  rollout: InPhase<"awaiting-approval">,
  nowMs: number,
): readonly Decision[] => {
  const reason =
    rollout.approvedBy.length === 0
      ? "no approval is needed any more"
      : `approved by ${rollout.approvedBy.join(", ")}`;
  const [to, deploy] = enter(state, rollout, rollout.environment + 1, nowMs, reason);
  return [
    { do: "advance-rollout", to, reason },
    { do: "clear-timer", kind: "approval-deadline", reason: "the approval was given" },
    deploy,
  ];
};

/** What an approved rollout waits for all the same; null when it goes on. */
const obstacleToEnter = ({ manifest, isPaused }: ModelState, nowMs: number): string | null => {
  if (manifest.mode === "observe-only") return "observe-only: it goes no further";
  if (isPaused) return "it goes on when the model is resumed";
  const freeze = freezeAt(manifest, "rollouts", nowMs);
  return freeze === null ? null : `it waits for the ${freezeText(freeze)}`;
};

/** A person answered. */
export const decideApproval = (
  state: ModelState,
  rollout: InPhase<"awaiting-approval">,
  answer: { readonly decision: "approve" | "refuse"; readonly by: string },
  nowMs: number,
): readonly Decision[] => {
  const { approval } = environmentAt(state, rollout.environment + 1);
  const isOwnRefused = approval.by === "people" && approval.ownChange === "refuse";
  const answered = countAnswer(
    {
      quorum: quorumOf(state, rollout),
      expiresAtMs: rollout.expiresAtMs,
      approvedBy: rollout.approvedBy,
      askedBy: isOwnRefused ? (rollout.by ?? null) : null,
    },
    answer,
    nowMs,
  );
  const { reason } = answered;
  switch (answered.is) {
    case "ignored":
      return ignore(reason);
    case "refused":
      return rollBack(state, rollout, { outcome: "aborted", reason, severity: "info" }, nowMs);
    case "expired":
      return expire(state, rollout, nowMs);
    case "counted":
    case "approved": {
      const counted = { ...rollout, approvedBy: answered.approvedBy };
      const obstacle = obstacleToEnter(state, nowMs);
      if (answered.is === "approved" && obstacle === null) {
        return enterApproved(state, counted, nowMs);
      }
      const waits = obstacle === null ? "" : `; ${obstacle}`;
      return [{ do: "advance-rollout", to: counted, reason: `${reason}${waits}` }];
    }
  }
};
