/** Starts the local cloud and the functions, and keeps them running. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { stop as stopBundler } from "esbuild";
import { z } from "zod";
import { functions } from "../../../functions/manifest.js";
import { failed } from "../errors.js";
import { buildProcesses } from "./build.js";
import type { Processes } from "./build.js";
import { keepRunning } from "./child.js";
import type { Child } from "./child.js";
import { filesIn, removeFolder, takeFolder, tokenIn, writeWhole } from "./folder.js";
import type { Instance } from "./folder.js";
import { freePort } from "./free-port.js";
import { buildImagesInto } from "./images.js";

/** How an instance is started. */
export interface StartOptions {
  readonly root: string;
  readonly folder: string;
  readonly cloudPort: number;
  readonly functionsPort: number;
  readonly project: string;
  readonly region: string;
  /** Flags of the local cloud that pass through, for example `--metric-period-ms`. */
  readonly cloudFlags: Readonly<Record<string, string>>;
  /** Functions that are left out, as if they were not in the list. */
  readonly without: readonly string[];
  readonly isFresh: boolean;
  /** Only the cloud, without functions. */
  readonly isCloudOnly: boolean;
  readonly tell: (line: string) => void;
}

/** A running instance. */
export interface Running {
  readonly instance: Instance;
  readonly stop: () => Promise<void>;
}

const run = promisify(execFile);
const provisionTimeoutMs = 60_000;
const provisionReply = z.object({ changes: z.array(z.string()) });

const nodeArgs = (processes: Processes, file: string): readonly string[] => [
  "--import",
  processes.stopWithParent,
  file,
];

const startCloud = async (
  options: StartOptions,
  processes: Processes,
  port: { current: number },
): Promise<Child> => {
  const files = filesIn(options.folder);
  const cloud = await keepRunning(
    {
      name: "local cloud",
      args: () => [
        ...nodeArgs(processes, processes.cloud),
        "--folder",
        files.cloud,
        "--port",
        String(port.current),
        "--project",
        options.project,
        "--region",
        options.region,
        "--images",
        files.images,
        ...Object.entries(options.cloudFlags).flatMap(([name, value]) => [`--${name}`, value]),
      ],
      env: () => process.env,
      logFile: files.cloudLog,
    },
    options.tell,
  );
  // Started again, it must come back where its clients look for it.
  port.current = Number(new URL(cloud.address).port);
  return cloud;
};

const environmentOf = (
  options: StartOptions,
  addresses: { readonly cloud: string; readonly functions: string },
  token: string,
): Readonly<Record<string, string | undefined>> => ({
  ...process.env,
  NODE_ENV: "production",
  CONTINUO_PROJECT: options.project,
  CONTINUO_REGION: options.region,
  CONTINUO_BUCKET: bucketOf(options.project),
  CONTINUO_IDENTITY: `continuo@${options.project}.iam.gserviceaccount.com`,
  CONTINUO_PUSH_AUDIENCE: addresses.functions,
  CONTINUO_PUSH_IDENTITY: `push@${options.project}.iam.gserviceaccount.com`,
  CONTINUO_JWKS_URL: `${addresses.cloud}/oauth2/v3/certs`,
  CONTINUO_LOCAL_CLOUD: addresses.cloud,
  CONTINUO_API_TOKEN: token,
  CONTINUO_CONSOLE_URL: `${addresses.functions}/console/`,
});

/** The bucket of artifacts of a project. */
export const bucketOf = (project: string): string => `${project}-continuo`;

const provision = async (
  processes: Processes,
  template: string,
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly string[]> => {
  try {
    const { stdout } = await run(
      process.execPath,
      [processes.provision, "--functions", names.join(","), "--template", template],
      { env, timeout: provisionTimeoutMs, maxBuffer: 4 * 1024 * 1024 },
    );
    return provisionReply.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}")).changes;
  } catch (error) {
    throw failed(
      `topics and subscriptions could not be made: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
};

const namesServed = (options: StartOptions): readonly string[] => {
  const unknown = options.without.filter((name) => !functions.some((other) => other.name === name));
  if (unknown.length > 0) throw failed(`there is no function ${unknown.join(", ")} to leave out`);
  return functions.map(({ name }) => name).filter((name) => !options.without.includes(name));
};

const startFunctions = async (
  options: StartOptions,
  processes: Processes,
  cloud: Child,
): Promise<{ readonly child: Child; readonly instance: Instance }> => {
  const names = namesServed(options);
  const token = tokenIn(options.folder);
  const port = await freePort(options.functionsPort);
  if (port !== options.functionsPort) {
    options.tell(`port ${options.functionsPort} is busy; the functions use ${port}`);
  }
  const addresses = { cloud: cloud.address, functions: `http://127.0.0.1:${port}` };
  const env = environmentOf(options, addresses, token);
  const [child, changes] = await Promise.all([
    keepRunning(
      {
        name: "functions",
        args: () => [
          ...nodeArgs(processes, processes.functions),
          "--port",
          String(port),
          "--functions",
          names.join(","),
        ],
        env: () => env,
        logFile: filesIn(options.folder).functionsLog,
      },
      options.tell,
    ),
    provision(processes, join(options.root, "infra/pipelines/train.json"), names, env),
  ]);
  if (changes.length > 0) options.tell(`provisioned: ${changes.length} changes`);
  return {
    child,
    instance: {
      ...addresses,
      pid: process.pid,
      console: `${addresses.functions}/console/?token=${token}`,
      token,
      project: options.project,
      region: options.region,
      bucket: bucketOf(options.project),
      pids: { cloud: cloud.pid(), functions: child.pid() },
    },
  };
};

/** Starts everything; what was started is stopped again when a part of it fails. */
export const start = async (options: StartOptions): Promise<Running> => {
  const { folder, tell } = options;
  if (options.isFresh) removeFolder(folder);
  const isContinued = existsSync(filesIn(folder).cloud);
  const giveBack = takeFolder(folder);
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    // The functions first: they must not meet a cloud that is going away.
    for (const child of children.toReversed()) await child.stop();
    giveBack();
  };
  try {
    const [processes] = await Promise.all([
      buildProcesses(options.root),
      buildImagesInto(options.root, folder),
    ]);
    // Its process is not needed any more and takes memory.
    await stopBundler();
    const port = { current: options.cloudPort };
    const cloud = await startCloud(options, processes, port);
    children.push(cloud);
    if (port.current !== options.cloudPort) {
      tell(`port ${options.cloudPort} is busy; the local cloud uses ${port.current}`);
    }
    if (isContinued) tell(`continuing from the state in ${folder}`);
    if (options.isCloudOnly) {
      const instance: Instance = {
        pid: process.pid,
        cloud: cloud.address,
        functions: cloud.address,
        console: cloud.address,
        token: "",
        project: options.project,
        region: options.region,
        bucket: bucketOf(options.project),
        pids: { cloud: cloud.pid() },
      };
      writeWhole(folder, filesIn(folder).instance, JSON.stringify(instance, null, 2));
      return { instance, stop };
    }
    const started = await startFunctions(options, processes, cloud);
    children.push(started.child);
    writeWhole(folder, filesIn(folder).instance, JSON.stringify(started.instance, null, 2));
    return { instance: started.instance, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
