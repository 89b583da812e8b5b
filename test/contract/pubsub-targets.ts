/** The Pub/Subs that the contract is checked against: the local cloud, and Google's emulator where there is one. */
import { findJar, startJar } from "./emulators.js";
import { testProject, withLocalCloud } from "./local-cloud.js";

/** A Pub/Sub to test, and how to leave it. */
export interface PubsubTarget {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** The jar of Google's emulator; undefined where there is none, or no java to run it. */
export const pubsubEmulatorJar = (): string | undefined =>
  findJar("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar");

/** Starts Google's emulator from its jar, at a free port. */
export const startPubsubEmulator = async (jar: string): Promise<PubsubTarget> => {
  const { port, stop } = await startJar({
    what: "Google's Pub/Sub emulator",
    arguments: (wanted) => ["-Xmx512m", "-jar", jar, "--host=127.0.0.1", `--port=${wanted}`],
    isReady: (output) => output.includes("Server started"),
  });
  return { port, stop };
};

/** Starts the local cloud with Pub/Sub alone. */
export const startLocalPubsub = async (): Promise<PubsubTarget> => {
  const { port, stop } = await withLocalCloud(["pubsub"]);
  return { port, stop };
};

/** Text as JSON carries bytes. */
export const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A message as pull subscribers get it in JSON. */
export interface PulledMessage {
  readonly ackId: string;
  readonly deliveryAttempt?: number;
  readonly message: {
    readonly data?: string;
    readonly attributes?: Readonly<Record<string, string>>;
    readonly messageId: string;
    readonly orderingKey?: string;
  };
}

/** A reply of the REST interface. */
export interface RestReply {
  readonly code: number;
  readonly json: Readonly<Record<string, unknown>> & {
    readonly error?: { readonly code: number; readonly status: string; readonly message: string };
  };
}

let count = 0;

/** An id that no other case uses. */
export const fresh = (kind: string): string => `${kind}-${(count += 1)}`;

/** A resource's name in the tests' project. */
export const named = (kind: "topics" | "subscriptions" | "snapshots" | "schemas", id: string) =>
  `projects/${testProject}/${kind}/${id}`;

/** The calls that the cases make, by plain REST; `port` is asked for at every call. */
export const pubsubCalls = (port: () => number) => {
  const call = async (method: string, path: string, body?: unknown): Promise<RestReply> => {
    const response = await fetch(`http://127.0.0.1:${port()}/v1/${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { code: response.status, json: (await response.json()) as RestReply["json"] };
  };
  return {
    call,
    /** A new topic with one new subscription. */
    topicWith: async (subscription: Readonly<Record<string, unknown>>) => {
      const topic = named("topics", fresh("topic"));
      const sub = named("subscriptions", fresh("sub"));
      const first = await call("PUT", topic, {});
      const made = await call("PUT", sub, { topic, ...subscription });
      const error = first.json.error ?? made.json.error;
      if (error !== undefined) throw new Error(error.message);
      return { topic, sub, made: made.json };
    },
    publish: async (topic: string, ...messages: readonly object[]): Promise<RestReply> =>
      call("POST", `${topic}:publish`, { messages }),
    /** What is there now. */
    pull: async (sub: string, maxMessages = 10): Promise<readonly PulledMessage[]> => {
      const { json } = await call("POST", `${sub}:pull`, { maxMessages, returnImmediately: true });
      return (json["receivedMessages"] ?? []) as readonly PulledMessage[];
    },
  };
};
