/** When to kill whom: drawn from a seed, aimed at the stages of an event's path. */
import type { Random } from "../../../shared/statistics/random.js";
import { isEffect, stagesAt, type CallLine, type Stage } from "./calls.js";
import { effectDelayMs, type Victim, type World } from "./world.js";

const aims = ["any moment", "an effect asked for", "an effect applied", "a commit"] as const;

/** What a kill waits for. */
type Aim = (typeof aims)[number];

/** One kill as it was drawn. */
export interface Drawn {
  readonly victims: readonly Victim[];
  readonly aim: Aim;
  /** How long after what it waits for, as a share of the longest such time. */
  readonly share: number;
}

/** One kill as it happened. */
export interface Kill extends Drawn {
  readonly number: number;
  readonly atMs: number;
  /** The stages that some event was in; several when several events were on their way. */
  readonly stages: readonly Stage[];
  /** How many journal entries waited for effects right after it; null when the cloud was dead too. */
  readonly pending: number | null;
}

const anyMomentMsMax = 1800;
const aimSecondsMax = 8;
const lookEveryMs = 4;

/** Draws the next kill. */
export const drawKill = (random: Random): Drawn => {
  const who = random();
  const what = random();
  const share = random();
  const victims: readonly Victim[] =
    who < 0.68 ? ["functions"] : who < 0.93 ? ["cloud"] : ["functions", "cloud"];
  const aim = what < 0.4 ? aims[0] : what < 0.62 ? aims[1] : what < 0.86 ? aims[2] : aims[3];
  return { victims, aim, share };
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const isAimedAt = (aim: Aim, line: CallLine): boolean => {
  if (!line.principal.startsWith("continuo@")) return false;
  switch (aim) {
    case "any moment":
      return true;
    case "an effect asked for":
      return line.step === "asked" && isEffect(line);
    case "an effect applied":
      return line.step === "applied" && isEffect(line);
    case "a commit":
      return line.step === "asked" && line.method.endsWith("/Commit");
  }
};

/** Waits for the moment; when nothing of the kind happens for long, any moment will do. */
const moment = async ({ calls }: World, { aim, share }: Drawn): Promise<void> => {
  if (aim === "any moment") {
    await pause(share * anyMomentMsMax);
    return;
  }
  calls.refresh();
  const deadline = performance.now() + aimSecondsMax * 1000;
  while (performance.now() < deadline) {
    if (calls.refresh().some((line) => isAimedAt(aim, line))) {
      // Some of the window has gone by while we looked.
      await pause(aim === "a commit" ? 0 : share * effectDelayMs * 0.7);
      return;
    }
    await pause(lookEveryMs);
  }
};

const inProgress: readonly Stage[] = ["between commit and perform", "between perform and done"];

/** What the log of calls says, corrected by what the journal says. */
const confirmed = (stages: readonly Stage[], pending: number | null): readonly Stage[] => {
  if (pending === null) return stages;
  const isInProgress = (stage: Stage): boolean => inProgress.includes(stage);
  // A commit without effects has nothing to perform: it was over, but for the acknowledgement.
  if (pending === 0) {
    const corrected = stages.map((stage) =>
      isInProgress(stage) ? "between done and acknowledgement" : stage,
    );
    return [...new Set(corrected)];
  }
  return stages.some(isInProgress)
    ? stages
    : [
        ...stages.filter((stage) => stage !== "no call in progress"),
        "between commit and done, between two calls",
      ];
};

/** Kills at the drawn moment, finds out where that hit, and waits until everything serves again. */
export const perform = async (world: World, drawn: Drawn, number: number): Promise<Kill> => {
  await moment(world, drawn);
  const cloudPid = world.pidOf("cloud");
  const victims = drawn.victims.map((victim) => ({ victim, pid: world.pidOf(victim) }));
  const atMs = Date.now();
  for (const { victim } of victims) world.kill(victim);
  const pending = drawn.victims.includes("cloud") ? null : (await world.pendingKeys()).length;
  world.calls.refresh();
  const stages = confirmed(stagesAt(world.calls.all(), atMs, cloudPid), pending);
  await Promise.all(victims.map(({ victim, pid }) => world.isBack(victim, pid)));
  return { ...drawn, number, atMs, stages, pending };
};
