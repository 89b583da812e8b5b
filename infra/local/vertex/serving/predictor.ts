/** One model's container, watched: started, probed, restarted after its death, and asked for predictions. */
import { RpcError } from "../../protocol/service.js";
import type { Container, ContainerExit, Containers } from "../containers.js";
import type { PredictorOptions } from "./predictor-options.js";
import { acceptsConnections, reservePort, upstream, type UpstreamReply } from "./upstream.js";

const startupProbeMsMin = 50;
const startupProbeMsMax = 1_000;
const restartMsMin = 500;
const restartMsMax = 30_000;
/** A container that ran this long has earned a quick restart again. */
const settledMs = 60_000;
const stopGraceMs = 2_000;
const lastLinesMax = 20;
const lastLineLengthMax = 500;

/** Where a container stands. */
export type PredictorPhase = "starting" | "healthy" | "unhealthy" | "down" | "stopped";

/** A request for predictions, in the container's own terms. */
export interface PredictorRequest {
  readonly contentType: string;
  readonly body: Buffer | string;
  readonly timeoutMs: number;
  readonly replyBytesMax: number;
}

/** What its surroundings give a predictor. */
export interface PredictorWorld {
  readonly containers: Pick<Containers, "startContainer">;
  readonly now: () => number;
  readonly log: (line: string) => void;
  readonly onLog: (line: string, stream: "stdout" | "stderr") => void;
}

/** A watched container. */
export interface Predictor {
  readonly phase: () => PredictorPhase;
  readonly sinceMs: () => number;
  readonly pid: () => number | undefined;
  /** Resolves at the first healthy answer; rejects when the container dies or takes too long before it. */
  readonly becameHealthy: Promise<void>;
  readonly predict: (request: PredictorRequest) => Promise<UpstreamReply>;
  readonly stop: () => Promise<void>;
}

