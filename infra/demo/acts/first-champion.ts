/** Act 1: January arrives; the first model is trained, gated on thresholds, and serves everything. */
import { instanceOf } from "../flights.js";
import { ingest } from "../ingest.js";
import {
  endOfRollout,
  endOfRun,
  firstReason,
  freshFlights,
  frozenModel,
  mainModel,
  type Act,
} from "../play.js";
import { startTraffic } from "../traffic.js";

/** Act 1. */
export const firstChampion: Act = {
  number: 1,
  title: "January arrives: the first champion",
  play: async (stage) => {
    const { world } = stage;
    const month = await stage.nextMonth();
    if (month === null) throw new Error("the flights file holds no month");
    stage.played.push(month);
    await ingest(world, { name: month.name, flights: month.flights });
    world.options.say(
      `  published dataset.arrived: ${month.flights.length} flights of ${month.name}`,
    );
    const run = await endOfRun(stage, mainModel, "January's run", () => true);
    const lines = [`${run.run} ${run.outcome}: ${firstReason(run.reasons)}`];
    if (run.outcome !== "registered") return { isAsExpected: false, lines };
    const rollout = await endOfRollout(
      stage,
      mainModel,
      ({ versionId }) => versionId === run.versionId,
    );
    lines.push(`version ${rollout.versionId} ${rollout.outcome}: ${firstReason(rollout.reasons)}`);
    const [flight] = freshFlights(month);
    const reply = await world.predict("flights-production", flight ? [instanceOf(flight)] : []);
    stage.firstPredictionSeconds = process.uptime();
    lines.push(
      `first prediction ${stage.firstPredictionSeconds.toFixed(1)} s after the start: ${JSON.stringify(reply.body).slice(0, 160)}`,
    );
    stage.traffic = await startTraffic(world, "flights-production", freshFlights(month));
    // The frozen model learns from January too; nobody waits for it before act 5.
    await world.publish("training-run", {
      specversion: "1.0",
      type: "training-run.requested",
      id: `${frozenModel}/first`,
      source: "demo/data-scientist",
      time: new Date().toISOString(),
      data: { model: frozenModel, reason: "its first version, from January", by: "demo" },
    });
    return { isAsExpected: rollout.outcome === "promoted" && reply.status === 200, lines };
  },
};
