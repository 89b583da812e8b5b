import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventType } from "../../../events/index.js";
import { decide } from "../../../shared/domain/decide.js";
import { needs } from "../../../shared/domain/needs.js";
import type { Facts } from "../../../shared/domain/facts.js";
import type { ModelState, RolloutState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { violations } from "./invariants.js";
import {
  after,
  awaiting,
  champion,
  cleaning,
  dataset,
  events,
  factsOf,
  nowMs,
  rollouts,
  runs,
  stateOf,
  trigger,
  waiting,
  withPeople,
} from "./situations.js";

const base = { champion, datasets: [dataset] } as const;
const former = { ...champion, versionId: waiting.versionId };

/** Every run phase and every rollout phase, alone, together and with what may surround them. */
const states: readonly (readonly [string, ModelState | undefined])[] = [
  ["no manifest", undefined],
  ["a fresh model", stateOf()],
  ["a champion", stateOf(base)],
  ["a due trigger", stateOf({ ...base, trigger })],
  ["a paused model with a due trigger", stateOf({ ...base, trigger, isPaused: true })],
  ["a parked model", stateOf({ ...base, parkedReason: "20 fruitless runs" })],
  ["observe-only", stateOf({ ...base, manifest: manifestOf({ mode: "observe-only" }) })],
  ["no money", stateOf({ ...base, manifest: manifestOf({ budget: { usdPerRunMax: 0.01 } }) })],
  ...Object.values(runs).flatMap((live): [string, ModelState][] => [
    [`a run ${live.phase}`, stateOf({ ...base, run: live })],
    [`a first run ${live.phase}`, stateOf({ datasets: [dataset], run: live })],
    [
      `the last run allowed ${live.phase}, a trigger waits`,
      stateOf({ ...base, run: live, trigger, fruitlessRuns: 19 }),
    ],
  ]),
  ...Object.values(rollouts).flatMap((current): [string, ModelState][] => [
    [`a rollout ${current.phase}`, stateOf({ ...base, rollout: current })],
    [`a first rollout ${current.phase}`, stateOf({ datasets: [dataset], rollout: current })],
    [
      `a rollout ${current.phase}, another waits, production needs people`,
      stateOf({ ...base, manifest: withPeople(), rollout: current, waiting }),
    ],
    [
      `a paused model with a rollout ${current.phase} and a run`,
      stateOf({ ...base, isPaused: true, rollout: current, run: runs.registering }),
    ],
  ]),
  ...(["deploying", "progressing", "paused", "parked"] as const).map(
    (phase): [string, ModelState] => [
      `a return ${phase}`,
      stateOf({ ...base, former: [former], rollout: { ...rollouts[phase], isReturn: true } }),
    ],
  ),
  ["a champion with one before", stateOf({ ...base, former: [former] })],
  [
    "a promotion that is cleaned up, a return waits",
    stateOf({
      ...base,
      former: [former],
      rollout: { ...cleaning, outcome: "promoted" },
      waiting: { ...waiting, isReturn: true },
    }),
  ],
  ...Object.values(runs).map((live): [string, ModelState] => [
    `a run ${live.phase} that is out of time`,
    stateOf({ ...base, run: { ...live, sinceMs: nowMs - 90 * 86_400_000 } }),
  ]),
  [
    "a schedule that is a timer",
    stateOf({
      ...base,
      manifest: manifestOf({
        triggers: {
          schedules: [{ name: "weekly", cron: "0 12 * * 1", backend: "timer" }],
        },
      }),
    }),
  ],
  [
    "expired approval",
    stateOf({ ...base, manifest: withPeople(), rollout: { ...awaiting, expiresAtMs: nowMs } }),
  ],
];

/** Whether a change of a rollout is more than cleaning up after it, or counting an approval. */
const isForward = ({ rollout }: ModelState, to: RolloutState): boolean =>
  rollout?.phase !== "cleaning" &&
  !(to.phase === "awaiting-approval" && rollout?.phase === to.phase);

const types = Object.keys(events) as EventType[];

/** Every step that deciding one event in one state can take, whatever is found. */
const stepsFrom = (
  state: ModelState | undefined,
  type: EventType,
  times: readonly number[] = [nowMs, nowMs + 30 * 86_400_000],
  all: Readonly<Record<string, Facts>> = factsOf,
): readonly string[] =>
  events[type].flatMap((event) =>
    Object.entries(all).flatMap(([found, facts]) =>
      times.flatMap((atMs) => {
        if (state !== undefined) needs(state, event, atMs);
        const decisions = decide(state, { event, facts }, atMs);
        const next = after(state ?? null, decisions, atMs);
        return violations(state ?? null, decisions, next, atMs).map(
          (violation) => `${JSON.stringify(event.data)}, ${found}: ${violation}`,
        );
      }),
    ),
  );

describe("decide is total", () => {
  it.each(states)("%s: every event is answered, with a reason", (_name, state) => {
    expect(types.flatMap((type) => stepsFrom(state, type))).toEqual([]);
  });

  it("the same state, event, facts and time give the same decisions", () => {
    for (const [, state] of states) {
      for (const [event] of Object.values(events)) {
        if (event === undefined) continue;
        const once = (): string =>
          JSON.stringify(decide(state, { event, facts: factsOf["well"] ?? {} }, nowMs));
        expect(once() === once()).toBe(true);
      }
    }
  });
});

/** Everything that may be live at once: the product, so that no pair can be forgotten. */
const pairs: readonly (readonly [string, ModelState])[] = [null, ...Object.values(runs)].flatMap(
  (live) =>
    [null, ...Object.values(rollouts)].map((current): [string, ModelState] => [
      `a run ${live?.phase ?? "absent"} and a rollout ${current?.phase ?? "absent"}`,
      stateOf({ ...base, manifest: withPeople(), run: live, rollout: current }),
    ]),
);

const frozen = manifestOf({
  freezeWindows: [{ name: "mondays", from: "mon 09:00", to: "mon 15:00" }],
});

/** Facts that let everything go on: before the canary's first step, and during it. */
const inviting = ["well", "before the canary"].flatMap((found) => factsOf[found] ?? []);

describe("every pair of what may be live, in every circumstance", () => {
  it.each(pairs)("%s: every event is answered, with a reason", (_name, state) => {
    expect(
      types.flatMap((type) =>
        stepsFrom(state, type, [nowMs], Object.fromEntries(inviting.entries())),
      ),
    ).toEqual([]);
  });

  it.each(pairs)("%s: in a freeze window nothing goes forward", (_name, state) => {
    const still = { ...state, manifest: frozen };
    const forward = types.flatMap((type) =>
      events[type].flatMap((event) =>
        inviting.flatMap((facts) =>
          // Under another manifest the window may be gone.
          event.type === "manifest.applied"
            ? []
            : decide(still, { event, facts }, nowMs).filter(
                (decision) =>
                  decision.do === "start-rollout" ||
                  decision.do === "deploy-model" ||
                  decision.do === "request-training-run" ||
                  (decision.do === "advance-rollout" && isForward(state, decision.to)),
              ),
        ),
      ),
    );
    expect(forward).toEqual([]);
  });

  it.each(pairs)("%s: under observe-only nothing is started", (_name, state) => {
    const watched = { ...state, manifest: manifestOf({ mode: "observe-only" }) };
    const started = types.flatMap((type) =>
      events[type].flatMap((event) =>
        inviting.flatMap((facts) =>
          decide(watched, { event, facts }, nowMs).filter(
            (decision) =>
              decision.do === "submit-pipeline-job" ||
              decision.do === "request-training-run" ||
              decision.do === "start-rollout" ||
              decision.do === "deploy-model" ||
              decision.do === "scale-deployed-model",
          ),
        ),
      ),
    );
    expect(started).toEqual([]);
  });
});

/** The same histories each time; a failure prints the seed and the path that leads to it. */
const fixedSeed = 20_260_105;

describe("any history", () => {
  it("keeps the invariants, whatever comes in whatever order", () => {
    expect.hasAssertions();
    const moments = fc.record({
      type: fc.constantFrom(...types),
      variant: fc.nat(11),
      facts: fc.constantFrom(...Object.keys(factsOf)),
      passMs: fc.constantFrom(0, 1000, 61_000, 3_700_000, 86_400_000),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...states.map(([, state]) => state)),
        fc.array(moments, { minLength: 1, maxLength: 40 }),
        (start, history) => {
          let state = start ?? null;
          let atMs = nowMs;
          for (const [index, { type, variant, facts, passMs }] of history.entries()) {
            atMs += passMs;
            const kind = events[type][variant % events[type].length];
            if (kind === undefined) continue;
            const event = { ...kind, id: `${kind.id}/${index}` };
            const decisions = decide(
              state ?? undefined,
              { event, facts: factsOf[facts] ?? {} },
              atMs,
            );
            const next = after(state, decisions, atMs);
            expect(violations(state, decisions, next, atMs)).toEqual([]);
            state = next;
          }
        },
      ),
      { numRuns: 300, seed: fixedSeed },
    );
  });
});
