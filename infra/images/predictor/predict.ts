/** From instances to predictions, with errors that name the instance and the feature. */
import { z } from "zod";
import { ImageError } from "../arguments.js";
import type { Model } from "../model/schema.js";
import { compileModel, sigmoid, type EncodedRow } from "../model/score.js";

const requestSchema = z.object({
  instances: z.array(z.record(z.string(), z.unknown())).min(1).max(100_000),
  parameters: z.unknown().optional(),
});

/** One prediction: the classes and their probabilities, which sum to 1. */
export interface Prediction {
  readonly classes: readonly [string, string];
  readonly scores: readonly [number, number];
}

/** Answers a parsed request body. */
export type Predict = (body: unknown) => readonly Prediction[];

type Feature = Model["features"][number];

/** Encodes one value of an instance; null stands for missing. */
type Encode = (value: unknown, where: string) => number;

function numberEncoder({ name }: Feature): Encode {
  return (value, where) => {
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (value === null) return NaN;
    if (typeof value === "boolean") return value ? 1 : 0;
    throw new ImageError(`${where}.${name} must be a number or null, not ${JSON.stringify(value)}`);
  };
}

function categoryEncoder(name: string, categories: readonly string[]): Encode {
  const codeOf = new Map(categories.map((category, code) => [category, code]));
  return (value, where) => {
    if (typeof value === "string") return codeOf.get(value) ?? NaN;
    if (value === null) return NaN;
    if (typeof value === "number" || typeof value === "boolean") {
      return codeOf.get(String(value)) ?? NaN;
    }
    throw new ImageError(`${where}.${name} must be text or null, not ${JSON.stringify(value)}`);
  };
}

const encoderOf = (feature: Feature): Encode =>
  feature.type === "numeric"
    ? numberEncoder(feature)
    : categoryEncoder(feature.name, feature.categories);

/** What is wrong with a body that the schema refused. */
function problem(error: z.ZodError): string {
  const issue = error.issues[0];
  const path = issue?.path.join(".") ?? "";
  return `the body must be {"instances": [{"feature": value, ...}]}: ${path || "body"} ${issue?.message ?? ""}`;
}

/** A predict function for a model; it throws an ImageError for a body that it cannot score. */
export function predictWith(model: Model): Predict {
  const scorer = compileModel(model);
  const encoders = model.features.map((feature) => ({
    name: feature.name,
    encode: encoderOf(feature),
  }));
  const classes = model.classes;
  const encodeRow = (instance: Readonly<Record<string, unknown>>, index: number): EncodedRow => {
    const where = `instances[${index}]`;
    const row = new Float64Array(encoders.length);
    for (const [i, { name, encode }] of encoders.entries()) {
      if (!Object.hasOwn(instance, name)) {
        const missing = encoders.filter((other) => !Object.hasOwn(instance, other.name));
        const names = missing.map((other) => other.name).join(", ");
        throw new ImageError(`${where} lacks ${names}; null stands for a missing value`);
      }
      row[i] = encode(instance[name], where);
    }
    return row;
  };
  return (body) => {
    const parsed = requestSchema.safeParse(body);
    if (!parsed.success) throw new ImageError(problem(parsed.error));
    return parsed.data.instances.map((instance, index) => {
      const positive = sigmoid(scorer(encodeRow(instance, index)));
      return { classes, scores: [1 - positive, positive] };
    });
  };
}
