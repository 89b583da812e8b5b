/** Performs the acts of a workload: publishers, operators, approvers, and people behind the control plane's back. */
import { manifestDigest } from "../../shared/manifest/digest.js";
import { catalogue, type ContinuoEvent, type EventType } from "../../events/index.js";
import { modelName, type DeployedModelId, type ModelName } from "../../events/ids.js";
import type { ModelState } from "../../shared/domain/state.js";
import type { Act, Item } from "./workload.js";
import { poisonBody } from "./poison.js";
import type { World } from "./world.js";

/** What acting takes besides the world. */
export interface Hands {
  readonly world: World;
  /** Asks the api: handled at once by one process, never delivered again. */
  readonly ask: (event: ContinuoEvent, model: ModelName) => void;
  /** Pushes an event to a function as somebody who is not Pub/Sub. */
  readonly forge: (event: ContinuoEvent, which: number) => void;
  readonly redriveAll: () => void;
  readonly sent: (event: ContinuoEvent) => void;
  readonly poisoned: (id: string) => void;
}

const hour = 3_600_000;

const envelope = ({ scheduler }: World, id: string) => ({
  specversion: "1.0" as const,
  id,
  source: "somewhere",
  time: new Date(scheduler.nowMs()).toISOString(),
});

const publish = (hands: Hands, event: ContinuoEvent): void => {
  const topic = catalogue[event.type satisfies EventType].topic;
  if (topic === null) throw new Error(`${event.type} has no topic`);
  hands.sent(event);
  hands.world.pubSub.publish(topic, {
    data: Buffer.from(JSON.stringify(event)),
    attributes: { type: event.type },
  });
};

const productionOf = (state: ModelState) => state.manifest.promotion.environments.at(-1);

/** An alert about a window; its copies are separate log entries about the same window. */
const alertEvent = (
  world: World,
  act: Act & { readonly do: "alert" },
  id: string,
): ContinuoEvent => {
  const startMs = Math.floor(world.scheduler.nowMs() / hour) * hour - act.window * hour;
  const window = {
    start: new Date(startMs).toISOString(),
    end: new Date(startMs + hour).toISOString(),
  };
  const model = modelName.parse(act.model);
  return act.kind === "decay"
    ? {
        ...envelope(world, id),
        type: "performance.decayed",
        data: {
          model,
          metric: "auc",
          value: 0.5,
          threshold: 0.6,
          method: "labels",
          rows: 100,
          window,
        },
      }
    : {
        ...envelope(world, id),
        type: act.kind === "drift" ? "drift.detected" : "skew.detected",
        data: {
          model,
          objective: "feature",
          window,
          anomalies: [{ feature: "age", deviation: 0.5, threshold: 0.1 }],
        },
      };
};

const moveTraffic = ({ endpoints }: World, state: ModelState, draw: number): void => {
  const endpoint = productionOf(state)?.endpoint;
  const found = endpoint === undefined ? undefined : endpoints.endpoints.get(endpoint);
  const [one, other] = found?.deployed ?? [];
  if (found === undefined || one === undefined) return;
  const weight = Math.floor(draw * 100);
  const split: Record<DeployedModelId, number> =
    other === undefined || weight === 0
      ? { [one.id]: 100 }
      : { [one.id]: 100 - weight, [other.id]: weight };
  endpoints.setSplitByHand(found.name, split);
};

const undeploy = ({ endpoints }: World, state: ModelState, draw: number): void => {
  const { environments } = state.manifest.promotion;
  const endpoint = environments[Math.floor(draw * environments.length)]?.endpoint;
  const found = endpoint === undefined ? undefined : endpoints.endpoints.get(endpoint);
  const idle = found?.deployed.find(({ id }) => (found.split[id] ?? 0) === 0);
  if (found !== undefined && idle !== undefined) endpoints.undeployByHand(found.name, idle.id);
};

