import { expect, it } from "vitest";
import { deployedModelId } from "../../../events/ids.js";
import { segmentFrom, type MetricCounts, type Usage } from "../../../shared/domain/segment.js";

const champion = deployedModelId.parse("1");
const challenger = deployedModelId.parse("2");
const arm = (requests: number, errors: number) => ({
  requests,
  errors,
  latencies: [requests, 0],
});
const usage = (values: readonly (readonly [atMs: number, mib: number, cpu: number])[]): Usage[] =>
  values.map(([atMs, mib, cpu]) => ({ atMs, memoryBytes: mib * 2 ** 20, cpu }));

const counts: MetricCounts = {
  endMs: 180_000,
  bounds: [10],
  arms: { [champion]: arm(300, 3), [challenger]: arm(30, 3) },
  windows: [
    { [champion]: arm(100, 1), [challenger]: arm(10, 0) },
    { [champion]: arm(100, 2), [challenger]: arm(10, 3) },
    // Nobody asked the challenger in this one.
    { [champion]: arm(100, 0) },
  ],
  usage: {
    [champion]: usage([
      [60_000, 100, 0.2],
      [120_000, 120, 0.2],
    ]),
    [challenger]: usage([
      [1000, 80, 0.9],
      [61_000, 90, 0.9],
      [121_000, 130, 0.3],
    ]),
  },
};
const stretch = {
  champion,
  challenger,
  weight: 10,
  sinceMs: 0,
  latencyRatioMax: 1.5,
  cpuRatioMax: 2,
};

it("a segment holds what a verdict needs of the windows", () => {
  const segment = segmentFrom(counts, stretch);
  expect(segment).toMatchObject({
    weight: 10,
    startMs: 0,
    endMs: 180_000,
    champion: arm(300, 3),
    challenger: arm(30, 3),
    dispersion: { degrees: 1 },
    ranks: { count: 2 },
    memory: { championBytes: 120 * 2 ** 20, challengerBytes: 130 * 2 ** 20 },
    // The first measurement has nothing beside it.
    busier: { compared: 2, busier: 1 },
  });
  expect(segment.memory.logGrowth).toBeGreaterThan(0);
});

it("without a champion there is nothing to compare with", () => {
  expect(segmentFrom(counts, { ...stretch, champion: null })).toMatchObject({
    champion: { requests: 0, errors: 0, latencies: [0, 0] },
    dispersion: { degrees: 0 },
    memory: { championBytes: 0 },
    busier: { compared: 0, busier: 0 },
  });
});
