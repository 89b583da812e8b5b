/** Faults to order: what happens to a request after the first ones went well. */
import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../../../shared/statistics/random.js";
import type { BeforePredict } from "../predictor/server.js";

/** Which faults, and when they begin. */
export interface Faults {
  /** Requests of this process that are answered well before the faults begin. */
  readonly afterRequests: number;
  readonly delayMs: number;
  /** Share of requests that are answered with HTTP 500. */
  readonly errorRate: number;
  readonly seed: number;
}

/** Applies the faults to every prediction request beyond the first `afterRequests`. */
export function faultInjector({ afterRequests, delayMs, errorRate, seed }: Faults): BeforePredict {
  const random = seededRandom(seed);
  let requests = 0;
  return async () => {
    requests += 1;
    if (requests <= afterRequests) return undefined;
    const isError = random() < errorRate;
    if (delayMs > 0) await delay(delayMs);
    return isError ? 500 : undefined;
  };
}
