/** What happens to a project from outside: a plain list, so that it can be printed and thinned out. */
import type { EventOf } from "../../events/index.js";
import type { Decision } from "../../shared/domain/decision.js";
import type { Manifest } from "../../shared/manifest/schema.js";
import { drawManifest, drawPolicy } from "./manifests.js";
import { randomOf, type Random } from "./random.js";

/** One thing that somebody does. */
export type Act =
  | {
      readonly do: "send data";
      readonly dataset: string;
      readonly name: string;
      readonly id: string;
    }
  | {
      readonly do: "alert";
      readonly model: string;
      readonly kind: "drift" | "skew" | "decay";
      readonly window: number;
      readonly copies: number;
    }
  | { readonly do: "fire a schedule"; readonly model: string; readonly copies: number }
  | { readonly do: "release a pipeline"; readonly model: string; readonly digest: string }
  | { readonly do: "ask for a run"; readonly model: string }
  | {
      readonly do: "command";
      readonly model: string;
      readonly command: EventOf<"command.issued">["data"]["command"];
    }
  | {
      readonly do: "answer";
      readonly model: string;
      readonly by: string;
      readonly decision: "approve" | "refuse";
    }
  | { readonly do: "apply"; readonly manifest: Manifest }
  | { readonly do: "move traffic by hand"; readonly model: string; readonly draw: number }
  | { readonly do: "undeploy by hand"; readonly model: string; readonly draw: number }
  | { readonly do: "upload by hand"; readonly model: string; readonly name: string }
  | {
      readonly do: "alias by hand";
      readonly model: string;
      readonly alias: "challenger" | "champion";
      readonly draw: number;
    }
  | { readonly do: "send poison"; readonly topic: string; readonly which: number }
  | { readonly do: "push without a valid token"; readonly model: string; readonly which: number }
  | { readonly do: "redrive dead letters" }
  | { readonly do: "run the tick by hand" };

/** A moment that the control plane itself brings about: the nth time that it decides something for a model. */
export interface Moment {
  readonly model: string;
  readonly decision: Decision["do"];
  readonly nth: number;
  readonly delayMs: number;
}

/** One act, at its time since the start or at a moment; the index names it when the list is thinned out. */
export interface Item {
  readonly index: number;
  readonly atMs: number | Moment;
  readonly act: Act;
}

const minute = 60_000;

const people = ["ann", "ben", "eve"] as const;

const drawAct = (random: Random, model: string, manifest: Manifest, count: number): Act => {
  const dataset = manifest.dataset.name;
  const draw = random.next();
  const kind = random.whole(0, 99);
  if (kind < 30) {
    // Few names, so that the same content comes again under another event id.
    const name = random.chance(0.2) ? "again" : `part-${count}`;
    return { do: "send data", dataset, name, id: `data/${count}` };
  }
  if (kind < 45) {
    return {
      do: "alert",
      model,
      kind: random.pick(["drift", "skew", "decay"]),
      window: random.whole(0, 3),
      copies: random.pick([1, 1, 2, 12]),
    };
  }
  if (kind < 52) return { do: "fire a schedule", model, copies: random.pick([1, 1, 2]) };
  if (kind < 57) {
    return { do: "release a pipeline", model, digest: `sha256:${random.whole(0, 2)}` };
  }
  if (kind < 65) return { do: "ask for a run", model };
  if (kind < 85) {
    return {
      do: "command",
      model,
      command: random.pick([
        "pause",
        "resume",
        "resume",
        "resume",
        "abort",
        "roll-back",
        "cancel-run",
        "skip",
        "promote-now",
        "forget",
      ]),
    };
  }
  if (kind < 90) {
    const changed = { ...manifest, ...drawPolicy(random) };
    return { do: "apply", manifest: { ...manifest, ...reparsed(changed, manifest) } };
  }
  if (kind < 96) {
    const topic = random.pick(["dataset", "alert", "training-run", "pipeline-job", "approval"]);
    return { do: "send poison", topic, which: Math.floor(draw * 8) };
  }
  return random.chance(0.5)
    ? { do: "push without a valid token", model, which: random.whole(0, 3) }
    : { do: "redrive dead letters" };
};

/** A changed manifest keeps its name, dataset and environments. */
const reparsed = (changed: object, manifest: Manifest): Partial<Manifest> => {
  const { triggers, training, rollout, budget } = changed as Manifest;
  return {
    triggers: { ...manifest.triggers, ...triggers },
    training: {
      ...manifest.training,
      ...training,
      machine: { ...manifest.training.machine, ...training.machine },
    },
    rollout: {
      ...manifest.rollout,
      ...rollout,
      analysis: { ...manifest.rollout.analysis, ...rollout.analysis },
    },
    budget,
  };
};

