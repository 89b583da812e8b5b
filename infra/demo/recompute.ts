/** Judges a stored evaluation again, from its scores alone. */
import { evaluation } from "../../events/artifacts.js";
import { recomputeVerdict } from "../images/evaluator/assess.js";
import type { DemoWorld } from "./world.js";

/** The outcome that the stored scores give; the scores lie beside their report. */
export const recomputedOutcome = async (world: DemoWorld, report: string): Promise<string> => {
  const [stored, scores] = await Promise.all([
    world.download(report),
    world.download(report.replace(/evaluation(?<suffix>\.json)?$/, "scores")),
  ]);
  const parsed = evaluation.parse(JSON.parse(stored.toString("utf8")));
  return recomputeVerdict(scores.toString("utf8"), parsed).outcome;
};
