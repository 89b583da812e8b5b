/** States in every phase, events of every type and facts of every kind, for tables that cross them. */
import { commandIssued } from "../../../events/command.js";
import type { ContinuoEvent, EventOf, EventType } from "../../../events/index.js";
import {
  deployedModelId,
  modelName,
  modelVersionId,
  rolloutId,
  runId,
  type DeployedModelId,
} from "../../../events/ids.js";
import type { Decision } from "../../../shared/domain/decision.js";
import { evolve } from "../../../shared/domain/evolve.js";
import type { EndpointFacts, Facts, PipelineJobFacts } from "../../../shared/domain/facts.js";
import { deployedModelIdFor } from "../../../shared/domain/ids.js";
import type {
  ArmCounts,
  Champion,
  EvaluationSummary,
  ModelState,
  RolloutBase,
  RolloutState,
  RunState,
  Segment,
  WaitingChallenger,
} from "../../../shared/domain/state.js";
import type { Manifest } from "../../../shared/manifest/schema.js";
import { manifestOf } from "../../fixtures/manifest.js";

export const churn = modelName.parse("churn");
export const nowMs = Date.UTC(2026, 0, 5, 12);
export const run = runId.parse("churn-r0000000001");
export const rollout = rolloutId.parse("churn-o0000000001");
export const production = "churn-production";
export const qa = "churn-qa";

export const inQa = deployedModelIdFor(rollout, "qa");
export const inProduction = deployedModelIdFor(rollout, "production");
export const championInQa = deployedModelId.parse("1111111111");
export const championInProduction = deployedModelId.parse("2222222222");

/** A manifest whose production needs people. */
export const withPeople = (quorum = 2): Manifest =>
  manifestOf({
    promotion: {
      environments: [
        { name: "qa", endpoint: qa },
        { name: "production", endpoint: production, approval: { by: "people", quorum } },
      ],
    },
  });

/** The state of a model whose manifest was just applied. */
export const stateOf = (changes: Partial<ModelState> = {}): ModelState => {
  const fresh = evolve(
    null,
    {
      do: "adopt-manifest",
      model: churn,
      manifest: manifestOf(),
      version: 1,
      digest: "m1",
      reason: "applied",
    },
    nowMs,
  );
  if (fresh === null) throw new Error("a manifest makes a state");
  return { ...fresh, ...changes };
};

export const champion: Champion = {
  versionId: modelVersionId.parse("1"),
  run: runId.parse("churn-r0000000000"),
  artifactUri: "gs://b/model-1",
  artifactDigest: "sha256:1",
  servingImage: "continuo/predictor",
  report: "gs://b/report.json",
  deployed: { qa: championInQa, production: championInProduction },
  sinceMs: nowMs - 86_400_000,
};

export const dataset = {
  fingerprint: "f1",
  uris: ["gs://b/january.parquet"],
  arrivedAtMs: nowMs - 3_600_000,
};

export const evaluation: EvaluationSummary = {
  report: "gs://b/report.json",
  outcome: "accept",
  reasons: ["the challenger is better"],
  numbers: { "challenger.auc": 0.7 },
  artifact: "gs://b/model-2",
  artifactDigest: "sha256:2",
};

const runBase = {
  run,
  kind: "new-data" as const,
  reason: "new data",
  triggerCount: 1,
  datasetUris: dataset.uris,
  fingerprint: dataset.fingerprint,
  requestedAtMs: nowMs - 60_000,
  sinceMs: nowMs - 50_000,
  reservedUsd: 1,
  correlationId: "data/january",
};

const submitted = {
  ...runBase,
  submittedAtMs: nowMs - 50_000,
  deadlineAtMs: nowMs + 3_600_000,
};

/** A live run in every phase. */
export const runs: Readonly<Record<RunState["phase"], RunState>> = {
  requested: { ...runBase, phase: "requested" },
  validating: { ...submitted, phase: "validating" },
  training: { ...submitted, phase: "training" },
  evaluating: { ...submitted, phase: "evaluating" },
  retrying: {
    ...runBase,
    phase: "retrying",
    retries: 1,
    retryAtMs: nowMs - 1,
    earlier: { count: 1, machineSeconds: 60, deadlineAtMs: nowMs + 3_600_000 },
  },
  "awaiting-approval": {
    ...runBase,
    by: "ada",
    phase: "awaiting-approval",
    expiresAtMs: nowMs + 3_600_000,
    approvedBy: [],
    asks: ["age has moved"],
    earlier: { count: 1, machineSeconds: 60 },
  },
  cancelling: { ...submitted, phase: "cancelling", askedAtMs: submitted.submittedAtMs },
  parked: {
    ...submitted,
    phase: "parked",
    askedAtMs: submitted.submittedAtMs,
    timeout: { phase: "training", setting: "training.timeoutSeconds", seconds: 14_400 },
    parkedReason: "its PipelineJob still runs",
  },
  judging: { ...submitted, phase: "judging", evaluation, machineSeconds: 60 },
  registering: { ...submitted, phase: "registering", evaluation, machineSeconds: 60 },
};