const drawMeddling = (random: Random, model: string, count: number): Act => {
  const draw = random.next();
  switch (random.whole(0, 3)) {
    case 0:
      return { do: "move traffic by hand", model, draw };
    case 1:
      return { do: "undeploy by hand", model, draw };
    case 2:
      return { do: "upload by hand", model, name: `by-hand-${count}` };
    default:
      return {
        do: "alias by hand",
        model,
        alias: random.pick(["challenger", "challenger", "champion"]),
        draw,
      };
  }
};

/** People look at what waits for approval every few minutes, or never. */
const drawAnswers = (
  random: Random,
  model: string,
  spanMs: number,
): readonly { readonly atMs: number; readonly act: Act }[] => {
  if (random.chance(0.3)) return [];
  const answers: { readonly atMs: number; readonly act: Act }[] = [];
  for (let atMs = 0; atMs < spanMs; atMs += random.between(minute, 15 * minute)) {
    const decision = random.chance(0.85) ? "approve" : "refuse";
    answers.push({ atMs, act: { do: "answer", model, by: random.pick(people), decision } });
  }
  return answers;
};

const interesting = [
  "request-training-run",
  "submit-pipeline-job",
  "publish-evaluation",
  "register-model-version",
  "cancel-pipeline-job",
  "end-run",
  "start-rollout",
  "deploy-model",
  "advance-rollout",
  "set-traffic-split",
  "roll-back",
  "promote",
  "undeploy-model",
  "end-rollout",
  "hold-trigger",
  "park-model",
] as const;

const drawInterrupter = (random: Random, model: string): Act => {
  if (random.chance(0.4)) return { do: "run the tick by hand" };
  const command = random.pick([
    "pause",
    "resume",
    "abort",
    "roll-back",
    "cancel-run",
    "skip",
    "promote-now",
  ]);
  return { do: "command", model, command };
};

interface Interruption {
  readonly atMs: Moment;
  readonly act: Act;
}

/** People and schedules that act just when something was decided: races come from bad timing. */
const drawInterruption = (random: Random, model: string): Interruption => ({
  atMs: {
    model,
    decision: random.pick(interesting),
    nth: random.whole(1, 3),
    delayMs: random.pick([0, 0, 100, 2000, 30_000]) * random.next(),
  },
  act: drawInterrupter(random, model),
});

/** Somebody changes the traffic between a decision and its effect. */
const drawTrafficRace = (random: Random, model: string): Interruption => ({
  atMs: {
    model,
    decision: random.pick(["set-traffic-split", "roll-back"]),
    nth: random.whole(1, 6),
    delayMs: random.between(0, 60),
  },
  act: { do: "move traffic by hand", model, draw: random.next() },
});

/** Draws everything that happens to the models of one seed within a span of time. */
export const drawWorkload = (
  seed: number,
  options: { readonly spanMs: number; readonly meddlesPerHour: number },
): readonly Item[] => {
  const random = randomOf(seed, "workload");
  const manifests = Array.from({ length: random.pick([1, 1, 2, 3]) }, (_, index) =>
    drawManifest(random, index + 1),
  );
  const acts: { readonly atMs: number; readonly act: Act }[] = [];
  const interruptions: Interruption[] = [];
  for (const [index, manifest] of manifests.entries()) {
    const model = manifest.name;
    acts.push({ atMs: index, act: { do: "apply", manifest } });
    acts.push({
      atMs: random.between(minute, 5 * minute),
      act: {
        do: "send data",
        dataset: manifest.dataset.name,
        name: "first",
        id: `first/${model}`,
      },
    });
    const busy = random.whole(5, 25);
    for (let count = 0; count < busy; count += 1) {
      const atMs = random.between(0, options.spanMs);
      acts.push({ atMs, act: drawAct(random, model, manifest, count) });
    }
    const meddles = Math.round((options.meddlesPerHour * options.spanMs) / (60 * minute));
    for (let count = 0; count < meddles; count += 1) {
      acts.push({
        atMs: random.between(0, options.spanMs),
        act: drawMeddling(random, model, count),
      });
    }
    acts.push(...drawAnswers(random, model, options.spanMs));
    const interruptionsMax = random.pick([0, 2, 8]);
    for (let count = 0; count < interruptionsMax; count += 1) {
      interruptions.push(drawInterruption(random, model));
    }
    for (let count = 0; count < options.meddlesPerHour; count += 1) {
      interruptions.push(drawTrafficRace(random, model));
    }
  }
  return [...acts.toSorted((a, b) => a.atMs - b.atMs), ...interruptions].map((item, index) => ({
    index,
    ...item,
  }));
};
