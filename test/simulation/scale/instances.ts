/** One Cloud Run service: instances start when all are full, serve so many requests at once, and share one core among them. */
import type { Scheduler } from "../scheduler.js";

/** What a service is given. */
export interface InstanceLimits {
  readonly concurrency: number;
  readonly instancesMax: number;
  /** From the request that needs a new instance to the first that it serves. */
  readonly coldStartMs: number;
  /** Processor time of one request on an instance's core. */
  readonly cpuMs: number;
}

/** One instance and what stands in it. */
interface Instance<Held> {
  readonly held: Held;
  readyAtMs: number;
  /** When its core has worked off what it was given. */
  busyUntilMs: number;
  open: number;
}

/** A running service. */
export interface Instances<Held> {
  /** Serves one request as soon as an instance has room; `serve` calls back when it has answered. */
  readonly request: (serve: (held: Held, answered: () => void) => void) => void;
  readonly held: () => readonly Held[];
}

/** Starts a service without instances. */
export const instancesOf = <Held>(
  scheduler: Scheduler,
  { concurrency, instancesMax, coldStartMs, cpuMs }: InstanceLimits,
  start: (index: number) => Held,
): Instances<Held> => {
  const running: Instance<Held>[] = [];
  const waiting: ((held: Held, answered: () => void) => void)[] = [];
  /** Requests go round, as Cloud Run spreads them. */
  let turn = 0;

  const free = (): Instance<Held> | undefined => {
    for (let offset = 0; offset < running.length; offset += 1) {
      const instance = running[(turn + offset) % running.length];
      if (instance !== undefined && instance.open < concurrency) {
        turn += offset + 1;
        return instance;
      }
    }
    if (running.length >= instancesMax) return undefined;
    const nowMs = scheduler.nowMs();
    const readyAtMs = nowMs + coldStartMs;
    const started = { held: start(running.length), readyAtMs, busyUntilMs: readyAtMs, open: 0 };
    running.push(started);
    return started;
  };

  const next = (): void => {
    const serve = waiting[0];
    const instance = serve === undefined ? undefined : free();
    if (serve === undefined || instance === undefined) return;
    waiting.shift();
    instance.open += 1;
    instance.busyUntilMs = Math.max(scheduler.nowMs(), instance.busyUntilMs) + cpuMs;
    scheduler.after(instance.busyUntilMs - scheduler.nowMs(), () =>
      serve(instance.held, () => {
        instance.open -= 1;
        next();
      }),
    );
  };

  return {
    request: (serve) => {
      waiting.push(serve);
      next();
    },
    held: () => running.map(({ held }) => held),
  };
};
