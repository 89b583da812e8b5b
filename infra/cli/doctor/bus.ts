/** Topics, subscriptions, sinks and schedules against functions/manifest.ts. */
import { z } from "zod";
import { functions, sinks, systemSchedules, topicNames } from "../../../functions/manifest.js";
import { locationName } from "../../../shared/gcp/config.js";
import { deadLetterTopic } from "../../../shared/gcp/topology.js";
import {
  api,
  failed,
  getOne,
  last,
  listAll,
  ok,
  policyShape,
  provisionAdvice,
  type Check,
  type Finding,
  type Patient,
} from "./finding.js";

const seconds = z.string().transform((text) => Number.parseFloat(text));

const named = z.looseObject({ name: z.string() });

const subscriptionShape = z.looseObject({
  name: z.string(),
  topic: z.string(),
  ackDeadlineSeconds: z.number().default(10),
  pushConfig: z
    .looseObject({
      pushEndpoint: z.string().default(""),
      oidcToken: z
        .looseObject({
          serviceAccountEmail: z.string().default(""),
          audience: z.string().default(""),
        })
        .optional(),
    })
    .default({ pushEndpoint: "" }),
  retryPolicy: z
    .looseObject({ minimumBackoff: seconds.default(10), maximumBackoff: seconds.default(600) })
    .optional(),
  deadLetterPolicy: z
    .looseObject({
      deadLetterTopic: z.string().default(""),
      maxDeliveryAttempts: z.number().default(5),
    })
    .optional(),
  expirationPolicy: z.looseObject({ ttl: z.string().optional() }).optional(),
  state: z.string().default("ACTIVE"),
  detached: z.boolean().default(false),
});

/** A subscription as Pub/Sub's REST API shows it. */
export type FoundSubscription = z.infer<typeof subscriptionShape>;

type Wanted = Pick<(typeof functions)[number], "name" | "retry" | "timeoutSeconds"> & {
  readonly topic: string;
};

/** What of a subscription is not as the list of functions wants it, a phrase each. */
export const subscriptionProblems = (
  wanted: Wanted,
  found: FoundSubscription,
): readonly string[] => {
  const { pushConfig, retryPolicy, deadLetterPolicy, expirationPolicy } = found;
  const { minBackoffSeconds, maxBackoffSeconds, deliveryAttemptsMax } = wanted.retry;
  const token = pushConfig.oidcToken;
  const problems: readonly (string | false)[] = [
    found.detached && "is detached",
    last(found.topic) === "_deleted-topic_" && "listens to a topic that was deleted",
    last(found.topic) !== wanted.topic && `listens to ${last(found.topic)}, not ${wanted.topic}`,
    pushConfig.pushEndpoint === "" && "pushes nowhere: somebody switched it to pull",
    pushConfig.pushEndpoint !== "" &&
      !pushConfig.pushEndpoint.endsWith(`/${wanted.name}`) &&
      `pushes to ${pushConfig.pushEndpoint}`,
    pushConfig.pushEndpoint !== "" &&
      (token === undefined || token.serviceAccountEmail === "") &&
      "pushes without a token",
    token !== undefined &&
      token.audience !== pushConfig.pushEndpoint &&
      `its tokens are for ${token.audience === "" ? "nobody" : token.audience}`,
    found.ackDeadlineSeconds < Math.min(600, wanted.timeoutSeconds) &&
      `waits ${found.ackDeadlineSeconds} s for an answer that may take ${wanted.timeoutSeconds} s`,
    (retryPolicy?.minimumBackoff !== minBackoffSeconds ||
      retryPolicy.maximumBackoff !== maxBackoffSeconds) &&
      `retries after ${retryPolicy?.minimumBackoff ?? 0} to ${retryPolicy?.maximumBackoff ?? 0} s, not ${minBackoffSeconds} to ${maxBackoffSeconds} s`,
    wanted.topic !== deadLetterTopic &&
      (deadLetterPolicy === undefined ||
        last(deadLetterPolicy.deadLetterTopic) !== deadLetterTopic) &&
      "has no dead-letter topic: a poisonous message would be tried for ever",
    deadLetterPolicy !== undefined &&
      deadLetterPolicy.maxDeliveryAttempts !== deliveryAttemptsMax &&
      `tries ${deadLetterPolicy.maxDeliveryAttempts} times, not ${deliveryAttemptsMax}`,
    // Without a policy the service sets 31 days; a policy without a time to live means never.
    (expirationPolicy === undefined || expirationPolicy.ttl !== undefined) &&
      "expires when its topic is quiet for long",
  ];
  return problems.filter((problem): problem is string => problem !== false);
};

const topics: Check = {
  name: "topics",
  examine: async (patient) => {
    const { projectId } = patient.config;
    const found = await listAll(patient, {
      url: `${api(patient, "pubsub")}/v1/projects/${projectId}/topics`,
      items: "topics",
      item: named,
    });
    const known = new Set(found.map(({ name }) => last(name)));
    const missing = topicNames.filter((topic) => !known.has(topic));
    return missing.length === 0
      ? [ok(`all ${topicNames.length} topics exist`)]
      : missing.map((topic) => failed(`topic ${topic} is missing`, provisionAdvice(patient)));
  },
};

