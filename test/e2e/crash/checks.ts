/** The invariants, checked from outside through the official clients: each names what breaks it. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Outside } from "../instance.js";
import type { Published } from "./load.js";
import { instanceOf } from "./manifest.js";
import type { Entry, World } from "./world.js";

/** One invariant: how many things were looked at, and what breaks it. */
export interface Check {
  readonly name: string;
  readonly looked: number;
  readonly violations: readonly string[];
}

const runShape = z.looseObject({
  run: z.string(),
  model: z.string(),
  fingerprint: z.string(),
  triggerCount: z.number(),
  outcome: z.string(),
  versionId: z.string().optional(),
  submittedAtMs: z.number().optional(),
});
const rolloutShape = z.looseObject({
  rollout: z.string(),
  model: z.string(),
  versionId: z.string(),
  outcome: z.string(),
});
const modelShape = z.looseObject({
  model: z.string(),
  run: z.unknown(),
  rollout: z.unknown(),
  trigger: z.unknown(),
  waiting: z.unknown(),
  champion: z.looseObject({ versionId: z.string() }).nullable(),
  sequence: z.number(),
  head: z.string(),
});
const letterShape = z.looseObject({ id: z.string(), digest: z.string(), reason: z.string() });

type Promotion = { readonly id: string; readonly model: string; readonly versionId: string };

/** Everything that can be seen from outside. */
export interface Observed {
  readonly published: readonly Published[];
  readonly journal: readonly Entry[];
  readonly pending: readonly string[];
  readonly models: readonly z.infer<typeof modelShape>[];
  readonly runs: readonly z.infer<typeof runShape>[];
  readonly rollouts: readonly z.infer<typeof rolloutShape>[];
  readonly letters: readonly z.infer<typeof letterShape>[];
  readonly jobs: readonly Job[];
  readonly versions: readonly Version[];
  readonly endpoints: readonly Endpoint[];
  readonly deployments: readonly string[];
  readonly promotions: readonly Promotion[];
  readonly answers: readonly { readonly endpoint: string; readonly problem: string | null }[];
}

interface Job {
  readonly id: string;
  readonly model: string;
  readonly state: string;
  readonly startMs: number;
  readonly endMs: number | null;
}

interface Version {
  readonly model: string;
  readonly versionId: string;
  readonly run: string;
  readonly aliases: readonly string[];
}

interface Endpoint {
  readonly endpoint: string;
  readonly deployed: readonly { readonly id: string; readonly version: string }[];
  readonly split: Readonly<Record<string, number>>;
}

const lastPart = (name: string | null | undefined): string => name?.split("/").at(-1) ?? "";

interface Time {
  readonly seconds?: unknown;
  readonly nanos?: number | null;
}

const msOf = (time: Time | null | undefined): number | null =>
  time?.seconds === undefined || time.seconds === null
    ? null
    : Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1_000_000;

const jobsOf = async ({ pipelines, parent }: Outside): Promise<readonly Job[]> => {
  const client = pipelines();
  const [jobs] = await client.listPipelineJobs({ parent });
  await client.close();
  return jobs.map(({ name, labels, state, createTime, endTime }) => ({
    id: lastPart(name),
    model: labels?.["continuo-model"] ?? "",
    state: String(state),
    startMs: msOf(createTime) ?? 0,
    endMs: msOf(endTime),
  }));
};

const versionsOf = async (
  { models, parent }: Outside,
  names: readonly string[],
): Promise<readonly Version[]> => {
  const client = models();
  const found: Version[] = [];
  for (const model of names) {
    // A model whose first version is still to come does not exist yet.
    const versions = await client
      .listModelVersions({ name: `${parent}/models/${model}` })
      .then(([listed]) => listed)
      .catch(() => []);
    for (const { versionId, labels, versionAliases } of versions) {
      found.push({
        model,
        versionId: versionId ?? "",
        run: labels?.["continuo-run"] ?? "",
        aliases: versionAliases ?? [],
      });
    }
  }
  await client.close();
  return found;
};

const endpointsOf = async ({ endpoints, parent }: Outside): Promise<readonly Endpoint[]> => {
  const client = endpoints();
  const [listed] = await client.listEndpoints({ parent });
  await client.close();
  return listed.map(({ name, deployedModels, trafficSplit }) => ({
    endpoint: lastPart(name),
    deployed: (deployedModels ?? []).map(({ id, modelVersionId }) => ({
      id: id ?? "",
      version: modelVersionId ?? "",
    })),
    split: Object.fromEntries(Object.entries(trafficSplit ?? {})),
  }));
};

