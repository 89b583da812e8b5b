/** What must hold of each step of the deciders, whatever came in. */
import type { Decision } from "../../../shared/domain/decision.js";
import type { ModelState } from "../../../shared/domain/state.js";
import {
  everyDecisionHasAReason,
  heldModelStartsNothing,
  onlyAllowedPhaseChanges,
  stateSurvivesStorage,
  weightsOnlyRise,
} from "../invariants/transitions.js";
import type { Finding, SeenTransition } from "../world.js";

/** One step with what ended before it. */
export interface Step {
  readonly seen: SeenTransition;
  readonly decisions: readonly Decision[];
  readonly before: ModelState;
  readonly after: ModelState | null;
  readonly ended: ReadonlySet<string>;
}

/** Traffic is set to a whole that adds up, or to nothing. */
export const splitsAreWhole = ({ decisions }: Step): Finding => {
  for (const decision of decisions) {
    if (decision.do !== "set-traffic-split") continue;
    const weights = Object.values<number>(decision.split);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if ((weights.length > 0 && total !== 100) || weights.some((weight) => weight < 0)) {
      return `a split was set to ${JSON.stringify(decision.split)}`;
    }
  }
  return null;
};

/** What has ended neither lives nor ends again. */
export const endsAreFinal = ({ decisions, after, ended }: Step): Finding => {
  for (const decision of decisions) {
    if (decision.do === "end-run" && ended.has(decision.record.run)) {
      return `run ${decision.record.run} ended twice`;
    }
    if (decision.do === "end-rollout" && ended.has(decision.record.rollout)) {
      return `rollout ${decision.record.rollout} ended twice`;
    }
  }
  const live = [after?.run?.run, after?.rollout?.rollout].find(
    (id) => id !== undefined && ended.has(id),
  );
  return live === undefined ? null : `${live} is live after its end`;
};

/** Who is champion changes by a promotion of the version that was rolled out, and by nothing else. */
export const championsArePromoted = ({ before, decisions, after }: Step): Finding => {
  if (after === null || after.champion === before.champion) return null;
  const promoted = decisions.find((decision) => decision.do === "promote");
  if (promoted?.do !== "promote") return "the champion changed without a promotion";
  return promoted.champion.versionId === before.rollout?.versionId
    ? null
    : `version ${promoted.champion.versionId} was promoted, which was not rolled out`;
};

/** A version that serves, served, is rolled out or is to be is never removed. */
export const whoServesStaysInTheRegistry = ({ before, decisions }: Step): Finding => {
  const { champion, rollout, waiting, former = [] } = before;
  const used = [champion, rollout, waiting, ...former].map((one) => one?.versionId);
  const removal = decisions.find((decision) => decision.do === "remove-model-version");
  return removal?.do === "remove-model-version" && used.includes(removal.versionId)
    ? `version ${removal.versionId} was removed and is used`
    : null;
};

/** What is reserved fits into the month, and no amount is negative. */
export const moneyIsBounded = ({ before, decisions, after }: Step): Finding => {
  if (after === null) return null;
  const { spentUsd, reservedUsd, month } = after.budget;
  if (spentUsd < 0 || reservedUsd < 0) return "an amount is negative";
  if (spentUsd < before.budget.spentUsd && month === before.budget.month) return "money came back";
  const isRequested = decisions.some((decision) => decision.do === "request-training-run");
  return isRequested && spentUsd + reservedUsd > before.manifest.budget.usdPerMonthMax + 0.01
    ? `a run brings the month to ${(spentUsd + reservedUsd).toFixed(2)} USD`
    : null;
};

/** Ignoring changes nothing. */
export const ignoringChangesNothing = ({ before, decisions, after }: Step): Finding =>
  decisions.every((decision) => decision.do === "ignore") && after !== before
    ? "an ignored event changed the state"
    : null;

const datasetsMax = 48;
const seenMax = 200;
const historyMax = 200;
const uploadedMax = 24;

/** A state document does not grow with its past. */
export const stateStaysSmall = ({ after }: Step): Finding =>
  after === null ||
  (after.datasets.length <= datasetsMax &&
    after.seen.length <= seenMax &&
    (after.uploaded?.length ?? 0) <= uploadedMax &&
    (after.rollout?.history.length ?? 0) <= historyMax)
    ? null
    : "the state grows without bound";

const ofTransitions = {
  everyDecisionHasAReason,
  onlyAllowedPhaseChanges,
  weightsOnlyRise,
  heldModelStartsNothing,
  stateSurvivesStorage,
};

/** Every invariant of a step, by name: those of the deciders, and those of any transition. */
export const stepInvariants: readonly (readonly [string, (step: Step) => Finding])[] = [
  ...Object.entries({
    splitsAreWhole,
    endsAreFinal,
    championsArePromoted,
    whoServesStaysInTheRegistry,
    moneyIsBounded,
    ignoringChangesNothing,
    stateStaysSmall,
  }),
  ...Object.entries(ofTransitions).map(
    ([name, holds]) => [name, ({ seen }: Step) => holds(seen)] as const,
  ),
];
