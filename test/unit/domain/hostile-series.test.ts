/** Time series, answers and labels that hold anything a number can be: no verdict holds what is none. */
import { describe, expect, it } from "vitest";
import { deployedModelId } from "../../../events/ids.js";
import { assess } from "../../../shared/domain/analysis.js";
import { segmentFrom } from "../../../shared/domain/segment.js";
import { businessWindows, labelledLosses } from "../../../shared/domain/signals.js";
import type { Segment } from "../../../shared/domain/state.js";
import { seededRandom } from "../../../shared/statistics/random.js";
import { manifestOf } from "../../fixtures/manifest.js";

const [champion, challenger] = [deployedModelId.parse("1"), deployedModelId.parse("2")];
const rule = { better: "higher", worseShareMax: 0.05, windowSeconds: 60 } as const;
const { analysis } = manifestOf({
  rollout: {
    analysis: {
      predictions: { requestsMin: 20 },
      business: { metric: "custom.googleapis.com/shop", label: "model", ...rule },
      quality: {},
    },
  },
}).rollout;

const numbers = [
  0,
  1,
  -1,
  0.5,
  100,
  1e9,
  1e200,
  1e308,
  -1e308,
  5e-324,
  Number.NaN,
  Infinity,
  -Infinity,
];

/** A segment of whatever comes out of the hat. */
const drawn = (seed: number): Segment => {
  const random = seededRandom(seed);
  const pick = <Value>(values: readonly Value[]): Value => {
    const value = values[Math.floor(random() * values.length)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  };
  const many = <Value>(most: number, draw: (index: number) => Value): readonly Value[] =>
    Array.from({ length: Math.floor(random() * most) }, (_, index) => draw(index));
  const arm = () => {
    const latencies = Array.from({ length: 4 }, () => pick([0, 0, 1, 7, 1e6, 1e15]));
    const requests = latencies.reduce((sum, count) => sum + count, 0);
    return { requests, errors: Math.floor(random() * (requests + 1)), latencies };
  };
  const windows = many(5, () => ({ [champion]: arm(), [challenger]: arm() }));
  const total = (id: typeof champion) =>
    windows.reduce(
      (sum, window) => {
        const { requests = 0, errors = 0, latencies = [] } = window[id] ?? {};
        return {
          requests: sum.requests + requests,
          errors: sum.errors + errors,
          latencies: sum.latencies.map((count, bucket) => count + (latencies[bucket] ?? 0)),
        };
      },
      { requests: 0, errors: 0, latencies: [0, 0, 0, 0] },
    );
  const usage = () =>
    many(6, (index) => ({ atMs: 5 - index, memoryBytes: pick(numbers), cpu: pick(numbers) }));
  const points = () => many(40, (index) => ({ atMs: index * 60_000, value: pick(numbers) }));
  const predictions = many(80, (index) => ({
    id: pick([`p${index}`, "twice"]),
    timeMs: index,
    deployedModelId: pick([champion, challenger]),
    score: pick(numbers),
  }));
  const counts = {
    endMs: 600_000,
    bounds: [1, 2, 3],
    arms: { [champion]: total(champion), [challenger]: total(challenger) },
    windows,
    usage: { [champion]: usage(), [challenger]: usage() },
  };
  const stretch = {
    champion,
    challenger,
    weight: pick([1, 10, 50, 100]),
    sinceMs: 0,
    latencyRatioMax: 1.5,
    cpuRatioMax: 2,
  };
  return {
    ...segmentFrom(counts, stretch),
    business: businessWindows(
      { champion: points(), challenger: points() },
      { sinceMs: 0, untilMs: 3_600_000 },
      rule,
    ),
    losses: labelledLosses(
      predictions,
      predictions.map(({ id }) => ({ id, label: String(pick([...numbers, "yes"])) })),
      {
        champion,
        challenger,
        stretches: [{ sinceMs: 0, untilMs: 1000 }],
        positiveClass: random() < 0.5 ? undefined : "yes",
      },
    ),
  };
};

describe("a verdict on whatever a series holds", () => {
  it("has finite numbers and sentences alone, and is the same again from what it kept", () => {
    for (let seed = 1; seed <= 400; seed += 1) {
      const look = (current: Segment) =>
        assess({ earlier: [], current, stepStartedAtMs: 0, bakeMs: 1, policy: analysis });
      const verdict = look(drawn(seed));
      const kept = JSON.stringify(verdict);
      expect([seed, kept]).not.toEqual([seed, expect.stringContaining("null")]);
      expect([seed, verdict.reasons.join()]).not.toEqual([
        seed,
        expect.stringMatching(/NaN|Infinity|undefined/),
      ]);
      const { measured } = JSON.parse(kept);
      expect(JSON.stringify(look(measured))).toBe(kept);
    }
  });
});
