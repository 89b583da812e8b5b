/** Cases of subscriptions' settings, ordered streams, snapshots and schemas, for every Pub/Sub that the suite runs against. */
import { v1, type protos } from "@google-cloud/pubsub";
import { describe, expect } from "vitest";
import { grpcOptionsOf, testProject } from "./local-cloud.js";
import { base64, fresh, named, type pubsubCalls, type PulledMessage } from "./pubsub-targets.js";
import { endpoint } from "./push-endpoint.js";

type StreamingReply = protos.google.pubsub.v1.IStreamingPullResponse;

/** What the suite gives its cases. */
export interface SuiteTools extends ReturnType<typeof pubsubCalls> {
  readonly contract: (title: string, body: () => Promise<void>) => void;
  readonly port: () => number;
  readonly eventually: <Value>(
    what: string,
    look: () => Value | undefined | false | Promise<Value | undefined | false>,
  ) => Promise<Value>;
  /** What comes within the case's patience, up to a count. */
  readonly pulled: (sub: string, count?: number) => Promise<readonly PulledMessage[]>;
}

const texts = (messages: readonly PulledMessage[]): readonly string[] =>
  messages.map(({ message }) => Buffer.from(message.data ?? "", "base64").toString()).toSorted();

/** Ordering keys on a stream. */
export const orderedStreamCases = (tools: SuiteTools): void => {
  const { contract, topicWith, publish, eventually } = tools;

  /** A stream that keeps what came, and acknowledges or gives back what it is told to. */
  const streamOf = (subscription: string) => {
    const client = new v1.SubscriberClient(grpcOptionsOf(tools.port()));
    const stream = client.streamingPull();
    const got: { readonly text: string; readonly ackId: string }[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (reply: StreamingReply) => {
      for (const { ackId, message } of reply.receivedMessages ?? []) {
        got.push({ text: Buffer.from(message?.data ?? "").toString(), ackId: ackId ?? "" });
      }
    });
    stream.write({ subscription, streamAckDeadlineSeconds: 60 });
    return {
      got,
      ack: (...ackIds: string[]) => stream.write({ ackIds }),
      nack: (ackId: string) =>
        stream.write({ modifyDeadlineAckIds: [ackId], modifyDeadlineSeconds: [0] }),
      close: async () => {
        stream.destroy();
        await client.close();
      },
    };
  };
  const key = (text: string) => ({ data: base64(text), orderingKey: "k" });

  describe("ordering keys on a stream", () => {
    contract("let a key's messages follow each other before the first is done", async () => {
      const { topic, sub } = await topicWith({ enableMessageOrdering: true });
      await publish(topic, key("1"), key("2"));
      const { got, ack, close } = streamOf(sub);
      await eventually("two messages", () => got.length === 2);
      await publish(topic, key("3"));
      await eventually("the third message", () => got.length === 3);
      ack(...got.map(({ ackId }) => ackId));
      await publish(topic, key("4"));
      await eventually("the fourth message", () => got.length === 4);
      expect(got.map(({ text }) => text)).toEqual(["1", "2", "3", "4"]);
      await close();
    });

    contract("bring the later ones again after one that was given back", async () => {
      const { topic, sub } = await topicWith({ enableMessageOrdering: true });
      await publish(topic, key("1"), key("2"), key("3"), { data: base64("other") });
      const { got, nack, close } = streamOf(sub);
      await eventually("four messages", () => got.length === 4);
      const keyed = () => got.filter(({ text }) => text !== "other");
      nack(keyed()[1]?.ackId ?? "");
      // The first one is still out, and the others wait for it.
      nack(keyed()[0]?.ackId ?? "");
      await eventually("the key's messages again", () => keyed().length === 6);
      expect(keyed().map(({ text }) => text)).toEqual(["1", "2", "3", "1", "2", "3"]);
      await close();
    });
  });
};

