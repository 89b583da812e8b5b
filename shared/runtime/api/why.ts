/** Why something happened: the journal and the records, told in sentences with their numbers. */
import { runId, rolloutId, modelName } from "../../../events/ids.js";
import type { ModelName } from "../../../events/ids.js";
import { rolloutIdOfRun } from "../../domain/ids.js";
import type { JournalEntry } from "../../ports/state.js";
import { newestReport } from "../monitoring/reports.js";
import type { ApiContext, Handler } from "./context.js";
import { ok } from "./context.js";
import { decisionNumbers, decisionText } from "./decision-text.js";
import { notFound } from "./errors.js";
import { eventText } from "./event-text.js";
import { findRollout, findRun } from "./runs.js";
import {
  alertCards,
  isAlert,
  dataGateCard,
  monitoringCards,
  promotionGateCard,
  rolloutCards,
  type VerdictCard,
} from "./verdicts.js";
import { liveRolloutView, type RolloutView, type RunView } from "./views.js";

/** One step of an explanation. */
interface ExplanationStep {
  readonly when: string;
  /** What happened. */
  readonly what: string;
  /** What was decided on it. */
  readonly decision: string;
  readonly reason: string;
  readonly numbers: Readonly<Record<string, number>>;
}

/** The answer to "why". */
export interface Explanation {
  readonly id: string;
  readonly kind: "run" | "rollout" | "event" | "dataset" | "model";
  /** The answer in one sentence. */
  readonly answer: string;
  readonly reasons: readonly string[];
  readonly numbers: Readonly<Record<string, number>>;
  /** Every verdict on the way, with what it rests on. */
  readonly verdicts: readonly VerdictCard[];
  readonly steps: readonly ExplanationStep[];
}

/** Entries looked at for one explanation. */
const entriesMax = 500;
/** Alerts that are shown in full; a storm says the same again and again. */
const alertsMax = 5;

/** Bookkeeping that explains nothing. */
const silent = new Set(["set-timer", "clear-timer", "remember", "record-measurement"]);

const entrySteps = (entry: JournalEntry): readonly ExplanationStep[] => {
  const told = entry.decisions.filter(({ decision }) => !silent.has(decision.do));
  return told.map(({ decision }) => ({
    when: new Date(entry.receivedAtMs).toISOString(),
    what: eventText(entry.event),
    decision: decisionText(decision),
    reason: decision.reason,
    numbers: decisionNumbers(decision),
  }));
};

const isIdle = (entry: JournalEntry): boolean =>
  entry.decisions.every(({ decision }) => decision.do === "ignore");

/** The entries of a model that belong to a chain of events or name one of the ids, oldest first. */
const entriesAbout = async (
  { ports }: ApiContext,
  query: {
    readonly model: ModelName;
    readonly correlationId: string;
    readonly sinceMs: number;
    /** Null while it lives; what names it later, as the champion or a baseline, is another story. */
    readonly endedAt: string | null;
    readonly ids: readonly string[];
  },
): Promise<readonly JournalEntry[]> => {
  const { model, correlationId, sinceMs, endedAt, ids } = query;
  const [chain, meanwhile] = await Promise.all([
    ports.state.timeline({ correlationId, limit: entriesMax }),
    ports.state.timeline({
      model,
      afterMs: sinceMs - 1,
      ...(endedAt === null ? {} : { untilMs: Date.parse(endedAt) }),
      limit: entriesMax,
    }),
  ]);
  const named = meanwhile.filter((entry) => {
    const text = JSON.stringify([entry.event, entry.decisions]);
    return ids.some((id) => text.includes(id));
  });
  const all = new Map([...chain, ...named].map((entry) => [entry.key, entry]));
  return [...all.values()]
    .filter((entry) => (entry.model === null || entry.model === model) && !isIdle(entry))
    .toSorted((left, right) => left.receivedAtMs - right.receivedAtMs);
};

/** The looks of the analysis that no journal entry tells of (the journal is kept for a month, records for good). */
const measurementSteps = (
  rollout: RolloutView,
  entries: readonly JournalEntry[],
): readonly ExplanationStep[] =>
  rollout.history
    .filter(({ at }) => !entries.some(({ receivedAtMs }) => receivedAtMs === Date.parse(at)))
    .map(({ at, weight, verdict }) => ({
      when: at,
      what: `the analysis looked at the challenger at ${weight} %`,
      decision: `verdict ${verdict.result}`,
      reason: verdict.reasons.join("; "),
      numbers: verdict.numbers,
    }));

const inOrder = (steps: readonly ExplanationStep[]): readonly ExplanationStep[] =>
  steps.toSorted((left, right) => left.when.localeCompare(right.when));

