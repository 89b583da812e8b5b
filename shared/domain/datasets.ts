/** New data: which content is new, and whether it asks for a run. */
import type { EventOf } from "../../events/index.js";
import { ignore, type Decision } from "./decision.js";
import { addDataset } from "./evolve.js";
import { eventKey, shortHash } from "./ids.js";
import type { ModelState } from "./state.js";
import { decideTrigger, triggerOf } from "./trigger.js";

/** The content of a dataset version: the publisher's fingerprint, or one of its objects or addresses. */
const fingerprintOf = (data: EventOf<"dataset.arrived">["data"]): string => {
  if (data.fingerprint !== undefined) return data.fingerprint;
  const parts =
    data.objects?.map(({ uri, generation, crc32c }) => `${uri}#${generation}#${crc32c ?? ""}`) ??
    data.uris;
  return shortHash(parts.toSorted().join("\n"), 32);
};

/** A stopped version that arrives again was mended, or the manifest was: it is looked at once more. */
const arrivedAgain = (
  fingerprint: string,
  event: EventOf<"dataset.arrived">,
  isByAddress: boolean,
): string =>
  // Addresses do not tell whether what lies there was mended, so this arrival is taken for content of its own.
  isByAddress ? `${fingerprint}.${shortHash(eventKey(event))}` : fingerprint;

/** A dataset version arrived. */
export const decideDataset = (
  state: ModelState,
  event: EventOf<"dataset.arrived">,
  nowMs: number,
): readonly Decision[] => {
  const { dataset, uris, objects } = event.data;
  const content = fingerprintOf(event.data);
  const isByAddress = event.data.fingerprint === undefined && objects === undefined;
  const known = state.datasets.findLast(
    ({ fingerprint }) =>
      fingerprint === content || (isByAddress && fingerprint.startsWith(`${content}.`)),
  );
  if (known !== undefined && known.isStopped !== true) {
    const advice = isByAddress
      ? "; if the files behind these addresses changed, publish their `objects` or a `fingerprint` too"
      : "";
    return ignore(
      `content ${content} already arrived at ${new Date(known.arrivedAtMs).toISOString()}${advice}`,
    );
  }
  const isAgain = known !== undefined;
  const fingerprint = isAgain ? arrivedAgain(content, event, isByAddress) : content;
  const record: Decision = {
    do: "record-dataset",
    dataset: { fingerprint, uris, arrivedAtMs: nowMs },
    reason: isAgain
      ? `a version of ${dataset} that was stopped arrived again`
      : `a new version of ${dataset}`,
  };
  if (!state.manifest.triggers.newData) return [record];
  const withDataset = { ...state, datasets: addDataset(state.datasets, record.dataset) };
  const trigger = triggerOf(event, {
    kind: "new-data",
    reason: `new data: ${uris.at(-1) ?? dataset}`,
    content: isAgain ? `dataset:${fingerprint}:${eventKey(event)}` : `dataset:${fingerprint}`,
  });
  return [record, ...decideTrigger(withDataset, trigger, nowMs)];
};
