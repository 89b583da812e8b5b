/** Pub/Sub's recorded replies: what the service adds, hides, refuses and says. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { fresh, named } from "./pubsub-targets.js";
import { errorBody, from, recordings, restCalls } from "./recordings.js";

const numbered = "?%24alt=json%3Benum-encoding%3Dint";
const labels = { "managed-by": "somebody", "label-one": "value-one" };

let cloud: LocalCloud;
const call = restCalls(() => cloud.port);

beforeAll(async () => {
  cloud = await withLocalCloud(["pubsub"]);
});
afterAll(async () => {
  await cloud.stop();
});

const newTopic = async (body: object = {}): Promise<string> => {
  const name = named("topics", fresh("recorded"));
  const { code } = await call("PUT", `v1/${name}`, body);
  expect(code).toBe(200);
  return name;
};

describe("recorded topics", () => {
  it.each(["topics", "subscriptions", "snapshots"] as const)(
    `a missing one of %s is named by its last part ${from(recordings.snapshot)}`,
    async (kind) => {
      const { code, body } = await call("GET", `v1/${named(kind, "nowhere")}${numbered}`);
      expect(code).toBe(404);
      expect(body).toMatchObject(
        errorBody(404, "NOT_FOUND", "Resource not found (resource=nowhere)."),
      );
    },
  );

  it(`a topic shows what it was given and no state ${from(recordings.gcloudTopic)}`, async () => {
    const name = named("topics", fresh("recorded"));
    expect(await call("PUT", `v1/${name}?alt=json`, { name })).toEqual({
      code: 200,
      body: { name },
    });
    expect((await call("GET", `v1/${name}?alt=json`)).body).toEqual({ name });
    expect(await call("DELETE", `v1/${name}?alt=json`)).toEqual({ code: 200, body: {} });
  });

  it(`a change names its fields and answers with the whole topic ${from(recordings.topic)}`, async () => {
    const messageStoragePolicy = {
      allowedPersistenceRegions: ["us-central1"],
      enforceInTransit: true,
    };
    const name = await newTopic({ labels, messageStoragePolicy });
    expect((await call("GET", `v1/${name}`)).body).toEqual({
      name,
      labels,
      messageStoragePolicy,
    });
    const topic = {
      name,
      labels: { ...labels, newkey: "newval" },
      messageRetentionDuration: "3600s",
      messageStoragePolicy: { allowedPersistenceRegions: ["us-central1"] },
    };
    const updateMask = "labels,messageRetentionDuration,messageStoragePolicy";
    const { body } = await call("PATCH", `v1/${name}${numbered}`, { topic, updateMask });
    expect(body).toEqual(topic);
    expect((await call("GET", `v1/${name}${numbered}`)).body).toEqual(topic);
  });
});

describe("recorded subscriptions", () => {
  const defaults = {
    ackDeadlineSeconds: 10,
    expirationPolicy: { ttl: "2678400s" },
    messageRetentionDuration: "604800s",
    pushConfig: {},
  };

  it(`the service fills in what is absent or null ${from(recordings.snapshot)}`, async () => {
    const topic = await newTopic();
    const name = named("subscriptions", fresh("recorded"));
    const given = {
      topic,
      labels,
      deadLetterPolicy: null,
      expirationPolicy: null,
      messageRetentionDuration: "604800s",
    };
    const made = { name, topic, labels, ...defaults, state: "ACTIVE" };
    expect((await call("PUT", `v1/${name}?alt=json`, given)).body).toEqual(made);
    expect((await call("GET", `v1/${name}?alt=json`)).body).toEqual(made);
  });

  it(`enums are numbers where the client asks for them ${from(recordings.subscription)}`, async () => {
    const topic = await newTopic();
    const name = named("subscriptions", fresh("recorded"));
    const { body } = await call("PUT", `v1/${name}${numbered}`, {
      name,
      topic,
      ackDeadlineSeconds: 15,
      messageRetentionDuration: "86400s",
    });
    expect(body).toEqual({
      ...defaults,
      name,
      topic,
      ackDeadlineSeconds: 15,
      messageRetentionDuration: "86400s",
      state: 1,
    });
  });

  it(`the reply to a change shows the push version, a later read does not ${from(recordings.subscription)}`, async () => {
    const topic = await newTopic();
    const name = named("subscriptions", fresh("recorded"));
    await call("PUT", `v1/${name}`, { topic });
    const subscription = { name, topic, ackDeadlineSeconds: 20, enableExactlyOnceDelivery: true };
    const updateMask = "ackDeadlineSeconds,enableExactlyOnceDelivery";
    const patch = await call("PATCH", `v1/${name}${numbered}`, { subscription, updateMask });
    const after = { ...defaults, ...subscription, state: 1 };
    expect(patch.body).toEqual({
      ...after,
      pushConfig: { attributes: { "x-goog-version": "v1" } },
    });
    expect((await call("GET", `v1/${name}${numbered}`)).body).toEqual(after);
  });

  it(`a push subscription keeps its endpoint's attributes to itself ${from(recordings.push)}`, async () => {
    const topic = await newTopic();
    const name = named("subscriptions", fresh("recorded"));
    const endpoint = {
      noWrapper: { writeMetadata: true },
      oidcToken: {
        audience: "https://example.com/push",
        serviceAccountEmail: `gsa-1@${testProject}.iam.gserviceaccount.com`,
      },
      pushEndpoint: "https://example.com/push",
    };
    const given = {
      ackDeadlineSeconds: 600,
      deadLetterPolicy: { deadLetterTopic: topic, maxDeliveryAttempts: 100 },
      enableMessageOrdering: true,
      expirationPolicy: { ttl: "2592000s" },
      filter: 'attributes.type = "key"',
      messageRetentionDuration: "604800s",
      name,
      retainAckedMessages: true,
      retryPolicy: { maximumBackoff: "600s", minimumBackoff: "10s" },
      topic,
    };
    const pushConfig = { ...endpoint, attributes: { "x-goog-version": "v1" } };
    const made = await call("PUT", `v1/${name}${numbered}`, { ...given, pushConfig });
    expect(made.body).toEqual({ ...given, pushConfig, state: 1 });
    const read = await call("GET", `v1/${name}${numbered}`);
    expect(read.body).toEqual({ ...given, pushConfig: endpoint, state: 1 });

    // A mask names retainAckedMessages and the body leaves it out: it is cleared.
    const { retainAckedMessages: _, ...rest } = given;
    const subscription = {
      ...rest,
      ackDeadlineSeconds: 300,
      retryPolicy: { maximumBackoff: "300s", minimumBackoff: "5s" },
      pushConfig: {
        ...endpoint,
        noWrapper: {},
        attributes: { "new-attr": "new-val", "x-goog-version": "v1beta2" },
      },
    };
    const patch = await call("PATCH", `v1/${name}${numbered}`, {
      subscription,
      updateMask: "ackDeadlineSeconds,pushConfig,retainAckedMessages,retryPolicy",
    });
    expect(patch.body).toEqual({ ...subscription, state: 1 });
    expect((await call("DELETE", `v1/${name}${numbered}`)).body).toEqual({});
  });

  it(`a duration that does not end with s is refused by field ${from(recordings.topic)}`, async () => {
    const name = await newTopic();
    const { code, body } = await call("PATCH", `v1/${name}`, {
      topic: { name, messageRetentionDuration: "10d" },
      updateMask: "messageRetentionDuration",
    });
    expect(code).toBe(400);
    expect(body["error"]).toMatchObject({
      status: "INVALID_ARGUMENT",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ field: "topic.message_retention_duration" }],
        },
      ],
    });
  });
});

describe("recorded snapshots", () => {
  it(`a snapshot names its topic and when it ends ${from(recordings.snapshot)}`, async () => {
    const topic = await newTopic();
    const subscription = named("subscriptions", fresh("recorded"));
    await call("PUT", `v1/${subscription}`, { topic });
    const name = named("snapshots", fresh("recorded"));
    const made = await call("PUT", `v1/${name}${numbered}`, { name, labels, subscription });
    expect(made.body).toEqual({ name, topic, labels, expireTime: expect.any(String) });
    expect((await call("GET", `v1/${name}${numbered}`)).body).toEqual(made.body);
    const { body } = await call("GET", `v1/projects/${testProject}/snapshots?alt=json`);
    expect(body).toEqual({ snapshots: [made.body] });
    expect((await call("DELETE", `v1/${name}${numbered}`)).body).toEqual({});
    expect((await call("GET", `v1/${name}${numbered}`)).code).toBe(404);
  });
});

describe("recorded schemas", () => {
  const definition =
    'syntax = "proto3";\nmessage Results {\nstring message_request = 1;\nstring message_response = 2;\n}';

  it(`a schema is made with a revision, and is missing by its whole name ${from(recordings.schema)}`, async () => {
    const schemas = `v1/projects/${testProject}/schemas`;
    const id = fresh("recorded");
    const name = named("schemas", id);
    const missing = errorBody(404, "NOT_FOUND", `Resource not found (resource=${name}).`);
    expect((await call("GET", `v1/${name}${numbered}`)).body).toMatchObject(missing);
    const made = await call("POST", `${schemas}${numbered}&schemaId=${id}`, {
      definition,
      type: 1,
    });
    expect(made).toEqual({
      code: 200,
      body: {
        definition,
        name,
        type: 1,
        revisionId: expect.stringMatching(/^[0-9a-f]{8}$/),
        revisionCreateTime: expect.any(String),
      },
    });
    expect((await call("GET", `v1/${name}${numbered}`)).body).toEqual(made.body);
    expect(await call("DELETE", `v1/${name}${numbered}`)).toEqual({ code: 200, body: {} });
    expect((await call("GET", `v1/${name}${numbered}`)).body).toMatchObject(missing);
  });

  it(`the name in a new schema may be its short one, for the id decides ${from(recordings.topic)}`, async () => {
    const id = fresh("recorded");
    const { body } = await call(
      "POST",
      `v1/projects/${testProject}/schemas?alt=json&schemaId=${id}`,
      { definition, name: id, type: "PROTOCOL_BUFFER" },
    );
    expect(body).toMatchObject({ name: named("schemas", id), type: "PROTOCOL_BUFFER" });
  });

  it(`a topic keeps its schema settings through a change of its labels ${from(recordings.topic)}`, async () => {
    const id = fresh("recorded");
    const schema = named("schemas", id);
    await call("POST", `v1/projects/${testProject}/schemas?schemaId=${id}`, {
      definition,
      type: 1,
    });
    const schemaSettings = { encoding: 1, schema };
    const name = named("topics", fresh("recorded"));
    const made = await call("PUT", `v1/${name}${numbered}`, { name, labels, schemaSettings });
    expect(made.body).toEqual({ name, labels, schemaSettings });
    const { body } = await call("PATCH", `v1/${name}${numbered}`, {
      topic: { name, labels: { newkey: "newval" }, schemaSettings },
      updateMask: "labels",
    });
    expect(body).toEqual({ name, labels: { newkey: "newval" }, schemaSettings });
  });

  it("a message that does not fit is refused with the revision and the reason [googleapis/google-cloud-go#8179]", async () => {
    const id = fresh("recorded");
    const schema = named("schemas", id);
    const made = await call("POST", `v1/projects/${testProject}/schemas?schemaId=${id}`, {
      type: "AVRO",
      definition: '{"type":"record","name":"A","fields":[{"name":"n","type":"int"}]}',
    });
    const topic = await newTopic({ schemaSettings: { schema, encoding: "JSON" } });
    const data = Buffer.from('{"n":"one"}').toString("base64");
    const { code, body } = await call("POST", `v1/${topic}:publish`, { messages: [{ data }] });
    expect(code).toBe(400);
    expect(body["error"]).toMatchObject({
      status: "INVALID_ARGUMENT",
      message: "Invalid data in message: Message failed schema validation.",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "INVALID_JSON_AVRO_MESSAGE",
          domain: "pubsub.googleapis.com",
          metadata: {
            message: "Message failed schema validation",
            revisionInfo: expect.stringContaining(
              `schema: ${schema}, last checked revision: revision_id=${String(made.body["revisionId"])} failed with status: `,
            ),
          },
        },
      ],
    });
  });
});
