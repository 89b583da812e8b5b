/**
 * How states, journal entries and timers lie in Firestore: the whole as one JSON text, and beside it only the fields
 * that queries need. A text costs one index entry where a map costs two for every leaf (a state with a thousand
 * addresses would pass Firestore's limit of 40,000), and it holds lists inside lists, which a map may not.
 *
 * The composite indexes that the queries need on Google Cloud, and the fields that need none, are in
 * infra/terraform/modules/state/main.tf.
 */
import { z } from "zod";
import { modelName, rolloutId, runId } from "../../events/ids.js";
import { RejectedError } from "../domain/errors.js";
import type { ModelState, RolloutRecord, RunRecord } from "../domain/state.js";
import type { AlertCount, DeadLetter, JournalEntry, Timer } from "../ports/state.js";
import { slotOf } from "./slots.js";

/** Firestore refuses documents above 1 MiB; the rest is room for the index fields. */
const bytesMax = 900_000;
const journalDaysMax = 30;
const dayMs = 86_400_000;

const textOf = (what: string, value: unknown): string => {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) {
    throw new RejectedError(
      `${what} is ${String(bytes)} bytes large; at most ${String(bytesMax)} can be stored. Put large content into the bucket and refer to it by its address.`,
    );
  }
  return text;
};

const distinct = <Value>(values: readonly Value[]): Value[] => [...new Set(values)];

const hasOpenWork = ({ run, rollout, trigger, waiting }: ModelState): boolean =>
  run !== null || rollout !== null || trigger !== null || waiting !== null;

/** The document of a model's state. */
export const modelDocument = (state: ModelState, slots: number) => {
  const { dataset, promotion } = state.manifest;
  return {
    state: textOf(`The state of model ${state.model}`, state),
    datasetKeys: distinct([dataset.name, ...dataset.matches]),
    deployedModelIds: distinct([
      ...Object.values(state.champion?.deployed ?? {}),
      ...Object.values(state.rollout?.deployed ?? {}),
    ]),
    endpoints: distinct(promotion.environments.map(({ endpoint }) => endpoint)),
    ...(hasOpenWork(state) ? { openSlot: slotOf(state.model, slots) } : {}),
    // Every change of a state makes a new head: the mark stays until that head is anchored.
    unanchoredSlot: slotOf(state.model, slots),
  };
};

/** The document of a journal entry. */
export const journalDocument = (entry: JournalEntry, slots: number) => ({
  entry: textOf(`The journal entry ${entry.key} (${entry.event.type})`, entry),
  model: entry.model,
  function: entry.function,
  correlationId: entry.event.correlationid ?? entry.event.id,
  slot: slotOf(entry.key, slots),
  receivedAtMs: entry.receivedAtMs,
  expireAt: new Date(entry.receivedAtMs + journalDaysMax * dayMs),
  ...(entry.isPending ? { pendingSlot: slotOf(entry.key, slots) } : {}),
  ...(entry.chain === null ? {} : { sequence: entry.chain.sequence }),
});

/** The document of a timer. */
export const timerDocument = ({ model, kind, dueAtMs }: Timer, slots: number) => ({
  model,
  kind,
  dueAtMs,
  slot: slotOf(`${model}--${kind}`, slots),
});

/** The document of an ended run or rollout. */
export const recordDocument = (record: RunRecord | RolloutRecord) => ({
  record: textOf(`The record of ${"rollout" in record ? record.rollout : record.run}`, record),
  model: record.model,
  endedAtMs: record.endedAtMs,
});

const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: "custom", message: "is not JSON" });
    return z.NEVER;
  }
});

