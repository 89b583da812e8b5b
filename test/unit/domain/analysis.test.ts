import { describe, expect, it } from "vitest";
import { assess, type Look } from "../../../shared/domain/analysis.js";
import type { Segment, Verdict } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { armOf, nowMs, segmentOf } from "./situations.js";

const { analysis: policy } = manifestOf().rollout;

const look = (current: Segment | null, changes: Partial<Look> = {}): Verdict =>
  assess({
    earlier: [],
    current,
    stepStartedAtMs: nowMs - 61_000,
    bakeMs: 60_000,
    policy,
    ...changes,
  });

const healthy = { champion: armOf(900), challenger: armOf(100) };

/** Windows in which the challenger was slower at the median. */
const signs = (compared: number, slower: number): Segment["slower"] => [
  { quantile: 0.5, compared, slower },
];

/** Windows of 10 and 90 requests, all with the same excess of the chance to be slower. */
const ranksOf = (count: number, excess: number): NonNullable<Segment["ranks"]> => ({
  count,
  sum: count * excess,
  sumSquares: count * excess * excess,
  stepSquares: 0,
  variance: (count * 101) / (12 * 900),
});

const memoryOf = (logGrowth: number, mebibytes: number): Segment["memory"] => ({
  logGrowth,
  championBytes: 100 * 2 ** 20,
  challengerBytes: mebibytes * 2 ** 20,
});

const leak = { ...memoryOf(9, 300), championBytes: 0 };

