import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkTrafficSplit,
  drawDeployedModel,
  nameBeingDeployed,
} from "../../../infra/local/vertex/endpoints/traffic.js";

describe("a traffic split", () => {
  it("is empty or sums to 100 over known models", () => {
    expect(() => {
      checkTrafficSplit({}, []);
      checkTrafficSplit({ "1": 100 }, ["1"]);
      checkTrafficSplit({ "1": 99, "0": 1 }, ["0", "1"]);
      checkTrafficSplit({ "1": 100, "2": 0 }, ["1", "2"]);
    }).not.toThrow();
  });

  it.each([
    [{ "1": 99 }, /sum to 99/],
    [{ "1": 100, "2": 1 }, /sum to 101/],
    [{ "3": 100 }, /"3" is not a deployed model/],
    [{ "1": 150, "2": -50 }, /not a percentage/],
    [{ "1": 99.5, "2": 0.5 }, /not a percentage/],
  ])("is refused as %j", (split, message) => {
    expect(() => {
      checkTrafficSplit(split, ["1", "2"]);
    }).toThrow(message);
  });

  it("names the model being deployed by 0", () => {
    expect(nameBeingDeployed({ "0": 10, "1": 90 }, "7")).toEqual({ "7": 10, "1": 90 });
  });

  it("is drawn from in its proportions, and never gives a model at 0", () => {
    const split = { "1": 0, "2": 25, "3": 75 };
    const draws = Array.from({ length: 400 }, (_, index) =>
      drawDeployedModel(split, (index + 0.5) / 400),
    );
    expect(draws.filter((id) => id === "2")).toHaveLength(100);
    expect(draws.filter((id) => id === "3")).toHaveLength(300);
    expect(drawDeployedModel({}, 0.5)).toBeUndefined();
  });

  it("always gives a model with traffic, whatever the random number", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (percent, random) => {
          const split = { "1": percent, "2": 100 - percent };
          const id = drawDeployedModel(split, random);
          expect(id === "1" ? percent : 100 - percent).toBeGreaterThan(0);
        },
      ),
    );
  });
});
