/** The rules that keep cost flat, counted: what each came to, beside its goal. */
import { eventCosts, type Cost } from "./costs.js";
import { idleDay } from "./idle-day.js";
import { inconclusiveTick } from "./rollouts.js";
import { alertStorm } from "./storm.js";
import { submissionsAtOnce } from "./submissions.js";

/** One figure. */
export interface Row {
  readonly scenario: string;
  readonly what: string;
  readonly measured: number;
  /** Empty where a figure is there for comparison only. */
  readonly goal: string;
  readonly isMet: boolean;
}

const rounded = (value: number): number => Math.round(100 * value) / 100;

const rowsOf =
  (scenario: string) =>
  (what: string, measured: number, relation: "=" | "at most", goal: number): Row => ({
    scenario,
    what,
    measured: rounded(measured),
    goal: `${relation} ${goal}`,
    isMet: relation === "=" ? measured === goal : measured <= goal,
  });

const storm = async (): Promise<readonly Row[]> => {
  const size = 100_000;
  const row = rowsOf("100,000 alerts on one model in a minute");
  const seen = await alertStorm({ alerts: size, isCoalesced: true });
  return [
    row("runs", seen.runs, "=", 1),
    row("alerts decided or counted", seen.admitted + seen.counted, "=", size),
    row("writes of the model's document", seen.modelWrites, "at most", 2),
    row("writes a second on any document", seen.writesPerSecondMax, "at most", 1),
    row("dead letters", seen.deadLetters, "=", 0),
    row("absorbed after its end, s", seen.absorbedMs / 1000, "at most", 5),
    row(`p99 of ${seen.neighbours} neighbours, s`, seen.neighbourP99Ms / 1000, "at most", 5),
  ];
};

const withoutGate = async (): Promise<readonly Row[]> => {
  const scenario = "1,000 alerts without the coalescing gate, for comparison";
  const seen = await alertStorm({ alerts: 1000, isCoalesced: false });
  const row = (what: string, measured: number): Row => ({
    scenario,
    what,
    measured: rounded(measured),
    goal: "",
    isMet: true,
  });
  return [
    row("writes of the model's document", seen.modelWrites),
    row("writes a second on any document", seen.writesPerSecondMax),
    row("absorbed after its end, s", seen.absorbedMs / 1000),
  ];
};

const submissions = async (): Promise<readonly Row[]> => {
  const size = 10_000;
  const row = rowsOf("10,000 models at once");
  const seen = await submissionsAtOnce(size);
  return [
    row("submissions", seen.submitted, "=", size),
    row(
      `refused with 429, of ${seen.instances} instances`,
      seen.refused,
      "at most",
      seen.instances,
    ),
    row("submissions a minute", seen.perMinuteMax, "at most", 54),
    row("minutes until all were submitted", seen.minutes, "at most", 190),
  ];
};

const costs = async (): Promise<readonly Row[]> => {
  const seen = await eventCosts();
  const of = (scenario: string, { reads, writes }: Cost, goal: Cost): readonly Row[] => [
    rowsOf(scenario)("reads", reads, "at most", goal.reads),
    rowsOf(scenario)("writes", writes, "at most", goal.writes),
  ];
  return [
    ...of("an event that changes something", seen.changing, { reads: 1, writes: 3 }),
    ...of("an event that is ignored", seen.ignored, { reads: 1, writes: 1 }),
    rowsOf("a duplicate")("writes", seen.duplicate.writes, "=", 0),
  ];
};

/** Every look reads all windows of its step: a partition's share of 10,000 rollouts, when each has sixty. */
const hourOldStep = async (): Promise<readonly Row[]> => {
  const size = 625;
  const seen = await inconclusiveTick(size, 1, 60);
  const row = rowsOf(`the same in one partition of ${size} rollouts, after an hour`);
  return [
    row("rollouts looked at", seen.looked, "=", size),
    row("calls of ListTimeSeries", seen.listCalls, "at most", 700 / 16),
    row("processor time of the tick, s", seen.cpuMs / 1000, "at most", 20),
  ];
};

const rollouts = async (): Promise<readonly Row[]> => {
  const size = 10_000;
  const partitions = 16;
  const row = rowsOf(`an inconclusive tick over 10,000 rollouts on ${partitions} partitions`);
  const seen = await inconclusiveTick(size, partitions);
  return [
    row("rollouts looked at", seen.looked, "=", size),
    row("calls of ListTimeSeries a minute", seen.listCalls, "at most", 700),
    row("longest tick of a partition, s", seen.longestMs / 1000, "at most", 20),
    row("writes", seen.writes, "=", 0),
    row("messages", seen.messages, "=", 0),
    row("reads at Vertex AI", seen.vertexReads, "=", 0),
    row("changes at Vertex AI", seen.effects, "=", 0),
  ];
};

const idle = async (models: number): Promise<readonly Row[]> => {
  const row = rowsOf(`a day of ${models.toLocaleString("en")} idle models`);
  const seen = await idleDay(models);
  return [
    row("writes", seen.writes, "=", 0),
    row("messages", seen.messages, "=", 0),
    row("reads per query and partition", seen.tickReadsPerQuery, "at most", 1440),
    row("jobs of Cloud Scheduler", seen.schedulerJobs, "=", 3),
  ];
};

/** One row as text, below its scenario. */
export const rowText = ({ what, measured, goal, isMet }: Row): string =>
  `  ${what.padEnd(46)} ${String(measured).padStart(10)}  ${goal}${isMet ? "" : "  MISSED"}`;

/** Plays each scenario in turn and gives its rows as soon as they are known. */
export async function* scaleRows(): AsyncGenerator<Row> {
  yield* await storm();
  yield* await withoutGate();
  yield* await submissions();
  yield* await costs();
  yield* await rollouts();
  yield* await hourOldStep();
  yield* await idle(10);
  yield* await idle(100_000);
}
