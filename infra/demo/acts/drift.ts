/** Act 5: the frozen model's inputs drift in weeks 16 to 18; the detector's log entry starts one retraining. */
import { z } from "zod";
import { instanceOf, type Flight } from "../flights.js";
import {
  endOfRun,
  firstReason,
  frozenModel,
  modelSeen,
  runsOf,
  type Act,
  type Stage,
} from "../play.js";
import { until } from "../world.js";

const anomalyPayload = z.object({
  anomalyObjective: z.string(),
  featureAnomalies: z.array(z.looseObject({ featureDisplayName: z.string() })),
});

/** The only feature that the season moves; schedules and routes stay as they are. */
const driftingFeature = "originLateRate";

const rowsPerWindow = 3000;
const rowsPerRequest = 50;
const stormSize = 500;
const anomalyFilter = 'logName:"model_monitoring_anomaly"';

const weekOf = ({ dateMs }: Flight): number =>
  Math.floor((dateMs - Date.UTC(2001, 0, 1)) / (7 * 86_400_000)) + 1;

/** Flights of the months that were played, and of those after them up to a week: a short demo serves them unseen. */
const flightsUntil = async (stage: Stage, week: number): Promise<readonly Flight[]> => {
  const months = [...stage.played];
  const isOver = (): boolean => {
    const last = months.at(-1)?.flights.at(-1);
    return last !== undefined && weekOf(last) > week;
  };
  while (!isOver()) {
    const month = await stage.nextMonth();
    if (month === null) break;
    months.push(month);
  }
  return months.flatMap((month) => month.flights);
};

/** Flights of some weeks, evenly thinned to one window. */
const windowOf = (all: readonly Flight[], from: number, to: number): readonly Flight[] => {
  const flights = all.filter((flight) => weekOf(flight) >= from && weekOf(flight) <= to);
  const step = Math.max(1, Math.floor(flights.length / rowsPerWindow));
  return flights.filter((_, index) => index % step === 0).slice(0, rowsPerWindow);
};

const serve = async ({ world }: Stage, flights: readonly Flight[]): Promise<void> => {
  for (let start = 0; start < flights.length; start += rowsPerRequest) {
    const instances = flights.slice(start, start + rowsPerRequest).map(instanceOf);
    const reply = await world.predict("january-production", instances);
    if (reply.status !== 200) throw new Error(`prediction failed: ${JSON.stringify(reply.body)}`);
  }
};

/** Logged predictions reach the log in batches: the detector runs until it has seen them all. */
const detect = async (
  { world }: Stage,
  isOver: () => Promise<boolean>,
  seconds: number,
): Promise<boolean> => {
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    await world.advance("continuo-detect-drift");
    if (await isOver()) return true;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return isOver();
};

/** Act 5. */
export const drift: Act = {
  number: 5,
  title: "Drift in weeks 16 to 18 starts one retraining; 500 more alerts start none",
  play: async (stage) => {
    const { world } = stage;
    await until(
      "the frozen model's first version",
      async () => (await modelSeen(world, frozenModel)).champion,
      { seconds: world.options.waitSecondsMax, signal: world.options.signal },
    );
    const runsBefore = (await runsOf(world, frozenModel)).length;
    const anomalies = () => world.listLogEntries(anomalyFilter);
    const flights = await flightsUntil(stage, 18);
    await serve(stage, windowOf(flights, 1, 2));
    await serve(stage, windowOf(flights, 5, 7));
    const isFalseAlarm = await detect(stage, async () => (await anomalies()).length > 0, 4);
    world.options.say(`  weeks 5-7 against 1-2: ${isFalseAlarm ? "an anomaly" : "no anomaly"}`);
    await serve(stage, windowOf(flights, 16, 18));
    const ofFeatures = async () =>
      (await anomalies()).find(
        (one) => anomalyPayload.parse(one["jsonPayload"]).anomalyObjective === "RAW_FEATURE_DRIFT",
      );
    await detect(stage, async () => (await ofFeatures()) !== undefined, 20);
    const entry = await ofFeatures();
    if (entry === undefined) {
      return { isAsExpected: false, lines: ["the detector found no drift in weeks 16 to 18"] };
    }
    const found = anomalyPayload.parse(entry["jsonPayload"]).featureAnomalies;
    world.options.say(`  the detector wrote an anomaly: ${JSON.stringify(found)}`);
    const isRightFeature = found.every(
      ({ featureDisplayName }) => featureDisplayName === driftingFeature,
    );
    const copies = Array.from({ length: stormSize }, (_, index) => ({
      ...entry,
      insertId: `storm-${index}`,
      receiveTimestamp: undefined,
    }));
    for (let start = 0; start < stormSize; start += 100) {
      await world.writeLogEntries(copies.slice(start, start + 100));
    }
    world.options.say(`  wrote ${stormSize} copies with insertIds of their own`);
    const run = await endOfRun(
      stage,
      frozenModel,
      "the retraining",
      ({ trigger }) => trigger === "drift",
    );
    const runs = await runsOf(world, frozenModel);
    return {
      isAsExpected:
        runs.length === runsBefore + 1 &&
        run.outcome !== "failed" &&
        !isFalseAlarm &&
        isRightFeature,
      lines: [
        `drift: ${run.reason}`,
        `${run.run} ${run.outcome}: ${firstReason(run.reasons)}`,
        `${stormSize + 1} alerts, ${runs.length - runsBefore} run`,
      ],
    };
  },
};