const subscriptions: Check = {
  name: "subscriptions",
  examine: async (patient) => {
    const { projectId } = patient.config;
    const found = await listAll(patient, {
      url: `${api(patient, "pubsub")}/v1/projects/${projectId}/subscriptions`,
      items: "subscriptions",
      item: subscriptionShape,
    });
    const byName = new Map(found.map((one) => [last(one.name), one]));
    const wanted = functions.flatMap(({ name, retry, timeoutSeconds, trigger }): Wanted[] =>
      "topic" in trigger ? [{ name, retry, timeoutSeconds, topic: trigger.topic }] : [],
    );
    const findings = wanted.flatMap((one): readonly Finding[] => {
      const subscription = byName.get(one.name);
      if (subscription === undefined) {
        return [
          failed(
            `subscription ${one.name} is missing: nobody reacts to ${one.topic}`,
            provisionAdvice(patient),
          ),
        ];
      }
      return subscriptionProblems(one, subscription).map((problem) =>
        failed(`subscription ${one.name} ${problem}`, provisionAdvice(patient)),
      );
    });
    return findings.length === 0
      ? [
          ok(
            `all ${wanted.length} subscriptions push with a token, retry, dead-letter, never expire`,
          ),
        ]
      : findings;
  },
};

const sinkShape = z.looseObject({
  name: z.string(),
  destination: z.string().default(""),
  filter: z.string().default(""),
  writerIdentity: z.string().default(""),
  disabled: z.boolean().default(false),
});

/** Who may publish to a topic, by the topic's own policy. */
const publishersOf = async (patient: Patient, topic: string): Promise<ReadonlySet<string>> => {
  const { projectId } = patient.config;
  const url = `${api(patient, "pubsub")}/v1/projects/${projectId}/topics/${topic}:getIamPolicy`;
  const policy = await getOne(patient, url, policyShape);
  const roles = new Set(["roles/pubsub.publisher", "roles/pubsub.editor"]);
  return new Set(
    (policy?.bindings ?? [])
      .filter(({ role }) => roles.has(role))
      .flatMap(({ members }) => members),
  );
};

const logSinks: Check = {
  name: "log sinks",
  examine: async (patient) => {
    const { projectId, localCloud } = patient.config;
    const found = await listAll(patient, {
      url: `${api(patient, "logging")}/v2/projects/${projectId}/sinks`,
      items: "sinks",
      item: sinkShape,
    });
    const byName = new Map(found.map((sink) => [sink.name, sink]));
    const findings = await Promise.all(
      sinks.map(async ({ name, topic, filter }): Promise<readonly Finding[]> => {
        const sink = byName.get(name);
        if (sink === undefined) {
          return [failed(`log sink ${name} is missing`, provisionAdvice(patient))];
        }
        const destination = `pubsub.googleapis.com/projects/${projectId}/topics/${topic}`;
        const problems = [
          ...(sink.disabled ? ["is disabled"] : []),
          ...(sink.destination === destination ? [] : [`writes to ${sink.destination}`]),
          ...(sink.filter === filter ? [] : ["has another filter than functions/manifest.ts"]),
          // The local cloud's sinks write as the cloud itself.
          ...(localCloud !== undefined ||
          (await publishersOf(patient, topic)).has(sink.writerIdentity)
            ? []
            : [`writes as ${sink.writerIdentity}, which may not publish to ${topic}`]),
        ];
        return problems.map((problem) =>
          failed(`log sink ${name} ${problem}`, provisionAdvice(patient)),
        );
      }),
    );
    return findings.flat().length === 0
      ? [ok(`all ${sinks.length} log sinks feed their topics`)]
      : findings.flat();
  },
};

const jobShape = z.looseObject({
  name: z.string(),
  schedule: z.string().default(""),
  state: z.string().default("ENABLED"),
  lastAttemptTime: z.string().optional(),
  status: z
    .looseObject({ code: z.number().default(0), message: z.string().default("") })
    .optional(),
  pubsubTarget: z.looseObject({ topicName: z.string().default("") }).optional(),
});

const everyMinute = "* * * * *";
const silentMsMax = 3 * 60_000;
const isRecent = (instant: string | undefined): boolean =>
  instant !== undefined && Date.now() - Date.parse(instant) < silentMsMax;

const schedules: Check = {
  name: "schedules",
  examine: async (patient) => {
    const url = `${api(patient, "cloudscheduler")}/v1/${locationName(patient.config)}/jobs`;
    const found = await listAll(patient, { url, items: "jobs", item: jobShape });
    const byName = new Map(found.map((job) => [last(job.name), job]));
    const findings = systemSchedules.flatMap(({ name, cron, topic }): readonly Finding[] => {
      const job = byName.get(name);
      if (job === undefined) {
        return [failed(`schedule ${name} is missing`, provisionAdvice(patient))];
      }
      const { code = 0, message = "" } = job.status ?? {};
      return [
        ...(job.state === "ENABLED"
          ? []
          : [
              failed(
                `schedule ${name} is ${job.state}: nothing happens on time`,
                `gcloud scheduler jobs resume ${name} --location=${patient.config.region}`,
              ),
            ]),
        ...(job.schedule === cron && last(job.pubsubTarget?.topicName ?? "") === topic
          ? []
          : [
              failed(
                `schedule ${name} is "${job.schedule}", not "${cron}" to ${topic}`,
                provisionAdvice(patient),
              ),
            ]),
        ...(code === 0
          ? []
          : [
              failed(
                `schedule ${name} could not fire the last time: ${message} (code ${code})`,
                "see infra/docs/runbook.md#scheduler",
              ),
            ]),
        ...(cron === everyMinute && !isRecent(job.lastAttemptTime)
          ? [
              failed(
                `schedule ${name} has not fired ${job.lastAttemptTime === undefined ? "yet" : `since ${job.lastAttemptTime}`}: nothing moves by itself`,
                "wait two minutes and look again; then see infra/docs/runbook.md#tick",
              ),
            ]
          : []),
      ];
    });
    return findings.length === 0
      ? [ok(`all ${systemSchedules.length} schedules are enabled and fire`)]
      : findings;
  },
};

/** What carries events. */
export const busChecks: readonly Check[] = [topics, subscriptions, logSinks, schedules];
