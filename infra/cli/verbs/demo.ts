/** `continuo demo`, which `npm start` runs: everything on this machine, played in acts on real data. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { call } from "../client.js";
import { examples, readText, width } from "../command.js";
import { root } from "../config.js";
import { exitCodes } from "../errors.js";
import { bold, dim, green, red } from "../format.js";
import { actResults, type ActResults } from "../play-report.js";
import { startPlayer, type Player } from "../player.js";
import { planReply } from "../replies.js";
import { table, wrap } from "../table.js";
import { filesIn, writeWhole } from "../up/folder.js";
import type { Running } from "../up/start.js";
import { instanceText, startInstance, stopOnSignal, upOptions } from "./up.js";
import type { UpOptions } from "./up.js";

const between =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!(value >= min && value <= max)) {
      throw new InvalidArgumentError(`must lie between ${min} and ${max}`);
    }
    return value;
  };

const actsCount = 7;

const actNumbers = (text: string): readonly number[] =>
  text.split(",").map((word) => {
    const act = Number(word);
    if (!Number.isInteger(act) || act < 1 || act > actsCount) {
      throw new InvalidArgumentError(`there are acts 1 to ${actsCount}`);
    }
    return act;
  });

interface DemoFlags extends UpOptions {
  readonly exit?: boolean;
  readonly acts: readonly number[];
  readonly months: number;
  readonly rate: number;
  readonly sample: number;
  readonly limit: number;
}

const resultsFile = (folder: string): string => filesIn(folder).demo;

/** What an earlier demo on this folder came to; null when none was played to its end. */
const playedBefore = (folder: string): ActResults | null => {
  if (!existsSync(resultsFile(folder))) return null;
  const parsed = actResults.safeParse(JSON.parse(readFileSync(resultsFile(folder), "utf8")));
  return parsed.success ? parsed.data : null;
};

/** What every act came to. */
const summary = (results: ActResults): string =>
  [
    "",
    table(
      results,
      [
        { title: "act", cell: ({ act }) => String(act), align: "right" },
        { title: "", cell: ({ isAsExpected }) => (isAsExpected ? "ok" : "FAILED") },
        { title: "seconds", cell: ({ seconds }) => seconds.toFixed(1), align: "right" },
        { title: "what", cell: ({ title }) => title, isFlexible: true },
      ],
      { width, heading: dim },
    ),
    "",
    ...results.flatMap(({ act, isAsExpected, lines }) =>
      lines.map((line, index) => {
        const mark = index > 0 ? "     " : isAsExpected ? green(`act ${act}`) : red(`act ${act}`);
        return `${mark}  ${wrap(line, width - 7, 0).replaceAll("\n", "\n       ")}`;
      }),
    ),
    "",
    succeeded(results)
      ? green(`all ${results.length} acts ended as they must`)
      : red(
          `${results.filter(({ isAsExpected }) => !isAsExpected).length} acts did not end as they must`,
        ),
  ].join("\n");

/** Manifests of the demo's models. */
const manifests = ["flights-late.yaml", "flights-january.yaml"] as const;

const applyManifests = async ({ instance }: Running): Promise<void> => {
  const connection = { address: `${instance.functions}/api`, token: instance.token };
  for (const name of manifests) {
    const { model, version, action } = await call(connection, planReply, {
      method: "POST",
      path: "/manifests",
      body: readText(join(root, "infra", "demo", name)),
    });
    console.log(
      `${name}: ${model} ${action === "unchanged" ? "is unchanged" : "was applied"} (version ${version})`,
    );
  }
};

const play = async (player: Player, running: Running, options: DemoFlags): Promise<ActResults> => {
  const { instance } = running;
  await applyManifests(running);
  return player.play(
    {
      cloud: instance.cloud,
      api: `${instance.functions}/api`,
      token: instance.token,
      projectId: instance.project,
      region: instance.region,
      bucket: instance.bucket,
      folder: options.folder,
      requestsPerSecond: options.rate,
      acts: options.acts,
      monthsMax: options.months,
      sampleShare: options.sample,
      waitSecondsMax: options.limit,
    },
    (line) => {
      console.log(line);
    },
  );
};

const tell = (line: string): void => {
  console.error(line);
};

const succeeded = (results: ActResults): boolean =>
  results.every(({ isAsExpected }) => isAsExpected);

const run = async (options: DemoFlags): Promise<number> => {
  tell("starting the local cloud, the functions and the console");
  const before = options.fresh === true ? null : playedBefore(options.folder);
  // It loads the acts' clients while the system starts.
  const player = before === null ? startPlayer() : null;
  let isStopping = false;
  try {
    const running = await startInstance(options, tell);
    const stop = async (): Promise<void> => {
      isStopping = true;
      await Promise.all([player?.stop(), running.stop()]);
    };
    const stopped = stopOnSignal({ ...running, stop }, tell);
    console.log(`${instanceText(running.instance)}\n`);
    let results: ActResults;
    try {
      results = before ?? (player === null ? [] : await play(player, running, options));
    } catch (error) {
      // Ctrl-C in the middle of an act is no failure.
      if (isStopping) return await stopped;
      await running.stop();
      throw error;
    }
    await player?.stop();
    if (before === null) {
      writeWhole(options.folder, resultsFile(options.folder), JSON.stringify(results));
    }
    console.log(summary(results));
    if (before !== null) {
      console.log(dim("the demo was played on this state; --fresh plays it again"));
    }
    if (options.exit === true) {
      await running.stop();
      return succeeded(results) ? exitCodes.ok : exitCodes.failed;
    }
    console.log(
      `\n${bold("everything stays up")}; Ctrl-C stops it\n${instanceText(running.instance)}`,
    );
    return await stopped;
  } finally {
    await player?.stop();
  }
};

/** Adds the verb. */
export const demo = (program: Command): void => {
  examples(
    upOptions(
      program
        .command("demo")
        .description("start everything and play the acts: real data, real models, real decisions"),
    )
      .option("--exit", "end after the acts: 0 only when each ended as it must")
      .option(
        "--acts <numbers>",
        "only these acts, for example 1,2,7",
        actNumbers,
        Array.from({ length: actsCount }, (_, index) => index + 1),
      )
      .option("--months <count>", "months of data to play", between(1, 6), 6)
      .option("--rate <count>", "requests per second of the live stream", between(1, 5000), 500)
      .option("--sample <share>", "share of the flights that is used", between(0.001, 1), 0.1)
      .option("--limit <seconds>", "longest wait for one run or rollout", between(1, 3600), 240),
    "npm start",
    "npm start -- --fresh --exit",
    "npm start -- --acts 1,2,7 --months 3",
  ).action(async (options: DemoFlags) => {
    process.exitCode = await run(options);
  });
};
