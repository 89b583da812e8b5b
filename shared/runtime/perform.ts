/** Performs the effects of decisions. Every effect may run twice: its target must not mind. */
import { catalogue, type ContinuoEvent, type EventType } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import { problemText } from "../../events/sources/message.js";
import type { Decision } from "../domain/decision.js";
import { InvariantError, RejectedError } from "../domain/errors.js";
import type { Champion, EvaluationSummary, ModelState } from "../domain/state.js";
import type { Ports } from "../ports/ports.js";
import type { JournalEntry } from "../ports/state.js";
import { guardOf, leaseMs, underLease } from "./guards.js";
import { plainText } from "./plain-text.js";
import { countOne } from "./quota.js";
import { registerVersion } from "./register-version.js";
import { trainingSpec } from "./training-spec.js";

/** What an effect is performed for. */
interface Cause {
  readonly entry: JournalEntry;
  readonly index: number;
  readonly model: ModelName;
  readonly ports: Ports;
}

/** Whether performing this decision changes anything outside the state store. */
export const hasEffect = (decision: Decision): boolean => guardOf[decision.do] !== null;

/** Publishes an event of ours to its topic, as the effect of another; one that nobody could read is refused here. */
const publish = async <Type extends EventType>(
  { entry, model, ports }: Cause,
  type: Type,
  id: string,
  data: Extract<ContinuoEvent, { readonly type: Type }>["data"],
): Promise<void> => {
  const { topic } = catalogue[type];
  if (topic === null) throw new InvariantError(`${type} has no topic and is never published`);
  const event = {
    specversion: "1.0",
    type,
    // Source and id identify an event whatever its type, so the type is part of the id.
    id: `${type}/${id}`,
    source: `continuo/${model}`,
    time: new Date(entry.receivedAtMs).toISOString(),
    subject: model,
    datacontenttype: "application/json",
    causationid: entry.event.id,
    correlationid: entry.event.correlationid ?? entry.event.id,
    data,
  };
  const parsed = catalogue[type].schema.safeParse(event);
  if (!parsed.success) {
    throw new RejectedError(`${type} can't be published: ${problemText(parsed.error)}`);
  }
  await ports.bus.publish(topic, {
    data: Buffer.from(JSON.stringify(event)),
    attributes: { type, model, "content-type": "application/cloudevents+json" },
  });
};

const promotionId = (model: ModelName, { versionId, sinceMs }: Champion): string =>
  `${model}@${versionId}/${sinceMs}`;

const reasonsMax = 100;

const evaluationReasons = ({ outcome, reasons }: EvaluationSummary): string[] =>
  (reasons.length === 0 ? [outcome] : reasons)
    .slice(0, reasonsMax)
    .map((reason) => plainText(reason, 1000, outcome));

/** The state that an effect reads its manifest from; it exists because the decision was committed with it. */
const stateOf = async ({ model, ports }: Cause): Promise<ModelState> => {
  const state = await ports.state.model(model);
  if (state === null)
    throw new InvariantError(`model ${model} has no state while its effects are performed`);
  return state;
};

