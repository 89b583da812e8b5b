/** Draws events for one model: what it waits for, or anything at all. */
import { catalogue, type ContinuoEvent, type EventType } from "../../../events/index.js";
import { rolloutId, type ModelVersionId, type RunId } from "../../../events/ids.js";
import type { ModelState } from "../../../shared/domain/state.js";
import type { Manifest } from "../../../shared/manifest/schema.js";
import type { Random } from "../random.js";

/** What events are drawn from. */
export interface Circumstances {
  readonly random: Random;
  readonly state: ModelState;
  readonly nowMs: number;
  /** Makes ids unique within one walk. */
  readonly count: number;
  /** Manifests that somebody may apply. */
  readonly manifests: readonly Manifest[];
  readonly anotherRun: RunId;
  readonly versions: readonly ModelVersionId[];
}

const commands = catalogue["command.issued"].schema.shape.data.shape.command.options;
const anotherRollout = rolloutId.parse("model-1-o9999999999");
const people = ["ann", "ben", "eve"] as const;

/** One of a list's items. */
export const oneOf = <Item>(random: Random, items: readonly Item[]): Item => {
  const item = items[random.whole(0, items.length - 1)];
  if (item === undefined) throw new RangeError("nothing to draw from");
  return item;
};

/** The one that the state knows, or sometimes another. */
const mostly = <Item>(random: Random, known: Item | undefined, other: Item): Item =>
  known !== undefined && random.chance(0.9) ? known : other;

const alertData = ({ random, state, nowMs }: Circumstances) => {
  const startMs = Math.floor(nowMs / 3_600_000) * 3_600_000 - random.whole(0, 3) * 3_600_000;
  const window = {
    start: new Date(startMs).toISOString(),
    end: new Date(startMs + 3_600_000).toISOString(),
  };
  return { model: state.model, window };
};

const anomaly = (circumstances: Circumstances) => ({
  ...alertData(circumstances),
  objective: "feature" as const,
  anomalies: [{ feature: "age", deviation: 0.5, threshold: 0.1 }],
});

type Data = { [Type in EventType]: Extract<ContinuoEvent, { readonly type: Type }>["data"] };