/** What subscriptions are set up with, beyond the plain ones. */
export const subscriptionCases = (tools: SuiteTools): void => {
  const { call, contract, topicWith, publish, pull, pulled, eventually } = tools;

  describe("subscriptions", () => {
    contract("push bare data with the metadata in headers", async () => {
      const { url, pushed, close } = await endpoint(204);
      try {
        const { topic, sub } = await topicWith({
          pushConfig: { pushEndpoint: url, noWrapper: { writeMetadata: true } },
        });
        const data = base64('{"a":1}');
        const { json } = await publish(topic, { data, attributes: { kind: "row" } });
        const got = await eventually("the push", () => pushed[0]);
        expect(got.body).toEqual({ a: 1 });
        expect(got.headers).toMatchObject({
          "x-goog-pubsub-subscription-name": sub,
          "x-goog-pubsub-message-id": (json["messageIds"] as readonly string[])[0],
          "x-goog-pubsub-publish-time": expect.stringMatching(/Z$/),
          kind: "row",
        });
      } finally {
        close();
      }
    });

    contract("that are detached keep nothing and cannot be pulled", async () => {
      const { topic, sub } = await topicWith({});
      await publish(topic, { data: base64("dropped") });
      expect((await call("POST", `${sub}:detach`, {})).code).toBe(200);
      expect((await call("GET", sub)).json).toMatchObject({ detached: true, topic });
      const { code, json } = await call("POST", `${sub}:pull`, { maxMessages: 1 });
      expect([code, json.error?.status]).toEqual([400, "FAILED_PRECONDITION"]);
      expect((await publish(topic, { data: base64("alone") })).code).toBe(200);
    });

    contract("get back what the topic retained, when they seek to the time before it", async () => {
      const { topic, sub } = await topicWith({});
      const name = topic;
      const retained = { topic: { name, messageRetentionDuration: "600s" } };
      const updateMask = "messageRetentionDuration";
      expect((await call("PATCH", topic, { ...retained, updateMask })).code).toBe(200);
      await publish(topic, { data: base64("again") });
      const [first] = await pulled(sub);
      await call("POST", `${sub}:acknowledge`, { ackIds: [first?.ackId] });
      expect(await pull(sub)).toEqual([]);
      await call("POST", `${sub}:seek`, { time: new Date(Date.now() - 60_000).toISOString() });
      expect(texts(await pulled(sub))).toEqual(["again"]);
    });

    contract("are changed in the named fields only, and not in what is fixed", async () => {
      const { topic, sub } = await topicWith({ ackDeadlineSeconds: 20, labels: { a: "b" } });
      const subscription = { name: sub, topic, ackDeadlineSeconds: 40 };
      const { json } = await call("PATCH", sub, { subscription, updateMask: "ackDeadlineSeconds" });
      expect(json).toMatchObject({ ackDeadlineSeconds: 40, labels: { a: "b" } });
      for (const field of ["topic", "enableMessageOrdering", "nowhere"]) {
        const { code } = await call("PATCH", sub, { subscription, updateMask: field });
        expect(code).toBe(400);
      }
      expect((await call("PATCH", sub, { subscription })).code).toBe(400);
    });
  });
};

