import { describe, expect, it } from "vitest";
import { expectedDetection, plannedDetection } from "../../../shared/domain/planned-detection.js";
import type { RolloutState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { cleaning, progressing, rollouts } from "./situations.js";

const { rollout: policy } = manifestOf({ rollout: { steps: [10, 50, 100] } });

const measured = (numbers: Record<string, number>): RolloutState => ({
  ...progressing,
  weight: 10,
  lastVerdict: { result: "inconclusive", reasons: [], numbers },
});

describe("how soon a worse challenger is found", () => {
  it("is planned for several amounts of traffic before a rollout starts", () => {
    expect(plannedDetection(policy)).toMatch(
      /^at 10 %, a rise of errors from 1 % to 2 % is found on average in .+ at 100 requests\/min, \d+ min at 1,000 requests\/min, \d+ min at 10,000 requests\/min/,
    );
    expect(expectedDetection(policy, rollouts.deploying)).toBe(plannedDetection(policy));
  });

  it("is told for the traffic and errors that were measured", () => {
    const numbers = {
      requests: 600,
      championRequests: 5400,
      championErrors: 54,
      windowSeconds: 600,
    };
    expect(expectedDetection(policy, measured(numbers))).toMatch(
      /^at 600 requests\/min and 10 %, a rise of errors from 1 % to 2 % is found in \d+ min on average/,
    );
  });

  it("takes longer where another measurement shares the evidence", () => {
    const minutesOf = (text: string | null): number =>
      Number(/(?<minutes>\d+) min at 1,000/.exec(text ?? "")?.groups?.["minutes"]);
    const { rollout: shared } = manifestOf({
      rollout: {
        steps: [10, 50, 100],
        analysis: {
          business: { metric: "custom.googleapis.com/shop/conversion", better: "higher" },
        },
      },
    });
    expect(minutesOf(plannedDetection(shared))).toBeGreaterThan(
      minutesOf(plannedDetection(policy)),
    );
  });

  it("says nothing where everything is sent at once, or all is over", () => {
    expect(plannedDetection({ ...policy, steps: [100] })).toBeNull();
    expect(expectedDetection(policy, cleaning)).toBeNull();
  });

  it("is the plan again while nothing was measured, and no number is silent about no error", () => {
    expect(expectedDetection(policy, measured({}))).toBe(plannedDetection(policy));
    const numbers = { requests: 10, championRequests: 90, championErrors: 0, windowSeconds: 60 };
    expect(expectedDetection(policy, measured(numbers))).toContain("from 1.1 % to 2.2 %");
  });
});
