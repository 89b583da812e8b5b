/**
 * What keeps an effect from happening twice, or too late. An effect is performed by the delivery that decided it, and
 * again by whoever finds it unfinished: a redelivery, or a tick. Most targets know it again by an id that we chose, or
 * compare before they set. For the others it is performed under a lease: is it still wanted, has it happened, and only
 * then the write, unless the lease has grown old meanwhile.
 */
import type { ModelName } from "../../events/ids.js";
import type { Decision } from "../domain/decision.js";
import { RejectedError, UnavailableError } from "../domain/errors.js";
import { supersededBy } from "../domain/superseded.js";
import type { Fence, Lease } from "../ports/leases.js";
import type { Ports } from "../ports/ports.js";
import { log } from "./log.js";
import { isQuotaError } from "./quota.js";

/** How a target tells a repeated effect from a new one, or what has to be looked up because it does not. */
interface Guard {
  readonly by: "id" | "comparison" | "lease";
  readonly handle: string;
}

const eventId: Guard = {
  by: "id",
  handle: "id of the published event, made from the deciding one's",
};

/** What guards each decision's effect; null for a decision without one. */
export const guardOf: Readonly<Record<Decision["do"], Guard | null>> = {
  "submit-pipeline-job": { by: "id", handle: "PipelineJob id, which is the run's" },
  "cancel-pipeline-job": { by: "id", handle: "PipelineJob id; what has ended cannot be cancelled" },
  "request-training-run": eventId,
  "retry-training-run": eventId,
  "publish-evaluation": eventId,
  promote: eventId,
  notify: eventId,
  "deploy-model": { by: "id", handle: "DeployedModel id, made from the rollout's" },
  "undeploy-model": { by: "id", handle: "DeployedModel id, which is never used again" },
  "set-traffic-split": {
    by: "comparison",
    handle: "Endpoint etag, and the split that was expected",
  },
  "register-model-version": {
    by: "lease",
    handle: "alias of the model version, which is the run's id",
  },
  "import-evaluation": {
    by: "lease",
    handle: "display name of the ModelEvaluation, which is the run's id",
  },
  "set-aliases": { by: "lease", handle: "none: merging aliases compares nothing" },
  "scale-deployed-model": {
    by: "lease",
    handle: "none: changing replicas compares nothing",
  },
  "adopt-manifest": { by: "lease", handle: "Scheduler job name; changing a job compares nothing" },
  "forget-model": { by: "lease", handle: "Scheduler job name; deleting a job compares nothing" },
  "remove-model-version": { by: "id", handle: "Model version id, which is never used again" },
  ignore: null,
  "record-dataset": null,
  "hold-trigger": null,
  "drop-trigger": null,
  remember: null,
  "set-timer": null,
  "clear-timer": null,
  "enter-phase": null,
  "end-run": null,
  "queue-challenger": null,
  "start-rollout": null,
  "advance-rollout": null,
  "pause-rollout": null,
  "resume-rollout": null,
  "park-rollout": null,
  "roll-back": null,
  "freeze-rollout": null,
  "record-measurement": null,
  "end-rollout": null,
  "pause-model": null,
  "park-model": null,
  "resume-model": null,
};

/** Who dies while it writes holds up the next writer for this long. Sent in time, every write ends before it does. */
export const leaseMs = 40_000;

/** An effect that is about to be performed. */
export interface GuardedEffect {
  readonly decision: Decision;
  /** Names the effect: its journal entry and its place there. */
  readonly key: string;
  readonly model: ModelName;
  readonly ports: Ports;
}

/** Sends a write under a lease. */
type Write = (send: (fence: Fence, epoch: number) => Promise<void>) => Promise<void>;

/** Giving back late costs the next holder time and nobody anything else. */
const giveBack = async (lease: Lease, written: string | null, { leases }: Ports): Promise<void> => {
  try {
    await leases.release(lease, written);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log("NOTICE", `lease ${lease.name} was not given back: ${message}`, { epoch: lease.epoch });
  }
};

/**
 * Performs an effect under the lease of its target. `work` looks up whether the effect has happened, and passes `write`
 * what is left to do. A lease is given back only when it is known what became of the write: one whose reply was lost may
 * still be on its way, so that the lease is left to end by itself.
 */
export const underLease = async (
  target: string,
  lastsMs: number,
  { decision, key, model, ports }: GuardedEffect,
  work: (write: Write) => Promise<void>,
): Promise<void> => {
  const lease = await ports.leases.acquire(target, lastsMs);
  if (lease === null) {
    throw new UnavailableError(
      `${decision.do} of model ${model} waits: somebody else writes to ${target} now. It is tried again.`,
      { retryAfterMs: 5000 },
    );
  }
  const fence: Fence = () => {
    if (lease.isCurrent()) return;
    throw new UnavailableError(
      `${decision.do} of model ${model} was not sent: epoch ${lease.epoch} of lease ${target} is too old. It is tried again.`,
    );
  };
  let isUnderWay = false;
  const write: Write = async (send) => {
    fence();
    isUnderWay = true;
    try {
      await send(fence, lease.epoch);
      isUnderWay = false;
    } catch (error) {
      isUnderWay = !(error instanceof RejectedError) && !isQuotaError(error);
      throw error;
    }
  };
  let written = lease.written;
  try {
    if (written !== key) {
      const why = supersededBy(decision, await ports.state.model(model));
      if (why === null) await work(write);
      else log("NOTICE", `effect left out: ${why}`, { model, decision: decision.do, key });
      written = key;
    }
  } finally {
    if (!isUnderWay) await giveBack(lease, written, ports);
  }
};
