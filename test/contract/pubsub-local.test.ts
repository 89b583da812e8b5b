/** What only the local Pub/Sub promises: ids, durability, honesty about what is not built. */
import { PubSub } from "@google-cloud/pubsub";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { base64, fresh, named, pubsubCalls } from "./pubsub-targets.js";

let cloud: LocalCloud;
const { call, topicWith, publish, pull } = pubsubCalls(() => cloud.port);

beforeAll(async () => {
  cloud = await withLocalCloud(["pubsub"]);
});
afterAll(async () => {
  await cloud.stop();
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

describe("a snapshot", () => {
  const dayMs = 86_400_000;

  it("keeps its messages over a restart, lets them go at its end, and is short-lived behind an old backlog", async () => {
    let nowMs = Date.now();
    const now = (): number => nowMs;
    const { folder, stop } = await withLocalCloud(["pubsub"], { now });
    await stop({ keep: true });
    let own = await withLocalCloud(["pubsub"], { folder, now });
    const calls = pubsubCalls(() => own.port);
    try {
      const { topic, sub } = await calls.topicWith({});
      await calls.publish(topic, { data: base64("old") });
      nowMs += 3 * dayMs;
      const snapshot = named("snapshots", fresh("snap"));
      const { json } = await calls.call("PUT", snapshot, { subscription: sub });
      expect(Date.parse(String(json["expireTime"])) - nowMs).toBeLessThanOrEqual(4 * dayMs);
      expect(Date.parse(String(json["expireTime"])) - nowMs).toBeGreaterThan(3.9 * dayMs);
      const [old] = await calls.pull(sub);
      await calls.call("POST", `${sub}:acknowledge`, { ackIds: [old?.ackId] });
      await own.stop({ keep: true });

      own = await withLocalCloud(["pubsub"], { folder, now });
      await calls.call("POST", `${sub}:seek`, { snapshot });
      const [again] = await calls.pull(sub);
      expect(again?.message.data).toBe(base64("old"));
      nowMs += 3.99 * dayMs;
      const late = named("snapshots", fresh("snap"));
      const refused = await calls.call("PUT", late, { subscription: sub });
      expect(refused.json.error?.status).toBe("FAILED_PRECONDITION");
      nowMs += dayMs;
      expect((await calls.call("GET", snapshot)).code).toBe(404);
      await own.stop({ keep: true });

      // The sweep of a running cloud drops what the snapshot alone had kept.
      own = await withLocalCloud(["pubsub"], { folder, now });
      expect((await calls.call("GET", `projects/${testProject}/snapshots`)).json).toEqual({});
    } finally {
      await own.stop();
    }
  });
});

describe("a subscription's expiration policy", () => {
  const hourMs = 3_600_000;
  const dayMs = 24 * hourMs;

  it("takes it away when nobody used it for that time, also over a restart", async () => {
    let nowMs = Date.now();
    const now = (): number => nowMs;
    let own = await withLocalCloud(["pubsub"], { now });
    const { call: ask, topicWith: make, pull: take, ...calls } = pubsubCalls(() => own.port);
    try {
      const aDay = { expirationPolicy: { ttl: "86400s" }, messageRetentionDuration: "3600s" };
      const { topic, sub: unused } = await make(aDay);
      const { sub: byDefault } = await make({});
      const { sub: never } = await make({ expirationPolicy: {} });
      const { sub: pulled } = await make(aDay);
      const { sub: changed } = await make(aDay);
      const isThere = async (name: string): Promise<boolean> =>
        (await ask("GET", name)).code === 200;

      nowMs += 23 * hourMs;
      expect(await isThere(unused)).toBe(true);
      expect(await take(pulled)).toEqual([]);
      const subscription = { name: changed, ackDeadlineSeconds: 20 };
      await ask("PATCH", changed, { subscription, updateMask: "ackDeadlineSeconds" });
      nowMs += hourMs;
      // Publishing to its topic is no use of a subscription.
      expect((await calls.publish(topic, { data: base64("nobody") })).code).toBe(200);
      expect((await ask("POST", `${unused}:pull`, { maxMessages: 1 })).code).toBe(404);
      expect((await ask("GET", `${topic}/subscriptions`)).json).toEqual({});
      await own.stop({ keep: true });

      nowMs += 22 * hourMs;
      own = await withLocalCloud(["pubsub"], { folder: own.folder, now });
      expect(await Promise.all([unused, pulled, changed].map(isThere))).toEqual([
        false,
        true,
        true,
      ]);
      nowMs += hourMs;
      expect(await Promise.all([pulled, changed, byDefault].map(isThere))).toEqual([
        false,
        false,
        true,
      ]);
      nowMs += 29 * dayMs + hourMs;
      const { json } = await ask("GET", `projects/${testProject}/subscriptions`);
      expect(json["subscriptions"]).toMatchObject([{ name: never }]);
      expect((await ask("PUT", byDefault, { topic })).code).toBe(200);
    } finally {
      await own.stop();
    }
  });
});

describe("a schema", () => {
  const revision = (count: number) => ({
    type: "AVRO",
    definition: JSON.stringify({
      type: "record",
      name: "Row",
      fields: Array.from({ length: count }, (_, index) => ({
        name: `f${index}`,
        type: "int",
        default: 0,
      })),
    }),
  });

  it("is there after a restart with its revisions, twenty at most", async () => {
    const own = await withLocalCloud(["pubsub"]);
    const calls = pubsubCalls(() => own.port);
    const name = named("schemas", "lasting");
    const schemas = `projects/${testProject}/schemas`;
    await calls.call("POST", `${schemas}?schemaId=lasting`, revision(0));
    for (let count = 1; count < 20; count += 1) {
      const { code } = await calls.call("POST", `${name}:commit`, { schema: revision(count) });
      expect(code).toBe(200);
    }
    const full = await calls.call("POST", `${name}:commit`, { schema: revision(20) });
    expect(full.json.error?.status).toBe("FAILED_PRECONDITION");
    await calls.call("PUT", named("topics", "checked"), {
      schemaSettings: { schema: name, encoding: "JSON" },
    });
    await own.stop({ keep: true });

    const again = await withLocalCloud(["pubsub"], { folder: own.folder });
    const after = pubsubCalls(() => again.port);
    try {
      const { json } = await after.call("GET", `${name}:listRevisions`);
      expect(json["schemas"]).toHaveLength(20);
      const { code } = await after.publish(named("topics", "checked"), { data: base64("{}") });
      expect(code).toBe(200);
      const wrong = await after.publish(named("topics", "checked"), { data: base64("[]") });
      expect(wrong.code).toBe(400);
    } finally {
      await again.stop();
    }
  });

  it("too long, too deep or without end is refused, and a message as well", async () => {
    const validate = async (type: string, definition: string) =>
      call("POST", `projects/${testProject}/schemas:validate`, { schema: { type, definition } });
    const nested = `${'{"type":"array","items":'.repeat(5000)}"int"${"}".repeat(5000)}`;
    expect((await validate("AVRO", nested)).json.error?.message).toContain("nested too deeply");
    const long = `"${" ".repeat(300_001)}int"`;
    expect((await validate("AVRO", long)).json.error?.message).toContain("300000 bytes");
    expect((await validate("PROTOCOL_BUFFER", "message A {".repeat(5000))).code).toBe(400);
    const list = { type: "AVRO", definition: '{"type":"array","items":"null"}' };
    // An array of 2^40 items of no bytes each is valid and must not be counted through.
    const endless = Buffer.from("80808080804000", "hex");
    const { code } = await call("POST", `projects/${testProject}/schemas:validateMessage`, {
      schema: list,
      message: endless.toString("base64"),
      encoding: "BINARY",
    });
    expect(code).toBe(200);
  });
});

describe("the local Pub/Sub", () => {
  it("has a policy of version 0 without bindings where nobody set one", async () => {
    const { topic, sub } = await topicWith({});
    const snapshot = named("snapshots", fresh("snap"));
    await call("PUT", snapshot, { subscription: sub });
    for (const name of [topic, sub, snapshot]) {
      expect((await call("GET", `${name}:getIamPolicy`)).json).toEqual({ etag: "ACAB" });
    }
    const bindings = [{ role: "roles/pubsub.viewer", members: ["user:a@example.com"] }];
    await call("POST", `${topic}:setIamPolicy`, { policy: { bindings } });
    const { json } = await call("GET", `${topic}:getIamPolicy`);
    expect(json).toMatchObject({ version: 1, bindings });
    await call("DELETE", snapshot);
  });

  it("gives ids of sixteen digits that rise with the time of publishing", async () => {
    const { topic } = await topicWith({});
    const { json } = await publish(topic, { data: base64("a") }, { data: base64("b") });
    const [first = "", second = ""] = json["messageIds"] as string[];
    expect(first).toMatch(/^\d{16}$/);
    expect(BigInt(second)).toBeGreaterThan(BigInt(first));
  });

  it("answers UNIMPLEMENTED for what is not built, and NOT_FOUND for what does not exist", async () => {
    const { topic } = await topicWith({});
    const bigqueryConfig = { table: "project.dataset.table" };
    const name = named("subscriptions", fresh("sub"));
    const { code, json } = await call("PUT", name, { topic, bigqueryConfig });
    expect(code).toBe(501);
    expect(json.error?.status).toBe("UNIMPLEMENTED");
    expect((await call("GET", `projects/${testProject}/snapshots`)).json).toEqual({});
    expect((await call("GET", `projects/${testProject}/schemas`)).json).toEqual({});
    expect((await call("POST", `${topic}:bogus`, {})).code).toBe(404);
  });

  it("keeps nothing of messages that everybody acknowledged", async () => {
    const client = new PubSub({
      projectId: testProject,
      apiEndpoint: `127.0.0.1:${cloud.port}`,
      emulatorMode: true,
    });
    const [topic] = await client.createTopic(fresh("topic"));
    const [sub] = await topic.createSubscription(fresh("sub"));
    sub.on("message", (message) => {
      message.ack();
    });
    await Promise.all(
      Array.from({ length: 20 }, async () => topic.publishMessage({ data: Buffer.from("x") })),
    );
    const left = (): number => {
      const row = cloud.context.db
        .prepare("SELECT count(*) AS count FROM pubsub_messages WHERE topic = ?")
        .get(topic.name);
      return (row as { count: number }).count;
    };
    await eventually("an empty backlog", () => left() === 0);
    expect(left()).toBe(0);
    await sub.close();
    await client.close();
  });
});
