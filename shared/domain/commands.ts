/** What an operator's command means in the state that it finds; one that makes no sense there is refused with the reason. */
import type { EventOf } from "../../events/index.js";
import { ignore, type Decision } from "./decision.js";
import type { Facts } from "./facts.js";
import { freezeAt, freezeText } from "./freeze.js";
import { jobIdOf } from "./ids.js";
import { gcloudPlace } from "./rollout/by-hand.js";
import { abort } from "./rollout/ending.js";
import { otherTraffic, whatToDo } from "./rollout/foreign-traffic.js";
import { type InPhase, environmentAt } from "./rollout/parts.js";
import { returnToFormer } from "./rollout/returning.js";
import { skipSmokeTest } from "./rollout/smoke-test.js";
import { resume } from "./rollout/steps.js";
import { wishFor } from "./rollout/wish.js";
import { endRun } from "./run/ending.js";
import type { ModelState, RolloutState, RunState } from "./state.js";

type Standing = InPhase<"paused" | "parked">;

const timerKinds = ["trigger", "run-deadline", "approval-deadline", "schedule"] as const;

const pause = (state: ModelState, by: string, why: string): readonly Decision[] => {
  const { rollout, isPaused } = state;
  if (isPaused && rollout?.phase !== "progressing") return ignore("the model is already paused");
  return [
    { do: "pause-model", reason: why },
    ...(rollout?.phase === "progressing"
      ? [
          {
            do: "pause-rollout" as const,
            to: { ...rollout, phase: "paused" as const, pausedBy: by },
            reason: why,
          },
        ]
      : []),
  ];
};

/** Why a rollout that stands still would stop again at once; null when it may go on. */
const obstacleToResume = (
  state: ModelState,
  rollout: Standing,
  facts: Facts,
  nowMs: number,
): string | null => {
  if (state.manifest.mode === "observe-only") return "the manifest says observe-only";
  const found = facts.endpoints?.[environmentAt(state, rollout.environment).endpoint];
  const other = found ? otherTraffic(state, rollout, found, nowMs) : null;
  return other?.is === "foreign" ? whatToDo(other) : null;
};

const resumeModel = (
  state: ModelState,
  why: string,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { rollout, isPaused, parkedReason, trigger } = state;
  const standing = rollout?.phase === "paused" || rollout?.phase === "parked" ? rollout : null;
  if (!isPaused && parkedReason === null && standing === null) {
    return ignore("nothing is paused or parked");
  }
  const obstacle = standing === null ? null : obstacleToResume(state, standing, facts, nowMs);
  if (obstacle !== null && !isPaused && parkedReason === null) return ignore(obstacle);
  const told = obstacle === null ? why : `${why}; its rollout stays where it is: ${obstacle}`;
  return [
    { do: "resume-model", reason: told },
    ...(standing !== null && obstacle === null
      ? [{ do: "resume-rollout" as const, to: resume(standing, nowMs), reason: why }]
      : []),
    ...(trigger === null
      ? []
      : [
          {
            do: "set-timer" as const,
            kind: "trigger" as const,
            dueAtMs: Math.max(nowMs, trigger.dueAtMs),
            reason: "a trigger waited for this",
          },
        ]),
  ];
};

/** Why nobody may move the rollout forward now; null when a person may. */
const obstacleToForward = (state: ModelState, nowMs: number): string | null => {
  const freeze = freezeAt(state.manifest, "rollouts", nowMs);
  if (state.manifest.mode === "observe-only") return "the manifest says observe-only";
  if (state.isPaused) return "the model is paused: resume it first";
  return freeze === null
    ? null
    : `${freezeText(freeze)}; only aborting and rolling back are possible in it`;
};

/** Moves the rollout forward without a verdict: past this step, or to the end. */
const forward = (
  state: ModelState,
  rollout: RolloutState | null,
  command: { readonly name: "skip" | "promote-now"; readonly by: string; readonly why: string },
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  if (rollout === null) return ignore("no rollout is in progress");
  const obstacle = obstacleToForward(state, nowMs);
  if (obstacle !== null) return ignore(obstacle);
  switch (rollout.phase) {
    case "deploying":
      return ignore("the challenger is being deployed: there is nothing to skip yet");
    case "smoke-testing":
      return command.name === "skip"
        ? skipSmokeTest(state, rollout, command.why, nowMs)
        : ignore("the challenger is not in production yet: skip its smoke test, or wait for it");
    case "awaiting-approval":
      return ignore("the rollout waits for approval: approve it, nobody may skip that");
    case "paused":
      return ignore(`the rollout is paused by ${rollout.pausedBy}: resume it first`);
    case "progressing":
    case "parked":
      return wishFor(state, rollout, command, facts, nowMs);
    case "cleaning":
      return ignore("the rollout has already ended and is being cleaned up");
  }
};

