/** Nothing is lost: every subscription retries, dead-letters, never expires, and signs what it pushes. */
import type { PlannedResource } from "../plan/module.js";
import { about, at, ofType, textAt, type Rule } from "./facts.js";
import { isList } from "../plan/values.js";

const seconds = (text: string): number => Number(text.replace(/s$/, ""));

const subscriptionsOf: (scenario: Parameters<Rule>[0]) => readonly PlannedResource[] = (scenario) =>
  ofType(scenario, "google_pubsub_subscription");

/** Pushes carry a token made for the function, and the service takes tokens made for it. */
export const oidcAudience: Rule = (scenario) =>
  subscriptionsOf(scenario).flatMap((subscription) => {
    const endpoint = textAt(subscription, "push_config.push_endpoint");
    const audience = textAt(subscription, "push_config.oidc_token.audience");
    const service = ofType(scenario, "google_cloud_run_v2_service").find(
      (one) => textAt(one, "name") === `continuo-${textAt(subscription, "name")}`,
    );
    const taken = service === undefined ? [] : (at(service, "custom_audiences")?.value ?? []);
    if (audience === "" || audience !== endpoint) {
      return [
        about(
          subscription,
          "oidc-audience",
          "push_config.oidc_token.audience",
          "pushes without a token made for its function",
          "Set push_config.oidc_token.audience to the push endpoint.",
        ),
      ];
    }
    if (!isList(taken) || !taken.includes(audience)) {
      return [
        about(
          subscription,
          "oidc-audience",
          "push_config.oidc_token.audience",
          `makes tokens for ${audience}, which its service does not take`,
          "Add it to the service's custom_audiences.",
        ),
      ];
    }
    return [];
  });

/** What fails too often goes to the dead-letter topic, which somebody reads. */
export const deadLetter: Rule = (scenario, { manifest }) => {
  const topic = manifest.deadLetterTopic;
  const subscriptions = subscriptionsOf(scenario);
  const isOn = (subscription: PlannedResource): boolean =>
    textAt(subscription, "topic").endsWith(`/topics/${topic}`);
  const without = subscriptions.flatMap((subscription) => {
    if (isOn(subscription)) return [];
    const target = textAt(subscription, "dead_letter_policy.dead_letter_topic");
    return target.endsWith(`/topics/${topic}`)
      ? []
      : [
          about(
            subscription,
            "dead-letter",
            "dead_letter_policy",
            "loses what fails too often",
            `Add dead_letter_policy with dead_letter_topic = topic ${topic}.`,
          ),
        ];
  });
  const [first] = subscriptions;
  const isUnread = first !== undefined && !subscriptions.some(isOn);
  return isUnread
    ? [
        ...without,
        about(
          first,
          "dead-letter",
          null,
          `dead-letters to ${topic}, which nobody subscribes to`,
          `Keep a function on topic ${topic}: a topic without a subscription loses its messages.`,
        ),
      ]
    : without;
};

/** Without a policy a failed push is sent again at once, for ever. */
export const retryPolicy: Rule = (scenario) =>
  subscriptionsOf(scenario).flatMap((subscription) => {
    const least = seconds(textAt(subscription, "retry_policy.minimum_backoff"));
    const most = seconds(textAt(subscription, "retry_policy.maximum_backoff"));
    return least > 0 && most >= least && most <= 600
      ? []
      : [
          about(
            subscription,
            "retry-policy",
            "retry_policy",
            "has no back-off",
            "Add retry_policy with minimum_backoff and maximum_backoff of at most 600s.",
          ),
        ];
  });

/** Pub/Sub deletes a quiet subscription after 31 days unless it is told not to. */
export const neverExpires: Rule = (scenario) =>
  subscriptionsOf(scenario).flatMap((subscription) =>
    at(subscription, "expiration_policy.ttl")?.value === ""
      ? []
      : [
          about(
            subscription,
            "never-expires",
            "expiration_policy",
            "is deleted after a quiet month",
            'Add expiration_policy { ttl = "" }.',
          ),
        ],
  );

