/** Decisions in sentences, with the numbers they rest on. */
import type { Decision } from "../../domain/decision.js";
import type { RolloutState } from "../../domain/state.js";

const split = (weights: Readonly<Record<string, number>>): string =>
  Object.entries(weights)
    .map(([id, percent]) => `${id} ${percent} %`)
    .join(", ");

const weightOf = (state: RolloutState): string =>
  "weight" in state ? ` at ${state.weight} %` : "";

/** What was decided, in a few words. */
export const decisionText = (decision: Decision): string => {
  switch (decision.do) {
    case "ignore":
      return "nothing to do";
    case "adopt-manifest":
      return `adopt manifest version ${decision.version}`;
    case "forget-model":
      return "forget the model";
    case "record-dataset":
      return decision.dataset.isStopped === true
        ? `stop dataset version ${decision.dataset.fingerprint}`
        : `record dataset version ${decision.dataset.fingerprint}`;
    case "hold-trigger":
      return `hold the ${decision.trigger.kind} trigger (${decision.trigger.count} so far)`;
    case "drop-trigger":
      return "drop the trigger";
    case "remember":
      return "remember this content";
    case "set-timer":
      return `set the ${decision.kind} timer to ${new Date(decision.dueAtMs).toISOString()}`;
    case "clear-timer":
      return `clear the ${decision.kind} timer`;
    case "request-training-run":
      return `request training run ${decision.to.run}`;
    case "retry-training-run":
      return `request the next pipeline job of run ${decision.to.run}`;
    case "submit-pipeline-job":
      return `submit pipeline job ${decision.job.run}`;
    case "enter-phase":
      return `run ${decision.to.run} is ${decision.to.phase}`;
    case "publish-evaluation":
      return `publish the evaluation of ${decision.to.run}`;
    case "register-model-version":
      return `register the model of ${decision.to.run}${decision.isFirst ? " as first version" : ""}`;
    case "cancel-pipeline-job":
      return `cancel pipeline job ${decision.run}`;
    case "end-run":
      return `end run ${decision.record.run}: ${decision.record.outcome}`;
    case "queue-challenger":
      return decision.waiting === null
        ? "no challenger waits any more"
        : `let version ${decision.waiting.versionId} wait for the rollout in progress`;
    case "start-rollout":
      return `start rollout ${decision.to.rollout} of version ${decision.to.versionId}`;
    case "advance-rollout":
      return `advance the rollout to ${decision.to.phase}${weightOf(decision.to)}`;
    case "pause-rollout":
      return `pause the rollout${weightOf(decision.to)}`;
    case "resume-rollout":
      return `resume the rollout${weightOf(decision.to)}`;
    case "park-rollout":
      return `park the rollout${weightOf(decision.to)} until a person looks`;
    case "roll-back":
      return `roll back version ${decision.to.versionId}`;
    case "freeze-rollout":
      return `let the rollout wait${weightOf(decision.to)} for the end of a freeze window`;
    case "record-measurement":
      return `keep measuring${weightOf(decision.to)}`;
    case "end-rollout":
      return `end rollout ${decision.record.rollout}: ${decision.record.outcome}`;
    case "deploy-model":
      return `deploy version ${decision.versionId} to ${decision.endpoint} (${decision.environment})`;
    case "undeploy-model":
      return `undeploy ${decision.deployedModelId} from ${decision.endpoint}`;
    case "scale-deployed-model":
      return `scale ${decision.deployedModelId} of ${decision.endpoint} to ${decision.replicasMin} replica${decision.replicasMin === 1 ? "" : "s"}`;
    case "set-traffic-split":
      return `set the traffic of ${decision.endpoint} to ${split(decision.split)}`;
    case "promote":
      return `promote version ${decision.champion.versionId} to champion`;
    case "set-aliases":
      return `set aliases ${decision.aliases.join(", ")} on version ${decision.versionId}`;
    case "remove-model-version":
      return `remove version ${decision.versionId} from the registry`;
    case "import-evaluation":
      return `show the evaluation of ${decision.run} with version ${decision.versionId} in the registry`;
    case "pause-model":
      return "pause the model";
    case "park-model":
      return "park the model until a person resumes it";
    case "resume-model":
      return "resume the model";
    case "notify":
      return `tell a person (${decision.severity}): ${decision.title}`;
  }
};

/** The numbers of the verdict that a change of a rollout rests on. */
const rolloutNumbers = (state: RolloutState): Readonly<Record<string, number>> => {
  const last = "lastVerdict" in state ? state.lastVerdict : null;
  return (last ?? state.history.at(-1)?.verdict)?.numbers ?? {};
};

/** The numbers that a decision rests on, by name; empty when it rests on none. */
export const decisionNumbers = (decision: Decision): Readonly<Record<string, number>> => {
  switch (decision.do) {
    case "advance-rollout":
      return decision.to.phase === "progressing" ? rolloutNumbers(decision.to) : {};
    case "park-rollout":
    case "roll-back":
    case "record-measurement":
      return rolloutNumbers(decision.to);
    case "end-rollout":
      return decision.record.history.at(-1)?.verdict.numbers ?? {};
    case "end-run":
      return decision.record.evaluation?.numbers ?? {};
    case "publish-evaluation":
      return decision.evaluation.numbers;
    case "register-model-version":
      return decision.to.evaluation.numbers;
    case "request-training-run":
      return {
        triggers: decision.to.triggerCount,
        "reserved.usd": decision.to.reservedUsd,
      };
    case "ignore":
    case "adopt-manifest":
    case "forget-model":
    case "record-dataset":
    case "hold-trigger":
    case "drop-trigger":
    case "remember":
    case "set-timer":
    case "clear-timer":
    case "retry-training-run":
    case "submit-pipeline-job":
    case "enter-phase":
    case "cancel-pipeline-job":
    case "queue-challenger":
    case "start-rollout":
    case "freeze-rollout":
    case "pause-rollout":
    case "resume-rollout":
    case "deploy-model":
    case "undeploy-model":
    case "scale-deployed-model":
    case "set-traffic-split":
    case "promote":
    case "set-aliases":
    case "remove-model-version":
    case "import-evaluation":
    case "pause-model":
    case "park-model":
    case "resume-model":
    case "notify":
      return {};
  }
};
