/** The whole at a glance, for people and for Prometheus. */
import type { ApiContext, Handler } from "./context.js";
import { ok } from "./context.js";

const look = async ({ ports }: ApiContext) => {
  const [states, letters, runs, rollouts] = await Promise.all([
    ports.state.models({ by: "all" }),
    ports.state.deadLetters(100),
    ports.state.runs({ limit: 200 }),
    ports.state.rollouts({ limit: 200 }),
  ]);
  return {
    states,
    open: letters.filter(({ redrivenAtMs }) => redrivenAtMs === null),
    runs,
    rollouts,
  };
};

const countBy = (words: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...new Set(words)]
      .toSorted()
      .map((word) => [word, words.filter((other) => other === word).length]),
  );

/** GET /status */
export const getStatus: Handler = async (context) => {
  const [{ states, open, runs, rollouts }, queuedSubmissions] = await Promise.all([
    look(context),
    context.ports.admission.length(),
  ]);
  return ok({
    now: new Date(context.ports.clock()).toISOString(),
    models: states.length,
    champions: states.filter(({ champion }) => champion !== null).length,
    liveRuns: states.filter(({ run }) => run !== null).length,
    liveRollouts: states.filter(({ rollout }) => rollout !== null).length,
    queuedSubmissions,
    waitingForPeople: states.flatMap(({ model, run, rollout, isPaused, parkedReason }) => [
      ...(isPaused ? [{ model, what: "the model is paused" }] : []),
      ...(parkedReason === null ? [] : [{ model, what: `the model is parked: ${parkedReason}` }]),
      ...(run?.phase === "awaiting-approval"
        ? [{ model, what: `${run.run} waits for approval of its data: ${run.asks.join("; ")}` }]
        : []),
      ...(rollout?.phase === "awaiting-approval"
        ? [{ model, what: `${rollout.rollout} waits for approval` }]
        : []),
      ...(rollout?.phase === "paused" ? [{ model, what: `${rollout.rollout} is paused` }] : []),
      ...(rollout?.phase === "parked"
        ? [{ model, what: `${rollout.rollout} is parked: ${rollout.parkedReason}` }]
        : []),
    ]),
    deadLetters: open.length,
    recentRuns: countBy(runs.map(({ outcome }) => outcome)),
    recentRollouts: countBy(rollouts.map(({ outcome }) => outcome)),
  });
};

const escape = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

const sample = (name: string, labels: Readonly<Record<string, string>>, value: number): string => {
  const text = Object.entries(labels)
    .map(([label, word]) => `${label}="${escape(word)}"`)
    .join(",");
  return `${name}${text === "" ? "" : `{${text}}`} ${value}`;
};

const family = (name: string, help: string, samples: readonly string[]): string =>
  [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...samples].join("\n");

/** GET /metrics, in Prometheus' text format. */
export const getMetrics: Handler = async (context) => {
  const { states, open, runs, rollouts } = await look(context);
  const byModel = (
    name: string,
    records: readonly { readonly model: string; readonly outcome: string }[],
  ): readonly string[] =>
    Object.entries(countBy(records.map(({ model, outcome }) => `${model}\n${outcome}`))).map(
      ([key, count]) => {
        const [model = "", outcome = ""] = key.split("\n");
        return sample(name, { model, outcome }, count);
      },
    );
  const text = [
    family("continuo_models", "Models with a manifest.", [
      sample("continuo_models", {}, states.length),
    ]),
    family(
      "continuo_live_run",
      "Whether a training run is in progress.",
      states.map(({ model, run }) => sample("continuo_live_run", { model }, run === null ? 0 : 1)),
    ),
    family(
      "continuo_live_rollout",
      "Whether a rollout is in progress.",
      states.map(({ model, rollout }) =>
        sample(
          "continuo_live_rollout",
          { model, phase: rollout?.phase ?? "none" },
          rollout === null ? 0 : 1,
        ),
      ),
    ),
    family(
      "continuo_challenger_weight_percent",
      "Production traffic of the challenger.",
      states.map(({ model, rollout }) =>
        sample(
          "continuo_challenger_weight_percent",
          { model },
          rollout !== null && "weight" in rollout ? rollout.weight : 0,
        ),
      ),
    ),
    family(
      "continuo_model_stopped",
      "Whether a person must resume the model.",
      states.map(({ model, isPaused, parkedReason }) =>
        sample("continuo_model_stopped", { model }, isPaused || parkedReason !== null ? 1 : 0),
      ),
    ),
    family(
      "continuo_budget_spent_usd",
      "Spent this month.",
      states.map(({ model, budget }) =>
        sample("continuo_budget_spent_usd", { model }, budget.spentUsd),
      ),
    ),
    family(
      "continuo_recent_runs",
      "Of the newest 200 ended runs.",
      byModel("continuo_recent_runs", runs),
    ),
    family(
      "continuo_recent_rollouts",
      "Of the newest 200 ended rollouts.",
      byModel("continuo_recent_rollouts", rollouts),
    ),
    family("continuo_dead_letters", "Dead letters of the newest 100 that nobody redrove.", [
      sample("continuo_dead_letters", {}, open.length),
    ]),
  ].join("\n");
  return { kind: "text", status: 200, text: `${text}\n` };
};