const entriesReply = z.object({
  entries: z
    .array(
      z.looseObject({
        protoPayload: z.looseObject({
          request: z
            .looseObject({ deployedModel: z.looseObject({ id: z.string() }).optional() })
            .optional(),
          status: z.looseObject({ code: z.number().optional() }).optional(),
        }),
        operation: z.looseObject({ last: z.boolean().optional() }).optional(),
      }),
    )
    .default([]),
  nextPageToken: z.string().optional(),
});

/** Ids of the deployments that ended well, as the audit log tells them. */
const deploymentsOf = async ({ post, cloud, project }: Outside): Promise<readonly string[]> => {
  const ids: string[] = [];
  let pageToken: string | undefined = "";
  while (pageToken !== undefined) {
    const reply: z.infer<typeof entriesReply> = entriesReply.parse(
      await post(`${cloud}/v2/entries:list`, {
        resourceNames: [`projects/${project}`],
        filter: 'protoPayload.methodName:"DeployModel" AND operation.first=true',
        pageSize: 500,
        pageToken,
      }),
    );
    for (const { protoPayload } of reply.entries) {
      const { request, status } = protoPayload;
      if ((status?.code ?? 0) === 0 && request?.deployedModel !== undefined) {
        ids.push(request.deployedModel.id);
      }
    }
    const next = reply.nextPageToken ?? "";
    pageToken = next === "" ? undefined : next;
  }
  return ids;
};

const answersOf = async (
  { predict }: Outside,
  models: readonly string[],
): Promise<Observed["answers"]> =>
  Promise.all(
    models.map(async (model) => {
      const endpoint = `${model}-production`;
      try {
        await predict(endpoint, [instanceOf(() => 0.5)]);
        return { endpoint, problem: null };
      } catch (error) {
        return { endpoint, problem: error instanceof Error ? error.message : String(error) };
      }
    }),
  );

/** Reads everything. */
export const observe = async (
  world: World,
  published: readonly Published[],
  models: readonly string[],
  promotions: readonly Promotion[],
): Promise<Observed> => ({
  published,
  journal: await world.journal(),
  pending: await world.pendingKeys(),
  models: z.array(modelShape).parse(await world.documents("models", "state")),
  runs: z.array(runShape).parse(await world.documents("runs", "record")),
  rollouts: z.array(rolloutShape).parse(await world.documents("rollouts", "record")),
  letters: z.array(letterShape).parse(await world.documents("deadLetters", "letter")),
  jobs: await jobsOf(world.seen),
  versions: await versionsOf(world.seen, models),
  endpoints: await endpointsOf(world.seen),
  deployments: await deploymentsOf(world.seen),
  promotions,
  answers: await answersOf(world.seen, models),
});

/** Values that occur more than once. */
const repeated = (values: readonly string[]): readonly string[] => [
  ...new Set(values.filter((value, index) => values.indexOf(value) !== index)),
];

const eventOf = ({ source, id }: { readonly source: string; readonly id: string }): string =>
  `${source}|${id}`;

const sumOf = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);

const nothingLost = ({ published, journal }: Observed): Check => {
  const datasets = published.filter(({ kind }) => kind === "dataset");
  const known = new Set(journal.map(({ event, model }) => `${eventOf(event)}|${model ?? ""}`));
  return {
    name: "every published dataset has its journal entry",
    looked: datasets.length,
    violations: datasets
      .filter((one) => !known.has(`${eventOf(one)}|${one.model}`))
      .map(({ id }) => `${id} has none`),
  };
};

const journalledOnce = ({ journal }: Observed): Check => ({
  name: "an event has one journal entry per model",
  looked: journal.length,
  violations: repeated(journal.map(({ event, model }) => `${eventOf(event)}|${model ?? ""}`)),
});

const everyDecisionHasAReason = ({ journal }: Observed): Check => ({
  name: "every entry decides something and says why",
  looked: journal.length,
  violations: journal.flatMap(({ key, decisions }) =>
    decisions.length === 0 || decisions.some(({ decision }) => decision.reason === "") ? [key] : [],
  ),
});

const outboxDrained = ({ pending, journal }: Observed): Check => ({
  name: "no effect is left to perform",
  looked: journal.length,
  violations: pending,
});

/**
 * A trigger that was not ignored is answered by exactly one run: runs count what they answer. (One that comes before any
 * dataset is dropped at once, with that reason, and is not waited for.)
 */
const triggersAnswered = ({ journal, runs, models }: Observed): Check => {
  const byTrigger = new Set(["dataset.arrived", "drift.detected"]);
  return {
    name: "runs answer every trigger once",
    looked: runs.length,
    violations: models.flatMap(({ model }) => {
      const triggers = journal.filter(
        (entry) =>
          entry.model === model &&
          byTrigger.has(entry.event.type) &&
          entry.decisions.some(
            ({ decision }) =>
              decision.do === "hold-trigger" || decision.do === "request-training-run",
          ),
      ).length;
      const answered = sumOf(
        runs.filter((run) => run.model === model).map(({ triggerCount }) => triggerCount),
      );
      return answered === triggers ? [] : [`${model}: ${triggers} triggers, ${answered} answered`];
    }),
  };
};

