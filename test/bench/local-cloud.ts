/** The local cloud beside Google's emulators: same client, same work, in turns; medians with their spread. */
import { availableParallelism, loadavg } from "node:os";
import { adminTransactions, rawTransactions } from "./local-cloud-firestore.js";
import { printProfile } from "./local-cloud-profile.js";
import {
  publishThroughput,
  pullThroughput,
  pushLatency,
  pushThroughput,
} from "./local-cloud-pubsub.js";
import {
  bundleCloud,
  residentMb,
  startCloud,
  startGoogleFirestore,
  startGooglePubsub,
  type Server,
} from "./local-cloud-servers.js";

const rounds = 5;

interface Measure {
  readonly what: string;
  readonly unit: string;
  /** Bound of ours divided by theirs, as a floor or as a ceiling. */
  readonly goal: { readonly atLeast: number } | { readonly atMost: number } | undefined;
  readonly take: (port: number) => Promise<number>;
  /** How many of what a rate counts one taking does; said where the client may be what limits the rate. */
  readonly count?: number;
}

const pubsubMeasures: readonly Measure[] = [
  { what: "push latency p50", unit: "ms", goal: { atMost: 0.05 }, take: pushLatency },
  { what: "push", unit: "/s", goal: { atLeast: 2 }, take: pushThroughput },
  { what: "StreamingPull", unit: "/s", goal: { atLeast: 1 }, take: pullThroughput },
  { what: "publish", unit: "/s", goal: { atLeast: 0.25 }, take: publishThroughput },
];
const firestoreMeasures: readonly Measure[] = [
  {
    what: "transactions, 1 firebase-admin client",
    unit: "/s",
    goal: { atLeast: 5 },
    take: adminTransactions(1, 300),
    count: 300,
  },
  {
    what: "transactions, 64 firebase-admin clients",
    unit: "/s",
    goal: { atLeast: 3 },
    take: adminTransactions(64, 30),
    count: 1920,
  },
  {
    what: "transactions, 1 generated client",
    unit: "/s",
    goal: undefined,
    take: rawTransactions(1, 300),
    count: 300,
  },
  {
    what: "transactions, 64 generated clients",
    unit: "/s",
    goal: undefined,
    take: rawTransactions(64, 30),
    count: 1920,
  },
];

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(2));

const spread = (values: readonly number[], unit: string): string =>
  values.length === 0
    ? "absent"
    : `${figure(median(values))} ${unit} (${figure(Math.min(...values))}-${figure(Math.max(...values))})`;

const goalText = (goal: Measure["goal"], ratio: number): string => {
  if (goal === undefined) return "";
  const [text, isMet] =
    "atLeast" in goal
      ? [`at least ${goal.atLeast}x`, ratio >= goal.atLeast]
      : [`at most ${goal.atMost}x`, ratio <= goal.atMost];
  return `${text}${Number.isNaN(ratio) ? "" : isMet ? ", met" : ", NOT met"}`;
};

const line = (cells: readonly string[]): void => {
  const widths = [40, 30, 30, 8, 24];
  console.log(cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(" "));
};

/** What the client of a measure takes of its one processor: no server could be faster for it. */
const clientBound = (clientMs: readonly number[], count: number, theirs: number): string => {
  const each = median(clientMs) / count;
  const ratio = Number.isNaN(theirs) ? "" : ` (${(1000 / each / theirs).toFixed(1)}x)`;
  return `  the client alone takes ${each.toFixed(2)} ms of its processor for one: at most ${figure(1000 / each)} /s${ratio}`;
};

/** Takes each measure in turns, after a round that only warms both up. */
const compare = async (
  measures: readonly Measure[],
  ours: Server,
  theirs: Server | undefined,
): Promise<void> => {
  for (const { what, unit, goal, take, count } of measures) {
    const results = { ours: [] as number[], theirs: [] as number[] };
    const clientMs: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const turns = [
        async () => {
          const before = process.cpuUsage();
          results.ours.push(await take(ours.port));
          const { user, system } = process.cpuUsage(before);
          clientMs.push((user + system) / 1000);
        },
        async () => (theirs === undefined ? 0 : results.theirs.push(await take(theirs.port))),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    }
    const [mine, google] = [results.ours.slice(1), results.theirs.slice(1)];
    const ratio = median(mine) / median(google);
    line([
      what,
      spread(mine, unit),
      spread(google, unit),
      Number.isNaN(ratio) ? "" : `${ratio.toFixed(3)}x`,
      goalText(goal, ratio),
    ]);
    if (count !== undefined) console.log(clientBound(clientMs.slice(1), count, median(google)));
  }
};

const coldStarts = async (bundle: string): Promise<void> => {
  const times: number[] = [];
  const sizes: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    const cloud = await startCloud([bundle]);
    const reply = await fetch(`http://127.0.0.1:${cloud.port}/v1/projects/continuo-demo/topics`);
    if (reply.ok) times.push(performance.now() - startedAt);
    if (cloud.pid !== undefined) sizes.push(residentMb(cloud.pid));
    await cloud.stop();
  }
  line([
    "cold start to the first reply, all services",
    spread(times, "ms"),
    "",
    "",
    "at most 1000 ms",
  ]);
  line(["memory after it", spread(sizes, "MB"), "", "", "at most 150 MB"]);
};

/** What surviving a loss of power costs: the same work with and without a flush of the disk before each answer. */
const durablePrice = async (bundle: string): Promise<void> => {
  const flags = ["--project", "demo-project"];
  const usual = await startCloud([bundle], flags);
  const safe = await startCloud([bundle], [...flags, "--durable", "power"]);
  line(["", "--durable power", "--durable process", "ratio", ""]);
  const measures = [pubsubMeasures.slice(3), firestoreMeasures.slice(2)].flat();
  await compare(
    measures.map((measure) => ({ ...measure, goal: undefined })),
    safe,
    usual,
  );
  await usual.stop();
  await safe.stop();
};

/** What can be measured alone, by the name that asks for it. */
const parts = ["pubsub", "firestore", "start", "durable", "profile"] as const;

/** Prints the local cloud's figures beside those of Google's emulators; all parts, or those that are named. */
export const benchLocalCloud = async (named: readonly string[]): Promise<void> => {
  const unknown = named.find((name) => !parts.some((part) => part === name));
  if (unknown !== undefined) {
    throw new Error(
      `No part is called ${unknown}: name some of ${parts.join(", ")}, or none for all`,
    );
  }
  const isAsked = (part: (typeof parts)[number]): boolean =>
    named.length === 0 || named.includes(part);
  console.log(
    `${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(2)}, node ${process.version}; median of ${rounds} (least-most)\n`,
  );
  line(["", "local cloud", "Google's emulator", "ratio", "goal"]);
  const bundle = await bundleCloud();
  const ours = await startCloud([bundle], ["--project", "demo-project"]);
  try {
    if (isAsked("pubsub")) {
      const pubsub = await startGooglePubsub();
      await compare(pubsubMeasures, ours, pubsub);
      await pubsub?.stop();
    }
    if (isAsked("firestore")) {
      const firestore = await startGoogleFirestore();
      await compare(firestoreMeasures, ours, firestore);
      await firestore?.stop();
    }
  } finally {
    await ours.stop();
  }
  if (isAsked("start")) await coldStarts(bundle);
  if (isAsked("durable")) await durablePrice(bundle);
  if (isAsked("profile"))
    await printProfile([...pubsubMeasures.slice(1), ...firestoreMeasures.slice(1)]);
};
