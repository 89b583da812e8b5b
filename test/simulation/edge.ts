/** The functions of the simulated project: what each topic's messages go through, from their bytes to an answer. */
import { cloudEvent } from "../../events/sources/cloud-event.js";
import {
  monitoringAnomaly,
  operationAudit,
  pipelineJobState,
  registryAudit,
} from "../../events/sources/cloud-logging.js";
import type { Source } from "../../events/sources/message.js";
import { InvalidEventError } from "../../shared/domain/errors.js";
import type { Ports } from "../../shared/ports/ports.js";
import { keepDeadLetter, sendToDeadLetters } from "../../shared/runtime/dead-letter.js";
import { readWith } from "../../shared/runtime/edge.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import { messageOf, type Delivery } from "../../shared/runtime/push.js";
import { reconcile, tick } from "../../shared/runtime/tick.js";
import type { Invocation } from "./processes.js";

/** One function behind one subscription. */
export interface SimulatedFunction {
  readonly name: string;
  readonly topic: string;
  readonly handle: (delivery: Delivery, ports: Ports, invocation: Invocation) => Promise<void>;
}

/** How a planted bug may change what the edge does; the product's own behaviour when absent. */
export interface EdgeOptions {
  readonly rename?: (eventId: string, messageId: string) => string;
}

const onEvents = (
  name: string,
  topic: string,
  options: EdgeOptions,
  ...sources: readonly Source[]
): SimulatedFunction => ({
  name,
  topic,
  handle: async (delivery, ports) => {
    try {
      for (const event of readWith(sources, messageOf(delivery))) {
        const id = options.rename?.(event.id, delivery.id) ?? event.id;
        await handleEvent({ ...event, id }, { function: name, ports });
      }
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error;
      await sendToDeadLetters(name, error.message, delivery, ports);
    }
  },
});

/** The functions that react to topics, with the sources that the deployed ones read. */
export const simulatedFunctions = (options: EdgeOptions): readonly SimulatedFunction[] => {
  const functions = [
    onEvents("on-dataset-arrived", "dataset", options, cloudEvent("dataset.arrived")),
    onEvents("on-schedule-fired", "schedule", options, cloudEvent("schedule.fired")),
    onEvents(
      "on-alert-fired",
      "alert",
      options,
      cloudEvent("drift.detected", "skew.detected", "performance.decayed"),
      monitoringAnomaly,
    ),
    onEvents("on-pipeline-released", "pipeline", options, cloudEvent("pipeline.released")),
    onEvents(
      "on-training-run-requested",
      "training-run",
      options,
      cloudEvent("training-run.requested"),
    ),
    onEvents("on-pipeline-job-changed", "pipeline-job", options, pipelineJobState),
    onEvents("on-evaluation-completed", "evaluation", options, cloudEvent("evaluation.completed")),
    onEvents("on-model-version-registered", "model-version", options, registryAudit),
    onEvents("on-operation-finished", "operation", options, operationAudit),
    onEvents("on-approval-given", "approval", options, cloudEvent("approval.given")),
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
