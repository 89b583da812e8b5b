/** The functions of the simulated project: what each topic's messages go through, from their bytes to an answer. */
import { cloudEvent } from "../../events/sources/cloud-event.js";
import {
  monitoringAnomaly,
  operationAudit,
  pipelineJobState,
  registryAudit,
} from "../../events/sources/cloud-logging.js";
import type { Source } from "../../events/sources/message.js";
import type { Ports } from "../../shared/ports/ports.js";
import { keepDeadLetter } from "../../shared/runtime/dead-letter.js";
import type { SubmissionGate } from "../../shared/runtime/admission.js";
import type { AlertGate } from "../../shared/runtime/coalesce.js";
import { handlingEvents, handlingThrough } from "../../shared/runtime/edge.js";
import type { Delivery } from "../../shared/runtime/push.js";
import { reconcile, tick } from "../../shared/runtime/tick.js";
import type { Invocation, Process } from "./processes.js";

/** What stands before the functions of one process, and lives as long as it. */
export interface Gates {
  readonly alerts: AlertGate;
  readonly submissions: SubmissionGate;
}

/** One function behind one subscription. */
export interface SimulatedFunction {
  readonly name: string;
  readonly topic: string;
  readonly handle: (delivery: Delivery, ports: Ports, invocation: Invocation) => Promise<void>;
}

const onEvents = (
  name: string,
  topic: string,
  ...sources: readonly Source[]
): SimulatedFunction => ({ name, topic, handle: handlingEvents(name, ...sources) });

/** The functions that react to topics, with the sources that the deployed ones read. */
export const simulatedFunctions = (
  gatesOf: (process: Process) => Gates,
): readonly SimulatedFunction[] => {
  const functions: readonly SimulatedFunction[] = [
    onEvents("on-dataset-arrived", "dataset", cloudEvent("dataset.arrived")),
    onEvents("on-schedule-fired", "schedule", cloudEvent("schedule.fired")),
    {
      name: "on-alert-fired",
      topic: "alert",
      handle: (delivery, ports, { process }) =>
        handlingThrough(
          gatesOf(process).alerts.handle,
          "on-alert-fired",
          cloudEvent("drift.detected", "skew.detected", "performance.decayed"),
          monitoringAnomaly,
        )(delivery, ports),
    },
    onEvents("on-pipeline-released", "pipeline", cloudEvent("pipeline.released")),
    {
      name: "on-training-run-requested",
      topic: "training-run",
      handle: (delivery, ports, { process }) =>
        handlingThrough(
          gatesOf(process).submissions.handle,
          "on-training-run-requested",
          cloudEvent("training-run.requested"),
        )(delivery, ports),
    },
    onEvents("on-pipeline-job-changed", "pipeline-job", pipelineJobState),
    onEvents("on-evaluation-completed", "evaluation", cloudEvent("evaluation.completed")),
    onEvents("on-model-version-registered", "model-version", registryAudit),
    onEvents("on-operation-finished", "operation", operationAudit),
    onEvents("on-approval-given", "approval", cloudEvent("approval.given")),
  ];
  const topicOf = (name: string): string =>
    functions.find((known) => known.name === name)?.topic ?? name;
  return [
    ...functions,
    {
      name: "tick",
      topic: "tick",
      handle: async (delivery, ports, { process }) => {
        if (process.isTicking) return;
        process.isTicking = true;
        try {
          await tick(delivery.id, ports);
        } finally {
          process.isTicking = false;
        }
      },
    },
    {
      name: "reconcile",
      topic: "reconcile",
      handle: (delivery, ports) => reconcile(delivery.id, ports),
    },
    {
      name: "on-dead-letter",
      topic: "dead-letter",
      handle: (delivery, ports) => keepDeadLetter(delivery, topicOf, ports),
    },
  ];
};
