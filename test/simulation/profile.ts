/** What goes wrong under one seed: each seed has its own kinds of fault, so that rare combinations come up. */
import type { Random } from "./random.js";

/** A group of ports that fails together when its service is down. */
export type Service = "store" | "bus" | "vertex" | "metrics" | "bucket";

/** A stretch of time in which a service answers nothing. */
export interface Outage {
  readonly service: Service;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Probabilities per call or message unless a unit is named; 0 switches a kind off. */
export interface Profile {
  /** A call fails and did nothing. */
  readonly unavailable: number;
  /** A call is answered with an error although it was done. */
  readonly replyLost: number;
  /** A call is refused for good. */
  readonly refused: number;
  /** A transaction gives up because of contention. */
  readonly conflict: number;
  /** A call takes up to `slowMsMax` instead of milliseconds. */
  readonly slow: number;
  readonly slowMsMax: number;
  /** The network keeps a request longer than the lease under which it was sent. */
  readonly kept: number;
  /** The process dies at a call. */
  readonly crash: number;
  /** Read as it was up to a minute ago. */
  readonly stale: number;
  readonly duplicate: number;
  /** A publisher sends the same again under a new message id. */
  readonly republish: number;
  readonly delay: number;
  readonly delayMsMax: number;
  readonly ackLost: number;
  /** An event of the cloud's own logs is never sent. */
  readonly eventLost: number;
  /** An operation or a job fails after it was accepted. */
  readonly lateFailure: number;
  readonly tickMissed: number;
  readonly tickDoubled: number;
  readonly skewMsMax: number;
  /** Cloud Monitoring shows a point this long after its window ended. */
  readonly metricsLateMs: number;
  /** How often, per hour, people change traffic, aliases and deployments behind the control plane's back. */
  readonly meddlesPerHour: number;
  readonly outages: readonly Outage[];
}

/** The kinds of fault that can be switched off one by one. */
export const faultKinds = [
  "unavailable",
  "replyLost",
  "refused",
  "conflict",
  "slow",
  "kept",
  "crash",
  "stale",
  "duplicate",
  "republish",
  "delay",
  "ackLost",
  "eventLost",
  "lateFailure",
  "tickMissed",
  "tickDoubled",
  "skewMsMax",
  "metricsLateMs",
  "meddlesPerHour",
] as const satisfies readonly (keyof Profile)[];

/** A world without faults. */
export const calm: Profile = {
  unavailable: 0,
  replyLost: 0,
  refused: 0,
  conflict: 0,
  slow: 0,
  slowMsMax: 0,
  kept: 0,
  crash: 0,
  stale: 0,
  duplicate: 0,
  republish: 0,
  delay: 0,
  delayMsMax: 0,
  ackLost: 0,
  eventLost: 0,
  lateFailure: 0,
  tickMissed: 0,
  tickDoubled: 0,
  skewMsMax: 0,
  metricsLateMs: 0,
  meddlesPerHour: 0,
  outages: [],
};

const skewMsMax = 5 * 60_000;
const outageMsMax = 12 * 60_000;
const services = ["store", "bus", "vertex", "metrics", "bucket"] as const;

/** Draws a profile: each kind is off, rare or frequent. */
export const drawProfile = (
  random: Random,
  span: { readonly fromMs: number; readonly untilMs: number },
): Profile => {
  const share = (most: number): number => random.pick([0, 0.1 * most, most]);
  const outages = Array.from({ length: random.pick([0, 0, 1, 3]) }, () => {
    const fromMs = random.between(span.fromMs, span.untilMs);
    return {
      service: random.pick(services),
      fromMs,
      untilMs: Math.min(span.untilMs, fromMs + random.between(60_000, outageMsMax)),
    };
  });
  return {
    unavailable: share(0.1),
    replyLost: share(0.1),
    refused: share(0.02),
    conflict: share(0.05),
    slow: share(0.05),
    slowMsMax: random.pick([5_000, 60_000, 240_000]),
    crash: share(0.04),
    stale: share(0.1),
    duplicate: share(0.2),
    republish: share(0.1),
    delay: share(0.2),
    delayMsMax: random.pick([10_000, 300_000, 1_800_000]),
    ackLost: share(0.1),
    eventLost: share(0.3),
    lateFailure: share(0.15),
    tickMissed: share(0.3),
    tickDoubled: share(0.2),
    skewMsMax: random.pick([0, 0, 5_000, skewMsMax]),
    metricsLateMs: random.pick([0, 60_000, 240_000]),
    meddlesPerHour: random.pick([0, 0, 1, 4]),
    outages,
    // Drawn last, so that seeds from before it keep their other faults.
    kept: share(0.3),
  };
};