/** Snapshots. */
export const snapshotCases = (tools: SuiteTools): void => {
  const { call, contract, topicWith, publish, pull, pulled } = tools;
  const ack = async (sub: string, messages: readonly PulledMessage[]): Promise<void> => {
    await call("POST", `${sub}:acknowledge`, { ackIds: messages.map(({ ackId }) => ackId) });
  };
  const snapshotOf = async (sub: string): Promise<string> => {
    const name = named("snapshots", fresh("snap"));
    const { code, json } = await call("PUT", name, { subscription: sub });
    if (code !== 200) throw new Error(json.error?.message);
    return name;
  };

  describe("snapshots", () => {
    contract("bring back what was not acknowledged then and what was published since", async () => {
      const { topic, sub } = await topicWith({});
      await publish(topic, { data: base64("done") }, { data: base64("open") });
      const both = await pulled(sub, 2);
      await ack(
        sub,
        both.filter(({ message }) => message.data === base64("done")),
      );
      const snapshot = await snapshotOf(sub);
      await ack(sub, both);
      await publish(topic, { data: base64("later") });
      await ack(sub, await pulled(sub));
      expect(await pull(sub)).toEqual([]);
      expect((await call("POST", `${sub}:seek`, { snapshot })).code).toBe(200);
      expect(texts(await pulled(sub, 2))).toEqual(["later", "open"]);
    });

    contract("serve another subscription of the topic, and only of that topic", async () => {
      const { topic, sub } = await topicWith({});
      const second = named("subscriptions", fresh("sub"));
      await publish(topic, { data: base64("before") });
      const snapshot = await snapshotOf(sub);
      await call("PUT", second, { topic });
      await call("POST", `${second}:seek`, { snapshot });
      expect(texts(await pulled(second))).toEqual(["before"]);
      const foreign = await topicWith({});
      expect((await call("POST", `${foreign.sub}:seek`, { snapshot })).code).toBe(400);
    });

    contract("outlive their subscription", async () => {
      const { topic, sub } = await topicWith({});
      await publish(topic, { data: base64("kept") });
      const snapshot = await snapshotOf(sub);
      await call("DELETE", sub);
      const second = named("subscriptions", fresh("sub"));
      await call("PUT", second, { topic });
      await call("POST", `${second}:seek`, { snapshot });
      expect(texts(await pulled(second))).toEqual(["kept"]);
    });

    contract("are listed, relabelled and deleted by the official client", async () => {
      const client = new v1.SubscriberClient(grpcOptionsOf(tools.port()));
      const publisher = new v1.PublisherClient(grpcOptionsOf(tools.port()));
      const { topic, sub } = await topicWith({});
      const name = named("snapshots", fresh("snap"));
      const [made] = await client.createSnapshot({ name, subscription: sub });
      expect(made).toMatchObject({ name, topic });
      expect(Number(made.expireTime?.seconds)).toBeGreaterThan(0);
      const [all] = await client.listSnapshots({ project: `projects/${testProject}` });
      expect(all.map((one) => one.name)).toContain(name);
      const [ofTopic] = await publisher.listTopicSnapshots({ topic });
      expect(ofTopic).toEqual([name]);
      const [changed] = await client.updateSnapshot({
        snapshot: { name, labels: { kept: "for-replay" } },
        updateMask: { paths: ["labels"] },
      });
      expect(changed.labels).toEqual({ kept: "for-replay" });
      await expect(client.createSnapshot({ name, subscription: sub })).rejects.toThrow(
        "ALREADY_EXISTS",
      );
      await client.deleteSnapshot({ snapshot: name });
      await expect(client.getSnapshot({ snapshot: name })).rejects.toThrow("NOT_FOUND");
      await client.close();
      await publisher.close();
    });
  });
};

const record = (...fields: readonly object[]): string =>
  JSON.stringify({ type: "record", name: "Flight", fields });
const flight = record(
  { name: "origin", type: "string" },
  { name: "delay", type: "int" },
  { name: "note", type: ["null", "string"], default: null },
);
const flightProto = 'syntax = "proto3"; message Flight { string origin = 1; int32 delay = 2; }';

interface Definition {
  readonly type: "AVRO" | "PROTOCOL_BUFFER";
  readonly definition: string;
}