/** Performs one decision's effect; throws RejectedError when it can never succeed, UnavailableError when later. */
export const perform = async (decision: Decision, cause: Cause): Promise<void> => {
  const { entry, index, model, ports } = cause;
  const effect = { decision, key: `${entry.key}/${index}`, model, ports };
  switch (decision.do) {
    case "adopt-manifest": {
      const { promotion, monitoring, labels, triggers } = decision.manifest;
      for (const { endpoint } of promotion.environments) {
        await ports.endpoints.ensure(endpoint, {
          labels: { ...labels, "continuo-model": model },
          samplingRate: monitoring.samplingRate,
          ...(monitoring.predictionLog === undefined
            ? {}
            : { predictionLog: monitoring.predictionLog }),
        });
      }
      const ofScheduler = triggers.schedules.filter(({ backend }) => backend === "scheduler");
      return underLease(`schedules--${model}`, leaseMs, effect, (write) =>
        write((fence) => ports.schedules.sync(model, ofScheduler, fence)),
      );
    }
    case "forget-model":
      await underLease(`schedules--${model}`, leaseMs, effect, (write) =>
        write((fence) => ports.schedules.sync(model, [], fence)),
      );
      // Its state is gone, and with it the mark that its head has changed.
      return entry.chain === null ? undefined : ports.anchors.write({ model, ...entry.chain });
    case "request-training-run":
      return publish(cause, "training-run.requested", decision.to.run, {
        model,
        run: decision.to.run,
        reason: plainText(decision.reason, 2000, decision.to.kind),
      });
    case "retry-training-run": {
      const { run, earlier, kind, repeats } = decision.to;
      const again = repeats === undefined ? "" : `/again-${repeats}`;
      return publish(
        cause,
        "training-run.requested",
        `${run}/${(earlier?.count ?? 0) + 1}${again}`,
        {
          model,
          run,
          reason: plainText(decision.reason, 2000, kind),
        },
      );
    }
    case "submit-pipeline-job": {
      const { manifest } = await stateOf(cause);
      const spec =
        decision.job.template === null ? await trainingSpec(manifest, ports.objects) : undefined;
      return ports.pipelines.submit(decision.job, spec);
    }
    case "publish-evaluation":
      return publish(cause, "evaluation.completed", decision.to.run, {
        model,
        run: decision.to.run,
        report: decision.evaluation.report,
        outcome: decision.evaluation.outcome,
        reasons: evaluationReasons(decision.evaluation),
        numbers: Object.fromEntries(
          Object.entries(decision.evaluation.numbers).filter(([, value]) => Number.isFinite(value)),
        ),
        artifact: decision.evaluation.artifact,
        artifactDigest: decision.evaluation.artifactDigest,
      });
    case "register-model-version": {
      const { manifest } = await stateOf(cause);
      const version = {
        model,
        alias: decision.alias,
        artifactUri: decision.to.evaluation.artifact,
        artifactDigest: decision.to.evaluation.artifactDigest,
        image: manifest.serving.image,
        healthRoute: manifest.serving.healthRoute,
        predictRoute: manifest.serving.predictRoute,
        env: manifest.serving.env,
        labels: { ...manifest.labels, "continuo-model": model, "continuo-run": decision.to.run },
      };
      return registerVersion(version, effect);
    }
    case "cancel-pipeline-job":
      return ports.pipelines.cancel(decision.run);
    case "deploy-model": {
      await countOne(ports);
      const { serving } = (await stateOf(cause)).manifest;
      const { type, accelerator } = serving.machine;
      return ports.endpoints.deploy({
        endpoint: decision.endpoint,
        model,
        versionId: decision.versionId,
        deployedModelId: decision.deployedModelId,
        machineType: type,
        ...(accelerator === undefined ? {} : { accelerator }),
        replicasMin: serving.replicasMin,
        replicasMax: serving.replicasMax,
      });
    }
    case "undeploy-model":
      await countOne(ports);
      return ports.endpoints.undeploy(decision.endpoint, decision.deployedModelId);
    case "scale-deployed-model": {
      const { endpoint, deployedModelId, replicasMin, replicasMax } = decision;
      const scaling = { endpoint, deployedModelId, replicasMin, replicasMax };
      return underLease(`endpoint--${endpoint}`, leaseMs, effect, (write) =>
        write((fence) => ports.endpoints.scale(scaling, fence)),
      );
    }
    case "set-traffic-split":
      return ports.endpoints.setTrafficSplit(decision.endpoint, decision.split, decision.expected);
    case "promote":
      return decision.champion.run === null
        ? undefined
        : // A version may become champion again: each time is an event of its own.
          publish(cause, "model.promoted", promotionId(model, decision.champion), {
            model,
            versionId: decision.champion.versionId,
            run: decision.champion.run,
          });
    case "set-aliases":
      return underLease(`aliases--${model}`, leaseMs, effect, (write) =>
        write((fence) =>
          ports.registry.setAliases(model, decision.versionId, decision.aliases, fence),
        ),
      );
    case "import-evaluation": {
      const { versionId, run, report } = decision;
      return underLease(`evaluations--${model}`, leaseMs, effect, (write) =>
        write((fence) =>
          ports.registry.importEvaluation(model, versionId, { name: run, report }, fence),
        ),
      );
    }
    case "remove-model-version":
      await countOne(ports);
      return ports.registry.remove(model, decision.versionId);
    case "notify":
      return publish(cause, "notification.raised", effect.key, {
        model,
        severity: decision.severity,
        title: plainText(decision.title, 256, model),
        body: plainText(decision.body, 4000, plainText(decision.title, 4000, model)),
      });
    case "ignore":
    case "record-dataset":
    case "hold-trigger":
    case "drop-trigger":
    case "remember":
    case "set-timer":
    case "clear-timer":
    case "enter-phase":
    case "end-run":
    case "queue-challenger":
    case "start-rollout":
    case "advance-rollout":
    case "pause-rollout":
    case "resume-rollout":
    case "park-rollout":
    case "roll-back":
    case "freeze-rollout":
    case "record-measurement":
    case "end-rollout":
    case "pause-model":
    case "park-model":
    case "resume-model":
      return undefined;
  }
};

/** The rollout that an entry's decisions are about; the state may know another one by the time they are performed. */
const rolloutOf = ({ decisions }: JournalEntry): string | undefined =>
  decisions
    .map(({ decision }) =>
      "to" in decision && "rollout" in decision.to ? decision.to.rollout : undefined,
    )
    .find((rollout) => rollout !== undefined);

/** What a refused decision was about: the id that the state knows it by. */
export const aboutOf = (decision: Decision, entry: JournalEntry): string => {
  if (
    decision.do === "deploy-model" ||
    decision.do === "scale-deployed-model" ||
    decision.do === "set-traffic-split"
  ) {
    return rolloutOf(entry) ?? "nothing in progress";
  }
  return "to" in decision && "run" in decision.to && decision.to.run !== null
    ? decision.to.run
    : decision.do;
};
