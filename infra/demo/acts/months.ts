/** Act 2: February to June arrive; each challenger meets the champion on the same fresh rows. */
import { ingest } from "../ingest.js";
import {
  endOfRollout,
  endOfRun,
  firstReason,
  freshFlights,
  mainModel,
  modelSeen,
  type Act,
  type RunSeen,
  type Stage,
} from "../play.js";
import { recomputedOutcome } from "../recompute.js";

/** Whether the verdict follows from the stored scores; says so in a line. */
const check = async (stage: Stage, run: RunSeen): Promise<{ isSame: boolean; line: string }> => {
  if (run.evaluation === null) return { isSame: false, line: "no evaluation was stored" };
  const outcome = await recomputedOutcome(stage.world, run.evaluation.report);
  const isSame = outcome === run.evaluation.outcome;
  return {
    isSame,
    line: `verdict recomputed from the stored scores: ${outcome}${isSame ? "" : ", which differs"}`,
  };
};

/** Act 2. */
export const months: Act = {
  number: 2,
  title: "February to June arrive: better months are rolled out, others refused",
  play: async (stage) => {
    const { world } = stage;
    const lines: string[] = [];
    let isAsExpected = true;
    while (stage.played.length < world.options.monthsMax) {
      const month = await stage.nextMonth();
      if (month === null) break;
      stage.played.push(month);
      await stage.traffic?.play(freshFlights(month));
      await ingest(world, { name: month.name, flights: month.flights });
      world.options.say(
        `  published dataset.arrived: ${month.flights.length} flights of ${month.name}`,
      );
      const isThisMonths = ({ datasetUris }: RunSeen): boolean =>
        datasetUris.at(-1)?.includes(month.name) === true;
      const run = await endOfRun(stage, mainModel, `${month.name}'s run`, isThisMonths);
      const verdict = await check(stage, run);
      const auc = run.evaluation?.numbers;
      const numbers = `champion AUC ${auc?.["champion.auc"]?.toFixed(4) ?? "?"}, challenger ${auc?.["challenger.auc"]?.toFixed(4) ?? "?"}`;
      lines.push(
        `${month.name} ${run.outcome}: ${numbers}; ${firstReason(run.reasons)}; ${verdict.line}`,
      );
      isAsExpected &&= verdict.isSame && run.outcome !== "failed";
      isAsExpected &&= (run.evaluation?.outcome === "accept") === (run.outcome === "registered");
      if (run.outcome !== "registered") continue;
      const rollout = await endOfRollout(
        stage,
        mainModel,
        ({ versionId }) => versionId === run.versionId,
      );
      const weights = rollout.history.map(({ weight }) => `${weight} %`).join(" -> ");
      lines.push(
        `${month.name} version ${rollout.versionId} ${rollout.outcome}: ${weights}; ${firstReason(rollout.reasons)}`,
      );
      const { champion } = await modelSeen(world, mainModel);
      isAsExpected &&=
        (rollout.outcome === "promoted") === (champion?.versionId === rollout.versionId);
    }
    return { isAsExpected, lines };
  },
};
