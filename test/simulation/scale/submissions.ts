/** Thousands of models that want to train at the same moment, against Vertex AI's quota of submissions. */
import { UnavailableError } from "../../../shared/domain/errors.js";
import { runIdFor } from "../../../shared/domain/ids.js";
import type { Ports } from "../../../shared/ports/ports.js";
import { admitWaiting, submissionGate } from "../../../shared/runtime/admission.js";
import { defaultLimits } from "../../../shared/runtime/quota.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { storyOf } from "../../flow/story.js";
import { runRequest, spread } from "./fleet.js";

/** What came of them. */
export interface SubmissionFigures {
  readonly models: number;
  readonly instances: number;
  /** Distinct PipelineJobs. */
  readonly submitted: number;
  /** Submissions that Vertex AI refused with 429. */
  readonly refused: number;
  /** The most submissions of one minute. */
  readonly perMinuteMax: number;
  /** Minutes of the virtual clock until the last one was submitted. */
  readonly minutes: number;
  /** Effects that are still to be performed. */
  readonly pending: number;
}

const minuteMs = 60_000;
/** What Vertex AI allows a region in any minute. */
const quota = 60;
const instances = 100;
const minutesMax = 1000;

/** Lets every model of a fleet ask for its run at once. */
export const submissionsAtOnce = async (models: number): Promise<SubmissionFigures> => {
  const story = await storyOf(manifestOf());
  await story.arrive("january");
  const { world } = story;
  const { run } = story.model();
  if (run === null) throw new Error("there is no run");
  world.effects.length = 0;
  const names = await spread(world, models, (model) => ({
    ...story.model(),
    model,
    manifest: { ...story.model().manifest, name: model },
    run: { ...run, phase: "requested", run: runIdFor(model, "burst") },
  }));
  const accepted: number[] = [];
  let refused = 0;
  const ports: Ports = {
    ...world.ports,
    pipelines: {
      ...world.ports.pipelines,
      submit: async (...submission) => {
        const recent = accepted.slice(-quota).filter((atMs) => atMs > world.nowMs - minuteMs);
        if (recent.length >= quota) {
          refused += 1;
          throw new UnavailableError("Quota exceeded", { isQuota: true });
        }
        accepted.push(world.nowMs);
        await world.ports.pipelines.submit(...submission);
      },
    },
  };
  const gates = Array.from({ length: instances }, () => submissionGate(() => defaultLimits));
  const startMs = world.nowMs;
  await Promise.all(
    names.map(async (model, index) =>
      gates[index % instances]?.handle(
        runRequest(world, `burst-${model}`, {
          model,
          run: runIdFor(model, "burst"),
          reason: "burst",
        }),
        { function: "on-training-run-requested", ports },
      ),
    ),
  );
  let minutes = 0;
  let perMinuteMax = accepted.length;
  while (world.submissions.size > 0 && minutes < minutesMax) {
    minutes += 1;
    world.nowMs = startMs + minutes * minuteMs;
    const before = accepted.length;
    await admitWaiting({ function: "tick", ports }, defaultLimits);
    perMinuteMax = Math.max(perMinuteMax, accepted.length - before);
  }
  return {
    models,
    instances,
    submitted: new Set(world.effects).size,
    refused,
    perMinuteMax,
    minutes,
    pending: world.pending.size,
  };
};