const runPerContent = ({ journal, runs, published }: Observed): Check => {
  const trained = new Map<string, number>();
  for (const entry of journal) {
    for (const { decision } of entry.decisions) {
      const to: unknown = decision["to"];
      const parsed = z.looseObject({ run: z.string(), fingerprint: z.string() }).safeParse(to);
      if (decision.do !== "request-training-run" || !parsed.success) continue;
      if (entry.event.type !== "dataset.arrived") continue;
      const { fingerprint } = parsed.data;
      trained.set(fingerprint, (trained.get(fingerprint) ?? 0) + 1);
    }
  }
  const contents = published.filter(({ kind }) => kind === "dataset");
  return {
    name: "an arrival of a content starts at most one run, and no run is recorded twice",
    looked: contents.length,
    violations: [
      ...[...trained].flatMap(([fingerprint, count]) =>
        count > 1 ? [`${fingerprint}: ${count} runs`] : [],
      ),
      ...repeated(runs.map(({ run }) => run)),
    ],
  };
};

const oneJobPerRun = ({ jobs, runs }: Observed): Check => {
  const submitted = runs.filter(({ submittedAtMs }) => submittedAtMs !== undefined);
  const ids = new Set(jobs.map(({ id }) => id));
  const known = new Set(runs.map(({ run }) => run));
  return {
    name: "one PipelineJob per submitted run, and none without a run",
    looked: jobs.length,
    violations: [
      ...repeated(jobs.map(({ id }) => id)),
      ...submitted.filter(({ run }) => !ids.has(run)).map(({ run }) => `${run} has no job`),
      ...jobs.filter(({ id }) => !known.has(id)).map(({ id }) => `job ${id} has no run`),
    ],
  };
};

const oneLiveJobPerModel = ({ jobs }: Observed): Check => ({
  name: "a model's jobs never overlap, and none is live at the end",
  looked: jobs.length,
  violations: jobs.flatMap((job) => {
    if (job.endMs === null) return [`${job.id} is ${job.state}`];
    const { endMs } = job;
    return jobs
      .filter(
        (other) =>
          other !== job &&
          other.model === job.model &&
          other.startMs > job.startMs &&
          other.startMs < endMs,
      )
      .map((other) => `${job.id} and ${other.id} were live together`);
  }),
});

const oneVersionPerRun = ({ versions, runs }: Observed): Check => {
  const registered = runs.filter(({ outcome }) => outcome === "registered");
  const made = new Map(versions.map((version) => [version.run, version]));
  return {
    name: "one model version per registered run",
    looked: versions.length,
    violations: [
      ...repeated(versions.map(({ run }) => run)).map((run) => `${run} has several versions`),
      ...registered
        .filter(({ run, versionId }) => made.get(run)?.versionId !== versionId)
        .map(({ run }) => `${run} has no version`),
      ...(versions.length === registered.length
        ? []
        : [`${versions.length} versions of ${registered.length} registered runs`]),
    ],
  };
};

const deployedOnce = ({ deployments }: Observed): Check => ({
  name: "a deployment is asked for once",
  looked: deployments.length,
  violations: repeated(deployments),
});

const promotedOnce = ({ rollouts, promotions, journal }: Observed): Check => {
  const promoted = rollouts.filter(({ outcome }) => outcome === "promoted");
  const decided = journal.flatMap(({ model, decisions }) =>
    decisions.flatMap(({ decision }) => (decision.do === "promote" ? [model ?? ""] : [])),
  );
  const told = new Map(promotions.map((one) => [one.id, `${one.model}@${one.versionId}`]));
  return {
    name: "a rollout promotes once, and consumers are told once per event id",
    looked: promoted.length,
    violations: [
      ...repeated([...told.values()]).map((version) => `${version} was told as two events`),
      ...(decided.length === promoted.length
        ? []
        : [`${decided.length} promotions for ${promoted.length} promoted rollouts`]),
      ...promoted
        .filter(({ model, versionId }) => ![...told.values()].includes(`${model}@${versionId}`))
        .map(({ model, versionId }) => `nobody was told of ${model}@${versionId}`),
    ],
  };
};

const trafficIsWhole = ({ endpoints }: Observed): Check => ({
  name: "traffic sums to 100 or is empty, and names deployed models",
  looked: endpoints.length,
  violations: endpoints.flatMap(({ endpoint, deployed, split }) => {
    const shares = Object.values(split);
    const unknown = Object.keys(split).filter((id) => !deployed.some((one) => one.id === id));
    return [
      ...(shares.length > 0 && sumOf(shares) !== 100 ? [`${endpoint}: ${shares.join(" + ")}`] : []),
      ...unknown.map((id) => `${endpoint} sends traffic to the unknown ${id}`),
    ];
  }),
});

