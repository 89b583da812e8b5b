/** Live requests: a child process replays flights against an endpoint at a steady rate. */
import { fork, type ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { instanceOf, type Flight } from "./flights.js";
import type { DemoWorld } from "./world.js";

const trafficCounts = z.object({
  sent: z.number(),
  answered: z.number(),
  failed: z.number(),
  seconds: z.number(),
});

/** What the stream has done so far. */
export type TrafficCounts = Readonly<z.infer<typeof trafficCounts>>;

/** A running stream. */
export interface Traffic {
  readonly counts: () => TrafficCounts;
  /** Replays other flights from now on. */
  readonly play: (flights: readonly Flight[]) => Promise<void>;
  readonly stop: () => Promise<TrafficCounts>;
}

const started: ChildProcess[] = [];

/** Ends every stream that is still running. */
export const stopAllTraffic = (): void => {
  for (const child of started) child.kill("SIGKILL");
};

/** Starts a stream of single-instance requests to an endpoint. */
export const startTraffic = async (
  world: DemoWorld,
  endpoint: string,
  flights: readonly Flight[],
): Promise<Traffic> => {
  const { cloud, folder, requestsPerSecond } = world.options;
  await mkdir(folder, { recursive: true });
  const child = fork(new URL("./traffic-child.ts", import.meta.url), {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  started.push(child);
  let counts: TrafficCounts = { sent: 0, answered: 0, failed: 0, seconds: 0 };
  child.on("message", (message) => {
    counts = trafficCounts.parse(message);
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  const play = async (next: readonly Flight[]): Promise<void> => {
    const file = join(folder, `traffic-${endpoint}.json`);
    await writeFile(
      file,
      JSON.stringify(next.map((flight) => ({ instances: [instanceOf(flight)] }))),
    );
    child.send({
      url: `${cloud}/v1/${world.parent}/endpoints/${endpoint}:predict`,
      file,
      requestsPerSecond,
    });
  };
  await play(flights);
  return {
    counts: () => counts,
    play,
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
      return counts;
    },
  };
};