export const rolloutBase: RolloutBase = {
  rollout,
  run,
  cause: `run ${run} was accepted`,
  versionId: modelVersionId.parse("2"),
  artifactUri: "gs://b/model-2",
  artifactDigest: "sha256:2",
  servingImage: "continuo/predictor",
  report: "gs://b/report.json",
  startedAtMs: nowMs - 600_000,
  environment: 1,
  deployed: { qa: inQa, production: inProduction },
  history: [],
  correlationId: "data/january",
};

export const progressing: RolloutState & { readonly phase: "progressing" } = {
  ...rolloutBase,
  phase: "progressing",
  step: 0,
  weight: 10,
  stepStartedAtMs: nowMs - 61_000,
  segments: [],
  lastVerdict: null,
};

export const awaiting: RolloutState & { readonly phase: "awaiting-approval" } = {
  ...rolloutBase,
  environment: 0,
  deployed: { qa: inQa },
  phase: "awaiting-approval",
  sinceMs: nowMs - 1000,
  expiresAtMs: nowMs + 3_600_000,
  approvedBy: [],
};

export const cleaning: RolloutState & { readonly phase: "cleaning" } = {
  ...rolloutBase,
  phase: "cleaning",
  outcome: "rolled-back",
  reasons: ["analysis failed"],
  sinceMs: nowMs - 1000,
  retired: [
    { environment: "qa", endpoint: qa, deployedModelId: inQa },
    { environment: "production", endpoint: production, deployedModelId: inProduction },
  ],
  requested: [],
};

/** A rollout in every phase. */
export const rollouts: Readonly<Record<RolloutState["phase"], RolloutState>> = {
  deploying: { ...rolloutBase, phase: "deploying", sinceMs: nowMs - 1000 },
  "smoke-testing": {
    ...rolloutBase,
    environment: 0,
    deployed: { qa: inQa },
    phase: "smoke-testing",
    sinceMs: nowMs - 1000,
  },
  "awaiting-approval": awaiting,
  progressing,
  paused: { ...progressing, phase: "paused", pausedBy: "on-call" },
  parked: { ...progressing, phase: "parked", parkedReason: "no verdict" },
  cleaning,
};

export const waiting: WaitingChallenger = {
  run: null,
  cause: "someone set alias challenger on version 3",
  versionId: modelVersionId.parse("3"),
  artifactUri: "gs://b/model-3",
  artifactDigest: "sha256:3",
  servingImage: "continuo/predictor",
  report: null,
  correlationId: "alias/3",
};

export const trigger = {
  kind: "new-data" as const,
  reason: "new data",
  count: 1,
  firstAtMs: nowMs - 1000,
  lastAtMs: nowMs - 1000,
  dueAtMs: nowMs - 1,
  eventKey: "test|data/february",
  correlationId: "data/february",
};

/** An event with a source and an id of the test's. */
export const eventOf = <Type extends EventType>(
  type: Type,
  data: unknown,
  id: string = type,
): EventOf<Type> =>
  ({
    specversion: "1.0",
    type,
    id,
    source: "test",
    time: new Date(nowMs).toISOString(),
    data,
  }) as EventOf<Type>;

const window = { start: "2026-01-01T00:00:00Z", end: "2026-01-02T00:00:00Z" };
const anomaly = {
  deployedModelId: championInProduction,
  objective: "feature",
  window,
  anomalies: [{ feature: "age", deviation: 0.5, threshold: 0 }],
};

const commands = commandIssued.shape.data.shape.command.options;
const timers = ["trigger", "run-deadline", "approval-deadline", "schedule"] as const;

