/** An accepted run's version appears in the registry, or does not. */
import { ignore, type Decision } from "../decision.js";
import type { ModelVersionFacts } from "../facts.js";
import { acceptanceOf } from "../ids.js";
import { isOverdue, limitOf } from "../phase-timeouts.js";
import { offer } from "../rollout/offering.js";
import type { ModelState, WaitingChallenger } from "../state.js";
import { endRun } from "./ending.js";
import type { RunIn } from "./parts.js";

/** Ends the run with its version, and offers that version for a rollout. */
export const registered = (
  state: ModelState,
  run: RunIn<"registering">,
  version: ModelVersionFacts,
  nowMs: number,
): readonly Decision[] => {
  const challenger: WaitingChallenger = {
    run: run.run,
    cause: acceptanceOf(run.run),
    versionId: version.versionId,
    artifactUri: run.evaluation.artifact,
    artifactDigest: run.evaluation.artifactDigest,
    servingImage: state.manifest.serving.image,
    report: run.evaluation.report,
    correlationId: run.correlationId,
    trigger: run.kind,
    ...(run.by === undefined ? {} : { by: run.by }),
  };
  const end = endRun(
    state,
    run,
    {
      outcome: "registered",
      reasons: run.evaluation.reasons,
      machineSeconds: run.machineSeconds,
      evaluation: run.evaluation,
      versionId: version.versionId,
    },
    nowMs,
  );
  const shown: Decision = {
    do: "import-evaluation",
    versionId: version.versionId,
    run: run.run,
    report: run.evaluation.report,
    reason: "who looks at the version in the registry should see how it was judged",
  };
  return [...end, shown, ...offer(state, challenger, nowMs)];
};

/** A look at the registry while the run waits for its version. */
export const decideRegistering = (
  state: ModelState,
  run: RunIn<"registering">,
  version: ModelVersionFacts | null | undefined,
  nowMs: number,
): readonly Decision[] => {
  if (version) return registered(state, run, version, nowMs);
  if (version === undefined || !isOverdue(run, state.manifest, nowMs)) {
    return ignore(`the version of run ${run.run} is not in the registry yet`);
  }
  const { seconds, setting } = limitOf("registering", state.manifest);
  const reasons = [
    `its version did not appear in the registry within ${seconds} s (${setting}); the audit log of model ${state.model} tells why`,
  ];
  const { evaluation, machineSeconds } = run;
  return endRun(state, run, { outcome: "failed", reasons, machineSeconds, evaluation }, nowMs);
};
