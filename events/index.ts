/** The catalogue: every event type with its schema and the topic that carries it. */
import { z } from "zod";
import { driftDetected, performanceDecayed, skewDetected } from "./alert.js";
import { approvalGiven } from "./approval.js";
import { modelVisited, timerFired } from "./clock.js";
import { commandIssued } from "./command.js";
import { datasetArrived } from "./dataset.js";
import { effectRejected } from "./effect.js";
import { evaluationCompleted } from "./evaluation.js";
import { manifestApplied } from "./manifest.js";
import { modelVersionAliased, modelVersionRegistered } from "./model-version.js";
import { modelPromoted, notificationRaised } from "./notification.js";
import { operationFinished } from "./operation.js";
import { pipelineJobChanged, pipelineReleased } from "./pipeline.js";
import { scheduleFired } from "./schedule.js";
import { trainingRunRequested } from "./training-run.js";

/**
 * Type to topic and schema. A topic of `null` marks a fact that never travels over Pub/Sub: it is made inside a
 * function (a tick's visit, an operator's command through the api) and goes straight to the journal.
 */
export const catalogue = {
  "dataset.arrived": { topic: "dataset", schema: datasetArrived },
  "schedule.fired": { topic: "schedule", schema: scheduleFired },
  "drift.detected": { topic: "alert", schema: driftDetected },
  "skew.detected": { topic: "alert", schema: skewDetected },
  "performance.decayed": { topic: "alert", schema: performanceDecayed },
  "pipeline.released": { topic: "pipeline", schema: pipelineReleased },
  "pipeline-job.changed": { topic: "pipeline-job", schema: pipelineJobChanged },
  "training-run.requested": { topic: "training-run", schema: trainingRunRequested },
  "evaluation.completed": { topic: "evaluation", schema: evaluationCompleted },
  "model-version.registered": { topic: "model-version", schema: modelVersionRegistered },
  "model-version.aliased": { topic: "model-version", schema: modelVersionAliased },
  "operation.finished": { topic: "operation", schema: operationFinished },
  "approval.given": { topic: "approval", schema: approvalGiven },
  "notification.raised": { topic: "notification", schema: notificationRaised },
  "model.promoted": { topic: "promotion", schema: modelPromoted },
  "command.issued": { topic: null, schema: commandIssued },
  "manifest.applied": { topic: null, schema: manifestApplied },
  "effect.rejected": { topic: null, schema: effectRejected },
  "model.visited": { topic: null, schema: modelVisited },
  "timer.fired": { topic: null, schema: timerFired },
} as const;

/** The name of an event type. */
export type EventType = keyof typeof catalogue;

/** The event of one type. */
export type EventOf<Type extends EventType> = z.infer<(typeof catalogue)[Type]["schema"]>;

/** Any event. */
export type ContinuoEvent = { [Type in EventType]: EventOf<Type> }[EventType];

/** Reads any event of the catalogue; unknown types and fields are refused. */
export const anyEvent = z.discriminatedUnion("type", [
  datasetArrived,
  scheduleFired,
  driftDetected,
  skewDetected,
  performanceDecayed,
  pipelineReleased,
  pipelineJobChanged,
  trainingRunRequested,
  evaluationCompleted,
  modelVersionRegistered,
  modelVersionAliased,
  operationFinished,
  approvalGiven,
  notificationRaised,
  modelPromoted,
  commandIssued,
  manifestApplied,
  effectRejected,
  modelVisited,
  timerFired,
]);

/** The topics of Pub/Sub that carry our events; topics fed by foreign messages are in functions/manifest.ts. */
export const topics = [
  ...new Set(Object.values(catalogue).flatMap(({ topic }) => (topic === null ? [] : [topic]))),
];