const firstHealth = (): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
} => {
  let settle:
    { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever deploys awaits it; for a model that is deployed already nobody does.
  promise.catch(() => undefined);
  return {
    promise,
    resolve: () => settle?.resolve(),
    reject: (error) => settle?.reject(error),
  };
};

const describeExit = ({ code, signal }: ContainerExit): string =>
  signal === null ? `exited with code ${code ?? "unknown"}` : `was ended by ${signal}`;

/**
 * Starts a predictor. `isKept` is for a model that is deployed already: its container is restarted until it is
 * healthy. A model being deployed has one try.
 */
export const startPredictor = (
  world: PredictorWorld,
  options: PredictorOptions,
  isKept: boolean,
): Predictor => {
  let phase: PredictorPhase = "starting";
  let sinceMs = world.now();
  let container: Container | undefined;
  let port = 0;
  let restarts = 0;
  let hasBeenHealthy = isKept;
  const lastLines: string[] = [];
  const connections = upstream();
  const ending = new AbortController();
  const ready = firstHealth();

  const enter = (next: PredictorPhase): void => {
    if (phase === next || phase === "stopped") return;
    phase = next;
    sinceMs = world.now();
    world.log(`predictor ${options.label} is ${next}`);
  };

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      if (ending.signal.aborted) {
        resolve();
        return;
      }
      const finish = (): void => {
        clearTimeout(timer);
        ending.signal.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      ending.signal.addEventListener("abort", finish);
    });

  const isHealthy = async (): Promise<boolean> => {
    try {
      const { code } = await connections.send({
        port,
        method: "GET",
        path: options.healthRoute,
        timeoutMs: options.health.timeoutMs,
        replyBytesMax: 1_000_000,
      });
      return code === 200;
    } catch {
      return false;
    }
  };

  const lastWords = (): string =>
    lastLines.length === 0 ? "It wrote no log." : `Its last lines: ${lastLines.join(" | ")}`;

  const failedToStart = (what: string): RpcError =>
    new RpcError(
      "FAILED_PRECONDITION",
      `${what} (image ${options.image}, health route ${options.healthRoute}). ${lastWords()}`,
    );

  /** Probes until the container answers 200 for the first time. */
  const awaitStartup = async (running: Container): Promise<boolean> => {
    const deadlineMs = performance.now() + options.startupMsMax;
    let waitMs = startupProbeMsMin;
    const isWanted = (): boolean => container === running && !ending.signal.aborted;
    while (isWanted()) {
      if (await isHealthy()) return true;
      if (performance.now() >= deadlineMs) {
        ready.reject(
          failedToStart(
            `Model server never became ready: it did not answer 200 within ${options.startupMsMax} ms`,
          ),
        );
        if (!hasBeenHealthy) return false;
      }
      await pause(waitMs);
      waitMs = Math.min(waitMs * 1.5, startupProbeMsMax);
    }
    return false;
  };

  /** Four failures in a row stop the traffic; a port that takes no connection for as long ends the container. */
  const watch = async (running: Container): Promise<void> => {
    let healthFailures = 0;
    let livenessFailures = 0;
    const isWatched = (): boolean => container === running && !ending.signal.aborted;
    const watchHealth = async (): Promise<void> => {
      for (;;) {
        await pause(options.health.periodMs);
        if (!isWatched()) return;
        healthFailures = (await isHealthy()) ? 0 : healthFailures + 1;
        if (!isWatched()) return;
        if (healthFailures === 0) enter("healthy");
        else if (healthFailures >= options.health.failuresMax) enter("unhealthy");
      }
    };
    const watchLiveness = async (): Promise<void> => {
      for (;;) {
        await pause(options.liveness.periodMs);
        if (!isWatched()) return;
        const isAlive = await acceptsConnections(port, options.liveness.timeoutMs);
        livenessFailures = isAlive ? 0 : livenessFailures + 1;
        if (livenessFailures >= options.liveness.failuresMax) {
          world.log(`predictor ${options.label} takes no connections: restarting it`);
          await running.stop(stopGraceMs);
          return;
        }
      }
    };
    await Promise.all([watchHealth(), watchLiveness()]);
  };

  const runOnce = async (): Promise<void> => {
    const running = await world.containers.startContainer({
      image: options.image,
      command: options.command,
      args: options.args,
      env: { ...options.env, AIP_HTTP_PORT: String(port) },
      onLog: (line, stream) => {
        lastLines.push(line.slice(0, lastLineLengthMax));
        if (lastLines.length > lastLinesMax) lastLines.shift();
        world.onLog(line, stream);
      },
    });
    container = running;
    if (ending.signal.aborted) await running.stop(stopGraceMs);
    const startedMs = performance.now();
    const watching = (async () => {
      if (!(await awaitStartup(running))) {
        if (container === running) await running.stop(stopGraceMs);
        return;
      }
      enter("healthy");
      hasBeenHealthy = true;
      ready.resolve();
      await watch(running);
    })();
    const exit = await running.exited;
    container = undefined;
    if (performance.now() - startedMs > settledMs) restarts = 0;
    if (!ending.signal.aborted) {
      enter("down");
      world.log(`predictor ${options.label} ${describeExit(exit)}. ${lastWords()}`);
      ready.reject(failedToStart(`Model server exited unexpectedly: it ${describeExit(exit)}`));
    }
    // The watch ends at its next probe; a restart must not wait for that.
    watching.catch((error: unknown) => {
      world.log(`predictor ${options.label} is not watched: ${String(error)}`);
    });
  };

  const run = async (): Promise<void> => {
    for (;;) {
      const own = await reservePort();
      port = own.port;
      try {
        await runOnce();
      } catch (error) {
        enter("down");
        world.log(`predictor ${options.label} cannot start: ${String(error)}`);
        ready.reject(error);
      } finally {
        own.release();
      }
      if (ending.signal.aborted || !hasBeenHealthy) break;
      const backOffMs = Math.min(restartMsMin * 2 ** restarts, restartMsMax);
      restarts += 1;
      await pause(backOffMs);
      if (ending.signal.aborted) break;
      enter("starting");
    }
  };
  const ended = run();

  return {
    phase: () => phase,
    sinceMs: () => sinceMs,
    pid: () => container?.pid,
    becameHealthy: ready.promise,
    predict: ({ contentType, body, timeoutMs, replyBytesMax }) => {
      if (phase !== "healthy") {
        return Promise.reject(
          new RpcError(
            "UNAVAILABLE",
            `The model server of deployed model ${options.label} is ${phase}: retry later.`,
          ),
        );
      }
      return connections.send({
        port,
        method: "POST",
        path: options.predictRoute,
        contentType,
        body,
        timeoutMs,
        replyBytesMax,
      });
    },
    stop: async () => {
      phase = "stopped";
      ending.abort();
      ready.reject(new RpcError("CANCELLED", "The model server was stopped."));
      await container?.stop(stopGraceMs);
      await ended;
      connections.close();
    },
  };
};
