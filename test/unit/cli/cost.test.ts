import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { monthlyCost } from "../../../infra/cli/cost/monthly-cost.js";
import { priceList, rememberedPrices } from "../../../infra/cli/cost/prices.js";

const idle = { runs: 0, ignoredEvents: 0, rolloutHours: 24, schedules: 0 };
const thousandRuns = { ...idle, runs: 1000 };

describe("the bill of a month", () => {
  it("is nothing for an idle installation within the free tier", () => {
    expect(monthlyCost(idle, rememberedPrices).usd).toBe(0);
  });

  it("is the sum of its lines, each of which is its amount beyond the free units times its price", () => {
    const { lines, usd } = monthlyCost(
      { ...thousandRuns, ignoredEvents: 3_000_000, schedules: 7 },
      rememberedPrices,
    );
    expect(usd).toBeCloseTo(
      lines.reduce((sum, line) => sum + line.usd, 0),
      9,
    );
    for (const { price, amount, free, usd: cost } of lines) {
      expect(cost).toBeCloseTo(Math.max(0, amount - free) * rememberedPrices.prices[price].usd, 9);
    }
    const cost = (name: string) => lines.find(({ price }) => price === name)?.usd;
    expect(cost("schedulerJob")).toBeCloseTo(0.7, 9);
    expect(cost("pipelineRun")).toBeCloseTo(30, 9);
    // 1,000 runs x 96 + 3,000,000 written, of which 600,000 are free.
    expect(cost("firestoreWrite")).toBeCloseTo((2_496_000 * 0.09) / 100_000, 9);
  });

  it("follows the prices that it is given", () => {
    const { pipelineRun } = rememberedPrices.prices;
    const dearer = {
      ...rememberedPrices,
      prices: { ...rememberedPrices.prices, pipelineRun: { ...pipelineRun, usd: 1 } },
    };
    const difference =
      monthlyCost(thousandRuns, dearer).usd - monthlyCost(thousandRuns, rememberedPrices).usd;
    expect(difference).toBeCloseTo(970, 6);
  });

  it("has a page with today's figures", () => {
    const page = readFileSync(new URL("../../../infra/docs/cost.md", import.meta.url), "utf8");
    for (const workload of [idle, thousandRuns]) {
      const { usd, usdWithoutFreeTier } = monthlyCost(workload, rememberedPrices);
      expect(page).toMatch(
        new RegExp(`\\$${usd.toFixed(2)} +\\| \\$${usdWithoutFreeTier.toFixed(2)}`),
      );
    }
  });

  it("takes no price list with a price that is missing, negative or misnamed", () => {
    const { prices } = rememberedPrices;
    const { logs, ...fewer } = prices;
    const wrong = [
      { ...rememberedPrices, prices: fewer },
      { ...rememberedPrices, prices: { ...prices, logs: { ...logs, usd: -1 } } },
      { ...rememberedPrices, prices: { ...prices, wood: logs } },
    ];
    expect(wrong.filter((list) => priceList.safeParse(list).success)).toEqual([]);
  });
});