const championServes = ({ models, endpoints, versions, answers }: Observed): Check => ({
  name: "the champion alone serves in production, and answers",
  looked: models.length,
  violations: models.flatMap(({ model, champion }) => {
    const endpoint = endpoints.find((one) => one.endpoint === `${model}-production`);
    const serving = endpoint?.deployed.filter(({ id }) => (endpoint.split[id] ?? 0) > 0) ?? [];
    const aliased = versions.filter(
      (version) => version.model === model && version.aliases.includes("champion"),
    );
    const answer = answers.find((one) => one.endpoint === `${model}-production`);
    if (champion === null) return [`${model} has no champion`];
    return [
      ...(serving.length === 1 && serving[0]?.version === champion.versionId
        ? []
        : [`${model}: ${JSON.stringify(endpoint)} but the champion is ${champion.versionId}`]),
      ...(endpoint?.deployed.length === 1
        ? []
        : [`${model}: leftovers in ${JSON.stringify(endpoint)}`]),
      ...(aliased.length === 1 && aliased[0]?.versionId === champion.versionId
        ? []
        : [`${model}: alias champion is on ${JSON.stringify(aliased)}`]),
      ...(answer?.problem === null ? [] : [`${model}: ${answer?.problem ?? "not asked"}`]),
    ];
  }),
});

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries: [string, unknown][] = Object.entries(value);
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]),
  );
};

/** The chain, computed here from nothing but the journal. */
const chainIsIntact = ({ journal, models }: Observed): Check => {
  const links = journal.filter(({ chain }) => chain !== null);
  return {
    name: "the hash chain of every model is whole and ends at its head",
    looked: links.length,
    violations: models.flatMap((state) => {
      let previous = "";
      let sequence = 0;
      const problems: string[] = [];
      const ofModel = links
        .filter(({ model }) => model === state.model)
        .toSorted((a, b) => (a.chain?.sequence ?? 0) - (b.chain?.sequence ?? 0));
      for (const { chain, event, receivedAtMs, decisions, key } of ofModel) {
        sequence += 1;
        const text = JSON.stringify(
          sorted({
            sequence,
            previous,
            event,
            receivedAtMs,
            decisions: decisions.map(({ decision }) => decision),
          }),
        );
        const hash = createHash("sha256").update(text).digest("hex");
        if (chain?.sequence !== sequence || chain.previous !== previous || chain.hash !== hash) {
          problems.push(`${state.model}: link ${sequence} (${key}) does not follow`);
        }
        previous = chain?.hash ?? "";
      }
      if (state.sequence !== sequence || state.head !== previous) {
        problems.push(
          `${state.model}: the state is at ${state.sequence}, the chain at ${sequence}`,
        );
      }
      return problems;
    }),
  };
};

const onlyPoisonIsDead = ({ published, letters, journal }: Observed): Check => {
  const poison = published.filter(({ kind }) => kind === "poison");
  const dead = new Set(letters.map(({ digest }) => digest));
  const known = new Set(poison.map(({ digest }) => digest));
  return {
    name: "dead letters hold all the poison and nothing else, and nobody acted on it",
    looked: letters.length,
    violations: [
      ...repeated(letters.map(({ id }) => id)),
      ...poison.filter(({ digest }) => !dead.has(digest)).map(({ id }) => `"${id}" is not there`),
      ...letters
        .filter(({ digest }) => !known.has(digest))
        .map(({ reason }) => `not poison: ${reason}`),
      ...letters.filter(({ reason }) => reason === "").map(({ id }) => `${id} has no reason`),
      ...journal.filter(({ event }) => event.source === "storm/poison").map(({ key }) => key),
    ],
  };
};

const quiet = ({ models }: Observed): Check => ({
  name: "nothing is live, waits or hangs",
  looked: models.length,
  violations: models.flatMap((state) =>
    (["run", "rollout", "trigger", "waiting"] as const)
      .filter((part) => state[part] !== null)
      .map((part) => `${state.model} still has a ${part}: ${JSON.stringify(state[part])}`),
  ),
});

/** All invariants over what was observed. */
export const checkAll = (observed: Observed): readonly Check[] =>
  [
    nothingLost,
    journalledOnce,
    everyDecisionHasAReason,
    outboxDrained,
    triggersAnswered,
    runPerContent,
    oneJobPerRun,
    oneLiveJobPerModel,
    oneVersionPerRun,
    deployedOnce,
    promotedOnce,
    trafficIsWhole,
    championServes,
    chainIsIntact,
    onlyPoisonIsDead,
    quiet,
  ].map((check) => check(observed));
