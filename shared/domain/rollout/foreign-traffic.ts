/** Whether the traffic of a rollout is what the rollout set. */
import type { EndpointFacts } from "../facts.js";
import type { ModelState } from "../state.js";
import { type InPhase, deployedIn, environmentAt } from "./parts.js";
import { only, sameSplit, splitAt } from "./traffic.js";

/** A traffic change that has not shown after this long was undone by hand, or cannot be made. */
const splitMsMax = 15 * 60 * 1000;

/** Traffic that is not what was set: it is still to be set, or somebody else set it. */
interface OtherTraffic {
  readonly is: "pending" | "foreign";
  readonly reason: string;
}

/** What is wrong with the traffic that was found; null when it is what the rollout set. */
export const otherTraffic = (
  state: ModelState,
  rollout: InPhase<"progressing" | "paused" | "parked">,
  { trafficSplit }: EndpointFacts,
  nowMs: number,
): OtherTraffic | null => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const challenger = deployedIn(rollout, name);
  const champion = state.champion?.deployed[name];
  const believed = splitAt(champion, challenger, rollout.weight);
  if (sameSplit(trafficSplit, believed)) return null;
  // A step that a person skipped has no verdict in the history.
  const previousWeight = rollout.weightBefore ?? rollout.history.at(-1)?.weight ?? 0;
  const before =
    previousWeight === 0 && champion !== undefined
      ? only(champion)
      : splitAt(champion, challenger, previousWeight);
  const mayBePending = nowMs - rollout.stepStartedAtMs < splitMsMax;
  return sameSplit(trafficSplit, before) && mayBePending
    ? { is: "pending", reason: "the traffic change of this step is still to be performed" }
    : {
        is: "foreign",
        reason: `traffic of ${endpoint} is ${JSON.stringify(trafficSplit)}, not ${JSON.stringify(believed)}: it was changed by hand, or could not be set`,
      };
};

/** The same for the person who wants the rollout to move. */
export const whatToDo = ({ is, reason }: OtherTraffic): string =>
  is === "pending"
    ? `${reason}: try again in a moment`
    : `${reason}; set it back, or abort the rollout`;
