/** Draws what is found when the deciders' needs are looked up: mostly what goes well, and everything else. */
import type { DeployedModelId, ModelVersionId } from "../../../events/ids.js";
import type {
  EndpointFacts,
  Facts,
  ModelVersionFacts,
  Need,
  PipelineJobFacts,
  SmokeTestFacts,
  UploadedVersion,
} from "../../../shared/domain/facts.js";
import type { ModelState, Segment } from "../../../shared/domain/state.js";
import { armOf, endpointOf, segmentOf } from "../../unit/domain/situations.js";
import type { Random } from "../random.js";
import { oneOf } from "./draw-event.js";

const tasks = {
  profile: { profile: "running", train: "pending", evaluate: "pending" },
  train: { profile: "succeeded", train: "running", evaluate: "pending" },
  evaluate: { profile: "succeeded", train: "succeeded", evaluate: "running" },
} as const;

const running = (random: Random): PipelineJobFacts => ({
  state: random.chance(0.1) ? "pending" : "running",
  error: null,
  tasks: tasks[random.pick(["profile", "train", "evaluate"])],
  dataGate: null,
  evaluation: null,
  machineSeconds: 0,
});

const pipelineJob = (random: Random, run: string): PipelineJobFacts | null => {
  const seen = running(random);
  const machineSeconds = random.whole(0, 3600);
  const gate = (verdict: "go" | "stop" | "ask") => ({
    verdict,
    reasons: verdict === "go" ? [] : ["age: 30 % missing"],
    profileUri: `gs://b/profiles/${run}.json`,
  });
  switch (random.whole(0, 11)) {
    case 0:
      return null;
    case 1:
      return { ...seen, state: "failed", error: "train exited with 1", machineSeconds };
    case 2:
      return { ...seen, state: "cancelled", machineSeconds };
    case 3:
      return {
        ...seen,
        state: "succeeded",
        dataGate: gate(random.pick(["stop", "ask"])),
        machineSeconds,
      };
    case 4:
      return { ...seen, state: "succeeded", dataGate: gate("go"), machineSeconds };
    case 5:
    case 6:
    case 7:
      return seen;
    default:
      return {
        ...seen,
        state: "succeeded",
        dataGate: gate("go"),
        machineSeconds,
        evaluation: {
          report: `gs://b/reports/${run}.json`,
          outcome: random.chance(0.85) ? "accept" : "reject",
          reasons: ["scored on the same rows"],
          numbers: { "challenger.auc": 0.7 },
          artifact: `gs://b/artifacts/${run}`,
          artifactDigest: `sha256:${run}`,
        },
      };
  }
};

const modelVersion = (
  random: Random,
  alias: string,
  versions: readonly ModelVersionId[],
): ModelVersionFacts | null =>
  random.chance(0.15)
    ? null
    : {
        versionId: versions.find((id) => id === alias) ?? oneOf(random, versions),
        aliases: random.pick([[alias], [alias, "challenger"], [alias, "challenger", "in-rollout"]]),
        artifactUri: `gs://b/artifacts/${alias}`,
        artifactDigest: random.chance(0.5) ? `sha256:${alias}` : null,
        servingImage: "continuo/predictor",
      };

/** Versions of the runs that uploaded some lately: their own, and others that came late or belong to somebody by now. */
const uploads = (
  random: Random,
  { uploaded = [] }: ModelState,
  versions: readonly ModelVersionId[],
): readonly UploadedVersion[] =>
  uploaded.flatMap(({ run, versionId }) =>
    [versionId ?? oneOf(random, versions), oneOf(random, versions)].map((id) => ({
      run,
      versionId: id,
      aliases: random.pick([[], [], [run], ["default"], ["keep-me"], ["challenger"]]),
      artifactUri: `gs://b/artifacts/${run}`,
      artifactDigest: random.chance(0.9) ? `sha256:${run}` : null,
      servingImage: "continuo/predictor",
    })),
  );

/** The endpoint as the state believes it to be, or as somebody else left it. */
const endpointFacts = (
  random: Random,
  state: ModelState,
  endpoint: string,
): EndpointFacts | null => {
  if (random.chance(0.03)) return null;
  const environment = state.manifest.promotion.environments.find(
    (known) => known.endpoint === endpoint,
  );
  const name = environment?.name ?? "unknown";
  const champion = state.champion?.deployed[name];
  const challenger = state.rollout?.deployed[name];
  const known = [champion, challenger].flatMap((id) => id ?? []);
  const deployed = known.filter(() => random.chance(0.93));
  const weight = state.rollout !== null && "weight" in state.rollout ? state.rollout.weight : 0;
  const only = (id: DeployedModelId | undefined): EndpointFacts["trafficSplit"] =>
    id === undefined ? {} : { [id]: 100 };
  const between = (share: number): EndpointFacts["trafficSplit"] =>
    champion === undefined || challenger === undefined || share === 0 || share === 100
      ? only(share === 0 ? (champion ?? challenger) : (challenger ?? champion))
      : { [champion]: 100 - share, [challenger]: share };
  const split = random.pick([
    between(weight),
    between(weight),
    between(weight),
    between(weight),
    only(champion),
    only(challenger),
    between(random.whole(0, 100)),
    {},
  ]);
  return endpointOf(split, deployed, {
    operation: random.chance(0.05) ? "operations/1" : null,
    failures: challenger !== undefined && random.chance(0.02) ? { [challenger]: "no quota" } : {},
  });
};

const series = (random: Random, need: Need & { readonly fact: "series" }): Segment | null => {
  if (random.chance(0.1)) return null;
  const requests = random.pick([0, 10, 1000, 10_000]);
  const errorShare = random.pick([0, 0, 0, 0, 0.5]);
  return segmentOf(
    {
      champion: armOf(requests * 2),
      challenger: armOf(requests, Math.round(requests * errorShare)),
    },
    { weight: need.weight, startMs: need.sinceMs, endMs: Math.max(need.sinceMs, need.untilMs) },
  );
};

const smokeTest = (random: Random, requests: number): SmokeTestFacts =>
  random.chance(0.9)
    ? { requests, errors: 0, latencyP95Ms: 5, firstError: null }
    : { requests, errors: requests, latencyP95Ms: 5, firstError: "HTTP 500" };

/** Draws an answer to each need. */
export const drawFacts = (
  random: Random,
  state: ModelState,
  needed: readonly Need[],
  versions: readonly ModelVersionId[],
): Facts => {
  let facts: Facts = {};
  for (const need of needed) {
    switch (need.fact) {
      case "pipeline-job":
        facts = { ...facts, pipelineJob: pipelineJob(random, need.run) };
        break;
      case "model-version":
        facts = {
          ...facts,
          versions: {
            ...facts.versions,
            [need.alias]: modelVersion(random, need.alias, versions),
          },
        };
        break;
      case "uploads":
        facts = { ...facts, uploads: uploads(random, state, versions) };
        break;
      case "endpoint":
        facts = {
          ...facts,
          endpoints: {
            ...facts.endpoints,
            [need.endpoint]: endpointFacts(random, state, need.endpoint),
          },
        };
        break;
      case "series":
        facts = random.chance(0.05)
          ? { ...facts, seriesError: "the metrics could not be read: UNAVAILABLE" }
          : { ...facts, series: series(random, need) };
        break;
      case "smoke-test":
        facts = { ...facts, smokeTest: smokeTest(random, need.requests) };
        break;
    }
  }
  return facts;
};
