/** One logged request and its response, as one prediction for each of its instances. */
import { z } from "zod";
import type { LoggedPrediction } from "../ports/prediction-log.js";

const instance = z.record(z.string(), z.unknown());
const shares = z.record(z.string(), z.number());

/** Vertex AI's Explain answers with an explanation for each instance; its first attribution is the predicted output's. */
const explanation = z.object({
  attributions: z
    .array(z.object({ featureAttributions: z.record(z.string(), z.unknown()).default({}) }))
    .default([]),
});

/** A container of one's own may put them beside its answer. */
const explained = z.object({ attributions: shares });

/** What is read of a request and its response; a response may be missing or hold anything. */
export interface Payload {
  readonly instances: readonly unknown[];
  readonly predictions: readonly unknown[];
  readonly explanations: readonly unknown[];
}

const numbersOf = (values: Readonly<Record<string, unknown>>): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );

const attributionsOf = (
  prediction: unknown,
  given: unknown,
): Pick<LoggedPrediction, "attributions"> => {
  const [first] = explanation.safeParse(given).data?.attributions ?? [];
  const found = first?.featureAttributions ?? explained.safeParse(prediction).data?.attributions;
  return found === undefined ? {} : { attributions: numbersOf(found) };
};

/** The predictions of one request; instances that are no objects tell nothing about features, and are left out. */
export const predictionsOf = (
  { instances, predictions, explanations }: Payload,
  request: Pick<LoggedPrediction, "timeMs" | "deployedModelId" | "requestId">,
): readonly LoggedPrediction[] =>
  instances.flatMap((row, index) => {
    const parsed = instance.safeParse(row);
    if (!parsed.success) return [];
    const prediction = predictions[index];
    return [
      {
        ...request,
        instance: parsed.data,
        prediction,
        ...attributionsOf(prediction, explanations[index]),
      },
    ];
  });
