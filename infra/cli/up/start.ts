/** Starts the local cloud and the functions, and keeps them running. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { stop as stopBundler } from "esbuild";
import { functions } from "../../../functions/manifest.js";
import { buildFunctions } from "../../build/functions.js";
import { failed } from "../errors.js";
import { buildFolder, buildProcesses, removeBuild } from "./build.js";
import type { Processes } from "./build.js";
import { keepRunning } from "./child.js";
import type { Child } from "./child.js";
import { bucketOf, functionsEnvironment } from "./environment.js";
import { filesIn, removeFolder, takeFolder, tokenIn, writeWhole } from "./folder.js";
import type { Instance } from "./folder.js";
import { freePort } from "./free-port.js";
import { writeImages } from "./images.js";
import { provisionOnce } from "./provision-once.js";

/** How an instance is started. */
export interface StartOptions {
  readonly root: string;
  readonly folder: string;
  readonly cloudPort: number;
  readonly functionsPort: number;
  readonly project: string;
  readonly region: string;
  /** Flags of the local cloud that pass through, for example `metric-period-ms`. */
  readonly cloudFlags: Readonly<Record<string, string>>;
  /** Functions that are left out, as if they were not in the list. */
  readonly without: readonly string[];
  readonly isFresh: boolean;
  /** Each function in a process of its own, from the bundle that is deployed. */
  readonly isFromBundles: boolean;
  /** Only the cloud, without functions. */
  readonly isCloudOnly: boolean;
  /** The longest wait before a process that died is started again. */
  readonly restartDelayMsMax: number;
  readonly tell: (line: string) => void;
}

/** A running instance. */
export interface Running {
  readonly instance: Instance;
  readonly stop: () => Promise<void>;
}

/** What is being started: the children so far, the last one last. */
interface Starting {
  readonly options: StartOptions;
  readonly processes: Processes;
  readonly children: Child[];
  /** Writes anew what other commands read. */
  readonly announce: () => void;
}

const nodeArgs = (processes: Processes, file: string): readonly string[] => [
  "--import",
  processes.stopWithParent,
  file,
];

const startCloud = async ({ options, processes, children, announce }: Starting): Promise<Child> => {
  const files = filesIn(options.folder);
  let port = options.cloudPort;
  const cloud = await keepRunning(
    {
      name: "local cloud",
      args: () => [
        ...nodeArgs(processes, processes.cloud),
        "--folder",
        files.cloud,
        "--port",
        String(port),
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
      restartDelayMsMax: options.restartDelayMsMax,
      onRestart: announce,
    },
    options.tell,
  );
  children.push(cloud);
  // Started again, it must come back where its clients look for it.
  port = Number(new URL(cloud.address).port);
  if (port !== options.cloudPort) {
    options.tell(`port ${options.cloudPort} is busy; the local cloud uses ${port}`);
  }
  return cloud;
};

const namesServed = ({ without }: StartOptions): readonly string[] => {
  const unknown = without.filter((name) => !functions.some((other) => other.name === name));
  if (unknown.length > 0) throw failed(`there is no function ${unknown.join(", ")} to leave out`);
  return functions.map(({ name }) => name).filter((name) => !without.includes(name));
};

/** The program that serves the functions, with its arguments: all in one process, or each from its own bundle. */
const functionsProgram = async (
  { options, processes }: Starting,
  names: readonly string[],
): Promise<readonly string[]> => {
  if (!options.isFromBundles) return nodeArgs(processes, processes.functions);
  const bundles = join(buildFolder(options.root, options.folder), "functions");
  await buildFunctions(options.root, names, bundles);
  return [
    ...nodeArgs(processes, processes.bundles),
    "--bundles",
    bundles,
    "--stop-with-parent",
    processes.stopWithParent,
  ];
};

const startFunctions = async (starting: Starting, token: string, cloud: Child): Promise<Child> => {
  const { options, processes, children, announce } = starting;
  const names = namesServed(options);
  const program = await functionsProgram(starting, names);
  const port = await freePort(options.functionsPort);
  if (port !== options.functionsPort) {
    options.tell(`port ${options.functionsPort} is busy; the functions use ${port}`);
  }
  const addresses = { cloud: cloud.address, functions: `http://127.0.0.1:${port}` };
  const env = functionsEnvironment(options, addresses, token);
  const serving = keepRunning(
    {
      name: "functions",
      args: () => [...program, "--port", String(port), "--functions", names.join(",")],
      env: () => env,
      logFile: filesIn(options.folder).functionsLog,
      restartDelayMsMax: options.restartDelayMsMax,
      onRestart: announce,
    },
    options.tell,
  ).then((child) => {
    children.push(child);
    return child;
  });
  const provisioning = provisionOnce({
    program: processes.provision,
    template: join(options.root, "infra/pipelines/train.json"),
    functions: names,
    env,
  });
  // Both are awaited to their end, so that whatever was started is known when one of them fails.
  const [started, provisioned] = await Promise.allSettled([serving, provisioning]);
  if (started.status === "rejected") throw started.reason;
  if (provisioned.status === "rejected") throw provisioned.reason;
  if (provisioned.value.length > 0) {
    options.tell(`provisioned: ${provisioned.value.length} changes`);
  }
  return started.value;
};

/** Starts everything; what was started is stopped again when a part of it fails. */
export const start = async (options: StartOptions): Promise<Running> => {
  const { folder, project, region } = options;
  // A slip of the pen is told before anything is started, or removed.
  namesServed(options);
  if (options.isFresh) removeFolder(folder);
  const isContinued = existsSync(filesIn(folder).cloud);
  const giveBack = takeFolder(folder);
  const children: Child[] = [];
  const bundles = buildFolder(options.root, folder);
  let images: Promise<void> = Promise.resolve();
  const stop = async (): Promise<void> => {
    // The functions first: they must not meet a cloud that is going away.
    for (const child of children.toReversed()) await child.stop();
    await images.catch(() => undefined);
    removeBuild(bundles);
    giveBack();
  };
  try {
    const token = tokenIn(folder);
    const processes = await buildProcesses(options.root, bundles, folder);
    images = writeImages(bundles, folder);
    // A new cloud needs them for its first training run only; one that continues starts its predictors at once.
    if (isContinued) await images;
    images.catch(() => undefined);
    const instance = (): Instance => {
      const [cloud, served] = children;
      const address = served?.address ?? cloud?.address ?? "";
      return {
        pid: process.pid,
        cloud: cloud?.address ?? "",
        functions: address,
        console: `${address}/console/?token=${token}`,
        token,
        project,
        region,
        bucket: bucketOf(project),
        pids: Object.fromEntries(
          children.map((child, index) => [index === 0 ? "cloud" : "functions", child.pid()]),
        ),
      };
    };
    const announce = (): void => {
      writeWhole(folder, filesIn(folder).instance, JSON.stringify(instance(), null, 2));
    };
    const starting: Starting = { options, processes, children, announce };
    const cloud = await startCloud(starting);
    if (isContinued) options.tell(`continuing from the state in ${folder}`);
    if (!options.isCloudOnly) await startFunctions(starting, token, cloud);
    await images;
    // The bundler's process is not needed any more and takes memory.
    await stopBundler();
    announce();
    return { instance: instance(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
