/** Fleets for the scale scenarios: thousands of models that begin as copies of one. */
import { modelName, type ModelName } from "../../../events/ids.js";
import type { EventOf } from "../../../events/index.js";
import type { ModelState } from "../../../shared/domain/state.js";
import type { MemoryWorld } from "../../fixtures/memory-ports.js";

/** An event that asks for a run. */
export const runRequest = (
  { nowMs }: MemoryWorld,
  id: string,
  data: EventOf<"training-run.requested">["data"],
): EventOf<"training-run.requested"> => ({
  specversion: "1.0",
  type: "training-run.requested",
  id,
  source: "scale",
  time: new Date(nowMs).toISOString(),
  data,
});

/** Puts copies of a state into the store under other names. */
export const spread = async (
  world: MemoryWorld,
  size: number,
  like: (model: ModelName) => ModelState,
): Promise<readonly ModelName[]> => {
  const names = Array.from({ length: size }, (_, index) => modelName.parse(`fleet-${index}`));
  for (const name of names) {
    await world.ports.state.transact(`seed-${name}`, name, () => ({
      entry: {
        key: `seed-${name}`,
        model: name,
        event: runRequest(world, `seed-${name}`, { model: name, reason: "the fleet's beginning" }),
        receivedAtMs: world.nowMs,
        function: "scale",
        decisions: [],
        isPending: false,
        stateVersion: 0,
        chain: null,
      },
      state: like(name),
      timers: [],
      runs: [],
      rollouts: [],
    }));
  }
  return names;
};

/** Counts what happens by key. */
export const counter = () => {
  const counts = new Map<string, number>();
  return {
    add: (key: string): void => {
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    of: (key: string): number => counts.get(key) ?? 0,
    max: (): number => {
      let most = 0;
      for (const count of counts.values()) most = Math.max(most, count);
      return most;
    },
  };
};
