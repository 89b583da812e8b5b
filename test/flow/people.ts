/** What people do in a story. */
import type { EventOf } from "../../events/index.js";
import type { DeployedModelId } from "../../events/ids.js";
import type { RolloutState } from "../../shared/domain/state.js";
import { churn, type Story } from "./story.js";

let answers = 0;

const envelope = (story: Story, id: string) => {
  answers += 1;
  return {
    specversion: "1.0" as const,
    id: `${id}/${answers}`,
    source: "continuo/api",
    time: new Date(story.world.nowMs).toISOString(),
  };
};

/** An operator's command, and all that follows from it at once. */
export const command = async (
  story: Story,
  name: EventOf<"command.issued">["data"]["command"],
): Promise<void> => {
  await story.handle({
    ...envelope(story, name),
    type: "command.issued",
    data: { model: churn, command: name, by: "on-call" },
  });
  await story.deliver();
};

/** A person's answer to the rollout in progress. */
export const answer = async (
  story: Story,
  decision: "approve" | "refuse",
  by: string,
): Promise<void> => {
  const rollout = story.model().rollout?.rollout;
  if (rollout === undefined) throw new Error("no rollout is in progress");
  await story.handle({
    ...envelope(story, "approval"),
    type: "approval.given",
    data: { model: churn, rollout, decision, by },
  });
  await story.deliver();
};

/** Somebody sets production's traffic past the control plane; the audit log tells of it. */
export const setTrafficByHand = async (
  story: Story,
  split: Readonly<Record<DeployedModelId, number>>,
): Promise<void> => {
  const name = "churn-production";
  const endpoint = story.world.endpoints.get(name);
  if (endpoint === undefined) throw new Error(`there is no endpoint ${name}`);
  endpoint.split = split;
  await story.handle({
    ...envelope(story, "update"),
    type: "operation.finished",
    data: {
      operation: "update",
      method: "UpdateEndpoint",
      resource: `projects/demo/locations/europe-west4/endpoints/${name}`,
      principal: "somebody@example.com",
      isSuccessful: true,
    },
  });
  await story.deliver();
};

/** Visits until the rollout is in a phase of an environment. */
export const untilPhase = async (
  story: Story,
  phase: RolloutState["phase"],
  environment?: number,
): Promise<void> => {
  const isThere = (): boolean => {
    const { rollout } = story.model();
    return (
      rollout?.phase === phase && (environment === undefined || rollout.environment === environment)
    );
  };
  for (let visit = 0; visit < 20 && !isThere(); visit += 1) await story.pass(1);
  if (!isThere()) throw new Error(`the rollout is ${story.model().rollout?.phase}, not ${phase}`);
};
