/** Terraform makes what functions/manifest.json lists: no more, no less, nothing else. */
import type { Finding } from "../finding.js";
import { isList } from "../plan/values.js";
import {
  about,
  at,
  manifestFile,
  ofType,
  textAt,
  type ManifestFunction,
  type Rule,
  type RuleContext,
} from "./facts.js";

const missingIn = (
  { manifestLineOf }: RuleContext,
  what: string,
  names: readonly string[],
): readonly Finding[] =>
  names.map((name) => ({
    rule: "parity",
    file: manifestFile,
    line: manifestLineOf(`"${name}"`),
    message: `${what} ${name} is listed, but Terraform does not make it`,
    fix: "Make modules read the whole list.",
  }));

const compared = (
  rule: Parameters<Rule>,
  type: string,
  what: string,
  wanted: readonly string[],
): readonly Finding[] => {
  const [scenario, context] = rule;
  const made = ofType(scenario, type);
  const names = made.map((resource) => textAt(resource, "name"));
  return [
    ...missingIn(
      context,
      what,
      wanted.filter((name) => !names.includes(name)),
    ),
    ...made.flatMap((resource) =>
      wanted.includes(textAt(resource, "name"))
        ? []
        : [
            about(
              resource,
              "parity",
              "name",
              `is no ${what} of functions/manifest.ts`,
              "List it there, or remove it here.",
            ),
          ],
    ),
  ];
};

/** Topics, and which of them check what is published. */
export const topicParity: Rule = (scenario, context) => [
  ...compared([scenario, context], "google_pubsub_topic", "topic", context.manifest.topics),
  ...ofType(scenario, "google_pubsub_topic").flatMap((topic) =>
    context.manifest.schemas.includes(textAt(topic, "name")) ===
    (topic.blocks["schema_settings"] !== undefined)
      ? []
      : [
          about(
            topic,
            "parity",
            null,
            "has a schema where the list has none, or none where it has one",
            "Follow topicsWithSchema of functions/manifest.ts.",
          ),
        ],
  ),
  ...Object.entries(context.manifest.functions).flatMap(([name, { topic, publishes }]) =>
    [topic, ...publishes].flatMap((wanted) =>
      wanted === null || context.manifest.topics.includes(wanted)
        ? []
        : [
            {
              rule: "parity",
              file: manifestFile,
              line: context.manifestLineOf(`"${name}": {`),
              message: `function ${name} names the unknown topic ${wanted}`,
              fix: `Correct it in functions/manifest.ts and run npm run generate. Topics: ${context.manifest.topics.join(", ")}.`,
            },
          ],
    ),
  ),
];

/** Subscriptions as the list and the local cloud have them. */
export const subscriptionParity: Rule = (scenario, context) => {
  if (!scenario.isDeployed) return [];
  const { functions, deadLetterTopic } = context.manifest;
  const events = Object.entries(functions).filter(([, { topic }]) => topic !== null);
  const names = events.map(([name]) => name);
  return [
    ...compared([scenario, context], "google_pubsub_subscription", "subscription", names),
    ...ofType(scenario, "google_pubsub_subscription").flatMap((subscription) => {
      const settings = functions[textAt(subscription, "name")];
      if (settings === undefined) return [];
      const { topic, retry } = settings;
      const wanted: Readonly<Record<string, string>> = {
        "retry_policy.minimum_backoff": `${String(retry.minBackoffSeconds)}s`,
        "retry_policy.maximum_backoff": `${String(retry.maxBackoffSeconds)}s`,
        "dead_letter_policy.max_delivery_attempts":
          topic === deadLetterTopic ? "" : String(retry.deliveryAttemptsMax),
      };
      const isElsewhere = !textAt(subscription, "topic").endsWith(`/topics/${topic ?? ""}`);
      return [
        ...(isElsewhere
          ? [
              about(
                subscription,
                "parity",
                "topic",
                `subscribes to ${textAt(subscription, "topic")} instead of ${topic ?? ""}`,
                "Take the topic from the list.",
              ),
            ]
          : []),
        ...Object.entries(wanted).flatMap(([path, value]) =>
          textAt(subscription, path) === value
            ? []
            : [
                about(
                  subscription,
                  "parity",
                  path,
                  `has ${path} ${textAt(subscription, path)} instead of ${value}`,
                  "Take it from the list.",
                ),
              ],
        ),
      ];
    }),
  ];
};

const wantedOf = (settings: ManifestFunction): Readonly<Record<string, string>> => ({
  "template.timeout": `${String(settings.timeoutSeconds)}s`,
  "template.max_instance_request_concurrency": String(settings.concurrency),
  "template.scaling.min_instance_count": String(settings.instancesMin),
  "template.scaling.max_instance_count": String(settings.instancesMax),
});

