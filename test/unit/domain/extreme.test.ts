/** Events that the schemas let pass, however extreme their values: decided without an exception, invariants kept. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyEvent, catalogue, type EventType } from "../../../events/index.js";
import { exampleOf } from "../../../infra/docs/event-examples.js";
import { decide } from "../../../shared/domain/decide.js";
import { mayNeedFacts, needs } from "../../../shared/domain/needs.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { violations } from "./invariants.js";
import {
  after,
  champion,
  dataset,
  events,
  factsOf,
  nowMs,
  rollouts,
  runs,
  stateOf,
  trigger,
} from "./situations.js";

const types = Object.keys(catalogue) as EventType[];
const seeds: readonly unknown[] = [
  ...types.map((type) => exampleOf(type)),
  ...Object.values(events).flat(),
];

const states: readonly ModelState[] = [
  stateOf(),
  stateOf({ champion, datasets: [dataset], trigger }),
  ...Object.values(runs).map((run) => stateOf({ champion, datasets: [dataset], run })),
  ...Object.values(rollouts).map((rollout) => stateOf({ champion, datasets: [dataset], rollout })),
];

/** Values at the edges of what a schema may allow. */
const extreme = fc.oneof(
  fc.constantFrom<unknown>(
    0,
    -0,
    1,
    -1,
    1e308,
    -1e308,
    5e-324,
    Number.MAX_SAFE_INTEGER,
    "2000-01-01T00:00:00Z",
    "2099-12-31T23:59:59.999Z",
    "2026-01-05T12:00:00+14:00",
    "__proto__",
    "constructor",
    "toString",
    "NaN",
    "gs://b/o",
    "x".repeat(1000),
    "\u202Eabc\u2066",
    [],
    {},
    true,
    null,
  ),
  fc.double(),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.dictionary(fc.constantFrom("__proto__", "constructor", "a"), fc.double(), { maxKeys: 3 }),
);

const pathsOf = (value: unknown, at: readonly string[] = []): readonly (readonly string[])[] =>
  typeof value !== "object" || value === null
    ? [at]
    : Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...at, key]));

const replaced = (value: unknown, [head, ...rest]: readonly string[], by: unknown): unknown => {
  if (head === undefined) return by;
  if (Array.isArray(value)) {
    return value.map((inner: unknown, index) =>
      String(index) === head ? replaced(inner, rest, by) : inner,
    );
  }
  return Object.fromEntries(
    Object.entries(value ?? {}).map(([key, inner]) => [
      key,
      key === head ? replaced(inner, rest, by) : inner,
    ]),
  );
};

/** The same values each time; a failure prints the seed and the path that leads to it. */
const fixedSeed = 20_260_105;

describe("whatever the schemas let pass", () => {
  it("is decided without an exception, with a reason, and keeps the invariants", () => {
    let passed = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...states),
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), extreme), { minLength: 1, maxLength: 2 }),
        fc.constantFrom(...Object.keys(factsOf)),
        fc.constantFrom(0, nowMs, nowMs + 30 * 86_400_000, Date.UTC(2099, 11, 31)),
        (state, seed, changes, found, atMs) => {
          const spoilt = changes.reduce((value: unknown, [position, by]) => {
            const paths = pathsOf(value);
            return replaced(value, paths[position % paths.length] ?? [], by);
          }, seed);
          const parsed = anyEvent.safeParse(spoilt);
          if (!parsed.success) return;
          passed += 1;
          const event = parsed.data;
          const asked = needs(state, event, atMs);
          expect(asked.length === 0 || mayNeedFacts(event)).toBe(true);
          const decisions = decide(state, { event, facts: factsOf[found] ?? {} }, atMs);
          const next = after(state, decisions, atMs);
          expect(violations(state, decisions, next, atMs)).toEqual([]);
          // What is decided is stored and read back: nothing in it may be lost on the way.
          expect(JSON.parse(JSON.stringify(next))).toEqual(next);
        },
      ),
      { numRuns: 4000, seed: fixedSeed },
    );
    expect(passed).toBeGreaterThan(300);
  });
});
