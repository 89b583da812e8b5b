/** Alerts of monitoring: drift, skew and decay, and what the manifest answers to each. */
import type { ContinuoEvent, EventOf } from "../../events/index.js";
import { ignore, type Decision } from "./decision.js";
import type { Alert } from "./loop.js";
import type { ModelState } from "./state.js";
import { decideTrigger, triggerOf, type Trigger } from "./trigger.js";

/** Applies the manifest's answer to an alert: ignore it, tell people, or train. */
const answerAlert = (
  state: ModelState,
  answer: ModelState["manifest"]["triggers"]["drift"],
  trigger: Trigger,
  nowMs: number,
): readonly Decision[] => {
  switch (answer) {
    case "ignore":
      return ignore(`${trigger.reason}; the manifest says ignore`);
    case "notify":
    case "page":
      return state.seen.includes(trigger.content)
        ? ignore(`${trigger.reason}, which people were already told`)
        : [
            { do: "remember", content: trigger.content, reason: "people are told once" },
            {
              do: "notify",
              severity: answer === "page" ? "page" : "warning",
              title: `${state.model}: ${trigger.kind}`,
              body: trigger.reason,
              reason: `the manifest says ${answer}`,
            },
          ];
    case "retrain":
      return decideTrigger(state, trigger, nowMs);
  }
};

const alertOf = (
  { correlationid, causationid }: ContinuoEvent,
  about: Pick<Alert, "objective" | "deployedModelId">,
): Alert => ({ ...about, correlationId: correlationid, causationId: causationid });

/** Served rows lie far from earlier ones, or from those that the model was trained on. */
export const decideAnomaly = (
  state: ModelState,
  event: EventOf<"drift.detected"> | EventOf<"skew.detected">,
  nowMs: number,
): readonly Decision[] => {
  const { anomalies, window, objective } = event.data;
  const kind = event.type === "drift.detected" ? "drift" : "skew";
  const worst = anomalies
    .toSorted((a, b) => b.deviation / b.threshold - a.deviation / a.threshold)
    .slice(0, 3)
    .map(
      ({ feature, deviation, threshold }) =>
        `${feature} ${deviation.toFixed(3)} (allowed ${threshold})`,
    );
  const reason = `${objective} ${kind} in ${window.start} to ${window.end}: ${worst.join(", ")}`;
  const content = `${kind}:${objective}:${window.start}:${window.end}`;
  return answerAlert(
    state,
    state.manifest.triggers[kind],
    triggerOf(event, {
      kind,
      reason,
      content,
      alert: alertOf(event, { objective, deployedModelId: event.data.deployedModelId }),
    }),
    nowMs,
  );
};

/** The model's predictions got worse. */
export const decideDecay = (
  state: ModelState,
  event: EventOf<"performance.decayed">,
  nowMs: number,
): readonly Decision[] => {
  const { metric, value, threshold, method, rows, window } = event.data;
  const reason = `${metric} fell to ${value.toFixed(4)} (threshold ${threshold}) on ${rows} rows by ${method}`;
  const content = `decay:${metric}:${window.start}:${window.end}`;
  return answerAlert(
    state,
    state.manifest.triggers.decay,
    triggerOf(event, {
      kind: "decay",
      reason,
      content,
      alert: alertOf(event, { objective: "quality", deployedModelId: undefined }),
    }),
    nowMs,
  );
};