/** How to return by hand to a version of which nothing is known here. */
const byHand = ({ model, location, manifest }: ModelState): string => {
  const endpoint = manifest.promotion.environments.at(-1)?.endpoint ?? "ENDPOINT";
  const place = gcloudPlace(location);
  return `Set alias challenger on the version that should serve, or by hand: gcloud ai models list-version ${model}${place}; gcloud ai endpoints deploy-model ${endpoint} --model=${model}@VERSION --display-name=${model} --traffic-split=0=100${place}`;
};

/** Returns to the version before: of the rollout that still moves, or else of the champion. */
const rollBackTo = (
  state: ModelState,
  event: EventOf<"command.issued">,
  why: string,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { rollout, waiting, champion, former: formers = [] } = state;
  if (rollout !== null && rollout.phase !== "cleaning") {
    return rollout.isReturn === true
      ? ignore(`version ${rollout.versionId} is already being returned to; abort ends that`)
      : abort(state, rollout, { outcome: "rolled-back", reason: why }, facts, nowMs);
  }
  if (rollout?.phase === "cleaning" && rollout.outcome !== "promoted") {
    return ignore("the rollout has already ended and is being cleaned up");
  }
  if (waiting?.isReturn === true) {
    return ignore(`version ${waiting.versionId} is already waited for: it comes back next`);
  }
  const former = formers.at(-1);
  if (champion === null || former === undefined) {
    return ignore(`no earlier champion is known to return to. ${byHand(state)}`);
  }
  if (state.manifest.mode === "observe-only") {
    return ignore(
      `observe-only: would have returned to version ${former.versionId}. ${byHand(state)}`,
    );
  }
  const asked = {
    cause: `${why}: back from version ${champion.versionId} to ${former.versionId} (${event.time})`,
    correlationId: event.correlationid ?? event.id,
    by: event.data.by,
  };
  return returnToFormer(state, former, asked, facts, nowMs);
};

const cancelRun = (
  state: ModelState,
  run: RunState | null,
  why: string,
  nowMs: number,
): readonly Decision[] => {
  if (run === null) return ignore("no run is live");
  switch (run.phase) {
    case "requested":
    case "retrying":
    case "awaiting-approval":
      return endRun(state, run, { outcome: "cancelled", reasons: [why], machineSeconds: 0 }, nowMs);
    case "validating":
    case "training":
    case "evaluating":
      return [
        {
          do: "cancel-pipeline-job",
          run: jobIdOf(run),
          to: { ...run, phase: "cancelling", sinceMs: nowMs, askedAtMs: nowMs },
          reason: why,
        },
      ];
    case "cancelling":
      return ignore("the run is already being cancelled");
    case "parked": {
      const reasons = [why, `${run.parkedReason}; it was let go with its job still running`];
      const machineSeconds = Math.max(0, nowMs - run.submittedAtMs) / 1000;
      return endRun(state, run, { outcome: "cancelled", reasons, machineSeconds }, nowMs);
    }
    case "judging":
    case "registering":
      return ignore(`the run is ${run.phase} and ends within moments`);
  }
};

/** What a command means. */
export const decideCommand = (
  state: ModelState,
  event: EventOf<"command.issued">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { command, by, reason } = event.data;
  const why = reason === undefined ? `${command} by ${by}` : `${command} by ${by}: ${reason}`;
  const { rollout, run } = state;
  switch (command) {
    case "pause":
      return pause(state, by, why);
    case "resume":
      return resumeModel(state, why, facts, nowMs);
    case "skip":
    case "promote-now":
      return forward(state, rollout, { name: command, by, why }, facts, nowMs);
    case "abort":
      return rollout === null
        ? ignore("no rollout is in progress")
        : abort(state, rollout, { outcome: "aborted", reason: why }, facts, nowMs);
    case "roll-back":
      return rollBackTo(state, event, why, facts, nowMs);
    case "cancel-run":
      return cancelRun(state, run, why, nowMs);
    case "forget":
      return run !== null || rollout !== null
        ? ignore("a run or a rollout is in progress: cancel or abort it first")
        : [
            { do: "forget-model", reason: why },
            ...timerKinds.map((kind) => ({
              do: "clear-timer" as const,
              kind,
              reason: "a forgotten model has no timers",
            })),
          ];
  }
};
