/**
 * A functions' process whose one function handles an event as any other of ours does (token, parse, journal, state and
 * hash chain in one transaction, perform, mark done, acknowledge), and whose effect is the next event of a chain.
 */
import process from "node:process";
import { http } from "@google-cloud/functions-framework";
import { z } from "zod";
import { instant } from "../../events/envelope.js";
import { modelName, type ModelName } from "../../events/ids.js";
import { trainingRunRequested } from "../../events/training-run.js";
import type { Decision } from "../../shared/domain/decision.js";
import { evolve, nextLink } from "../../shared/domain/evolve.js";
import type { ModelState } from "../../shared/domain/state.js";
import { manifestSchema } from "../../shared/manifest/schema.js";
import type { Ports } from "../../shared/ports/ports.js";
import type { Commit, JournalEntry } from "../../shared/ports/state.js";
import { onMessage } from "../../shared/runtime/edge.js";
import { functionRouter } from "../../shared/runtime/function-router.js";
import { journalKey } from "../../shared/runtime/handle.js";
import { config, ports } from "../../shared/runtime/wiring.js";
import { chainTopic, models, stepsPerEvent, type ChainReport } from "./events-plan.js";

/** The chain's state travels in the event's own fields: which chain, and which step of it. */
const stepOf = z.object({ chain: z.string(), step: z.number().int() });

const manifest = (name: string) =>
  manifestSchema.parse({
    apiVersion: "continuo/v1",
    kind: "Model",
    name,
    dataset: {
      name,
      label: "y",
      positiveClass: "1",
      features: [{ name: "x", type: "numeric" }],
    },
    promotion: { environments: [{ name: "production", endpoint: `${name}-production` }] },
  });

const report = (message: ChainReport): void => {
  process.send?.(message);
};

const eventFor = (model: ModelName, chain: string, step: number, nowMs: number) =>
  trainingRunRequested.parse({
    specversion: "1.0",
    type: "training-run.requested",
    id: `${chain}/${step}`,
    source: "bench",
    time: instant.parse(new Date(nowMs).toISOString()),
    correlationid: chain,
    data: { model, reason: JSON.stringify({ chain, step }) },
  });

type Step = ReturnType<typeof eventFor>;

/** What a decision about one step writes: the state with one more thing remembered, and the journal with its effect. */
const commitOf = (event: Step, state: ModelState, nowMs: number): Commit => {
  const { model } = event.data;
  const decisions: readonly Decision[] = [
    { do: "remember", content: event.id, reason: "a step of the chain is done once" },
    {
      do: "notify",
      severity: "info",
      title: "the next step",
      body: event.id,
      reason: "the chain goes on",
    },
  ];
  const link = nextLink(state, { event, receivedAtMs: nowMs, decisions });
  const next = decisions.reduce<ModelState | null>(
    (current, decision) => evolve(current, decision, nowMs),
    state,
  );
  const entry: JournalEntry = {
    key: journalKey(event, model),
    model,
    event,
    receivedAtMs: nowMs,
    function: "bench-step",
    decisions: decisions.map((decision) => ({ decision, isDone: decision.do === "remember" })),
    isPending: true,
    stateVersion: state.sequence,
    chain: link,
  };
  return {
    entry,
    state: next === null ? null : { ...next, sequence: link.sequence, head: link.hash },
    timers: [],
    runs: [],
    rollouts: [],
  };
};

const handleStep = async (event: Step, wired: Ports): Promise<void> => {
  const { model } = event.data;
  const { chain, step } = stepOf.parse(JSON.parse(event.data.reason));
  const result = await wired.state.transact(journalKey(event, model), model, (state) =>
    state === undefined ? null : commitOf(event, state, wired.clock()),
  );
  if (result.outcome === "nothing") throw new Error(`model ${model} is not there`);
  const entry = result.outcome === "committed" ? result.commit.entry : result.entry;
  if (result.outcome === "committed") report({ kind: "step" });
  if (!entry.isPending) return;
  if (step < stepsPerEvent) {
    const next = eventFor(model, chain, step + 1, wired.clock());
    await wired.bus.publish(chainTopic, {
      data: Buffer.from(JSON.stringify(next)),
      attributes: { type: next.type, model },
    });
  }
  await wired.state.markDone(entry.key);
  if (step === stepsPerEvent) report({ kind: "chain", chain });
};

/** Every model's first state, as `apply` would have made it. */
const adoptAll = async (wired: Ports): Promise<void> => {
  const adopt = async (name: string): Promise<void> => {
    const model = modelName.parse(name);
    const decision: Decision = {
      do: "adopt-manifest",
      model,
      manifest: manifest(name),
      version: 1,
      digest: "bench",
      reason: "the bench",
    };
    const event = eventFor(model, `adopt-${name}`, 0, wired.clock());
    await wired.state.transact(journalKey(event, model), model, () => {
      const state = evolve(null, decision, wired.clock());
      if (state === null) return null;
      const { entry } = commitOf(event, state, wired.clock());
      return {
        entry: { ...entry, isPending: false },
        state,
        timers: [],
        runs: [],
        rollouts: [],
      };
    });
  };
  for (const name of models) await adopt(name);
};

http(
  "bench-step",
  onMessage("bench-step", async ({ body }, _delivery, wired) =>
    handleStep(trainingRunRequested.parse(body), wired),
  ),
);

await adoptAll(ports());
const server = functionRouter(["bench-step"]);
server.listen(Number(new URL(config().pushAudience).port), "127.0.0.1", () => {
  report({ kind: "ready" });
});
process.once("SIGTERM", () => process.exit(0));
process.once("disconnect", () => process.exit(0));
