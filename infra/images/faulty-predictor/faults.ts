/** Faults to order: how a container behaves at first, and how from some moment on. */
import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../../../shared/statistics/random.js";
import type { BeforePredict } from "../predictor/server.js";

/** How requests are answered. */
export interface Behaviour {
  readonly delayMs: number;
  /** Share of requests that are answered with HTTP 500. */
  readonly errorRate: number;
  /** Memory that each request leaves behind. */
  readonly leakBytes: number;
}

/** Which faults, and when they begin. */
export interface Faults extends Behaviour {
  /** Requests of this process that are answered as usual before the faults begin. */
  readonly afterRequests: number;
  /** The faults also wait for a second with more requests than this. */
  readonly abovePerSecond: number;
  readonly usual: Omit<Behaviour, "leakBytes">;
  /** The leak ends when this much is held. */
  readonly leakBytesMax: number;
  readonly seed: number;
}

/** Tells whether any second so far had more requests than a limit. */
const rateAbove = (limit: number): ((nowMs: number) => boolean) => {
  let second = 0;
  let requests = 0;
  let isAbove = false;
  return (nowMs) => {
    const now = Math.floor(nowMs / 1000);
    requests = now === second ? requests + 1 : 1;
    second = now;
    isAbove ||= requests > limit;
    return isAbove;
  };
};

/** Applies what is usual to the first prediction requests, and the faults to all others. */
export function faultInjector(faults: Faults): BeforePredict {
  const random = seededRandom(faults.seed);
  const isBusy = rateAbove(faults.abovePerSecond);
  const leaked: Buffer[] = [];
  let requests = 0;
  return async () => {
    requests += 1;
    const hasBegun = isBusy(Date.now()) && requests > faults.afterRequests;
    const { delayMs, errorRate, leakBytes } = hasBegun ? faults : { ...faults.usual, leakBytes: 0 };
    const isError = random() < errorRate;
    if (leakBytes > 0 && (leaked.length + 1) * leakBytes <= faults.leakBytesMax) {
      // Filled, because memory that nobody wrote to is not resident.
      leaked.push(Buffer.alloc(leakBytes, 1));
    }
    if (delayMs > 0) await delay(delayMs);
    return isError ? 500 : undefined;
  };
}
