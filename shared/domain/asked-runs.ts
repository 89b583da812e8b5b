/** What asks for a run by itself: a schedule of Cloud Scheduler, a new pipeline, a person or another system. */
import type { EventOf } from "../../events/index.js";
import { ignore, type Decision } from "./decision.js";
import { eventKey } from "./ids.js";
import { decideSubmission } from "./run/submission.js";
import type { ModelState } from "./state.js";
import { decideTrigger, triggerOf } from "./trigger.js";

/** A job of Cloud Scheduler fired. */
export const decideSchedule = (
  state: ModelState,
  event: EventOf<"schedule.fired">,
  nowMs: number,
): readonly Decision[] => {
  const { schedule } = event.data;
  const known = state.manifest.triggers.schedules.find(({ name }) => name === schedule);
  if (known === undefined) return ignore(`the manifest has no schedule ${schedule}`);
  if (known.backend === "timer") {
    return ignore(
      `schedule ${schedule} is a timer of Continuo's own: delete the Cloud Scheduler job that still fires for it`,
    );
  }
  return decideTrigger(
    state,
    triggerOf(event, {
      kind: "schedule",
      reason: `schedule ${schedule} fired`,
      content: `schedule:${event.id}`,
    }),
    nowMs,
  );
};

/** A build released a pipeline. */
export const decidePipelineRelease = (
  state: ModelState,
  event: EventOf<"pipeline.released">,
  nowMs: number,
): readonly Decision[] =>
  state.manifest.triggers.newPipeline
    ? decideTrigger(
        state,
        triggerOf(event, {
          kind: "new-pipeline",
          reason: `build ${event.data.build} released pipeline ${event.data.digest}`,
          content: `pipeline:${event.data.digest}`,
        }),
        nowMs,
      )
    : ignore("the manifest does not train on new pipelines");

/** Somebody asked for a run, or our own request came back to be submitted. */
export const decideRunRequest = (
  state: ModelState,
  event: EventOf<"training-run.requested">,
  nowMs: number,
): readonly Decision[] => {
  const { run, reason, by } = event.data;
  if (run === undefined) {
    const trigger = triggerOf(event, {
      kind: "request",
      reason: `requested by ${by ?? "an unnamed publisher"}: ${reason}`,
      content: `request:${eventKey(event)}`,
      ...(by === undefined ? {} : { by }),
    });
    return decideTrigger(state, trigger, nowMs);
  }
  return state.run?.phase === "requested" && state.run.run === run
    ? decideSubmission(state, state.run, nowMs)
    : ignore(`run ${run} does not wait to be submitted`);
};
