import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { explanationReply } from "../../../infra/cli/replies.js";
import { explanationText } from "../../../infra/cli/verbs/why.js";

it("why shows of each verdict what it looked at, the method, the numbers, the limits and the policy", () => {
  const text = explanationText(
    explanationReply.parse({
      id: "churn-o1",
      kind: "rollout",
      answer: "version 2 of churn was rolled back",
      reasons: ["analysis at 10 % failed"],
      numbers: { requests: 100 },
      verdicts: [
        {
          about: "rollout at 10 %",
          result: "failed",
          inputs: ["version 2 of churn", "windows from 12:00 to 12:01"],
          method: "evidence that holds at every look",
          numbers: { logEvidence: 3.5 },
          thresholds: { alpha: 0.05 },
          policyVersion: 7,
        },
      ],
      steps: [],
    }),
  );
  const lines = stripVTControlCharacters(text).split("\n");
  const at = lines.indexOf("rollout at 10 %  failed  (manifest version 7)");
  expect(lines.slice(at + 1, at + 5)).toEqual([
    "  of       version 2 of churn; windows from 12:00 to 12:01",
    "  by       evidence that holds at every look",
    expect.stringMatching(/^ {2}numbers {2}logEvidence\W+3\.5/),
    expect.stringMatching(/^ {2}limits {3}alpha\W+0\.05/),
  ]);
});
