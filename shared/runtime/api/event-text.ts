/** Events in sentences. */
import type { ContinuoEvent } from "../../../events/index.js";

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

const anomalies = (data: (ContinuoEvent & { readonly type: "drift.detected" })["data"]): string =>
  data.anomalies
    .slice(0, 3)
    .map(
      ({ feature, deviation, threshold }) =>
        `${feature} ${deviation.toPrecision(3)} > ${threshold}`,
    )
    .join(", ");

/** What happened, in a few words. */
export const eventText = (event: ContinuoEvent): string => {
  switch (event.type) {
    case "dataset.arrived":
      return `dataset ${event.data.dataset} arrived (${plural(event.data.uris.length, "file")}${
        event.data.rows === undefined ? "" : `, ${event.data.rows} rows`
      })`;
    case "schedule.fired":
      return `schedule ${event.data.schedule} fired`;
    case "drift.detected":
      return `${event.data.objective} drift detected: ${anomalies(event.data)}`;
    case "skew.detected":
      return `${event.data.objective} skew detected: ${anomalies(event.data)}`;
    case "performance.decayed":
      return `${event.data.metric} fell to ${event.data.value} (threshold ${event.data.threshold})`;
    case "pipeline.released":
      return `build ${event.data.build} released a pipeline`;
    case "pipeline-job.changed":
      return `pipeline job ${event.data.pipelineJob} is ${event.data.state}`;
    case "training-run.requested":
      return event.data.by === undefined
        ? `a training run was requested: ${event.data.reason}`
        : `${event.data.by} requested a training run: ${event.data.reason}`;
    case "evaluation.completed":
      return `evaluation of ${event.data.run} says ${event.data.outcome}`;
    case "model-version.registered":
      return `version ${event.data.versionId} was registered by ${event.data.principal}`;
    case "model-version.aliased":
      return `aliases of version ${event.data.versionId} were changed to ${event.data.aliases.join(", ")} by ${event.data.principal}`;
    case "operation.finished":
      return `${event.data.method} ${event.data.isSuccessful ? "succeeded" : `failed: ${event.data.message ?? "no message"}`}`;
    case "approval.given":
      return `${event.data.by} ${event.data.decision === "approve" ? "approved" : "refused"} ${event.data.rollout ?? event.data.run ?? "nothing"}`;
    case "notification.raised":
      return `${event.data.severity}: ${event.data.title}`;
    case "model.promoted":
      return `version ${event.data.versionId} became champion`;
    case "command.issued":
      return `${event.data.by} asked to ${event.data.command.replaceAll("-", " ")}${
        event.data.reason === undefined ? "" : `: ${event.data.reason}`
      }`;
    case "manifest.applied":
      return `${event.data.by} applied the manifest, version ${event.data.version}`;
    case "effect.rejected":
      return `${event.data.decision} was refused: ${event.data.message}`;
    case "model.visited":
      return event.data.by === "tick"
        ? "the tick looked at open work"
        : "the reconciler looked at it";
    case "timer.fired":
      return `the ${event.data.kind.replaceAll("-", " ")} timer came due`;
  }
};
