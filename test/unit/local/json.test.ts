import { describe, expect, it } from "vitest";
import { loadServices } from "../../../infra/local/protocol/descriptors.js";
import { fromJson, toJson } from "../../../infra/local/protocol/json.js";
import { RpcError } from "../../../infra/local/protocol/service.js";

const { type, methods } = loadServices([
  "google.pubsub.v1.Subscriber",
  "google.pubsub.v1.Publisher",
  "google.logging.v2.LoggingServiceV2",
]);
const find = (name: string) => {
  const found = type(name);
  if (found === undefined) throw new Error(name);
  return found;
};
const read = (name: string, json: unknown) => fromJson(find(name), json, type);
const write = (name: string, message: unknown) => toJson(find(name), message, { lookup: type });

describe("reading JSON", () => {
  it.each([
    [
      "google.protobuf.Timestamp",
      "2026-11-21T01:02:03.5Z",
      { seconds: "1795222923", nanos: 500_000_000 },
    ],
    ["google.protobuf.Timestamp", "2026-11-21T01:02:03+01:00", { seconds: "1795219323" }],
    ["google.protobuf.Timestamp", "1970-01-01T00:00:00.000000001Z", { nanos: 1 }],
    ["google.protobuf.Duration", "-1.5s", { seconds: "-1", nanos: -500_000_000 }],
    [
      "google.protobuf.FieldMask",
      "retryPolicy,pushConfig.pushEndpoint",
      { paths: ["retry_policy", "push_config.push_endpoint"] },
    ],
    ["google.protobuf.FieldMask", "ack_deadline_seconds", { paths: ["ack_deadline_seconds"] }],
    ["google.protobuf.Int64Value", "9007199254740993", { value: "9007199254740993" }],
    [
      "google.protobuf.Struct",
      { a: [null, 1, { b: "c" }] },
      {
        fields: {
          a: {
            listValue: {
              values: [
                { nullValue: "NULL_VALUE" },
                { numberValue: 1 },
                { structValue: { fields: { b: { stringValue: "c" } } } },
              ],
            },
          },
        },
      },
    ],
    [
      "google.pubsub.v1.PubsubMessage",
      { data: "_-8=", message_id: "1" },
      { data: Buffer.from([255, 239]), messageId: "1" },
    ],
    [
      "google.pubsub.v1.Subscription",
      { state: 1, ackDeadlineSeconds: "20", enableMessageOrdering: false, filter: null },
      { state: "ACTIVE", ackDeadlineSeconds: 20 },
    ],
    ["google.pubsub.v1.Subscription", { pushConfig: {}, labels: {} }, { pushConfig: {} }],
  ])("%s %j", (name, json, message) => {
    expect(read(name, json)).toEqual(message);
  });

  it.each([
    [
      "google.pubsub.v1.Subscription",
      { pushConfig: { url: "x" } },
      "Unknown name \"url\" at 'push_config': Cannot find field.",
    ],
    [
      "google.pubsub.v1.Subscription",
      { ackDeadlineSeconds: "soon" },
      "Invalid value at 'ack_deadline_seconds' (TYPE_INT32), \"soon\"",
    ],
    ["google.pubsub.v1.Subscription", { ackDeadlineSeconds: 3_000_000_000 }, "TYPE_INT32"],
    ["google.pubsub.v1.Subscription", { ackDeadlineSeconds: 1.5 }, "TYPE_INT32"],
    ["google.pubsub.v1.Subscription", { state: "GONE" }, "'state'"],
    ["google.pubsub.v1.Subscription", { name: 7 }, "'name' (TYPE_STRING), 7"],
    [
      "google.pubsub.v1.Subscription",
      { messageRetentionDuration: "7d" },
      "'message_retention_duration'",
    ],
    ["google.pubsub.v1.Subscription", { labels: [] }, "'labels'"],
    ["google.pubsub.v1.PublishRequest", { messages: {} }, "a list is expected"],
    [
      "google.pubsub.v1.PublishRequest",
      { messages: [{ data: "not base64!" }] },
      "'messages[0].data' (TYPE_BYTES)",
    ],
    ["google.pubsub.v1.SeekRequest", { time: "1970-01-01T00:00:00Z", snapshot: "s" }, "exclusive"],
  ])("refuses %s %j", (name, json, text) => {
    let refusal: unknown;
    try {
      read(name, json);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(RpcError);
    expect(refusal).toMatchObject({ status: "INVALID_ARGUMENT" });
    expect(String(refusal)).toContain(text);
  });

  it("is not fooled by hostile keys or depth", () => {
    const message = read(
      "google.pubsub.v1.PubsubMessage",
      JSON.parse('{"attributes": {"__proto__": "x", "constructor": "y"}}'),
    );
    expect(Object.keys(message["attributes"] as object)).toEqual(["__proto__", "constructor"]);
    expect(() => read("google.pubsub.v1.Subscription", JSON.parse('{"__proto__": {}}'))).toThrow(
      "Cannot find field",
    );
    let deep: unknown = 1;
    for (let level = 0; level < 500; level += 1) deep = [deep];
    expect(() => read("google.protobuf.Struct", { a: deep })).toThrow("nested");
  });
});

describe("writing JSON", () => {
  it("writes 64-bit numbers as text, bytes in base64 and times as text, and leaves defaults out", () => {
    expect(
      write("google.pubsub.v1.ReceivedMessage", {
        ackId: "",
        deliveryAttempt: 0,
        message: {
          data: Buffer.from([255, 239]),
          publishTime: { seconds: "1795222923", nanos: 500_000_000 },
          attributes: {},
        },
      }),
    ).toEqual({ message: { data: "/+8=", publishTime: "2026-11-21T01:02:03.500Z" } });
  });

  it("opens an Any, and closes it again", () => {
    const entry = {
      logName: "projects/p/logs/l",
      protoPayload: {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        methodName: "m",
        request: { fields: { a: { numberValue: 1 } } },
      },
    };
    const json = {
      logName: "projects/p/logs/l",
      protoPayload: {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        methodName: "m",
        request: { a: 1 },
      },
    };
    expect(write("google.logging.v2.LogEntry", entry)).toEqual(json);
    expect(read("google.logging.v2.LogEntry", json)).toEqual(entry);
  });

  it("refuses a field that the type lacks", () => {
    expect(() => write("google.pubsub.v1.Topic", { title: "x" })).toThrow("title is not a field");
  });
});

it("knows every address that Google's annotations give", () => {
  const pull = methods.find((method) => method.name === "Pull");
  expect(pull?.bindings).toEqual([
    { verb: "POST", template: "/v1/{subscription=projects/*/subscriptions/*}:pull", body: "*" },
  ]);
});
