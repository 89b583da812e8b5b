/** Prices are inputs: what they were said to be on a day, and where to look them up again. */
import { z } from "zod";

const price = z.strictObject({
  /** US dollars per unit. */
  usd: z.number().nonnegative(),
  /** What one unit is. */
  per: z.string().min(1),
  /** Units of a month that cost nothing. */
  free: z.number().nonnegative(),
  source: z.url(),
});

/** The price list; every name is needed. */
export const priceList = z.strictObject({
  /** When somebody last looked. */
  checkedOn: z.iso.date(),
  region: z.string().min(1),
  prices: z.strictObject({
    firestoreRead: price,
    firestoreWrite: price,
    firestoreDelete: price,
    cloudRunCpu: price,
    cloudRunMemory: price,
    cloudRunRequest: price,
    pubsubData: price,
    schedulerJob: price,
    pipelineRun: price,
    timeSeries: price,
    logs: price,
    storage: price,
  }),
});

/** A price list. */
export type PriceList = z.infer<typeof priceList>;

const daysPerMonth = 30;

/** List prices as they were remembered, not looked up, on that day: look them up before a decision hangs on them. */
export const rememberedPrices: PriceList = {
  checkedOn: "2026-11-21",
  region: "us-central1",
  prices: {
    firestoreRead: {
      usd: 0.03 / 100_000,
      per: "document read",
      free: 50_000 * daysPerMonth,
      source: "https://cloud.google.com/firestore/pricing",
    },
    firestoreWrite: {
      usd: 0.09 / 100_000,
      per: "document written",
      free: 20_000 * daysPerMonth,
      source: "https://cloud.google.com/firestore/pricing",
    },
    firestoreDelete: {
      usd: 0.01 / 100_000,
      per: "document deleted",
      free: 20_000 * daysPerMonth,
      source: "https://cloud.google.com/firestore/pricing",
    },
    cloudRunCpu: {
      usd: 0.000024,
      per: "vCPU-second",
      free: 180_000,
      source: "https://cloud.google.com/run/pricing",
    },
    cloudRunMemory: {
      usd: 0.0000025,
      per: "GiB-second",
      free: 360_000,
      source: "https://cloud.google.com/run/pricing",
    },
    cloudRunRequest: {
      usd: 0.4 / 1_000_000,
      per: "request",
      free: 2_000_000,
      source: "https://cloud.google.com/run/pricing",
    },
    pubsubData: {
      usd: 40 / 1024 ** 4,
      per: "byte, at least 1,000 a message and direction",
      free: 10 * 1024 ** 3,
      source: "https://cloud.google.com/pubsub/pricing",
    },
    schedulerJob: {
      usd: 0.1,
      per: "job and month",
      free: 3,
      source: "https://cloud.google.com/scheduler/pricing",
    },
    pipelineRun: {
      usd: 0.03,
      per: "pipeline run",
      free: 0,
      source: "https://cloud.google.com/vertex-ai/pricing",
    },
    timeSeries: {
      usd: 0.5 / 1_000_000,
      per: "time series returned",
      free: 1_000_000,
      source: "https://cloud.google.com/stackdriver/pricing",
    },
    logs: {
      usd: 0.5 / 1024 ** 3,
      per: "byte of logs",
      free: 50 * 1024 ** 3,
      source: "https://cloud.google.com/stackdriver/pricing",
    },
    storage: {
      usd: 0.02 / 1024 ** 3,
      per: "byte stored for a month",
      free: 5 * 1024 ** 3,
      source: "https://cloud.google.com/storage/pricing",
    },
  },
};