/** An answer must be waited for as long as the function may take, or it is called twice at once. */
export const ackDeadline: Rule = (scenario) =>
  subscriptionsOf(scenario).flatMap((subscription) => {
    const service = ofType(scenario, "google_cloud_run_v2_service").find(
      (one) => textAt(one, "name") === `continuo-${textAt(subscription, "name")}`,
    );
    const timeout = service === undefined ? 0 : seconds(textAt(service, "template.timeout"));
    const deadline = Number(textAt(subscription, "ack_deadline_seconds"));
    return deadline >= timeout
      ? []
      : [
          about(
            subscription,
            "ack-deadline",
            "ack_deadline_seconds",
            `waits ${String(deadline)} s for a function that may take ${String(timeout)} s`,
            "Set ack_deadline_seconds to at least the function's timeout.",
          ),
        ];
  });

const agent = (number: string, name: string): string =>
  `serviceAccount:service-${number}@${name}.iam.gserviceaccount.com`;

const isAgent = (name: string) => (member: string) =>
  new RegExp(`^${agent("\\d+", name).replaceAll(".", "\\.")}$`).test(member);

const lacking = (resource: PlannedResource, who: string, what: string) =>
  about(resource, "agent-grants", null, `needs ${who} to ${what}`, "Add the grant beside it.");

const topicOf = (path: string): string => path.split("/").at(-1) ?? "";

/** Google's own agents need grants too: without them messages stay where they are, silently. */
export const agentGrants: Rule = (scenario, { manifest }) => {
  const topicGrants = ofType(scenario, "google_pubsub_topic_iam_member");
  const takers = ofType(scenario, "google_pubsub_subscription_iam_member");
  const mayPublish = (topic: string, isMember: (member: string) => boolean): boolean =>
    topicGrants.some(
      (grant) =>
        textAt(grant, "role") === "roles/pubsub.publisher" &&
        textAt(grant, "topic").split("/").at(-1) === topic &&
        isMember(textAt(grant, "member")),
    );
  const subscriptions = subscriptionsOf(scenario).filter(
    ({ blocks }) => blocks["dead_letter_policy"] !== undefined,
  );
  const pubsub = isAgent("gcp-sa-pubsub");
  return [
    ...subscriptions.flatMap((subscription) =>
      takers.some(
        (grant) =>
          textAt(grant, "subscription") === textAt(subscription, "name") &&
          textAt(grant, "role") === "roles/pubsub.subscriber" &&
          pubsub(textAt(grant, "member")),
      )
        ? []
        : [
            lacking(
              subscription,
              "Pub/Sub's service agent",
              "take dead letters from it (roles/pubsub.subscriber)",
            ),
          ],
    ),
    ...(subscriptions[0] === undefined || mayPublish(manifest.deadLetterTopic, pubsub)
      ? []
      : [
          lacking(
            subscriptions[0],
            "Pub/Sub's service agent",
            `publish to ${manifest.deadLetterTopic}`,
          ),
        ]),
    ...ofType(scenario, "google_logging_project_sink").flatMap((sink) =>
      mayPublish(topicOf(textAt(sink, "destination")), (member) =>
        member.includes(`${sink.address}.writer_identity`),
      )
        ? []
        : [lacking(sink, "its writer identity", "publish to its topic")],
    ),
    ...ofType(scenario, "google_cloud_scheduler_job").flatMap((job) =>
      mayPublish(topicOf(textAt(job, "pubsub_target.topic_name")), isAgent("gcp-sa-cloudscheduler"))
        ? []
        : [lacking(job, "Cloud Scheduler's service agent", "publish to its topic")],
    ),
    ...ofType(scenario, "google_storage_notification").flatMap((notification) =>
      mayPublish(topicOf(textAt(notification, "topic")), isAgent("gs-project-accounts"))
        ? []
        : [lacking(notification, "Cloud Storage's service agent", "publish to its topic")],
    ),
  ];
};
