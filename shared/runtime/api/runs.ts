/** Training runs and rollouts: what is live, from the models' states; what ended, from its records. */
import { modelOfRollout, modelOfRun } from "../../domain/ids.js";
import { expectedDetection } from "../../domain/planned-detection.js";
import type { ModelState } from "../../domain/state.js";
import type { ModelName } from "../../../events/ids.js";
import type { ApiContext, Handler } from "./context.js";
import { ok } from "./context.js";
import { notFound } from "./errors.js";
import { queryLimit, queryModel, readRollout, readRun } from "./read.js";
import { liveRolloutView, rolloutView, runView } from "./views.js";
import type { RolloutView, RunView } from "./views.js";

const statesOf = async (
  { ports }: ApiContext,
  model: ModelName | undefined,
): Promise<readonly ModelState[]> => {
  if (model === undefined) return ports.state.models({ by: "all" });
  const state = await ports.state.model(model);
  return state === null ? [] : [state];
};

/** The live and the newest ended runs. */
export const recentRuns = async (
  context: ApiContext,
  query: { readonly model?: ModelName; readonly limit: number },
): Promise<readonly RunView[]> => {
  const [states, ended] = await Promise.all([
    statesOf(context, query.model),
    context.ports.state.runs(query),
  ]);
  const live = states.flatMap(({ model, run }) =>
    run === null ? [] : [runView({ ...run, model })],
  );
  return [...live, ...ended.map((record) => runView(record))].slice(0, query.limit);
};

/** The live and the newest ended rollouts. */
export const recentRollouts = async (
  context: ApiContext,
  query: { readonly model?: ModelName; readonly limit: number },
): Promise<readonly RolloutView[]> => {
  const [states, ended] = await Promise.all([
    statesOf(context, query.model),
    context.ports.state.rollouts(query),
  ]);
  const live = states.flatMap((state) =>
    state.rollout === null ? [] : [liveRolloutView(state, state.rollout)],
  );
  return [...live, ...ended.map((record) => rolloutView(record, null))].slice(0, query.limit);
};

/** One run, live or ended; null when there is none. */
export const findRun = async (
  context: Pick<ApiContext, "ports">,
  id: string,
): Promise<RunView | null> => {
  const run = readRun(id);
  const { state: store, admission } = context.ports;
  const [record, alerts] = await Promise.all([store.run(run), store.alertCounts(run)]);
  if (record !== null) return runView(record, alerts);
  const model = modelOfRun(run);
  const state = model === null ? null : await store.model(model);
  if (state?.run?.run !== run) return null;
  const place = state.run.phase === "requested" ? await admission.place(run) : null;
  return runView({ ...state.run, model: state.model }, alerts, place);
};

/** One rollout, live or ended; null when there is none. */
export const findRollout = async (context: ApiContext, id: string): Promise<RolloutView | null> => {
  const rollout = readRollout(id);
  const record = await context.ports.state.rollout(rollout);
  if (record !== null) return rolloutView(record, null);
  const model = modelOfRollout(rollout);
  const state = model === null ? null : await context.ports.state.model(model);
  if (state?.rollout?.rollout !== rollout) return null;
  const finds = expectedDetection(state.manifest.rollout, state.rollout);
  return liveRolloutView(state, state.rollout, finds);
};

const queryOf = (request: Parameters<Handler>[1], fallback: number) => {
  const model = queryModel(request);
  return { ...(model === undefined ? {} : { model }), limit: queryLimit(request, fallback) };
};

/** GET /runs?model=&limit= */
export const listRuns: Handler = async (context, request) =>
  ok({ runs: await recentRuns(context, queryOf(request, 50)) });

/** GET /runs/:run */
export const getRun: Handler = async (context, _request, { run = "" }) => {
  const view = await findRun(context, run);
  if (view === null) throw notFound(`there is no run "${run}"; "continuo runs" lists them`);
  return ok(view);
};

/** A list says what the verdicts were; what they measured is in the rollout's own view. */
const listed = (rollout: RolloutView) => ({
  ...rollout,
  history: rollout.history.map(({ verdict, ...rest }) => {
    const { measured: _kept, ...said } = verdict;
    return { ...rest, verdict: said };
  }),
});

/** GET /rollouts?model=&limit= */
export const listRollouts: Handler = async (context, request) =>
  ok({ rollouts: (await recentRollouts(context, queryOf(request, 50))).map(listed) });

/** GET /rollouts/:rollout */
export const getRollout: Handler = async (context, _request, { rollout = "" }) => {
  const view = await findRollout(context, rollout);
  if (view === null) {
    throw notFound(`there is no rollout "${rollout}"; "continuo rollouts" lists them`);
  }
  return ok(view);
};