const table: readonly {
  readonly name: string;
  readonly verdict: Verdict;
  readonly result: Verdict["result"];
  readonly reason: RegExp;
}[] = [
  {
    name: "no point in Monitoring is an error: nothing can be measured",
    verdict: look(null),
    result: "error",
    reason: /no point/,
  },
  {
    name: "points without any request are an error too",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(0) })),
    result: "error",
    reason: /no point/,
  },
  {
    name: "most requests failing is a failure though the champion served none to compare with",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(300, 160) }, { weight: 100 })),
    result: "failed",
    reason: /the champion served none to compare with; challenger errors 53\.33 % of 300/,
  },
  {
    name: "some failing is inconclusive with nothing to compare with, however long it bakes",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(300, 140) }, { weight: 100 })),
    result: "inconclusive",
    reason: /46\.67 % of 300, champion errors no requests: .* give the rollout a step below 100 %/,
  },
  {
    name: "a single failure is inconclusive too: nobody knows whether the champion has as many",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(300, 1) }, { weight: 100 })),
    result: "inconclusive",
    reason: /served none/,
  },
  {
    name: "none failing cannot be worse than whatever the champion's rate is",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(300) }, { weight: 100 })),
    result: "successful",
    reason: /champion errors no requests/,
  },
  {
    name: "a step in which the champion served none is compared with what it served before",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(200, 40) }, { weight: 99 }), {
      earlier: [segmentOf(healthy)],
    }),
    result: "failed",
    reason: /error rate/,
  },
  {
    name: "also when latencies were counted in other buckets then",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(200, 40) }, { weight: 100 }), {
      earlier: [segmentOf(healthy, { bounds: [7, 70] })],
    }),
    result: "failed",
    reason: /error rate/,
  },
  {
    name: "and passes when it fails no more often than the champion did",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(200, 4) }, { weight: 99 }), {
      earlier: [segmentOf({ champion: armOf(900, 18), challenger: armOf(100, 2) })],
    }),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "too few requests are inconclusive",
    verdict: look(segmentOf({ champion: armOf(360), challenger: armOf(40) })),
    result: "inconclusive",
    reason: /40 of 50 challenger requests/,
  },
  {
    name: "too short a bake is inconclusive",
    verdict: look(segmentOf(healthy, { endMs: nowMs - 30_000 })),
    result: "inconclusive",
    reason: /31 of 60 s/,
  },
  {
    name: "a split that is not what was set is an error, not a failure",
    verdict: look(segmentOf({ champion: armOf(500), challenger: armOf(500) })),
    result: "error",
    reason: /not 10 %/,
  },
  {
    name: "failing requests of the challenger are a failure",
    verdict: look(segmentOf({ champion: armOf(900), challenger: armOf(100, 30) })),
    result: "failed",
    reason: /error rate of the challenger is worse.*30\.00 % of 100/,
  },
  {
    name: "failing requests fail even before there are enough of them to pass",
    verdict: look(segmentOf({ champion: armOf(180), challenger: armOf(20, 15) })),
    result: "failed",
    reason: /error rate/,
  },
  {
    name: "errors that both versions have are nobody's",
    verdict: look(segmentOf({ champion: armOf(900, 270), challenger: armOf(100, 30) })),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "windows in which the challenger is slower are a failure",
    verdict: look(segmentOf(healthy, { slower: signs(12, 12) })),
    result: "failed",
    reason: /latency of the challenger is worse/,
  },
  {
    name: "a challenger that is slower in half of the windows is not slower",
    verdict: look(segmentOf(healthy, { slower: signs(12, 6) })),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "slow windows of earlier steps count",
    verdict: look(segmentOf(healthy, { slower: signs(5, 5) }), {
      earlier: [segmentOf(healthy, { weight: 5, slower: signs(9, 9) })],
    }),
    result: "failed",
    reason: /latency/,
  },
  {
    name: "a challenger that is slower on average in each of five windows is a failure, whatever the signs say",
    verdict: look(
      segmentOf(healthy, {
        startMs: nowMs - 300_000,
        slower: signs(5, 0),
        ranks: ranksOf(5, 0.3),
      }),
    ),
    result: "failed",
    reason: /latency of the challenger is worse/,
  },
  {
    name: "five windows of seconds do not tell: a machine is slow for seconds at a time",
    verdict: look(segmentOf(healthy, { slower: signs(5, 0), ranks: ranksOf(5, 0.3) })),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "a challenger that is faster in each is not",
    verdict: look(
      segmentOf(healthy, {
        startMs: nowMs - 300_000,
        slower: signs(5, 0),
        ranks: ranksOf(5, -0.3),
      }),
    ),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "memory that grows past what the champion holds is a failure, in words with numbers",
    verdict: look(segmentOf(healthy, { memory: memoryOf(9, 160) })),
    result: "failed",
    reason:
      /memory of the challenger is worse.*it grows and holds 160 MiB, the champion at most 100 MiB/,
  },
  {
    name: "memory that grows to what the champion holds is a process getting warm",
    verdict: look(segmentOf(healthy, { memory: memoryOf(9, 110) })),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "much memory that does not grow is the model's size",
    verdict: look(segmentOf(healthy, { memory: memoryOf(-1, 400) })),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "memory is compared with what the champion held in earlier steps",
    verdict: look(
      segmentOf({ champion: armOf(0), challenger: armOf(1000) }, { weight: 100, memory: leak }),
      { earlier: [segmentOf(healthy, { memory: memoryOf(0, 90) })] },
    ),
    result: "failed",
    reason: /memory/,
  },
  {
    name: "a processor that is busier than allowed in every measurement is a failure",
    verdict: look(segmentOf(healthy, { busier: { compared: 14, busier: 14 } })),
    result: "failed",
    reason: /processor use of the challenger is worse/,
  },
  {
    name: "errors that come in clumps weigh less",
    verdict: look(
      segmentOf(
        { champion: armOf(900, 9), challenger: armOf(100, 9) },
        { dispersion: { statistic: 200, degrees: 20 } },
      ),
    ),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "enough healthy requests after the bake are a success",
    verdict: look(segmentOf(healthy)),
    result: "successful",
    reason: /no evidence that the challenger is worse/,
  },
  {
    name: "at 100 % the challenger is compared with what the champion served before",
    verdict: look(
      segmentOf({ champion: armOf(0), challenger: armOf(1000, 200) }, { weight: 100 }),
      {
        earlier: [segmentOf({ champion: armOf(900), challenger: armOf(100) })],
      },
    ),
    result: "failed",
    reason: /error rate/,
  },
  {
    name: "at 100 % the champion's own former errors are allowed",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(1000, 30) }, { weight: 100 }), {
      earlier: [segmentOf({ champion: armOf(1000, 30), challenger: armOf(110, 3) })],
    }),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "at 100 % latency of another hour says nothing",
    verdict: look(
      segmentOf(
        { champion: armOf(0), challenger: armOf(1000) },
        { weight: 100, slower: signs(20, 20) },
      ),
      { earlier: [segmentOf(healthy)] },
    ),
    result: "successful",
    reason: /no evidence/,
  },
  {
    name: "at 100 % no other version's requests are expected",
    verdict: look(segmentOf({ champion: armOf(0), challenger: armOf(1000) }, { weight: 100 })),
    result: "successful",
    reason: /no evidence/,
  },
];

describe("the analysis", () => {
  it.each(table)("$name", ({ verdict, result, reason }) => {
    expect(verdict.reasons.join("; ")).toMatch(reason);
    expect(verdict.result).toBe(result);
  });

  it("tells the numbers that it judged by", () => {
    const { numbers } = look(segmentOf({ champion: armOf(900, 9), challenger: armOf(100, 1) }));
    expect(numbers).toMatchObject({
      requests: 100,
      errors: 1,
      championRequests: 900,
      championErrors: 9,
      windowSeconds: 61,
    });
    expect(numbers["logEvidenceLimit"]).toBeCloseTo(Math.log(20), 9);
  });

  it("more errors of the challenger never make its verdict better", () => {
    const rank = { successful: 0, inconclusive: 0, error: 0, failed: 1 };
    let worst = 0;
    for (let errors = 0; errors <= 100; errors += 5) {
      const { result } = look(
        segmentOf({ champion: armOf(900, 9), challenger: armOf(100, errors) }),
      );
      expect(rank[result]).toBeGreaterThanOrEqual(worst);
      worst = rank[result];
    }
    expect(worst).toBe(1);
  });
});