/** The data of an event of each type. */
const dataOf: { readonly [Type in EventType]: (about: Circumstances) => Data[Type] } = {
  "manifest.applied": ({ random, state, count, manifests }) => ({
    model: state.model,
    version: count,
    digest: `m${count}`,
    by: "ann",
    manifest: random.chance(0.9) ? oneOf(random, manifests) : { kind: "Nonsense" },
  }),
  "dataset.arrived": ({ random, state, count }) => ({
    dataset: state.manifest.dataset.name,
    uris: [`gs://b/part-${random.chance(0.2) ? 0 : count}`],
  }),
  "schedule.fired": ({ random, state }) => ({
    model: state.model,
    schedule: random.pick(["hourly", "unknown"]),
  }),
  "drift.detected": anomaly,
  "skew.detected": anomaly,
  "performance.decayed": (about) => ({
    ...alertData(about),
    metric: "auc",
    value: 0.5,
    threshold: 0.6,
    method: "labels",
    rows: 100,
  }),
  "pipeline.released": ({ random, state, count }) => ({
    model: state.model,
    digest: `sha256:${random.whole(0, 3)}`,
    build: `b${count}`,
  }),
  "pipeline-job.changed": ({ random, state, anotherRun }) => ({
    pipelineJob: mostly(random, state.run?.run, anotherRun),
    state: random.pick(["RUNNING", "SUCCEEDED", "FAILED"]),
  }),
  "training-run.requested": ({ random, state, anotherRun }) => ({
    model: state.model,
    reason: "somebody wants it",
    ...(state.run?.phase === "requested" || random.chance(0.1)
      ? { run: mostly(random, state.run?.run, anotherRun) }
      : { by: "ann" }),
  }),
  "evaluation.completed": ({ random, state, anotherRun }) => ({
    model: state.model,
    run: mostly(random, state.run?.run, anotherRun),
    report: "gs://b/report.json",
    outcome: "accept",
    reasons: ["it is better"],
    numbers: {},
    artifact: "gs://b/model",
    artifactDigest: "sha256:1",
  }),
  "model-version.registered": ({ random, state, versions }) => ({
    model: state.model,
    versionId: oneOf(random, versions),
    principal: "someone@example.com",
  }),
  "model-version.aliased": ({ random, state, versions }) => ({
    model: state.model,
    versionId: oneOf(random, versions),
    principal: random.pick(["someone@example.com", "continuo@demo.iam.gserviceaccount.com"]),
    aliases: [...random.pick([["challenger"], ["champion", "default"], ["-challenger"], []])],
  }),
  "operation.finished": ({ random, state, count }) => ({
    operation: `operations/${count}`,
    method: random.pick(["DeployModel", "UndeployModel"]),
    resource: `endpoints/${state.manifest.promotion.environments.at(-1)?.endpoint ?? "unknown"}`,
    principal: "continuo@demo.iam.gserviceaccount.com",
    isSuccessful: random.chance(0.8),
  }),
  "approval.given": ({ random, state }) => ({
    model: state.model,
    ...(state.run?.phase === "awaiting-approval" && random.chance(0.7)
      ? { run: state.run.run }
      : { rollout: state.rollout?.rollout ?? anotherRollout }),
    decision: random.pick(["approve", "approve", "approve", "refuse"]),
    by: random.pick(people),
  }),
  "notification.raised": ({ state }) => ({
    model: state.model,
    severity: "info",
    title: "t",
    body: "b",
  }),
  "model.promoted": ({ random, state, versions, anotherRun }) => ({
    model: state.model,
    versionId: oneOf(random, versions),
    run: anotherRun,
  }),
  "command.issued": ({ random, state }) => ({
    model: state.model,
    command: oneOf(random, commands),
    by: random.pick(people),
  }),
  "effect.rejected": ({ random, state, anotherRun }) => ({
    model: state.model,
    ...random.pick([
      { decision: "submit-pipeline-job", about: state.run?.run ?? anotherRun },
      { decision: "register-model-version", about: state.run?.run ?? anotherRun },
      { decision: "deploy-model", about: state.rollout?.rollout ?? "nothing in progress" },
      { decision: "set-traffic-split", about: state.rollout?.rollout ?? "nothing in progress" },
      { decision: "set-aliases", about: "set-aliases" },
    ]),
    message: "INVALID_ARGUMENT: refused by the walk",
  }),
  "model.visited": ({ random, state }) => ({
    model: state.model,
    by: random.chance(0.8) ? "tick" : "reconcile",
  }),
  "timer.fired": ({ random, state, nowMs }) => {
    const kind = random.pick([
      "trigger",
      "trigger",
      "run-deadline",
      "approval-deadline",
      "schedule",
    ]);
    const dueAt = new Date(nowMs).toISOString();
    return { model: state.model, timer: `${state.model}/${kind}`, kind, dueAt };
  },
};

/** Every event type, in the table's order. */
export const drawnTypes = Object.keys(dataOf) as readonly EventType[];

const typeThatRunAwaits = (state: ModelState): EventType | null => {
  switch (state.run?.phase) {
    case undefined:
      return null;
    case "requested":
      return "training-run.requested";
    case "retrying":
      return "model.visited";
    case "awaiting-approval":
      return "approval.given";
    case "validating":
    case "training":
    case "evaluating":
    case "cancelling":
    case "parked":
      return "pipeline-job.changed";
    case "judging":
      return "evaluation.completed";
    case "registering":
      return "model-version.registered";
  }
};

const typeThatRolloutAwaits = (state: ModelState): EventType | null => {
  switch (state.rollout?.phase) {
    case undefined:
      return null;
    case "awaiting-approval":
      return "approval.given";
    case "paused":
    case "parked":
      return "command.issued";
    case "deploying":
    case "smoke-testing":
    case "progressing":
    case "cleaning":
      return "model.visited";
  }
};

/** The type of event that moves the model on. */
const awaited = ({ random, state }: Circumstances): EventType => {
  if (state.isPaused || state.parkedReason !== null) return "command.issued";
  const ofRun = typeThatRunAwaits(state);
  const ofRollout = typeThatRolloutAwaits(state);
  if (ofRun !== null && ofRollout !== null) return random.chance(0.5) ? ofRun : ofRollout;
  return ofRun ?? ofRollout ?? (state.trigger === null ? "dataset.arrived" : "timer.fired");
};

const awaitedShare = 0.7;

/** Draws the next event. */
export const drawEvent = (about: Circumstances): ContinuoEvent => {
  const { random, nowMs, count } = about;
  const type = random.chance(awaitedShare) ? awaited(about) : oneOf(random, drawnTypes);
  return {
    specversion: "1.0",
    type,
    // The inbox lets each event through once, so that no id comes again.
    id: `${type}/${count}`,
    source: "walk",
    time: new Date(nowMs).toISOString(),
    data: dataOf[type](about),
  } as ContinuoEvent;
};