/** Services with the memory, CPU, limits and variables of the list. */
export const serviceParity: Rule = (scenario, context) => {
  if (!scenario.isDeployed) return [];
  const { functions } = context.manifest;
  const names = Object.keys(functions).map((name) => `continuo-${name}`);
  return [
    ...compared([scenario, context], "google_cloud_run_v2_service", "service", names),
    ...ofType(scenario, "google_cloud_run_v2_service").flatMap((service) => {
      const settings = functions[textAt(service, "name").replace(/^continuo-/, "")];
      if (settings === undefined) return [];
      const container = service.blocks["template"]?.[0]?.blocks["containers"]?.[0];
      const limits = container === undefined ? undefined : at(container, "resources.limits")?.value;
      const wantedLimits = { cpu: String(settings.cpu), memory: `${String(settings.memoryMib)}Mi` };
      const environment = (container?.blocks["env"] ?? []).map((variable) =>
        textAt(variable, "name"),
      );
      return [
        ...Object.entries(wantedOf(settings)).flatMap(([path, value]) =>
          textAt(service, path) === value
            ? []
            : [
                about(
                  service,
                  "parity",
                  path,
                  `has ${path} ${textAt(service, path)} instead of ${value}`,
                  "Take it from the list.",
                ),
              ],
        ),
        ...(JSON.stringify(limits) === JSON.stringify(wantedLimits)
          ? []
          : [
              about(
                service,
                "parity",
                null,
                `has the limits ${JSON.stringify(limits)} instead of ${JSON.stringify(wantedLimits)}`,
                "Take them from the list.",
              ),
            ]),
        ...(environment.join() === settings.environment.join()
          ? []
          : [
              about(
                service,
                "parity",
                null,
                `is given ${environment.join(", ")} instead of ${settings.environment.join(", ")}`,
                "Take the variables from the list.",
              ),
            ]),
      ];
    }),
  ];
};

/** Each identity may do exactly what its function's list says, where it says it. */
export const permissionParity: Rule = (scenario, { manifest, manifestLineOf }) => {
  const roles = ofType(scenario, "google_project_iam_custom_role");
  const grants = ofType(scenario, "google_pubsub_topic_iam_member");
  return Object.entries(manifest.functions).flatMap(
    ([name, { identity, permissions, auditPermissions, publishes }]) => {
      const id = `continuo_${name.replaceAll("-", "_")}`;
      const own = roles.filter((role) =>
        [id, `${id}_bucket`, `${id}_audit`].includes(textAt(role, "role_id")),
      );
      const granted = own.flatMap((role) => {
        const value = at(role, "permissions")?.value ?? [];
        const place = textAt(role, "role_id").endsWith("_audit") ? "audit heads: " : "";
        return isList(value) ? value.map(String).map((permission) => `${place}${permission}`) : [];
      });
      // Publishing is granted on topics, acting as another identity on that identity.
      const wanted = [
        ...permissions.filter((one) => !one.startsWith("pubsub.") && !one.startsWith("iam.")),
        ...auditPermissions.map((one) => `audit heads: ${one}`),
      ];
      const isSame = granted.toSorted().join() === [...wanted].toSorted().join();
      const topics = grants.flatMap((grant) =>
        textAt(grant, "member").startsWith(`serviceAccount:${identity}@`)
          ? [textAt(grant, "topic")]
          : [],
      );
      const isToldSame = topics.toSorted().join() === [...publishes].toSorted().join();
      const finding = (message: string): Finding => ({
        rule: "parity",
        file: own[0]?.file ?? manifestFile,
        line: own[0]?.line ?? manifestLineOf(`"${name}": {`),
        message,
        fix: "Grant what functions/manifest.ts lists and nothing else.",
      });
      return [
        ...(isSame
          ? []
          : [
              finding(
                `function ${name} is granted ${granted.join(", ")} instead of ${wanted.join(", ")}`,
              ),
            ]),
        ...(isToldSame
          ? []
          : [
              finding(
                `function ${name} may publish to ${topics.join(", ")} instead of ${publishes.join(", ")}`,
              ),
            ]),
      ];
    },
  );
};

/** The three system jobs and the sinks. */
export const scheduleAndSinkParity: Rule = (scenario, context) => {
  const { systemSchedules, sinks } = context.manifest;
  const options = ["bigquery-arrivals"];
  return [
    ...compared(
      [scenario, context],
      "google_cloud_scheduler_job",
      "schedule",
      systemSchedules.map(({ name }) => name),
    ),
    ...ofType(scenario, "google_cloud_scheduler_job").flatMap((job) => {
      const wanted = systemSchedules.find(({ name }) => name === textAt(job, "name"));
      if (wanted === undefined) return [];
      const isSame =
        textAt(job, "schedule") === wanted.cron &&
        textAt(job, "pubsub_target.topic_name").endsWith(`/topics/${wanted.topic}`);
      return isSame
        ? []
        : [
            about(
              job,
              "parity",
              "schedule",
              `fires ${textAt(job, "schedule")} to ${textAt(job, "pubsub_target.topic_name")} instead of ${wanted.cron} to ${wanted.topic}`,
              "Take both from the list.",
            ),
          ];
    }),
    ...missingIn(
      context,
      "sink",
      sinks.flatMap(({ name }) =>
        ofType(scenario, "google_logging_project_sink").some(
          (sink) => textAt(sink, "name") === name,
        )
          ? []
          : [name],
      ),
    ),
    ...ofType(scenario, "google_logging_project_sink").flatMap((sink) => {
      const wanted = sinks.find(({ name }) => name === textAt(sink, "name"));
      const isSame =
        wanted === undefined
          ? options.includes(textAt(sink, "name"))
          : wanted.filter === textAt(sink, "filter") &&
            textAt(sink, "destination").endsWith(`/topics/${wanted.topic}`);
      return isSame
        ? []
        : [
            about(
              sink,
              "parity",
              "filter",
              "is not the sink of functions/manifest.ts",
              "Take filter and topic from the list.",
            ),
          ];
    }),
  ];
};
