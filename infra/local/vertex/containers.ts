/** Runs container images as child processes of the local cloud, from an allow-list. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import type { CloudContext } from "../cloud.js";
import { RpcError } from "../protocol/service.js";
import { expandVariables, resolveImage } from "./images.js";
import { linesOf } from "./lines.js";
import { processStartTime, signalGroup } from "./process-identity.js";

/** What to run. */
interface ContainerOptions {
  /** An image reference; the tag and digest do not matter for finding the local command. */
  readonly image: string;
  /** Overrides the image's entrypoint; only for images with `hostCommands`. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly onLog?: (line: string, stream: "stdout" | "stderr") => void;
}

/** How a container ended. */
export interface ContainerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running container. */
export interface Container {
  readonly pid: number;
  /** Resolves once the process and its output have ended; never rejects. */
  readonly exited: Promise<ContainerExit>;
  /** Asks the whole process group to end, and ends it for good after `graceMs`. */
  readonly stop: (graceMs: number) => Promise<ContainerExit>;
}

/** The containers of one local cloud. */
export interface Containers {
  /** Starts a container; throws RpcError FAILED_PRECONDITION, naming the file, when its image is not allowed. */
  readonly startContainer: (options: ContainerOptions) => Promise<Container>;
  /** Ends what a crashed predecessor left running; done once, also by the first start of a container. */
  readonly endOrphans: () => void;
  /** Ends all containers; called when the cloud stops. */
  readonly stopAll: (graceMs?: number) => Promise<void>;
}

/**
 * What a container's process does before it becomes the program: it waits for a line, which the cloud sends when it has
 * written the process down. One whose cloud was killed before that ends, because nobody would find it.
 */
const waitsToBeKnown = 'read -r _ && exec "$@" < /dev/null';

const outputDrainMsMax = 2_000;
const stopGraceMs = 2_000;

/** A container sees this path only, so that it runs the same however the cloud was started. */
const containerPath = (): string =>
  [dirname(process.execPath), "/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"].join(
    delimiter,
  );

const canRun = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Whether a shell in that folder, with that search path, finds the program. */
const isExecutable = (program: string, cwd: string, searchPath: string): boolean =>
  (program.includes("/")
    ? [resolve(cwd, program)]
    : searchPath.split(delimiter).map((folder) => join(folder, program))
  ).some(canRun);

const makeContainers = (context: CloudContext): Containers => {
  context.db.exec(
    "CREATE TABLE IF NOT EXISTS vertex_containers (pid INTEGER PRIMARY KEY, started TEXT NOT NULL, image TEXT NOT NULL)",
  );
  const remember = context.db.prepare(
    "INSERT OR REPLACE INTO vertex_containers (pid, started, image) VALUES (?, ?, ?)",
  );
  const forget = context.db.prepare("DELETE FROM vertex_containers WHERE pid = ?");
  const forgetIfOpen = (pid: number): void => {
    // A container may outlive the database when the cloud is stopped without waiting.
    if (context.db.open) forget.run(pid);
  };
  const running = new Map<number, Container>();
  let orphansEnded = false;

  const endOrphans = (): void => {
    if (orphansEnded) return;
    orphansEnded = true;
    const rows = context.db
      .prepare("SELECT pid, started, image FROM vertex_containers")
      .all() as readonly {
      pid: number;
      started: string;
      image: string;
    }[];
    for (const row of rows) {
      if (processStartTime(row.pid) === row.started) {
        context.log(`ending container ${row.image} (pid ${row.pid}) left by an earlier run`);
        signalGroup(row.pid, "SIGKILL");
      }
      forget.run(row.pid);
    }
  };

  const killAllNow = (): void => {
    for (const pid of running.keys()) signalGroup(pid, "SIGKILL");
  };

  const startContainer = async (options: ContainerOptions): Promise<Container> => {
    endOrphans();
    const local = resolveImage(context.settings.imagesFile, options);
    const env: Record<string, string> = {
      PATH: containerPath(),
      HOME: homedir(),
      STORAGE_EMULATOR_HOST: context.address(),
      CONTINUO_LOCAL: "1",
      ...local.env,
      ...options.env,
    };
    const cwd = options.cwd ?? context.settings.folder;
    mkdirSync(cwd, { recursive: true });
    const program = expandVariables(local.program, env);
    if (!isExecutable(program, cwd, env["PATH"] ?? "")) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `Image "${options.image}" cannot start: ${program} (from ${context.settings.imagesFile}) is no program that can be run here.`,
      );
    }
    const args = local.args.map((argument) => expandVariables(argument, env));
    const child = spawn("/bin/sh", ["-c", waitsToBeKnown, "sh", program, ...args], {
      cwd,
      env,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const drained = Promise.all([
      linesOf(child.stdout, (line) => options.onLog?.(line, "stdout")),
      linesOf(child.stderr, (line) => options.onLog?.(line, "stderr")),
    ]);
    const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    ended.catch(() => undefined);
    await once(child, "spawn");
    const pid = child.pid ?? 0;
    remember.run(pid, processStartTime(pid) ?? "", options.image);
    // Whoever has ended before it was let in tells so by its exit.
    child.stdin.on("error", () => undefined);
    child.stdin.end("\n");

    const finish = async (): Promise<ContainerExit> => {
      const [code, signal] = await ended;
      // Whatever the container started itself must not outlive it, nor hold its output open.
      signalGroup(pid, "SIGKILL");
      const limit = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, outputDrainMsMax);
      await drained;
      clearTimeout(limit);
      running.delete(pid);
      if (running.size === 0) process.off("exit", killAllNow);
      forgetIfOpen(pid);
      return { code, signal };
    };
    const exited = finish();
    const stop = async (graceMs: number): Promise<ContainerExit> => {
      if (!running.has(pid)) return exited;
      signalGroup(pid, "SIGTERM");
      const kill = setTimeout(() => signalGroup(pid, "SIGKILL"), graceMs);
      const exit = await exited;
      clearTimeout(kill);
      return exit;
    };
    const container: Container = { pid, exited, stop };
    if (running.size === 0) process.on("exit", killAllNow);
    running.set(pid, container);
    return container;
  };

  return {
    startContainer,
    endOrphans,
    stopAll: async (graceMs = stopGraceMs) => {
      await Promise.all([...running.values()].map((container) => container.stop(graceMs)));
    },
  };
};

const made = new WeakMap<CloudContext["db"], Containers>();

/** The containers of a cloud: one table of processes, whichever service asks. */
export const containersOf = (context: CloudContext): Containers => {
  const known = made.get(context.db);
  if (known !== undefined) return known;
  const containers = makeContainers(context);
  made.set(context.db, containers);
  return containers;
};
