/** Act 4: a dataset version with a broken column is stopped at the data gate, before any training. */
import { ingest } from "../ingest.js";
import { endOfRun, mainModel, modelSeen, type Act } from "../play.js";

/** Act 4. */
export const brokenData: Act = {
  number: 4,
  title: "A broken column is stopped before any training",
  play: async (stage) => {
    const month = stage.played.at(-1);
    if (month === undefined) throw new Error("act 4 needs a month of act 1 or 2");
    // Somebody upstream began to send kilometres, and -1 where a distance is unknown.
    await ingest(stage.world, {
      name: `${month.name}-broken`,
      flights: month.flights,
      breakage: ({ distance }) => ({
        distance: distance % 10 === 0 ? -1 : Math.round(distance * 1.609),
      }),
    });
    stage.world.options.say(
      "  published a version whose distances are in kilometres, some of them -1",
    );
    const run = await endOfRun(
      stage,
      mainModel,
      "the broken version's run",
      ({ datasetUris }) => datasetUris.at(-1)?.includes("broken") === true,
    );
    const { datasets } = await modelSeen(stage.world, mainModel);
    const isStopped = datasets.some(
      ({ uris, isStopped: stopped }) => stopped && uris.at(-1)?.includes("broken"),
    );
    return {
      isAsExpected:
        run.outcome === "rejected" &&
        run.evaluation === null &&
        run.reasons.some((reason) => reason.includes("distance")) &&
        isStopped,
      lines: [`${run.run} ${run.outcome}`, ...run.reasons.map((reason) => reason.slice(0, 200))],
    };
  },
};