/** Several events of every type, about what is in progress and about what is not. */
export const events: Readonly<Record<EventType, readonly ContinuoEvent[]>> = {
  "dataset.arrived": [
    eventOf("dataset.arrived", { dataset: "customers", uris: dataset.uris, fingerprint: "f1" }),
    eventOf("dataset.arrived", { dataset: "customers", uris: ["gs://b/new.parquet"] }, "new"),
  ],
  "schedule.fired": [
    eventOf("schedule.fired", { model: churn, schedule: "weekly" }),
    eventOf("schedule.fired", { model: churn, schedule: "unknown" }),
  ],
  "drift.detected": [
    eventOf("drift.detected", anomaly),
    eventOf("drift.detected", { ...anomaly, anomalies: [] }),
  ],
  "skew.detected": [eventOf("skew.detected", anomaly)],
  "performance.decayed": [
    eventOf("performance.decayed", {
      model: churn,
      metric: "auc",
      value: 0.6,
      threshold: 0.7,
      method: "labels",
      rows: 0,
      window,
    }),
  ],
  "pipeline.released": [
    eventOf("pipeline.released", { model: churn, digest: "sha256:9", build: "b1" }),
  ],
  "pipeline-job.changed": [
    eventOf("pipeline-job.changed", { pipelineJob: run, state: "SUCCEEDED" }),
    eventOf("pipeline-job.changed", { pipelineJob: "churn-r9999999999", state: "RUNNING" }),
  ],
  "training-run.requested": [
    eventOf("training-run.requested", { model: churn, run, reason: "new data" }),
    eventOf("training-run.requested", { model: churn, reason: "by hand", by: "someone" }),
  ],
  "evaluation.completed": [
    eventOf("evaluation.completed", { model: churn, run, ...evaluation }),
    eventOf("evaluation.completed", { model: churn, ...evaluation, run: "churn-r9999999999" }),
  ],
  "model-version.registered": ["1", "2", "3"].map((versionId) =>
    eventOf("model-version.registered", { model: churn, versionId, principal: "someone" }),
  ),
  "model-version.aliased": ["1", "2", "3"].flatMap((versionId) =>
    [["champion", "default"], ["challenger"], ["-challenger"], []].map((aliases) =>
      eventOf("model-version.aliased", { model: churn, versionId, principal: "someone", aliases }),
    ),
  ),
  "operation.finished": [
    eventOf("operation.finished", {
      operation: "o",
      method: "DeployModel",
      resource: `endpoints/${production}`,
      principal: "someone",
      isSuccessful: false,
    }),
  ],
  "approval.given": (["approve", "refuse"] as const).flatMap((decision) =>
    [{ rollout }, { rollout: "churn-o9999999999" }, { run }, {}].flatMap((about) =>
      ["ada", "eve"].map((by) =>
        eventOf("approval.given", { model: churn, ...about, decision, by }),
      ),
    ),
  ),
  "notification.raised": [
    eventOf("notification.raised", { model: churn, severity: "info", title: "t", body: "b" }),
  ],
  "model.promoted": [eventOf("model.promoted", { model: churn, versionId: "2", run })],
  "command.issued": commands.map((command) =>
    eventOf("command.issued", { model: churn, command, by: "on-call" }),
  ),
  "manifest.applied": [
    eventOf("manifest.applied", {
      model: churn,
      version: 1,
      digest: "m1",
      by: "someone",
      manifest: manifestOf(),
    }),
    eventOf("manifest.applied", {
      model: churn,
      version: 2,
      digest: "m2",
      by: "someone",
      manifest: withPeople(),
    }),
    eventOf("manifest.applied", {
      model: churn,
      version: 3,
      digest: "m3",
      by: "someone",
      manifest: { kind: "Nonsense" },
    }),
  ],
  "effect.rejected": [
    ["submit-pipeline-job", run],
    ["register-model-version", run],
    ["cancel-pipeline-job", run],
    ["deploy-model", rollout],
    ["set-traffic-split", rollout],
    ["undeploy-model", inProduction],
    ["set-aliases", "set-aliases"],
  ].map(([decision, about]) =>
    eventOf("effect.rejected", { model: churn, decision, about, message: "no" }),
  ),
  "model.visited": (["tick", "reconcile"] as const).map((by) =>
    eventOf("model.visited", { model: churn, by }),
  ),
  "timer.fired": timers.map((kind) =>
    eventOf("timer.fired", {
      model: churn,
      timer: `churn/${kind}`,
      kind,
      dueAt: new Date(nowMs).toISOString(),
    }),
  ),
};

/** Counts of one arm whose latencies all lie in one bucket. */
export const armOf = (requests: number, errors = 0, bucket = 0): ArmCounts => ({
  requests,
  errors,
  latencies: Array.from({ length: 6 }, (_, index) => (index === bucket ? requests : 0)),
});

/** A segment of the canary's first step. */
export const segmentOf = (
  counts: { readonly champion: ArmCounts; readonly challenger: ArmCounts },
  changes: Partial<Segment> = {},
): Segment => ({
  weight: 10,
  startMs: nowMs - 61_000,
  endMs: nowMs,
  bounds: [10, 20, 50, 100, 200],
  slower: [],
  dispersion: { statistic: 0, degrees: 0 },
  memory: { logGrowth: 0, championBytes: 0, challengerBytes: 0 },
  busier: { compared: 0, busier: 0 },
  ...counts,
  ...changes,
});