const rolloutAnswer = (rollout: RolloutView): string => {
  const version = `version ${rollout.versionId} of ${rollout.model}`;
  switch (rollout.outcome) {
    case "promoted":
      return `${version} was promoted: it passed the analysis at every step`;
    case "rolled-back":
      return `${version} was rolled back`;
    case "aborted":
      return `the rollout of ${version} was aborted`;
    case null:
      return `the rollout of ${version} is ${rollout.phase}${
        rollout.weight === null ? "" : ` at ${rollout.weight} %`
      }${rollout.waitsFor === null ? "" : ` and waits for ${rollout.waitsFor}`}${
        rollout.byHand === null ? "" : `; by hand it ends with: ${rollout.byHand}`
      }`;
  }
};

const rolloutReasons = (rollout: RolloutView): readonly string[] => [
  ...(rollout.reasons.length > 0 ? rollout.reasons : (rollout.lastVerdict?.reasons ?? [])),
  ...(rollout.finds === null ? [] : [`expected: ${rollout.finds}`]),
];

const runAnswer = (run: RunView, rollout: RolloutView | null): string => {
  switch (run.outcome) {
    case "rejected":
      return run.evaluation === null
        ? `run ${run.run} of ${run.model} was stopped before anything was registered`
        : `run ${run.run} of ${run.model} was refused by the evaluation gate`;
    case "failed":
      return `run ${run.run} of ${run.model} failed`;
    case "cancelled":
      return `run ${run.run} of ${run.model} was cancelled`;
    case "registered":
      return rollout === null
        ? `run ${run.run} of ${run.model} passed the evaluation gate and registered version ${run.versionId ?? "?"}`
        : `run ${run.run} passed the evaluation gate; ${rolloutAnswer(rollout)}`;
    case null:
      return run.queuePlace === null
        ? `run ${run.run} of ${run.model} is ${run.phase}`
        : `run ${run.run} of ${run.model} waits at place ${run.queuePlace} in the queue of submissions, which keeps Vertex AI's quota`;
  }
};

const rolloutOfRun = (context: ApiContext, run: RunView): Promise<RolloutView | null> =>
  run.versionId === null
    ? Promise.resolve(null)
    : findRollout(context, rolloutIdOfRun(modelName.parse(run.model), run.run, run.versionId));

const alertReasons = ({ alerts }: RunView): readonly string[] =>
  alerts === null
    ? []
    : [
        `it also answers ${alerts.count} more alerts that came from ${alerts.firstAt} to ${alerts.lastAt}: ${alerts.reasons.join("; ")}`,
      ];

/** The verdicts on a run's way: the alert that asked for it, its gates, and its version's rollout. */
const runVerdicts = async (
  context: ApiContext,
  run: RunView,
  rollout: RolloutView | null,
  entries: readonly JournalEntry[],
): Promise<readonly VerdictCard[]> => {
  const state = await context.ports.state.model(modelName.parse(run.model));
  const [alerts, gate, promotion] = await Promise.all([
    Promise.all(
      entries
        .map(({ event }) => event)
        .filter(isAlert)
        .slice(0, alertsMax)
        .map((event) => alertCards(context, event, run.model)),
    ),
    state === null ? null : dataGateCard(context, state, run),
    promotionGateCard(context, run),
  ]);
  const gates = [gate, promotion].filter((card) => card !== null);
  return [...alerts.flat(), ...gates, ...(rollout === null ? [] : rolloutCards(rollout))];
};

const explainRun = async (context: ApiContext, run: RunView): Promise<Explanation> => {
  const rollout = await rolloutOfRun(context, run);
  const entries = await entriesAbout(context, {
    model: modelName.parse(run.model),
    correlationId: run.correlationId,
    sinceMs: Date.parse(run.requestedAt),
    endedAt: rollout === null ? run.endedAt : rollout.endedAt,
    ids: [run.run, ...(rollout === null ? [] : [rollout.rollout])],
  });
  return {
    id: run.run,
    kind: "run",
    answer: runAnswer(run, rollout),
    reasons: [
      ...run.reasons,
      ...(rollout === null ? [] : rolloutReasons(rollout)),
      ...alertReasons(run),
    ],
    numbers: { ...run.evaluation?.numbers, ...rollout?.lastVerdict?.numbers },
    verdicts: await runVerdicts(context, run, rollout, entries),
    steps: inOrder([
      ...entries.flatMap(entrySteps),
      ...(rollout === null ? [] : measurementSteps(rollout, entries)),
    ]),
  };
};

const explainRollout = async (context: ApiContext, rollout: RolloutView): Promise<Explanation> => {
  const entries = await entriesAbout(context, {
    model: modelName.parse(rollout.model),
    correlationId: rollout.correlationId,
    sinceMs: Date.parse(rollout.startedAt),
    endedAt: rollout.endedAt,
    ids: [rollout.rollout],
  });
  return {
    id: rollout.rollout,
    kind: "rollout",
    answer: rolloutAnswer(rollout),
    reasons: rolloutReasons(rollout),
    numbers: rollout.lastVerdict?.numbers ?? {},
    verdicts: rolloutCards(rollout),
    steps: inOrder([...entries.flatMap(entrySteps), ...measurementSteps(rollout, entries)]),
  };
};

