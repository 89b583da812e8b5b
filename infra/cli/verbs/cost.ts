/** `continuo cost`: what the control plane costs in a month, with the arithmetic. */
import type { Command } from "commander";
import { z } from "zod";
import { examples, print, readText, width } from "../command.js";
import {
  monthlyCost,
  type CostLine,
  type MonthlyCost,
  type Workload,
} from "../cost/monthly-cost.js";
import { priceList, rememberedPrices, type PriceList } from "../cost/prices.js";
import { usage } from "../errors.js";
import { bold, dim, yellow } from "../format.js";
import { table, wrap } from "../table.js";

const wholeNumber = z
  .string()
  .regex(/^\d{1,9}$/, "a whole number")
  .transform(Number);
const given = z.object({
  json: z.boolean().default(false),
  runs: wholeNumber,
  ignoredEvents: wholeNumber,
  rolloutHours: z
    .string()
    .regex(/^\d{1,4}(?:\.\d+)?$/, "a number of hours")
    .transform(Number),
  schedules: wholeNumber,
  prices: z.string().optional(),
  printPrices: z.boolean().default(false),
});

const pricesOf = (file: string | undefined): PriceList => {
  if (file === undefined) return rememberedPrices;
  let content: unknown;
  try {
    content = JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof SyntaxError) throw usage(`${file} is no JSON: ${error.message}`);
    throw error;
  }
  const parsed = priceList.safeParse(content);
  if (!parsed.success) throw usage(`${file}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
};

const money = (usd: number): string => `$${usd.toFixed(2)}`;

const textOf = (cost: MonthlyCost, { checkedOn, region }: PriceList): string =>
  [
    table<CostLine>(
      cost.lines,
      [
        { title: "what", cell: ({ unit }) => unit, isFlexible: true },
        { title: "amount", cell: ({ amount }) => amount.toLocaleString("en"), align: "right" },
        { title: "free", cell: ({ free }) => free.toLocaleString("en"), align: "right" },
        { title: "cost", cell: ({ usd }) => money(usd), align: "right" },
      ],
      { width, heading: dim },
    ),
    "",
    ...cost.lines.map(({ unit, arithmetic }) =>
      dim(`${unit.split(",", 1)[0] ?? unit}: ${arithmetic}`),
    ),
    "",
    bold(`${money(cost.usd)} a month; ${money(cost.usdWithoutFreeTier)} if no free tier were left`),
    wrap(
      "Training jobs, endpoints' machines, builds and networks are the models' own cost and are not in it.",
      width,
    ),
    yellow(
      wrap(
        `Prices of ${region} as remembered on ${checkedOn}: look them up, write them to a file (--print-prices shows one) and give it with --prices.`,
        width,
      ),
    ),
  ].join("\n");

/** Adds the verb. */
export const cost = (program: Command): void => {
  examples(
    program
      .command("cost")
      .description("what the control plane costs in a month, with the arithmetic; calls nothing")
      .option("--runs <count>", "training runs a month, each with a rollout", "0")
      .option("--ignored-events <count>", "events a month that change nothing", "0")
      .option("--rollout-hours <hours>", "how long a rollout lasts", "24")
      .option("--schedules <count>", "models with a cron of their own in Cloud Scheduler", "0")
      .option("--prices <file>", "a price list of your own, as JSON")
      .option("--print-prices", "print the price list that is used")
      .option("--json", "print JSON for programs"),
    "continuo cost                          # an idle installation",
    "continuo cost --runs 1000",
    "continuo cost --print-prices > prices.json",
  ).action((options: unknown) => {
    const parsed = given.safeParse(options);
    if (!parsed.success) throw usage(z.prettifyError(parsed.error));
    const { json, prices: file, printPrices, ...workload } = parsed.data;
    const prices = pricesOf(file);
    if (printPrices) {
      console.log(JSON.stringify(prices, null, 2));
      return;
    }
    const wanted: Workload = workload;
    const bill = monthlyCost(wanted, prices);
    print(json, { workload: wanted, prices, ...bill }, () => textOf(bill, prices));
  });
};
