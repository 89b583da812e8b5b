/** The deciders alone: a random walk of events over one model's state, without runtime, ports and faults. */
import { modelVersionId, runId } from "../../../events/ids.js";
import type { ContinuoEvent } from "../../../events/index.js";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import { canonicalJson, evolve } from "../../../shared/domain/evolve.js";
import { furtherNeeds, needs } from "../../../shared/domain/needs.js";
import type { ModelState } from "../../../shared/domain/state.js";
import type { Manifest } from "../../../shared/manifest/schema.js";
import { drawManifest } from "../manifests.js";
import { randomOf, type Random } from "../random.js";
import type { SeedSummary } from "../report.js";
import type { Violation } from "../run-seed.js";
import { drawEvent } from "./draw-event.js";
import { drawFacts } from "./draw-facts.js";
import { stepInvariants, type Step } from "./step-invariants.js";

/** What a walk tells besides its summary. */
export interface Walk extends SeedSummary {
  readonly trace: readonly string[];
}

const eventsPerSeed = 500;
const manifestsPerSeed = 3;
const startMs = Date.UTC(2026, 0, 5, 12);
const versions = Array.from({ length: 9 }, (_, index) => modelVersionId.parse(String(index + 1)));
const anotherRun = runId.parse("model-1-r9999999999");
/** One event in so many is decided twice: the second answer must be the first. */
const twiceEvery = 16;

const entryOf = (
  event: ContinuoEvent,
  state: ModelState,
  decisions: readonly Decision[],
  nowMs: number,
): Step["seen"]["commit"]["entry"] => ({
  key: event.id,
  model: state.model,
  event,
  receivedAtMs: nowMs,
  function: "walk",
  decisions: decisions.map((decision) => ({ decision, isDone: true })),
  isPending: false,
  stateVersion: state.sequence,
  chain: null,
});

const advance = (
  state: ModelState | null,
  decisions: readonly Decision[],
  nowMs: number,
): ModelState | null =>
  decisions.reduce((current, decision) => evolve(current, decision, nowMs), state);

const adopted = (manifest: Manifest, version: number): Decision => ({
  do: "adopt-manifest",
  model: manifest.name,
  manifest,
  version,
  digest: `first${version}`,
  reason: "applied",
});

/** Time mostly passes by a tick, sometimes by hours, and sometimes the next clock is behind. */
const pass = (random: Random): number =>
  random.pick([0, 1000, 61_000, 61_000, 61_000, 300_000, 3_700_000, -60_000]);

/** Walks one seed. */
export const walkSeed = (seed: number, isTraced = false): Walk => {
  const random = randomOf(seed, "walk");
  const manifests = Array.from({ length: manifestsPerSeed }, () => drawManifest(random, 1));
  const first = manifests[0] ?? drawManifest(random, 1);
  const faults = new Map<string, number>();
  const trace: string[] = [];
  const ended = new Set<string>();
  const log: { readonly decisions: readonly Decision[]; readonly nowMs: number }[] = [];
  let violation: Violation | null = null;
  let nowMs = startMs;
  let count = 0;
  let state: ModelState | null = null;

  const take = (decisions: readonly Decision[]): void => {
    log.push({ decisions, nowMs });
    state = advance(state, decisions, nowMs);
  };
  const claim = (invariant: string, finding: string | null): void => {
    if (finding === null || violation !== null) return;
    violation = { invariant, finding, sinceStartMs: nowMs - startMs };
    if (isTraced) trace.push(`VIOLATION ${invariant}: ${finding}`);
  };

  const step = (before: ModelState): void => {
    const event = drawEvent({
      random,
      state: before,
      nowMs,
      count,
      manifests,
      anotherRun,
      versions,
    });
    const known = drawFacts(random, before, needs(before, event, nowMs), versions);
    const further = furtherNeeds(before, event, known, nowMs);
    const facts = { ...known, ...drawFacts(random, before, further, versions) };
    const decisions = decide(before, { event, facts }, nowMs);
    take(decisions);
    if (isTraced) {
      trace.push(
        `${count} ${event.type}: ${decisions.map(({ do: what, reason }) => `${what} (${reason})`).join("; ")}`,
      );
    }
    if (count % twiceEvery === 0) {
      const again = decide(before, { event, facts }, nowMs);
      claim(
        "decidingIsPure",
        canonicalJson(again) === canonicalJson(decisions) ? null : `${event.type} twice`,
      );
    }
    const entry = entryOf(event, before, decisions, nowMs);
    const seen = {
      model: before.model,
      before,
      after: state,
      atMs: nowMs,
      commit: { entry, timers: [], runs: [], rollouts: [] },
    };
    const whole: Step = { seen, decisions, before, after: state, ended };
    for (const [name, holds] of stepInvariants) claim(name, holds(whole));
    for (const decision of decisions) {
      faults.set(decision.do, (faults.get(decision.do) ?? 0) + 1);
      if (decision.do === "end-run") ended.add(decision.record.run);
      if (decision.do === "end-rollout") ended.add(decision.record.rollout);
      if (decision.do === "forget-model") ended.clear();
    }
  };

  const isBroken = (): boolean => violation !== null;
  while (count < eventsPerSeed && !isBroken()) {
    count += 1;
    nowMs = Math.max(startMs, nowMs + pass(random));
    const current: ModelState | null = state;
    // Only a manifest means anything to a model that is not known.
    if (current === null) take([adopted(first, count)]);
    else step(current);
  }
  const replayed = log.reduce<ModelState | null>(
    (current, { decisions, nowMs: atMs }) => advance(current, decisions, atMs),
    null,
  );
  claim(
    "replayGivesTheSameState",
    canonicalJson(replayed) === canonicalJson(state) ? null : "replaying gives another state",
  );
  return { seed, violation, events: count, steps: count, faults, trace };
};