/** Schemas. */
export const schemaCases = (tools: SuiteTools): void => {
  const { call, contract, publish, pulled } = tools;
  const parent = `projects/${testProject}`;
  const schemaWith = async (schema: Definition): Promise<string> => {
    const id = fresh("schema");
    const { code, json } = await call("POST", `${parent}/schemas?schemaId=${id}`, schema);
    if (code !== 200) throw new Error(json.error?.message);
    return named("schemas", id);
  };
  const topicOf = async (schema: string, encoding: "JSON" | "BINARY", more: object = {}) => {
    const topic = named("topics", fresh("topic"));
    const sub = named("subscriptions", fresh("sub"));
    const made = await call("PUT", topic, { schemaSettings: { schema, encoding, ...more } });
    if (made.json.error !== undefined) throw new Error(made.json.error.message);
    await call("PUT", sub, { topic });
    return { topic, sub };
  };
  const avro: Definition = { type: "AVRO", definition: flight };
  const proto: Definition = { type: "PROTOCOL_BUFFER", definition: flightProto };

  const messages: readonly (readonly [string, Definition, "JSON" | "BINARY", string, boolean])[] = [
    ["a record", avro, "JSON", '{"origin":"JFK","delay":3,"note":{"string":"fog"}}', true],
    ["a record with null", avro, "JSON", '{"origin":"JFK","delay":3,"note":null}', true],
    ["another type", avro, "JSON", '{"origin":"JFK","delay":"3","note":null}', false],
    ["a missing field", avro, "JSON", '{"delay":3,"note":null}', false],
    ["what is no JSON", avro, "JSON", "delay=3", false],
    ["a record", avro, "BINARY", "\u0006JFK\u0006\u0000", true],
    ["a record that is cut off", avro, "BINARY", "\u0006JFK", false],
    ["a record with something behind it", avro, "BINARY", "\u0006JFK\u0006\u0000\u0000", false],
    ["a message", proto, "JSON", '{"origin":"JFK","delay":3}', true],
    ["an unknown field", proto, "JSON", '{"airport":"JFK"}', false],
    ["another type", proto, "JSON", '{"origin":3}', false],
    ["a message", proto, "BINARY", "\n\u0003JFK\u0010\u0003", true],
    ["a message that is cut off", proto, "BINARY", "\n\u0009JFK", false],
  ];

  describe("schemas", () => {
    for (const [what, schema, encoding, text, isFitting] of messages) {
      const verb = isFitting ? "take" : "refuse";
      contract(`${verb} ${what} in ${encoding} by ${schema.type}`, async () => {
        const name = await schemaWith(schema);
        const { topic, sub } = await topicOf(name, encoding);
        const { code, json } = await publish(topic, { data: base64(text) });
        if (isFitting) {
          expect(code).toBe(200);
          const [got] = await pulled(sub);
          expect(got?.message.attributes).toMatchObject({
            googclient_schemaencoding: encoding,
            googclient_schemaname: name,
            googclient_schemarevisionid: expect.stringMatching(/^[0-9a-f]{8}$/),
          });
        } else {
          expect(code).toBe(400);
          expect(json.error?.status).toBe("INVALID_ARGUMENT");
        }
        const check = await call("POST", `${parent}/schemas:validateMessage`, {
          name,
          message: base64(text),
          encoding,
        });
        expect(check.code).toBe(isFitting ? 200 : 400);
      });
    }

    const definitions: readonly (readonly [string, Definition, boolean])[] = [
      ["an Avro record", avro, true],
      [
        "an Avro record that holds itself",
        { type: "AVRO", definition: record({ name: "next", type: ["null", "Flight"] }) },
        true,
      ],
      [
        "an unknown Avro type",
        { type: "AVRO", definition: record({ name: "a", type: "text" }) },
        false,
      ],
      ["what is no JSON as Avro", { type: "AVRO", definition: "flight" }, false],
      ["a message", proto, true],
      [
        "two messages",
        { type: "PROTOCOL_BUFFER", definition: `${flightProto} message B {}` },
        false,
      ],
      [
        "an import",
        {
          type: "PROTOCOL_BUFFER",
          definition: `syntax = "proto3"; import "other.proto"; message A {}`,
        },
        false,
      ],
    ];
    for (const [what, schema, isValid] of definitions) {
      contract(`${isValid ? "are made of" : "are not made of"} ${what}`, async () => {
        const check = await call("POST", `${parent}/schemas:validate`, { schema });
        expect(check.code).toBe(isValid ? 200 : 400);
        const made = await call("POST", `${parent}/schemas?schemaId=${fresh("schema")}`, schema);
        expect(made.code).toBe(isValid ? 200 : 400);
      });
    }

    contract("are created, listed, read and deleted by the official client", async () => {
      const client = new v1.SchemaServiceClient(grpcOptionsOf(tools.port()));
      const schemaId = fresh("schema");
      const name = named("schemas", schemaId);
      const [made] = await client.createSchema({ parent, schemaId, schema: avro });
      expect(made).toMatchObject({ name, type: "AVRO", definition: flight });
      const [read] = await client.getSchema({ name });
      expect(read).toEqual(made);
      const [all] = await client.listSchemas({ parent });
      const listed = all.find((one) => one.name === name);
      expect(listed).toMatchObject({ type: "AVRO", definition: "" });
      const [full] = await client.listSchemas({ parent, view: "FULL" });
      expect(full.find((one) => one.name === name)?.definition).toBe(flight);
      await expect(client.createSchema({ parent, schemaId, schema: avro })).rejects.toThrow(
        "ALREADY_EXISTS",
      );
      const { topic } = await topicOf(name, "JSON");
      await client.deleteSchema({ name });
      await expect(client.getSchema({ name })).rejects.toThrow("NOT_FOUND");
      const { json } = await call("GET", topic);
      expect(json["schemaSettings"]).toMatchObject({ schema: "_deleted-schema_" });
      await client.close();
    });

    contract("have revisions that add and remove what is optional", async () => {
      const client = new v1.SchemaServiceClient(grpcOptionsOf(tools.port()));
      const name = await schemaWith({
        type: "AVRO",
        definition: record({ name: "a", type: "int" }),
      });
      const [first] = await client.getSchema({ name });
      const optional = { name: "b", type: "int", default: 0 };
      const [second] = await client.commitSchema({
        name,
        schema: { name, type: "AVRO", definition: record({ name: "a", type: "int" }, optional) },
      });
      expect(second.revisionId).not.toBe(first.revisionId);
      for (const definition of [
        record({ name: "a", type: "string" }, optional),
        record({ name: "a", type: "int" }, { name: "c", type: "int" }),
      ]) {
        const commit = client.commitSchema({ name, schema: { name, type: "AVRO", definition } });
        await expect(commit).rejects.toThrow("INVALID_ARGUMENT");
      }
      const [old] = await client.getSchema({ name: `${name}@${first.revisionId}` });
      expect(old.definition).toBe(first.definition);
      const [back] = await client.rollbackSchema({ name, revisionId: first.revisionId ?? "" });
      expect(back.definition).toBe(first.definition);
      const [revisions] = await client.listSchemaRevisions({ name, view: "FULL" });
      expect(revisions.map((one) => one.revisionId)).toEqual([
        back.revisionId,
        second.revisionId,
        first.revisionId,
      ]);
      await client.deleteSchemaRevision({ name: `${name}@${back.revisionId}` });
      const [last] = await client.getSchema({ name });
      expect(last.revisionId).toBe(second.revisionId);
      await client.close();
    });

    contract("let a topic take a range of revisions only", async () => {
      const name = await schemaWith({
        type: "AVRO",
        definition: record({ name: "a", type: "int" }),
      });
      const first = await call("GET", name);
      const optional = record({ name: "a", type: "int" }, { name: "b", type: "int", default: 0 });
      await call("POST", `${name}:commit`, {
        schema: { name, type: "AVRO", definition: optional },
      });
      const only = { lastRevisionId: first.json["revisionId"] };
      const { topic, sub } = await topicOf(name, "JSON", only);
      expect((await publish(topic, { data: base64('{"a":1,"b":2}') })).code).toBe(400);
      await publish(topic, { data: base64('{"a":1}') });
      const [got] = await pulled(sub);
      expect(got?.message.attributes?.["googclient_schemarevisionid"]).toBe(
        first.json["revisionId"],
      );
      const schemaSettings = { schema: name, encoding: "JSON" };
      await call("PATCH", topic, {
        topic: { name: topic, schemaSettings },
        updateMask: "schemaSettings",
      });
      expect((await publish(topic, { data: base64('{"a":1,"b":2}') })).code).toBe(200);
    });

    contract("that are missing are refused by their whole name", async () => {
      const schema = named("schemas", "nowhere");
      const { code, json } = await call("GET", schema);
      expect(code).toBe(404);
      expect(json.error?.message).toBe(`Resource not found (resource=${schema}).`);
      const settings = { schemaSettings: { schema, encoding: "JSON" } };
      expect((await call("PUT", named("topics", fresh("topic")), settings)).code).toBe(404);
    });
  });
};
