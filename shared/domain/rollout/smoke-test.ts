/** A rollout whose challenger is tested where no users are. */
import { type Decision, ignore } from "../decision.js";
import type { EndpointFacts, SmokeTestFacts } from "../facts.js";
import type { ModelState } from "../state.js";
import { decideNextEnvironment } from "./approval.js";
import { awaitTraffic } from "./deploying.js";
import { rollBack } from "./ending.js";
import { type InPhase, deployedIn, environmentAt } from "./parts.js";
import { only, sameSplit } from "./traffic.js";

/** A look at the challenger's smoke test. */
export const decideSmokeTest = (
  state: ModelState,
  rollout: InPhase<"smoke-testing">,
  endpointFacts: EndpointFacts | null | undefined,
  result: SmokeTestFacts | undefined,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  if (endpointFacts === undefined) return ignore(`endpoint ${endpoint} was not looked at`);
  const id = deployedIn(rollout, name);
  if (!endpointFacts || !sameSplit(endpointFacts.trafficSplit, only(id)) || result === undefined) {
    return awaitTraffic(state, rollout, `until the challenger gets all traffic of ${name}`, nowMs);
  }
  const { errorsMax, latencyP95MsMax } = state.manifest.promotion.smokeTest;
  const numbers = `${result.requests} requests, ${result.errors} errors, p95 ${result.latencyP95Ms.toFixed(1)} ms`;
  if (result.errors > errorsMax || result.latencyP95Ms > latencyP95MsMax) {
    const why = result.firstError === null ? "" : `; first error: ${result.firstError}`;
    return rollBack(
      state,
      rollout,
      {
        outcome: "rolled-back",
        reason: `smoke test in ${name} failed: ${numbers} (allowed ${errorsMax} errors, p95 ${latencyP95MsMax} ms)${why}`,
        severity: "warning",
      },
      nowMs,
    );
  }
  return decideNextEnvironment(state, rollout, `smoke test in ${name} passed: ${numbers}`, nowMs);
};

/** A person lets the challenger pass an environment without its test. */
export const skipSmokeTest = (
  state: ModelState,
  rollout: InPhase<"smoke-testing">,
  why: string,
  nowMs: number,
): readonly Decision[] => decideNextEnvironment(state, rollout, why, nowMs);