/** Does one thing now. */
export const perform = (hands: Hands, { index, act }: Item): void => {
  const { world } = hands;
  const model = "model" in act ? modelName.parse(act.model) : null;
  const state = model === null ? undefined : world.store.models.get(model);
  world.trace.line(
    () => `act ${index} ${act.do === "apply" ? `apply ${act.manifest.name}` : JSON.stringify(act)}`,
  );
  switch (act.do) {
    case "send data":
      return publish(hands, {
        ...envelope(world, act.id),
        type: "dataset.arrived",
        data: { dataset: act.dataset, uris: [`gs://demo-bucket/${act.dataset}/${act.name}`] },
      });
    case "alert":
      for (let copy = 0; copy < act.copies; copy += 1) {
        publish(hands, alertEvent(world, act, `alert/${index}/${copy}`));
      }
      return undefined;
    case "fire a schedule":
      // Cloud Scheduler may fire twice: the same minute then gives the same id.
      for (let copy = 0; copy < act.copies; copy += 1) {
        publish(hands, {
          ...envelope(world, `schedule/${index}`),
          type: "schedule.fired",
          data: { model: modelName.parse(act.model), schedule: "hourly" },
        });
      }
      return undefined;
    case "release a pipeline":
      return publish(hands, {
        ...envelope(world, `build/${index}`),
        type: "pipeline.released",
        data: { model: modelName.parse(act.model), digest: act.digest, build: `b${index}` },
      });
    case "ask for a run":
      return publish(hands, {
        ...envelope(world, `request/${index}`),
        type: "training-run.requested",
        data: { model: modelName.parse(act.model), reason: "asked for by hand", by: "ann" },
      });
    case "command":
      return hands.ask(
        {
          ...envelope(world, `command/${index}`),
          type: "command.issued",
          data: { model: modelName.parse(act.model), command: act.command, by: "ann" },
        },
        modelName.parse(act.model),
      );
    case "apply":
      return hands.ask(
        {
          ...envelope(world, `manifest/${index}`),
          type: "manifest.applied",
          data: {
            model: act.manifest.name,
            version: index + 1,
            digest: manifestDigest(act.manifest),
            by: "ann",
            manifest: act.manifest,
          },
        },
        act.manifest.name,
      );
    case "answer": {
      const { rollout, run } = state ?? {};
      const asked =
        rollout?.phase === "awaiting-approval"
          ? { rollout: rollout.rollout }
          : run?.phase === "awaiting-approval"
            ? { run: run.run }
            : null;
      if (state === undefined || asked === null) return undefined;
      return publish(hands, {
        ...envelope(world, `approval/${index}`),
        type: "approval.given",
        data: { model: state.model, ...asked, decision: act.decision, by: act.by },
      });
    }
    case "move traffic by hand":
      return state === undefined ? undefined : moveTraffic(world, state, act.draw);
    case "undeploy by hand":
      return state === undefined ? undefined : undeploy(world, state, act.draw);
    case "upload by hand":
      return model === null ? undefined : world.registry.uploadByHand(model, act.name);
    case "alias by hand": {
      if (model === null) return undefined;
      const versions = world.registry.versions(model);
      const version = versions[Math.floor(act.draw * versions.length)];
      return version === undefined
        ? undefined
        : world.registry.setAliasesByHand(model, version.id, [act.alias]);
    }
    case "send poison": {
      const id = `poison/${index}`;
      hands.poisoned(id);
      return world.pubSub.publish(act.topic, { data: poisonBody(act.which, id), attributes: {} });
    }
    case "push without a valid token":
      return hands.forge(
        {
          ...envelope(world, `forged/${index}`),
          type: "training-run.requested",
          data: { model: modelName.parse(act.model), reason: "forged", by: "eve" },
        },
        act.which,
      );
    case "run the tick by hand":
      return world.pubSub.publish("tick", {
        data: Buffer.from(`{"by hand":${index}}`),
        attributes: {},
      });
    case "redrive dead letters":
      return hands.redriveAll();
  }
};
