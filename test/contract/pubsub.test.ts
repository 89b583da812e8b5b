import { PubSub, v1, type Message } from "@google-cloud/pubsub";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually, testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";

interface Pushed {
  readonly body: Record<string, unknown>;
  readonly headers: IncomingMessage["headers"];
  readonly atMs: number;
}

/** A push endpoint that answers with the codes it is given, one after the other; the last one stays. */
async function endpoint(...codes: number[]) {
  const pushed: Pushed[] = [];
  const server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString()));
    request.on("end", () => {
      const body = JSON.parse(text) as Record<string, unknown>;
      pushed.push({ body, headers: request.headers, atMs: performance.now() });
      const code = codes[Math.min(pushed.length, codes.length) - 1] ?? 204;
      response.writeHead(code).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/push`,
    pushed,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

let cloud: LocalCloud;
let count = 0;
const closers: (() => void)[] = [];
const fresh = (kind: string): string => `${kind}-${(count += 1)}`;
const name = (kind: "topics" | "subscriptions", id: string): string =>
  `projects/${testProject}/${kind}/${id}`;

async function call(method: string, path: string, body?: unknown) {
  const response = await fetch(`${cloud.address}/v1/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const json = (await response.json()) as Record<string, unknown> & {
    error?: { code: number; status: string; message: string };
  };
  return { code: response.status, json };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

beforeAll(async () => {
  cloud = await withLocalCloud(["pubsub"]);
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(async () => {
  await cloud.stop();
});

async function topicWith(subscription: Record<string, unknown>) {
  const topic = name("topics", fresh("topic"));
  const sub = name("subscriptions", fresh("sub"));
  expect((await call("PUT", topic, {})).code).toBe(200);
  const made = await call("PUT", sub, { topic, ...subscription });
  expect(made.json.error).toBeUndefined();
  return { topic, sub, made: made.json };
}
const publish = async (topic: string, ...messages: object[]) =>
  call("POST", `${topic}:publish`, { messages });
async function pull(sub: string, maxMessages = 10) {
  const { json } = await call("POST", `${sub}:pull`, { maxMessages, returnImmediately: true });
  return (json["receivedMessages"] ?? []) as {
    ackId: string;
    deliveryAttempt?: number;
    message: {
      data?: string;
      attributes?: Record<string, string>;
      messageId: string;
      orderingKey?: string;
    };
  }[];
}

describe("push", () => {
  it("delivers the wrapped body with a token that the published keys verify", async () => {
    const { url, pushed, close } = await endpoint();
    closers.push(close);
    const email = `push@${testProject}.iam.gserviceaccount.com`;
    const { topic, sub } = await topicWith({
      pushConfig: { pushEndpoint: url, oidcToken: { serviceAccountEmail: email } },
    });
    await publish(topic, { data: base64("hello"), attributes: { a: "1" } });
    const got = await eventually("a push", () => pushed[0]);
    const message = got.body["message"] as Record<string, string>;
    expect(got.body).toEqual({
      message: {
        attributes: { a: "1" },
        data: base64("hello"),
        messageId: message["messageId"],
        message_id: message["messageId"],
        publishTime: message["publishTime"],
        publish_time: message["publishTime"],
      },
      subscription: sub,
    });
    expect(message["messageId"]).toMatch(/^\d{16}$/);
    const keys = createRemoteJWKSet(new URL(`${cloud.address}/oauth2/v3/certs`));
    const token = (got.headers["authorization"] ?? "").replace("Bearer ", "");
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: "https://accounts.google.com",
      audience: url,
    });
    expect(protectedHeader).toMatchObject({ alg: "RS256", typ: "JWT" });
    expect(payload).toMatchObject({ email, email_verified: true, azp: payload.sub });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
  });

  it("acknowledges on 204 and never sends again", async () => {
    const { url, pushed, close } = await endpoint(204);
    closers.push(close);
    const { topic, sub } = await topicWith({ pushConfig: { pushEndpoint: url } });
    await publish(topic, { data: base64("x") });
    await eventually("a push", () => pushed.length === 1);
    await call("POST", `${sub}:modifyPushConfig`, { pushConfig: {} });
    expect(await pull(sub)).toEqual([]);
    expect(pushed).toHaveLength(1);
  });

  it("backs off exponentially from the first retry on", async () => {
    const { url, pushed, close } = await endpoint(500, 500, 500, 204);
    closers.push(close);
    const { topic } = await topicWith({
      pushConfig: { pushEndpoint: url },
      retryPolicy: { minimumBackoff: "0.2s", maximumBackoff: "0.5s" },
    });
    await publish(topic, { data: base64("x") });
    await eventually("four pushes", () => pushed.length === 4);
    const waits = pushed.slice(1).map((one, index) => one.atMs - (pushed[index]?.atMs ?? 0));
    expect(waits[0]).toBeGreaterThan(190);
    expect(waits[1]).toBeGreaterThan(390);
    expect(waits[2]).toBeGreaterThan(490);
    expect(waits[2]).toBeLessThan(900);
  });

  it("retries at once without a retry policy", async () => {
    const { url, pushed, close } = await endpoint(500, 204);
    closers.push(close);
    const { topic } = await topicWith({ pushConfig: { pushEndpoint: url } });
    await publish(topic, { data: base64("x") });
    await eventually("two pushes", () => pushed.length === 2);
    expect((pushed[1]?.atMs ?? 0) - (pushed[0]?.atMs ?? 0)).toBeLessThan(200);
  });

  it("dead-letters after the maximum attempts, with a new id and the source's attributes", async () => {
    const { url, pushed, close } = await endpoint(500);
    closers.push(close);
    const dead = await topicWith({});
    const { topic, sub } = await topicWith({
      pushConfig: { pushEndpoint: url },
      retryPolicy: { minimumBackoff: "0.01s", maximumBackoff: "0.02s" },
      deadLetterPolicy: { deadLetterTopic: dead.topic, maxDeliveryAttempts: 5 },
    });
    const published = await publish(topic, { data: base64("b"), attributes: { x: "1" } });
    const [letter] = await eventually("a dead letter", async () => {
      const found = await pull(dead.sub);
      return found.length > 0 && found;
    });
    expect(pushed.map((one) => one.body["deliveryAttempt"])).toEqual([1, 2, 3, 4, 5]);
    expect(letter?.message.messageId).not.toBe((published.json["messageIds"] as string[])[0]);
    expect(letter?.message.data).toBe(base64("b"));
    expect(letter?.message.attributes).toEqual({
      x: "1",
      CloudPubSubDeadLetterSourceDeliveryCount: "5",
      CloudPubSubDeadLetterSourceSubscription: sub.split("/").at(-1),
      CloudPubSubDeadLetterSourceSubscriptionProject: testProject,
      CloudPubSubDeadLetterSourceTopicPublishTime: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
  });

  it("lets other messages pass a poisonous one", async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => {
        const { message } = JSON.parse(text) as { message: { data: string } };
        seen.push(message.data);
        response.writeHead(message.data === base64("poison") ? 500 : 200).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const { topic } = await topicWith({
      pushConfig: { pushEndpoint: `http://127.0.0.1:${port}/` },
      retryPolicy: { minimumBackoff: "60s", maximumBackoff: "60s" },
    });
    const messages = ["poison", ...Array.from({ length: 50 }, (_, index) => `good ${index}`)];
    await publish(topic, ...messages.map((text) => ({ data: base64(text) })));
    await eventually("all of them", () => seen.length === 51);
    expect(new Set(seen).size).toBe(51);
  });
});

describe("filters", () => {
  it.each([
    ['attributes.kind = "a"', ["a"]],
    ['attributes.kind != "a"', ["b", "none"]],
    ['hasPrefix(attributes.name, "te")', ["b"]],
    ["attributes:kind", ["a", "b"]],
    ['NOT attributes:kind OR (attributes.kind = "a" AND -attributes:name)', ["a", "none"]],
  ])("%s lets pass %j", async (filter, passing) => {
    const { topic, sub } = await topicWith({ filter });
    await publish(
      topic,
      { data: base64("a"), attributes: { kind: "a" } },
      { data: base64("b"), attributes: { kind: "b", name: "test" } },
      { data: base64("none") },
    );
    const got = await pull(sub);
    expect(got.map((one) => Buffer.from(one.message.data ?? "", "base64").toString())).toEqual(
      passing,
    );
  });

  it("refuses a filter it cannot read, saying where", async () => {
    const { topic } = await topicWith({});
    const { code, json } = await call("PUT", name("subscriptions", fresh("sub")), {
      topic,
      filter: 'attributes.a = "1" AND attributes.b = "2" OR attributes:c',
    });
    expect(code).toBe(400);
    expect(json.error?.message).toContain("parentheses");
  });
});

describe("ordering", () => {
  it("holds a key's successors back until its head is acknowledged, and other keys go on", async () => {
    const { topic, sub } = await topicWith({ enableMessageOrdering: true });
    await publish(
      topic,
      { data: base64("a1"), orderingKey: "a" },
      { data: base64("a2"), orderingKey: "a" },
      { data: base64("b1"), orderingKey: "b" },
    );
    const first = await pull(sub);
    expect(first.map((one) => one.message.data)).toEqual([base64("a1"), base64("b1")]);
    await call("POST", `${sub}:modifyAckDeadline`, {
      ackIds: [first[0]?.ackId],
      ackDeadlineSeconds: 0,
    });
    const again = await pull(sub);
    expect(again.map((one) => one.message.data)).toEqual([base64("a1")]);
    await call("POST", `${sub}:acknowledge`, { ackIds: [again[0]?.ackId] });
    expect((await pull(sub)).map((one) => one.message.data)).toEqual([base64("a2")]);
  });

  it("frees a key when its head is dead-lettered", async () => {
    const { url, pushed, close } = await endpoint(500, 500, 500, 500, 500, 200);
    closers.push(close);
    const dead = await topicWith({});
    const { topic } = await topicWith({
      enableMessageOrdering: true,
      pushConfig: { pushEndpoint: url },
      retryPolicy: { minimumBackoff: "0.01s", maximumBackoff: "0.01s" },
      deadLetterPolicy: { deadLetterTopic: dead.topic, maxDeliveryAttempts: 5 },
    });
    await publish(
      topic,
      { data: base64("bad"), orderingKey: "k" },
      { data: base64("good"), orderingKey: "k" },
    );
    const last = await eventually("the successor", () => pushed[5]);
    expect(last.body["message"]).toMatchObject({ data: base64("good"), orderingKey: "k" });
  });
});

describe("pull", () => {
  it("redelivers what was not acknowledged, and counts attempts with a dead-letter policy", async () => {
    const dead = await topicWith({});
    const { topic, sub } = await topicWith({
      deadLetterPolicy: { deadLetterTopic: dead.topic, maxDeliveryAttempts: 5 },
    });
    await publish(topic, { data: base64("x") });
    const [first] = await pull(sub);
    expect(first?.deliveryAttempt).toBe(1);
    expect(await pull(sub)).toEqual([]);
    await call("POST", `${sub}:modifyAckDeadline`, {
      ackIds: [first?.ackId],
      ackDeadlineSeconds: 0,
    });
    const [second] = await pull(sub);
    expect(second?.deliveryAttempt).toBe(2);
    expect(second?.message.messageId).toBe(first?.message.messageId);
  });

  it("waits for a message that comes later", async () => {
    const { topic, sub } = await topicWith({});
    const waiting = call("POST", `${sub}:pull`, { maxMessages: 1 });
    await publish(topic, { data: base64("late") });
    const { json } = await waiting;
    expect(json["receivedMessages"]).toHaveLength(1);
  });

  it("seeks back to what was acknowledged and retained, and forward over the rest", async () => {
    const { topic, sub } = await topicWith({ retainAckedMessages: true });
    await publish(topic, { data: base64("one") });
    const [first] = await pull(sub);
    await call("POST", `${sub}:acknowledge`, { ackIds: [first?.ackId] });
    expect(await pull(sub)).toEqual([]);
    const past = new Date(Date.now() - 60_000).toISOString();
    await call("POST", `${sub}:seek`, { time: past });
    expect(await pull(sub)).toHaveLength(1);
    await call("POST", `${sub}:seek`, { time: new Date(Date.now() + 1000).toISOString() });
    expect(await pull(sub)).toEqual([]);
  });

  it("refuses a stale acknowledgement with exactly-once delivery", async () => {
    const { topic, sub } = await topicWith({ enableExactlyOnceDelivery: true });
    await publish(topic, { data: base64("x") });
    const [first] = await pull(sub);
    const ack = async () => call("POST", `${sub}:acknowledge`, { ackIds: [first?.ackId] });
    expect((await ack()).code).toBe(200);
    const { json } = await ack();
    expect(json.error?.status).toBe("FAILED_PRECONDITION");
    expect(JSON.stringify(json)).toContain("PERMANENT_FAILURE_INVALID_ACK_ID");
  });
});

describe("limits and errors", () => {
  it.each([
    [[{}], "empty"],
    [[], "no messages"],
    [[{ data: Buffer.alloc(10_000_001).toString("base64") }], "exceeds the limit"],
    [[{ attributes: { ["k".repeat(257)]: "v" } }], "256"],
    [[{ attributes: { k: "v".repeat(1025) } }], "1024"],
    [[{ attributes: { google: "v" } }], "reserved"],
  ])("refuses messages that are wrong (case %#)", async (messages, reason) => {
    const { topic } = await topicWith({});
    const { code, json } = await call("POST", `${topic}:publish`, { messages });
    expect(code).toBe(400);
    expect(json.error).toMatchObject({ status: "INVALID_ARGUMENT" });
    expect(json.error?.message).toContain(reason);
  });

  it("takes a message of ten million bytes less its overhead", async () => {
    const { topic, sub } = await topicWith({});
    const data = Buffer.alloc(9_999_900, 7);
    expect((await publish(topic, { data: data.toString("base64") })).code).toBe(200);
    const [got] = await pull(sub);
    expect(Buffer.from(got?.message.data ?? "", "base64").equals(data)).toBe(true);
  });

  it("names a field that does not exist", async () => {
    const { topic } = await topicWith({});
    const { code, json } = await call("POST", `${topic}:publish`, { mesages: [] });
    expect(code).toBe(400);
    expect(json.error?.message).toBe(
      'Invalid JSON payload received. Unknown name "mesages": Cannot find field.',
    );
  });

  it("says in Google's words what is missing, there already, or misnamed", async () => {
    const { topic, sub } = await topicWith({});
    expect((await call("GET", name("topics", "absent"))).json.error).toMatchObject({
      code: 404,
      status: "NOT_FOUND",
      message: "Resource not found (resource=absent).",
    });
    expect((await call("PUT", topic, {})).json.error?.status).toBe("ALREADY_EXISTS");
    expect((await call("PUT", sub, { topic })).code).toBe(409);
    expect((await call("PUT", name("topics", "goog-x"), {})).code).toBe(400);
    expect((await call("POST", `${topic}:bogus`, {})).code).toBe(404);
    const update = await call("PATCH", `${sub}?updateMask=filter`, {
      subscription: { filter: "" },
    });
    expect(update.json.error?.message).toContain("'filter' cannot be changed");
  });

  it("answers UNIMPLEMENTED for what is not built", async () => {
    const { code, json } = await call("PUT", `projects/${testProject}/snapshots/snap`, {});
    expect(code).toBe(501);
    expect(json.error?.status).toBe("UNIMPLEMENTED");
    expect((await call("GET", `projects/${testProject}/snapshots`)).json).toEqual({});
    expect((await call("GET", `projects/${testProject}/schemas`)).json).toEqual({});
  });

  it("keeps a deleted topic's subscription under the deleted topic's name, without its backlog growing", async () => {
    const { topic, sub } = await topicWith({});
    await publish(topic, { data: base64("kept") });
    await call("DELETE", topic);
    expect((await call("GET", sub)).json["topic"]).toBe("_deleted-topic_");
    expect(await pull(sub)).toHaveLength(1);
    expect((await publish(topic, { data: base64("x") })).code).toBe(404);
  });
});

describe("durability", () => {
  it("delivers after a restart what was published and not acknowledged before it", async () => {
    const { topic, sub } = await topicWith({});
    await publish(topic, { data: base64("kept") }, { data: base64("done") });
    const got = await pull(sub);
    await call("POST", `${sub}:acknowledge`, { ackIds: [got[1]?.ackId] });
    const { folder } = cloud;
    await cloud.stop({ keep: true });
    cloud = await withLocalCloud(["pubsub"], { folder });
    const [again] = await pull(sub);
    expect(again?.message.data).toBe(base64("kept"));
    expect((await call("POST", `${sub}:acknowledge`, { ackIds: [got[0]?.ackId] })).code).toBe(200);
    expect(await pull(sub)).toEqual([]);
    const rows = cloud.context.db
      .prepare(
        "SELECT count(*) AS count FROM pubsub_backlog WHERE subscription = (SELECT id FROM pubsub_subscriptions WHERE name = ?)",
      )
      .get(sub) as { count: number };
    expect(rows.count).toBe(0);
  });
});

describe.each(["grpc", "rest"] as const)("the official client over %s", (transport) => {
  const options = () =>
    (transport === "grpc" ? cloud.grpcOptions : cloud.restOptions) as ConstructorParameters<
      typeof v1.PublisherClient
    >[0];

  it("manages topics and subscriptions, publishes, pulls and acknowledges", async () => {
    const publisher = new v1.PublisherClient(options());
    const subscriber = new v1.SubscriberClient(options());
    const topic = name("topics", fresh("topic"));
    const sub = name("subscriptions", fresh("sub"));
    await publisher.createTopic({ name: topic, labels: { team: "ml" } });
    const [made] = await subscriber.createSubscription({
      name: sub,
      topic,
      ackDeadlineSeconds: 20,
      retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 60 } },
    });
    expect(made).toMatchObject({ name: sub, topic, ackDeadlineSeconds: 20, state: "ACTIVE" });
    expect(Number(made.messageRetentionDuration?.seconds)).toBe(604_800);
    const [updated] = await subscriber.updateSubscription({
      subscription: { name: sub, ackDeadlineSeconds: 30 },
      updateMask: { paths: ["ack_deadline_seconds"] },
    });
    expect(updated.ackDeadlineSeconds).toBe(30);
    const [topics] = await publisher.listTopics({ project: `projects/${testProject}` });
    expect(topics.map((one) => one.name)).toContain(topic);
    const [subs] = await publisher.listTopicSubscriptions({ topic });
    expect(subs).toEqual([sub]);
    const [sent] = await publisher.publish({
      topic,
      messages: [{ data: Buffer.from([0, 255, 128]), attributes: { é: "ü" } }],
    });
    expect(sent.messageIds).toHaveLength(1);
    const [pulled] = await subscriber.pull({ subscription: sub, maxMessages: 5 });
    const got = pulled.receivedMessages?.[0];
    expect(Buffer.from(got?.message?.data ?? "").equals(Buffer.from([0, 255, 128]))).toBe(true);
    expect(got?.message?.attributes).toEqual({ é: "ü" });
    expect(Math.abs(Number(got?.message?.publishTime?.seconds) * 1000 - Date.now())).toBeLessThan(
      60_000,
    );
    await subscriber.acknowledge({ subscription: sub, ackIds: [got?.ackId ?? ""] });
    await expect(publisher.getTopic({ topic: name("topics", "absent") })).rejects.toMatchObject(
      transport === "grpc" ? { code: 5 } : { status: 404 },
    );
    await publisher.deleteTopic({ topic });
    await Promise.all([publisher.close(), subscriber.close()]);
  });
});

describe("the official high-level client", () => {
  it("streams messages in both directions with flow control, and redelivers a nack", async () => {
    const client = new PubSub({
      projectId: testProject,
      apiEndpoint: `127.0.0.1:${cloud.port}`,
      emulatorMode: true,
    });
    const [topic] = await client.createTopic(fresh("topic"));
    const [sub] = await topic.createSubscription(fresh("sub"), {
      flowControl: { maxMessages: 10 },
    } as object);
    const seen = new Map<string, number>();
    sub.on("message", (message: Message) => {
      const text = message.data.toString();
      const times = (seen.get(text) ?? 0) + 1;
      seen.set(text, times);
      if (text === "m7" && times === 1) message.nack();
      else message.ack();
    });
    const failures: unknown[] = [];
    sub.on("error", (error) => failures.push(error));
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        await topic.publishMessage({ data: Buffer.from(`m${index}`) });
      }),
    );
    await eventually("every message", () => seen.size === 100 && seen.get("m7") === 2);
    expect(failures).toEqual([]);
    await sub.close();
    const countLeft = (): number => {
      const row = cloud.context.db
        .prepare("SELECT count(*) AS count FROM pubsub_messages WHERE topic = ?")
        .get(topic.name);
      return (row as { count: number }).count;
    };
    await eventually("an empty backlog", () => countLeft() === 0);
    await client.close();
  });
});
