/** Everything of one simulated project, as the workload acts on it and the invariants look at it. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import type { Schedule } from "../../shared/ports/schedules.js";
import type { MemoryAnchors } from "../fixtures/memory-anchors.js";
import type { MemoryState, Transition } from "../fixtures/memory-state.js";
import type { EndpointChange, EndpointWorld } from "./cloud/endpoints.js";
import type { PipelineJobs } from "./cloud/pipeline-jobs.js";
import type { ModelRegistry } from "./cloud/registry.js";
import type { Profile } from "./profile.js";
import type { PubSub } from "./pub-sub.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** A transition with the true time at which it was committed. */
export interface SeenTransition extends Transition {
  readonly atMs: number;
}

/** A change of an endpoint with what the store held then, and since when the call was under way. */
export interface SeenChange extends EndpointChange {
  readonly issuedAtMs: number;
}

/** One simulated project. */
export interface World {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly profile: () => Profile;
  readonly skewMsMax: number;
  readonly store: MemoryState;
  readonly anchored: MemoryAnchors["anchored"];
  readonly pubSub: PubSub;
  readonly jobs: PipelineJobs;
  readonly registry: ModelRegistry;
  readonly endpoints: EndpointWorld;
  /** The schedules that each model's Scheduler jobs were last made equal to. */
  readonly schedules: ReadonlyMap<ModelName, readonly Schedule[]>;
  readonly transitions: readonly SeenTransition[];
  readonly changes: readonly SeenChange[];
  /** Events that publishers sent and that must be decided. */
  readonly sent: readonly ContinuoEvent[];
  /** Ids inside messages that nobody may act on. */
  readonly poison: readonly string[];
  /** Pushes that nobody signed, with the status that answered them; null while there is none. */
  readonly forged: readonly { readonly id: string; readonly status: number | null }[];
  /** Whether a model was forgotten after a time: its memory began anew. */
  readonly forgottenSince: (model: ModelName, atMs: number) => boolean;
  /** What a model's ended runs really cost in this month. */
  readonly spentUsd: (model: ModelName) => number;
  /** Distinct ids of what consumers got, by topic. */
  readonly consumed: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What is wrong, or null when the claim holds. */
export type Finding = string | null;

/** Claims that are checked at each transition, at each change of an endpoint, every minute, and at rest. */
export interface Invariants {
  readonly transition: Readonly<Record<string, (seen: SeenTransition, world: World) => Finding>>;
  readonly change: Readonly<Record<string, (seen: SeenChange, world: World) => Finding>>;
  readonly minute: Readonly<Record<string, (world: World) => Finding>>;
  readonly rest: Readonly<Record<string, (world: World) => Finding>>;
}