export const job: PipelineJobFacts = {
  state: "running",
  error: null,
  tasks: { profile: "succeeded", train: "running" },
  dataGate: null,
  evaluation: null,
  machineSeconds: 0,
};

const goGate = { verdict: "go" as const, reasons: [], profileUri: "gs://b/profile.json" };

/** An endpoint with these models, and this split. */
export const endpointOf = (
  split: Readonly<Record<DeployedModelId, number>>,
  deployed: readonly DeployedModelId[] = [inQa, inProduction, championInQa, championInProduction],
  changes: Partial<EndpointFacts> = {},
): EndpointFacts => ({
  deployed,
  trafficSplit: split,
  operation: null,
  failures: {},
  replicas: Object.fromEntries(deployed.map((id) => [id, { min: 1, max: 1, available: 1 }])),
  ...changes,
});

const version = (id: string, aliases: readonly string[]) => ({
  versionId: modelVersionId.parse(id),
  aliases,
  artifactUri: `gs://b/model-${id}`,
  artifactDigest: null,
  servingImage: "continuo/predictor",
});

/** What may be found. */
export const factsOf: Readonly<Record<string, Facts>> = {
  nothing: {},
  absent: {
    pipelineJob: null,
    versions: { [run]: null, "1": null, "2": null, "3": null },
    endpoints: { [qa]: null, [production]: null },
    series: null,
  },
  well: {
    pipelineJob: { ...job, state: "succeeded", dataGate: goGate, evaluation, machineSeconds: 90 },
    versions: {
      [run]: version("2", [run]),
      "1": version("1", ["champion", "challenger"]),
      "2": version("2", ["challenger"]),
      "3": version("3", ["challenger"]),
    },
    endpoints: {
      [qa]: endpointOf({ [inQa]: 100 }),
      [production]: endpointOf({ [championInProduction]: 90, [inProduction]: 10 }),
    },
    series: segmentOf({ champion: armOf(900), challenger: armOf(100) }),
    smokeTest: { requests: 50, errors: 0, latencyP95Ms: 5, firstError: null },
  },
  "before the canary": {
    pipelineJob: { ...job, tasks: {} },
    endpoints: {
      [qa]: endpointOf({ [championInQa]: 100 }),
      [production]: endpointOf({ [championInProduction]: 100 }),
    },
    series: segmentOf({ champion: armOf(0), challenger: armOf(0) }),
  },
  badly: {
    pipelineJob: { ...job, state: "failed", error: "" },
    endpoints: {
      [qa]: endpointOf({ [inQa]: 100 }, [inQa], {
        failures: { [inProduction]: "no quota" },
        operation: "operations/1",
      }),
      [production]: endpointOf({ [championInProduction]: 90, [inProduction]: 10 }, undefined, {
        failures: { [inProduction]: "no quota" },
      }),
    },
    series: segmentOf({ champion: armOf(900), challenger: armOf(100, 60) }),
    smokeTest: { requests: 50, errors: 9, latencyP95Ms: 5000, firstError: "HTTP 500" },
  },
  "stopped at the gate": {
    pipelineJob: {
      ...job,
      state: "succeeded",
      dataGate: { verdict: "stop", reasons: [], profileUri: "" },
    },
    endpoints: {
      [qa]: endpointOf({}, []),
      [production]: endpointOf({}, []),
    },
  },
  "succeeded without an evaluation": {
    pipelineJob: { ...job, state: "succeeded", tasks: {} },
    endpoints: {
      [qa]: endpointOf({ [championInQa]: 50, [inQa]: 50 }),
      [production]: endpointOf({ [championInProduction]: 40, [inProduction]: 60 }),
    },
  },
  "cancelled in Vertex AI": { pipelineJob: { ...job, state: "cancelled" } },
  pending: { pipelineJob: { ...job, state: "pending", tasks: { profile: "pending" } } },
};

/** Decisions of one kind. */
export const those = <Kind extends Decision["do"]>(
  decisions: readonly Decision[],
  kind: Kind,
): readonly Extract<Decision, { readonly do: Kind }>[] =>
  decisions.filter(
    (decision): decision is Extract<Decision, { readonly do: Kind }> => decision.do === kind,
  );

/** The state after decisions; null once the model is forgotten. */
export const after = (
  state: ModelState | null,
  decisions: readonly Decision[],
  atMs = nowMs,
): ModelState | null =>
  decisions.reduce((current, decision) => evolve(current, decision, atMs), state);
