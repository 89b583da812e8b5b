/** Which models an event concerns. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import { modelNamedBy } from "../domain/decide.js";
import { modelOfRun } from "../domain/ids.js";
import type { State } from "../ports/state.js";

/** Firestore's limit of values in one `array-contains-any`. */
const keysMax = 30;

/** A foreign address and each of its parent folders: a manifest may name any of them. */
export const datasetKeys = (dataset: string): readonly string[] => {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//.exec(dataset)?.[0];
  if (scheme === undefined) return [dataset];
  const parts = dataset.slice(scheme.length).split("/");
  const folders = parts
    .slice(0, -1)
    .map((_, index) => `${scheme}${parts.slice(0, index + 1).join("/")}/`);
  return [dataset, ...folders.toReversed()].slice(0, keysMax);
};

/** The last part of a resource name. */
const lastPart = (resource: string): string => resource.split("/").at(-1) ?? resource;

/** Finds the models; an empty list means that no applied manifest concerns the event. */
export const modelsConcernedBy = async (
  event: ContinuoEvent,
  state: State,
): Promise<readonly ModelName[]> => {
  const named = modelNamedBy(event);
  if (named !== null) return [named];
  switch (event.type) {
    case "dataset.arrived": {
      const found = await state.models({ by: "dataset", keys: datasetKeys(event.data.dataset) });
      return found.map(({ model }) => model);
    }
    case "pipeline-job.changed": {
      const model = modelOfRun(event.data.pipelineJob);
      return model === null ? [] : [model];
    }
    case "drift.detected":
    case "skew.detected": {
      const { deployedModelId } = event.data;
      if (deployedModelId === undefined) return [];
      const found = await state.models({ by: "deployed-model", id: deployedModelId });
      return found.map(({ model }) => model);
    }
    case "operation.finished": {
      const endpoint = /\/endpoints\/(?<endpoint>[^/]+)/.exec(event.data.resource)?.groups?.[
        "endpoint"
      ];
      const found = await state.models({
        by: "endpoint",
        endpoint: endpoint ?? lastPart(event.data.resource),
      });
      return found.map(({ model }) => model);
    }
    case "schedule.fired":
    case "performance.decayed":
    case "pipeline.released":
    case "training-run.requested":
    case "evaluation.completed":
    case "model-version.registered":
    case "model-version.aliased":
    case "approval.given":
    case "notification.raised":
    case "model.promoted":
    case "command.issued":
    case "manifest.applied":
    case "effect.rejected":
    case "model.visited":
    case "timer.fired":
      return [];
  }
};
