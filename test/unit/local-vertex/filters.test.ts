import { describe, expect, it } from "vitest";
import { parseFilter } from "../../../infra/local/vertex/filters.js";

const item = {
  id: "churn",
  displayName: 'late "AND" early',
  labels: { run: "abc", "a key": "v" },
};

describe("a list filter", () => {
  it.each([
    ["", true],
    ["model=churn", true],
    ['model="churn"', true],
    ["model!=churn", false],
    ['display_name="late \\"AND\\" early"', true],
    ['displayName != "x"', true],
    ["labels.run=abc", true],
    ['labels.run = "abd"', false],
    ["labels.run!=abd", true],
    ["labels.run:*", true],
    ["labels:run", true],
    ["labels:none", false],
    ['labels."a key"=v', true],
    ["model=churn AND labels.run=abc", true],
    ["model=churn AND labels.run=x", false],
    ["labels.constructor:*", false],
  ])("%s is %s", (filter, isMatch) => {
    expect(parseFilter(filter, "model")(item)).toBe(isMatch);
  });

  it.each(["size>3", "model", "endpoint=churn", "labels=abc", "model=a OR model=b", 'model="a'])(
    "refuses %s",
    (filter) => {
      expect(() => parseFilter(filter, "model")).toThrow(/Invalid filter/);
    },
  );
});
