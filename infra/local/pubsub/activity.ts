/** Whether somebody uses a subscription, and when it expires because nobody does. */
import { durationMs, type Subscription } from "./shapes.js";

/** The use that is made of one subscription. */
export interface Activity {
  /** It was used just now. */
  readonly touch: () => void;
  /** It is in use until the returned function is called, as by a connected subscriber. */
  readonly hold: () => () => void;
  /** When it was last in use. */
  readonly lastMs: () => number;
}

/** Keeps the use of a subscription that was last used at a time. */
export function makeActivity(firstMs: number, now: () => number): Activity {
  let lastMs = firstMs;
  let holders = 0;
  const touch = (): void => {
    lastMs = now();
  };
  return {
    touch,
    hold: () => {
      holders += 1;
      return () => {
        holders -= 1;
        touch();
      };
    },
    lastMs: () => (holders > 0 ? now() : lastMs),
  };
}

/** Whether a subscription's expiration policy is over; one without a time to live is never. */
export function isExpired(config: Subscription, activity: Activity, nowMs: number): boolean {
  const ttl = config.expirationPolicy?.ttl;
  return ttl !== undefined && activity.lastMs() + durationMs(ttl) <= nowMs;
}
