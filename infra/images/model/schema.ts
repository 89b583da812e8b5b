/** The JSON model: everything needed to score a row, in one file of its own. */
import { z } from "zod";
import { modelMetadata } from "../../../events/artifacts.js";

/** A tree as parallel arrays over its nodes; node 0 is the root, feature -1 marks a leaf. */
const tree = z.object({
  feature: z.array(z.int()),
  /** Numeric split: values <= threshold go left. */
  threshold: z.array(z.number()),
  left: z.array(z.int()),
  right: z.array(z.int()),
  /** 1 where a missing (or unknown) value goes left. */
  missingLeft: z.array(z.int().min(0).max(1)),
  /** Node index -> codes of the categories that go left. */
  categoriesLeft: z.record(z.string(), z.array(z.int().min(0))),
  /** Log-odds that a leaf adds; 0 at inner nodes. */
  value: z.array(z.number()),
});

const gradientBoosting = z.object({
  algorithm: z.literal("gradient-boosting"),
  /** Log-odds before the first tree. */
  baseline: z.number(),
  trees: z.array(tree),
});

const logisticRegression = z.object({
  algorithm: z.literal("logistic-regression"),
  intercept: z.number(),
  /** Per feature: a numeric one has mean, scale and one weight, a categorical one a weight per category. */
  weights: z.array(
    z.discriminatedUnion("type", [
      z.object({
        type: z.literal("numeric"),
        mean: z.number(),
        scale: z.number(),
        weight: z.number(),
        /** Weight of a missing value. */
        missing: z.number(),
      }),
      z.object({
        type: z.literal("categorical"),
        byCategory: z.array(z.number()),
        /** Weight of a missing or unknown category. */
        missing: z.number(),
      }),
    ]),
  ),
});

/** Schema of model.json. */
export const modelSchema = modelMetadata.extend({
  predictor: z.discriminatedUnion("algorithm", [gradientBoosting, logisticRegression]),
});

/** A model as stored. */
export type Model = Readonly<z.infer<typeof modelSchema>>;
/** A tree as stored. */
export type Tree = Readonly<z.infer<typeof tree>>;
/** A boosted model's parameters as stored. */
export type GradientBoosting = Readonly<z.infer<typeof gradientBoosting>>;
/** A linear model's parameters as stored. */
export type LogisticRegression = Readonly<z.infer<typeof logisticRegression>>;