// What is stored was validated when it was decided: reading checks the outer shape and trusts the rest.
const storedState = jsonText.pipe(
  z.looseObject({ model: modelName, manifest: z.looseObject({}), sequence: z.int() }),
);
const storedEntry = jsonText.pipe(
  z.looseObject({
    key: z.string(),
    event: z.looseObject({ type: z.string(), id: z.string() }),
    decisions: z.array(z.looseObject({ decision: z.looseObject({ do: z.string() }) })),
  }),
);
const storedRun = jsonText.pipe(z.looseObject({ model: modelName, run: runId }));
const storedRollout = jsonText.pipe(z.looseObject({ model: modelName, rollout: rolloutId }));
const stateFields = z.object({ state: storedState });
const entryFields = z.object({ entry: storedEntry, pendingSlot: z.int().optional() });
const timerFields = z.object({
  model: modelName,
  kind: z.enum(["trigger", "run-deadline", "approval-deadline", "schedule"]),
  dueAtMs: z.number(),
});

/*
 * What we wrote ourselves is read by its outer shape and then trusted: checking every field of every state again
 * would cost more than the read. These casts are the parsing lines beside those schemas.
 */
/* oxlint-disable typescript/no-unsafe-type-assertion */

/** Reads a model's document. */
export const parseModel = (document: unknown): ModelState =>
  stateFields.parse(document).state as unknown as ModelState;

/** Reads a journal document; without its pending slot every decision is done. */
export const parseEntry = (document: unknown): JournalEntry => {
  const { entry, pendingSlot } = entryFields.parse(document);
  const stored = entry as unknown as JournalEntry;
  if (pendingSlot !== undefined) return stored;
  return {
    ...stored,
    isPending: false,
    decisions: stored.decisions.map(({ decision }) => ({ decision, isDone: true })),
  };
};

/** Reads a timer's document. */
export const parseTimer = (document: unknown): Timer => timerFields.parse(document);

/** Reads an ended run's document. */
export const parseRun = (document: unknown): RunRecord =>
  z.object({ record: storedRun }).parse(document).record as unknown as RunRecord;

/** Reads an ended rollout's document. */
export const parseRollout = (document: unknown): RolloutRecord =>
  z.object({ record: storedRollout }).parse(document).record as unknown as RolloutRecord;
/* oxlint-enable typescript/no-unsafe-type-assertion */

const deadLetter = z.object({
  id: z.string(),
  function: z.string(),
  topic: z.string(),
  reason: z.string(),
  receivedAtMs: z.number(),
  data: z.string(),
  digest: z.string(),
  attributes: z.record(z.string(), z.string()),
  redrivenAtMs: z.number().nullable(),
});

/** Reads a dead letter's document; attributes are a JSON text because their names are foreign. */
export const parseDeadLetter = (document: unknown): DeadLetter =>
  z
    .object({ letter: jsonText.pipe(deadLetter.omit({ redrivenAtMs: true })) })
    .extend({ redrivenAtMs: z.number().nullable() })
    .transform(({ letter, redrivenAtMs }) => ({ ...letter, redrivenAtMs }))
    .parse(document);

/** The document of a dead letter. */
export const deadLetterDocument = ({ redrivenAtMs, ...letter }: DeadLetter) => ({
  letter: textOf(`The dead letter ${letter.id}`, letter),
  receivedAtMs: letter.receivedAtMs,
  redrivenAtMs,
});

/** The document of an alert count; it expires with the journal that tells of the alerts let through. */
export const alertCountDocument = (count: AlertCount) => ({
  counted: textOf(`The alert count ${count.id}`, count),
  run: count.run,
  expireAt: new Date(count.lastAtMs + journalDaysMax * dayMs),
});

const alertCount = z.object({
  id: z.string(),
  model: modelName.nullable(),
  run: runId.nullable(),
  kind: z.enum(["drift", "skew", "decay"]),
  severity: z.enum(["warning", "critical"]),
  count: z.int(),
  firstAtMs: z.number(),
  lastAtMs: z.number(),
  reasons: z.array(z.string()),
});

/** Reads an alert count. */
export const parseAlertCount = (document: unknown): AlertCount =>
  z.object({ counted: jsonText.pipe(alertCount) }).parse(document).counted;
