/** What people ask for: commands, approvals and runs by hand, recorded as events. */
import { z } from "zod";
import { text } from "../../../events/ids.js";
import type { ModelName } from "../../../events/ids.js";
import { approvalGiven } from "../../../events/approval.js";
import { commandIssued } from "../../../events/command.js";
import { trainingRunRequested } from "../../../events/training-run.js";
import type { EventOf } from "../../../events/index.js";
import type { ModelState } from "../../domain/state.js";
import type { ApiContext, ApiReply, Handled, Handler } from "./context.js";
import { created } from "./context.js";
import { decisionText } from "./decision-text.js";
import { ApiError } from "./errors.js";
import { existingModel, readBody } from "./read.js";

/** What every event made here carries. */
export const envelope = (context: ApiContext, id: string) => ({
  specversion: "1.0" as const,
  id,
  source: "continuo/api",
  time: new Date(context.ports.clock()).toISOString(),
  correlationid: id,
});

/** What an event led to, for the person who asked. */
export const outcome = (id: string, handled: readonly Handled[]) => {
  const decisions = handled.flatMap((entry) =>
    entry.decisions.map(({ decision }) => ({
      do: decision.do,
      what: decisionText(decision),
      reason: decision.reason,
    })),
  );
  return {
    event: id,
    /** Whether anything but "nothing to do" was decided. */
    isEffective: decisions.some((decision) => decision.do !== "ignore"),
    decisions,
  };
};

type Command = EventOf<"command.issued">["data"]["command"];

/** Records an operator's command and answers what it led to. */
export const issueCommand = async (
  context: ApiContext,
  model: ModelName,
  command: Command,
  reason: string | undefined,
): Promise<ApiReply> => {
  const id = `command/${model}/${context.newId()}`;
  const event: EventOf<"command.issued"> = commandIssued.parse({
    ...envelope(context, id),
    type: "command.issued",
    subject: model,
    data: { model, command, by: context.by, ...(reason === undefined ? {} : { reason }) },
  });
  return created({ command, model, ...outcome(id, await context.handle(event, [model])) });
};

const commandBody = z.strictObject({
  command: z.enum(["pause", "resume", "skip", "promote-now", "abort", "roll-back", "cancel-run"]),
  reason: text(2000).optional(),
});

/** POST /models/:model/commands */
export const postCommand: Handler = async (context, request, { model }) => {
  const state = await existingModel(context, model);
  const { command, reason } = readBody(commandBody, request);
  return issueCommand(context, state.model, command, reason);
};

const runBody = z.strictObject({ reason: text(2000).default("asked for by hand") });

/** POST /models/:model/runs: a run by hand, through the same policy as every other. */
export const postRun: Handler = async (context, request, { model }) => {
  const state = await existingModel(context, model);
  const { reason } = readBody(runBody, request);
  const id = `run-request/${state.model}/${context.newId()}`;
  const event = trainingRunRequested.parse({
    ...envelope(context, id),
    type: "training-run.requested",
    subject: state.model,
    data: { model: state.model, reason, by: context.by },
  });
  return created({
    model: state.model,
    ...outcome(id, await context.handle(event, [state.model])),
  });
};

const approvalBody = z.strictObject({
  model: z.string(),
  /** What waits, a rollout or a run; absent means whatever of the model does. */
  rollout: z.string().optional(),
  run: z.string().optional(),
  decision: z.enum(["approve", "refuse"]),
  comment: text(2000).optional(),
});

/** What an answer is about: the rollout in progress or the live run, or that of the two which is named. */
const waitingFor = ({ model, rollout, run }: ModelState, named: string | undefined) => {
  if (rollout !== null && (named ?? rollout.rollout) === rollout.rollout) {
    const isRunAsking = named === undefined && run?.phase === "awaiting-approval";
    if (rollout.phase === "awaiting-approval" || !isRunAsking) {
      return { rollout: rollout.rollout, correlationId: rollout.correlationId };
    }
  }
  if (run !== null && (named ?? run.run) === run.run) {
    return { run: run.run, correlationId: run.correlationId };
  }
  const live = [rollout?.rollout, run?.run].filter((id) => id !== undefined).join(" and ");
  throw new ApiError(
    409,
    "nothing-to-approve",
    live === ""
      ? `${model} has no rollout in progress and no live run`
      : `in progress at ${model}: ${live}, not ${named ?? "anything else"}`,
  );
};

/** POST /approvals */
export const postApproval: Handler = async (context, request) => {
  const body = readBody(approvalBody, request);
  const state = await existingModel(context, body.model);
  const waiting = waitingFor(state, body.rollout ?? body.run);
  const { correlationId, ...about } = waiting;
  const id = `approval/${Object.values(about).join("")}/${context.newId()}`;
  const event = approvalGiven.parse({
    ...envelope(context, id),
    correlationid: correlationId,
    type: "approval.given",
    subject: state.model,
    data: {
      model: state.model,
      ...about,
      decision: body.decision,
      by: context.by,
      ...(body.comment === undefined ? {} : { comment: body.comment }),
    },
  });
  return created({
    model: state.model,
    ...about,
    ...outcome(id, await context.handle(event, [state.model])),
  });
};
