/** `continuo demo`, which `npm start` runs: everything on this machine, played in acts on real data. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { z } from "zod";
import type { ActResult } from "../../demo/play.js";
import { call } from "../client.js";
import { examples, readText, width } from "../command.js";
import { root } from "../config.js";
import { exitCodes } from "../errors.js";
import { bold, dim, green, red } from "../format.js";
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
}

const resultsSchema = z.array(
  z.object({
    act: z.number(),
    title: z.string(),
    isAsExpected: z.boolean(),
    lines: z.array(z.string()),
    seconds: z.number(),
  }),
);

const resultsFile = (folder: string): string => filesIn(folder).demo;

/** What an earlier demo on this folder came to; null when none was played to its end. */
const playedBefore = (folder: string): readonly ActResult[] | null => {
  if (!existsSync(resultsFile(folder))) return null;
  const parsed = resultsSchema.safeParse(JSON.parse(readFileSync(resultsFile(folder), "utf8")));
  return parsed.success ? parsed.data : null;
};

/** What every act came to. */
const summary = (results: readonly ActResult[]): string =>
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
      lines.map((line, index) =>
        wrap(
          `${index === 0 ? (isAsExpected ? green(`act ${act}`) : red(`act ${act}`)) : "     "}  ${line.trimStart()}`,
          width + (index === 0 ? 10 : 0),
          7,
        ),
      ),
    ),
    "",
    results.every(({ isAsExpected }) => isAsExpected)
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

const play = async (
  running: Running,
  options: DemoFlags,
  signal: AbortSignal,
): Promise<readonly ActResult[]> => {
  const { instance } = running;
  await applyManifests(running);
  // The acts load Google's clients, which no other command needs.
  const { playDemo } = await import("../../demo/main.js");
  return playDemo({
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
    say: (line) => {
      console.log(line);
    },
    signal,
  });
};

const tell = (line: string): void => {
  console.error(line);
};

const run = async (options: DemoFlags): Promise<number> => {
  tell("starting the local cloud, the functions and the console");
  const running = await startInstance(options, tell);
  console.log(`${instanceText(running.instance)}\n`);
  const abort = new AbortController();
  process.once("SIGINT", () => {
    abort.abort(new Error("stopped"));
  });
  process.once("SIGTERM", () => {
    abort.abort(new Error("stopped"));
  });
  const stopped = stopOnSignal(running, tell);
  const before = playedBefore(options.folder);
  if (before !== null) {
    console.log(summary(before));
    console.log(dim("the demo was played on this state; --fresh plays it again"));
  }
  try {
    const results = before ?? (await play(running, options, abort.signal));
    if (before === null) {
      writeWhole(options.folder, resultsFile(options.folder), JSON.stringify(results));
      console.log(summary(results));
    }
    if (options.exit === true) {
      await running.stop();
      return results.every(({ isAsExpected }) => isAsExpected) ? exitCodes.ok : exitCodes.failed;
    }
  } catch (error) {
    if (!abort.signal.aborted) {
      await running.stop();
      throw error;
    }
  }
  if (!abort.signal.aborted) {
    console.log(
      `\n${bold("everything stays up")}; Ctrl-C stops it\n${instanceText(running.instance)}`,
    );
  }
  return stopped;
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
      .option("--sample <share>", "share of the flights that is used", between(0.001, 1), 0.1),
    "npm start",
    "npm start -- --fresh --exit",
    "npm start -- --acts 1,2,7 --months 3",
  ).action(async (options: DemoFlags) => {
    const code = await run(options);
    // Clients of the played acts may keep sockets open that nobody needs any more.
    process.exit(code);
  });
};
