/** Act 3: a challenger whose container turns slow and fails under production traffic is rolled back by the analysis. */
import { endOfRollout, firstReason, mainModel, modelSeen, runsOf, type Act } from "../play.js";

/** The smoke test sends fewer requests than this, so only production can see the fault. */
const faultAfterRequests = 60;

/** Act 3. */
export const faultyContainer: Act = {
  number: 3,
  title: "A container that fails only in production is rolled back",
  play: async (stage) => {
    const { world } = stage;
    const before = await modelSeen(world, mainModel);
    const run = (await runsOf(world, mainModel)).find(({ run: id }) => id === before.champion?.run);
    if (!run?.evaluation) throw new Error("act 3 needs the champion of act 1 or 2");
    const versionId = await world.uploadVersion(mainModel, {
      artifactUri: run.evaluation.artifact,
      image: "continuo/faulty-predictor",
      env: {
        FAULT_AFTER_REQUESTS: String(faultAfterRequests),
        FAULT_DELAY_MS: "80",
        FAULT_ERROR_RATE: "0.3",
      },
      aliases: ["challenger"],
    });
    world.options.say(`  uploaded version ${versionId} by hand with alias challenger`);
    const rollout = await endOfRollout(stage, mainModel, (seen) => seen.versionId === versionId);
    const after = await modelSeen(world, mainModel);
    const seen = rollout.history.at(-1)?.verdict.numbers;
    return {
      isAsExpected:
        rollout.outcome === "rolled-back" &&
        rollout.history.some(({ verdict }) => verdict.result === "failed") &&
        after.champion?.versionId === before.champion?.versionId,
      lines: [
        `version ${versionId} ${rollout.outcome}: ${firstReason(rollout.reasons)}`,
        `seen at the last look: ${seen?.["errors"] ?? "?"} errors in ${seen?.["requests"] ?? "?"} challenger requests; version ${after.champion?.versionId} still serves`,
      ],
    };
  },
};
