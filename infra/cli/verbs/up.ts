/** `continuo up` and `continuo cloud`: the whole on this machine, until Ctrl-C. */
import process from "node:process";
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { root, settings } from "../config.js";
import { examples } from "../command.js";
import { exitCodes, failed } from "../errors.js";
import { bold, dim } from "../format.js";
import { readInstance } from "../up/folder.js";
import type { Instance } from "../up/folder.js";
import type { Running } from "../up/start.js";

const integer = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
};

const portNumber = (text: string): number => {
  const port = integer(text);
  if (port > 65_535) throw new InvalidArgumentError("must be at most 65535");
  return port;
};

const list = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** Options of every verb that starts an instance. */
export interface UpOptions {
  readonly folder: string;
  readonly cloudPort: number;
  readonly port: number;
  readonly project: string;
  readonly region: string;
  readonly fresh?: boolean;
  readonly without: readonly string[];
  readonly metricPeriodMs?: number;
  readonly metricDelayMs?: number;
  readonly deployDelayMs?: number;
  readonly restartDelayMsMax: number;
  readonly bundles?: boolean;
  readonly durable?: string;
}

/** Adds those options to a command. */
export const upOptions = (command: Command): Command =>
  command
    .option("--folder <folder>", "state folder", settings.folder)
    .option(
      "--cloud-port <port>",
      "port of the local cloud, or the next free one",
      portNumber,
      8790,
    )
    .option("--port <port>", "port of the functions, or the next free one", portNumber, 8800)
    .option("--project <id>", "project id of the local cloud", "continuo-demo")
    .option("--region <region>", "region of the local cloud", "us-central1")
    .option("--fresh", "begin anew: removes the state folder")
    .option("--bundles", "serve each function from the bundle that is deployed, in its own process")
    .option("--without <function>", "leave a function out; may be repeated", list, [])
    .option("--metric-period-ms <ms>", "width of one metric sample", integer)
    .option("--metric-delay-ms <ms>", "how late metric samples become visible", integer)
    .option("--deploy-delay-ms <ms>", "how long a deployment takes", integer)
    .option(
      "--restart-delay-ms-max <ms>",
      "longest wait before a process that died is started again",
      integer,
      15_000,
    )
    .addOption(
      new Option(
        "--durable <what>",
        "what an acknowledgement survives: the end of the process, or also a loss of power",
      ).choices(["process", "power"]),
    );

const cloudFlags = (options: UpOptions): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [
      ["metric-period-ms", options.metricPeriodMs] as const,
      ["metric-delay-ms", options.metricDelayMs] as const,
      ["deploy-delay-ms", options.deployDelayMs] as const,
      ["durable", options.durable] as const,
    ].flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );

/** Starts an instance as a verb's options say. */
export const startInstance = async (
  options: UpOptions,
  tell: (line: string) => void,
  isCloudOnly = false,
): Promise<Running> => {
  // The bundler is loaded only by the commands that start something.
  const { start } = await import("../up/start.js");
  return start({
    root,
    folder: options.folder,
    cloudPort: options.cloudPort,
    functionsPort: options.port,
    project: options.project,
    region: options.region,
    cloudFlags: cloudFlags(options),
    isFromBundles: options.bundles === true,
    without: options.without,
    isFresh: options.fresh === true,
    isCloudOnly,
    restartDelayMsMax: options.restartDelayMsMax,
    tell,
  });
};

/** Stops everything once, on the first signal; a second signal does not wait. */
export const stopOnSignal = (running: Running, tell: (line: string) => void): Promise<number> =>
  new Promise((resolve) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(exitCodes.failed);
      isStopping = true;
      tell("stopping");
      running.stop().then(
        () => {
          resolve(signal === "SIGINT" || signal === "SIGTERM" ? exitCodes.ok : exitCodes.failed);
        },
        (error: unknown) => {
          tell(error instanceof Error ? error.message : String(error));
          resolve(exitCodes.failed);
        },
      );
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    process.on("SIGHUP", stop);
  });

/** Where everything is. */
export const instanceText = (instance: Instance): string =>
  [
    `${bold("console")}      ${instance.console}`,
    `api          ${instance.functions}/api`,
    `local cloud  ${instance.cloud}  ${dim(`project ${instance.project}, bucket ${instance.bucket}`)}`,
  ].join("\n");

/** Variables with which clients and jobs find the local cloud. */
const cloudVariables = (instance: Instance): Readonly<Record<string, string>> => {
  const host = new URL(instance.cloud).host;
  const overrides = [
    "AIPLATFORM",
    "PUBSUB",
    "CLOUDSCHEDULER",
    "LOGGING",
    "MONITORING",
    "STORAGE",
    "FIRESTORE",
  ];
  return {
    GOOGLE_CLOUD_PROJECT: instance.project,
    PUBSUB_EMULATOR_HOST: host,
    FIRESTORE_EMULATOR_HOST: host,
    STORAGE_EMULATOR_HOST: instance.cloud,
    CONTINUO_LOCAL_CLOUD: instance.cloud,
    CLOUDSDK_CORE_PROJECT: instance.project,
    CLOUDSDK_AUTH_DISABLE_CREDENTIALS: "true",
    ...Object.fromEntries(
      overrides.map((name) => [`CLOUDSDK_API_ENDPOINT_OVERRIDES_${name}`, `${instance.cloud}/`]),
    ),
  };
};

const variablesText = (instance: Instance, isJson: boolean | undefined): string =>
  isJson === true
    ? JSON.stringify(cloudVariables(instance), null, 2)
    : Object.entries(cloudVariables(instance))
        .map(([name, value]) => `export ${name}=${value}`)
        .join("\n");

const tell = (line: string): void => {
  console.error(line);
};

/** Adds the verbs. */
export const up = (program: Command): void => {
  examples(
    upOptions(
      program
        .command("up")
        .description("start the local cloud, the functions and the console; Ctrl-C stops them"),
    ),
    "continuo up",
    "continuo up --fresh --port 9000",
  ).action(async (options: UpOptions) => {
    const running = await startInstance(options, tell);
    console.log(instanceText(running.instance));
    process.exitCode = await stopOnSignal(running, tell);
  });

  const cloud = examples(
    upOptions(
      program.command("cloud").description("start only the local cloud; Ctrl-C stops it"),
    ).option("--json", "print the variables as JSON for programs"),
    "continuo cloud",
    'eval "$(continuo cloud env)"',
  ).action(async (options: UpOptions & { readonly json?: boolean }) => {
    const running = await startInstance(options, tell, true);
    console.log(variablesText(running.instance, options.json));
    process.exitCode = await stopOnSignal(running, tell);
  });
  cloud
    .command("env")
    .description("print the variables with which clients find the running local cloud")
    .option("--folder <folder>", "state folder", settings.folder)
    .option("--json", "print JSON for programs")
    .action((_options: object, command: Command) => {
      // "cloud" has options of the same names, and takes them wherever they stand.
      const options = command.optsWithGlobals<{ folder: string; json?: boolean }>();
      const instance = readInstance(options.folder);
      if (instance === null) {
        throw failed(
          `nothing runs on ${options.folder}; start it with "continuo up" or "continuo cloud"`,
        );
      }
      console.log(variablesText(instance, options.json));
    });
};
