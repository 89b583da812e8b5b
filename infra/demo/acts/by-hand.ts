/** Act 6: a cron tick starts a run; an alias changed by hand in the registry starts a rollout. */
import {
  endOfRollout,
  endOfRun,
  firstReason,
  mainModel,
  modelSeen,
  runsOf,
  type Act,
} from "../play.js";

/** Act 6. */
export const byHand: Act = {
  number: 6,
  title: "A cron tick and a hand-made alias change are reacted to",
  play: async (stage) => {
    const { world } = stage;
    await world.advance(`continuo-${mainModel}-monthly`);
    world.options.say("  Cloud Scheduler fired the manifest's cron");
    const run = await endOfRun(
      stage,
      mainModel,
      "the scheduled run",
      ({ trigger }) => trigger === "schedule",
    );
    const lines = [`${run.reason}: ${run.run} ${run.outcome}; ${firstReason(run.reasons)}`];
    if (run.outcome === "registered") {
      await endOfRollout(stage, mainModel, ({ versionId }) => versionId === run.versionId);
    }
    const { champion } = await modelSeen(world, mainModel);
    const former = (await runsOf(world, mainModel)).find(
      ({ versionId, outcome }) => outcome === "registered" && versionId !== champion?.versionId,
    );
    const versionId = former?.versionId;
    if (!versionId) {
      return { isAsExpected: false, lines: [...lines, "no former version to give the alias to"] };
    }
    await world.mergeAliases(mainModel, versionId, ["challenger"]);
    world.options.say(`  alias challenger set by hand on version ${versionId}`);
    const rollout = await endOfRollout(
      stage,
      mainModel,
      (seen) => seen.versionId === versionId && seen.run === null,
    );
    lines.push(`version ${versionId} ${rollout.outcome}: ${firstReason(rollout.reasons)}`);
    return {
      isAsExpected: run.outcome !== "failed" && rollout.outcome === "promoted",
      lines,
    };
  },
};
