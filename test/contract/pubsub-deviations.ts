/** Where Google's Pub/Sub emulator does otherwise than the service is documented to do. */

/** One deviation. */
export interface Deviation {
  /** What the service does. */
  readonly service: string;
  /** What the emulator does. */
  readonly emulator: string;
  /** Where the service's behaviour is written. */
  readonly source: string;
}

const reference = "https://cloud.google.com/pubsub/docs/reference/rest/v1";

const filters: Deviation = {
  service: "delivers what the filter matches and acknowledges the rest",
  emulator: "keeps the filter and delivers everything",
  source: "https://cloud.google.com/pubsub/docs/subscription-message-filter",
};
const limits: Deviation = {
  service: "refuses messages and attributes above its limits, and keys that begin with goog",
  emulator: "accepts them",
  source: "https://cloud.google.com/pubsub/quotas#resource_limits",
};
const words: Deviation = {
  service: "names the field, or the resource by its last part",
  emulator: "uses other words",
  source: "recorded replies of the service",
};
const retry: Deviation = {
  service: "waits for minimumBackoff first and doubles it up to maximumBackoff",
  emulator: "pushes again every second whatever the policy says",
  source: `${reference}/projects.subscriptions#RetryPolicy`,
};
const pushFields: Deviation = {
  service: "puts orderingKey into the message and deliveryAttempt beside it",
  emulator: "leaves both out",
  source: "https://cloud.google.com/pubsub/docs/push#receive_push",
};

const snapshots: Deviation = {
  service: "hands a snapshot's messages to any subscription of its topic that seeks to it",
  emulator: "knows them only in the subscription that the snapshot was made of",
  source: "https://cloud.google.com/pubsub/docs/replay-overview#seek_to_a_snapshot",
};

const protocolBuffers: Deviation = {
  service: "takes schemas that are protocol buffers",
  emulator: "has Avro schemas only",
  source: "https://cloud.google.com/pubsub/docs/schemas#schema_types",
};
const protocolBufferCases = [
  "take a message in JSON by PROTOCOL_BUFFER",
  "refuse an unknown field in JSON by PROTOCOL_BUFFER",
  "refuse another type in JSON by PROTOCOL_BUFFER",
  "take a message in BINARY by PROTOCOL_BUFFER",
  "refuse a message that is cut off in BINARY by PROTOCOL_BUFFER",
  "are made of a message",
  "are not made of two messages",
  "are not made of an import",
];

/** By the title of the case that shows it. */
export const pubsubDeviations: Readonly<Record<string, Deviation>> = {
  "carries a token that the published keys verify": {
    service: "signs an OpenID Connect token for each push that asks for it",
    emulator: "sends no Authorization header",
    source: "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
  },
  "names the ordering key, and the attempt where there is a dead-letter policy": pushFields,
  "backs off exponentially from the first retry on": retry,
  "retries at once without a retry policy": {
    service: "redelivers at once",
    emulator: "waits for a second",
    source: "https://cloud.google.com/pubsub/docs/subscription-retry-policy",
  },
  "dead-letters after the maximum attempts, with a new id and the source's attributes": {
    ...pushFields,
    emulator: "leaves the attempt out of the push, and retries once a second",
  },
  'attributes.kind = "a" lets pass a': filters,
  'attributes.kind != "a" lets pass b, none': filters,
  'hasPrefix(attributes.name, "te") lets pass b': filters,
  "attributes:kind lets pass a, b": filters,
  'NOT attributes:kind OR (attributes.kind = "a" AND -attributes:name) lets pass a, none': filters,
  "refuses a filter it cannot read, saying where": {
    ...filters,
    service: "refuses a filter that it cannot read",
    emulator: "accepts any text",
  },
  "holds a key's successors back while its head is given back": {
    service:
      "delivers a later message of a key only after the earlier ones, also when one is retried",
    emulator: "delivers the successors",
    source: "https://cloud.google.com/pubsub/docs/ordering",
  },
  "that are detached keep nothing and cannot be pulled": {
    service: "detaches subscriptions",
    emulator: "does not implement DetachSubscription",
    source: `${reference}/projects.subscriptions/detach`,
  },
  "get back what the topic retained, when they seek to the time before it": {
    service: "lets any subscription seek to what its topic retains",
    emulator: "forgets what was acknowledged",
    source: `${reference}/projects.topics#Topic.FIELDS.message_retention_duration`,
  },
  "bring the later ones again after one that was given back": {
    service: "sends a key's later messages again after an earlier one that was given back",
    emulator: "sends the given back one alone",
    source:
      "https://cloud.google.com/pubsub/docs/ordering#considerations_when_using_ordered_messaging",
  },
  "frees a key when its head is dead-lettered": {
    service: "goes on with the key's next message",
    emulator: "blocks the key for good",
    source: "https://cloud.google.com/pubsub/docs/dead-letter-topics",
  },
  "refuses a stale acknowledgement with exactly-once delivery": {
    service: "answers FAILED_PRECONDITION with the ids that did not take",
    emulator: "has another error, without the ids",
    source: "https://cloud.google.com/pubsub/docs/exactly-once-delivery",
  },
  "refuses to publish more than ten million bytes": limits,
  "refuses to publish an attribute's key of 257 bytes": limits,
  "refuses to publish an attribute of 1025 bytes": limits,
  "refuses to publish an attribute in Google's name": limits,
  "manages topics and subscriptions, publishes, pulls and acknowledges over REST": {
    service: "takes the query parameters that official clients send over REST",
    emulator: "refuses `$alt=json;enum-encoding=int`",
    source: "google-gax, the clients' REST transport",
  },
  "serve another subscription of the topic, and only of that topic": snapshots,
  "outlive their subscription": snapshots,
  "are listed, relabelled and deleted by the official client": {
    service: "changes a snapshot's labels",
    emulator: "does not implement UpdateSnapshot",
    source: "https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.snapshots/patch",
  },
  ...Object.fromEntries(protocolBufferCases.map((title) => [title, protocolBuffers])),
  "refuse a record with something behind it in BINARY by AVRO": {
    service: "refuses a binary message that goes on behind its schema",
    emulator: "accepts it",
    source: "a reply of the service in googleapis/google-cloud-php#6463",
  },
  "are created, listed, read and deleted by the official client": {
    service: "leaves definitions out of a list unless the view is FULL",
    emulator: "lists them always",
    source: "https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.schemas/list",
  },
  "have revisions that add and remove what is optional": {
    service: "refuses a revision that the last one cannot be read with",
    emulator: "accepts any definition",
    source: "https://cloud.google.com/pubsub/docs/commit-schema-revision",
  },
  "let a topic take a range of revisions only": {
    service: "checks messages against the revisions that a topic allows",
    emulator: "checks them against all",
    source: "https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics#SchemaSettings",
  },
  "that are missing are refused by their whole name": words,
  "names a field that does not exist": words,
  "says what is missing in the service's words": words,
};

const cell = (text: string): string => text.replaceAll("|", String.raw`\|`);

/** The deviations as a Markdown table, equal ones once. */
export const deviationTable = (): string => {
  const rows = Object.values(pubsubDeviations).map(
    ({ service, emulator, source }) => `| ${cell(service)} | ${cell(emulator)} | ${cell(source)} |`,
  );
  return [
    "| The service | Google's emulator | Source |",
    "| --- | --- | --- |",
    ...new Set(rows),
  ].join("\n");
};