const explainEvent = async (context: ApiContext, entry: JournalEntry): Promise<Explanation> => {
  const { ports } = context;
  const correlationId = entry.event.correlationid ?? entry.event.id;
  const chain = await ports.state.timeline({ correlationId, limit: entriesMax });
  const steps = chain
    .filter((other) => other.key !== entry.key && !isIdle(other))
    .flatMap(entrySteps);
  return {
    id: entry.key,
    kind: "event",
    answer: `${eventText(entry.event)}: ${entry.decisions
      .map(({ decision }) => decisionText(decision))
      .join(", then ")}`,
    reasons: [...new Set(entry.decisions.map(({ decision }) => decision.reason))],
    numbers: Object.assign({}, ...entry.decisions.map(({ decision }) => decisionNumbers(decision))),
    verdicts: isAlert(entry.event) ? await alertCards(context, entry.event, entry.model) : [],
    steps: inOrder([...entrySteps(entry), ...steps]),
  };
};

const explainDataset = async (context: ApiContext, id: string): Promise<Explanation | null> => {
  const states = await context.ports.state.models({ by: "all" });
  const found = states.flatMap((state) =>
    state.datasets
      .filter(({ fingerprint, uris }) => fingerprint === id || uris.includes(id))
      .map((dataset) => ({ state, dataset })),
  );
  const [first] = found.toSorted(
    (left, right) => right.dataset.arrivedAtMs - left.dataset.arrivedAtMs,
  );
  if (first === undefined) return null;
  const { state, dataset } = first;
  const isOfVersion = (run: {
    readonly fingerprint: string;
    readonly datasetUris: readonly string[];
  }) =>
    run.fingerprint === dataset.fingerprint ||
    dataset.uris.some((uri) => run.datasetUris.includes(uri));
  const runs = await context.ports.state.runs({ model: state.model, limit: entriesMax });
  // The run that this version opened is the oldest one that reads it.
  const record = runs.findLast(isOfVersion);
  const opened =
    record?.run ?? (state.run !== null && isOfVersion(state.run) ? state.run.run : null);
  const run = opened === null ? null : await findRun(context, opened);
  const told = run === null ? null : await explainRun(context, run);
  return {
    id,
    kind: "dataset",
    answer:
      dataset.isStopped === true
        ? `dataset version ${dataset.fingerprint} of ${state.model} was stopped at the data gate before any training`
        : `dataset version ${dataset.fingerprint} of ${state.model} arrived${told === null ? " and opened no run" : `; ${told.answer}`}`,
    reasons: told?.reasons ?? [],
    numbers: told?.numbers ?? {},
    verdicts: told?.verdicts ?? [],
    steps: told?.steps ?? [],
  };
};

const explainModel = async (context: ApiContext, id: string): Promise<Explanation | null> => {
  const model = modelName.safeParse(id);
  const state = model.success ? await context.ports.state.model(model.data) : null;
  if (state === null) return null;
  const [entries, look] = await Promise.all([
    context.ports.state.timeline({ model: state.model, limit: entriesMax }),
    newestReport(state.model, context.ports),
  ]);
  const { champion, rollout, run } = state;
  return {
    id,
    kind: "model",
    answer: [
      champion === null
        ? `${id} has no champion yet`
        : `version ${champion.versionId} is champion of ${id} since ${new Date(champion.sinceMs).toISOString()}`,
      ...(rollout === null ? [] : [`rollout ${rollout.rollout} is ${rollout.phase}`]),
      ...(run === null ? [] : [`run ${run.run} is ${run.phase}`]),
    ].join("; "),
    reasons: [
      ...(state.parkedReason === null ? [] : [`parked: ${state.parkedReason}`]),
      ...(state.isPaused ? ["paused by a person"] : []),
    ],
    numbers: {},
    verdicts: [
      ...(look === null ? [] : monitoringCards(look.report)),
      ...(rollout === null ? [] : rolloutCards(liveRolloutView(state, rollout))),
    ],
    steps: inOrder(
      entries
        .filter((entry) => !isIdle(entry))
        .slice(0, 50)
        .flatMap(entrySteps),
    ),
  };
};

/** The explanation of whatever an id names; null when nothing is known of it. */
export const explanationOf = async (
  context: ApiContext,
  id: string,
): Promise<Explanation | null> => {
  const run = runId.safeParse(id).success ? await findRun(context, id) : null;
  if (run !== null) return explainRun(context, run);
  const rollout = rolloutId.safeParse(id).success ? await findRollout(context, id) : null;
  if (rollout !== null) return explainRollout(context, rollout);
  const entry = /^[^/]{1,512}$/.test(id) ? await context.ports.state.entry(id) : null;
  if (entry !== null) return explainEvent(context, entry);
  return (await explainModel(context, id)) ?? explainDataset(context, id);
};

/** GET /why/:id */
export const explain: Handler = async (context, _request, { id = "" }) => {
  const explanation = await explanationOf(context, id);
  if (explanation === null) {
    throw notFound(
      `nothing is known of "${id}"; give a run, a rollout, a model, an event's key, or a dataset's address or fingerprint`,
    );
  }
  return ok(explanation);
};
