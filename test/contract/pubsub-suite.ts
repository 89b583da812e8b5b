/** What is expected of a Pub/Sub, whoever made it: driven by plain REST where clients hide things, and by the official clients. */
import { PubSub, v1, type Message } from "@google-cloud/pubsub";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  eventually as eventuallyWithin,
  grpcOptionsOf,
  restOptionsOf,
  testProject,
} from "./local-cloud.js";
import { pubsubDeviations } from "./pubsub-deviations.js";
import {
  base64,
  fresh,
  named,
  pubsubCalls,
  type PubsubTarget,
  type PulledMessage,
} from "./pubsub-targets.js";
import {
  orderedStreamCases,
  schemaCases,
  snapshotCases,
  subscriptionCases,
} from "./pubsub-second-tier.js";
import { endpoint } from "./push-endpoint.js";

/** A Pub/Sub to run the suite against; without `start` it is reported as skipped. */
export interface PubsubUnderTest {
  readonly start?: () => Promise<PubsubTarget>;
  /** Google's emulator: cases in which it is known to differ from the service must fail against it. */
  readonly isEmulator?: boolean;
}

const limitMs = 30_000;
/** Waiting for what is known not to come. */
const deviationLimitMs = 1500;

/** Runs the suite against one Pub/Sub. */
export const pubsubSuite = (label: string, { start, isEmulator }: PubsubUnderTest): void => {
  let target: PubsubTarget;
  let waitMs = limitMs;
  const closers: (() => void)[] = [];
  const calls = pubsubCalls(() => target.port);
  const { call, topicWith, publish, pull } = calls;

  const eventually = <Value>(
    what: string,
    look: () => Value | undefined | false | Promise<Value | undefined | false>,
  ): Promise<Value> => eventuallyWithin(what, look, waitMs);

  /** A case; where the emulator is known to differ it must fail there, so that a repaired emulator is noticed. */
  const contract = (title: string, body: () => Promise<void>): void => {
    const deviation = isEmulator === true ? pubsubDeviations[title] : undefined;
    const run = deviation === undefined ? it : it.fails;
    const difference =
      deviation === undefined ? "" : ` [differs: ${deviation.emulator}; ${deviation.source}]`;
    // What must fail is not tried again because it failed.
    const options = deviation === undefined ? {} : { retry: 0 };
    run(`${title}${difference}`, options, async () => {
      if (deviation !== undefined) waitMs = deviationLimitMs;
      await body();
    });
  };

  /** The messages of a subscription, once there are this many: a pull may answer with fewer than there are. */
  const pulled = async (sub: string, count = 1): Promise<readonly PulledMessage[]> => {
    const all: PulledMessage[] = [];
    await eventually(`${count} messages of ${sub}`, async () => {
      all.push(...(await pull(sub)));
      return all.length >= count;
    });
    return all;
  };

  const clientOptions = (transport: "gRPC" | "REST") =>
    transport === "gRPC" ? grpcOptionsOf(target.port) : restOptionsOf(target.port);

  describe.skipIf(start === undefined)(`Pub/Sub: ${label}`, () => {
    beforeAll(async () => {
      if (start !== undefined) target = await start();
    });
    afterEach(() => {
      waitMs = limitMs;
      for (const close of closers.splice(0)) close();
    });
    afterAll(async () => {
      await target.stop();
    });

    describe("push", () => {
      contract("delivers the wrapped body", async () => {
        const { url, pushed, close } = await endpoint();
        closers.push(close);
        const { topic, sub } = await topicWith({ pushConfig: { pushEndpoint: url } });
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
        expect(got.headers["content-type"]).toBe("application/json");
      });

      contract("carries a token that the published keys verify", async () => {
        const { url, pushed, close } = await endpoint();
        closers.push(close);
        const email = `push@${testProject}.iam.gserviceaccount.com`;
        const { topic } = await topicWith({
          pushConfig: { pushEndpoint: url, oidcToken: { serviceAccountEmail: email } },
        });
        await publish(topic, { data: base64("hello") });
        const got = await eventually("a push", () => pushed[0]);
        const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${target.port}/oauth2/v3/certs`));
        const token = (got.headers["authorization"] ?? "").replace("Bearer ", "");
        const { payload, protectedHeader } = await jwtVerify(token, keys, {
          issuer: "https://accounts.google.com",
          audience: url,
        });
        expect(protectedHeader).toMatchObject({ alg: "RS256", typ: "JWT" });
        expect(payload).toMatchObject({ email, email_verified: true, azp: payload.sub });
        expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
      });

      contract(
        "names the ordering key, and the attempt where there is a dead-letter policy",
        async () => {
          const { url, pushed, close } = await endpoint();
          closers.push(close);
          const dead = await topicWith({});
          const { topic } = await topicWith({
            enableMessageOrdering: true,
            pushConfig: { pushEndpoint: url },
            deadLetterPolicy: { deadLetterTopic: dead.topic, maxDeliveryAttempts: 5 },
          });
          await publish(topic, { data: base64("x"), orderingKey: "k" });
          const got = await eventually("a push", () => pushed[0]);
          expect(got.body).toMatchObject({ deliveryAttempt: 1, message: { orderingKey: "k" } });
        },
      );

      contract("acknowledges on 204 and never sends again", async () => {
        const { url, pushed, close } = await endpoint(204);
        closers.push(close);
        const { topic, sub } = await topicWith({ pushConfig: { pushEndpoint: url } });
        await publish(topic, { data: base64("x") });
        await eventually("a push", () => pushed.length === 1);
        await call("POST", `${sub}:modifyPushConfig`, { pushConfig: {} });
        expect(await pull(sub)).toEqual([]);
        expect(pushed).toHaveLength(1);
      });

      contract("backs off exponentially from the first retry on", async () => {
        const { url, pushed, close } = await endpoint(...Array<number>(10).fill(500), 204);
        closers.push(close);
        const { topic } = await topicWith({
          pushConfig: { pushEndpoint: url },
          retryPolicy: { minimumBackoff: "0.1s", maximumBackoff: "0.3s" },
        });
        await publish(topic, { data: base64("x") });
        // Without the maximum the tenth retry would come after 102 s.
        await eventually("eleven pushes", () => pushed.length === 11);
        const waits = pushed.slice(1).map((one, index) => one.atMs - (pushed[index]?.atMs ?? 0));
        expect(waits[0]).toBeGreaterThan(95);
        expect(waits[1]).toBeGreaterThan(195);
        expect(Math.min(...waits.slice(2))).toBeGreaterThan(295);
      });

      contract("retries at once without a retry policy", async () => {
        const codes = Array.from({ length: 30 }, () => [500, 500, 204]).flat();
        const { url, pushed, close } = await endpoint(...codes);
        closers.push(close);
        const { topic } = await topicWith({ pushConfig: { pushEndpoint: url } });
        let published = 0;
        // With a second before each of them sixty retries would not come within the limit.
        await eventually("thirty messages, each after two retries", async () => {
          if (pushed.length < 3 * published) return false;
          published += 1;
          if (published <= 30) await publish(topic, { data: base64("x") });
          return published > 30;
        });
      });

      contract(
        "dead-letters after the maximum attempts, with a new id and the source's attributes",
        async () => {
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
            CloudPubSubDeadLetterSourceTopicPublishTime: expect.stringMatching(
              /^\d{4}-.*Z$/,
            ) as string,
          });
        },
      );

      contract("lets other messages pass a poisonous one", async () => {
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
      const filters: Readonly<Record<string, readonly string[]>> = {
        'attributes.kind = "a"': ["a"],
        'attributes.kind != "a"': ["b", "none"],
        'hasPrefix(attributes.name, "te")': ["b"],
        "attributes:kind": ["a", "b"],
        'NOT attributes:kind OR (attributes.kind = "a" AND -attributes:name)': ["a", "none"],
      };
      for (const [filter, passing] of Object.entries(filters)) {
        contract(`${filter} lets pass ${passing.join(", ")}`, async () => {
          const { topic, sub } = await topicWith({ filter });
          await publish(
            topic,
            { data: base64("a"), attributes: { kind: "a" } },
            { data: base64("b"), attributes: { kind: "b", name: "test" } },
            { data: base64("none") },
          );
          const got = [...(await pulled(sub, passing.length)), ...(await pull(sub))];
          const texts = got.map(({ message }) =>
            Buffer.from(message.data ?? "", "base64").toString(),
          );
          expect(texts.toSorted()).toEqual(passing);
        });
      }

      contract("refuses a filter it cannot read, saying where", async () => {
        const { topic } = await topicWith({});
        const { code, json } = await call("PUT", named("subscriptions", fresh("sub")), {
          topic,
          filter: 'attributes.a = "1" AND attributes.b = "2" OR attributes:c',
        });
        expect(code).toBe(400);
        expect(json.error?.message).toContain("parentheses");
      });
    });

    describe("ordering", () => {
      contract("delivers a key's messages in order, and other keys beside it", async () => {
        const { topic, sub } = await topicWith({ enableMessageOrdering: true });
        await publish(
          topic,
          { data: base64("a1"), orderingKey: "a" },
          { data: base64("a2"), orderingKey: "a" },
          { data: base64("b1"), orderingKey: "b" },
        );
        const seen: string[] = [];
        await eventually("all three", async () => {
          for (const { ackId, message } of await pull(sub)) {
            seen.push(message.data ?? "");
            await call("POST", `${sub}:acknowledge`, { ackIds: [ackId] });
          }
          return seen.length === 3;
        });
        expect(seen.filter((one) => one !== base64("b1"))).toEqual([base64("a1"), base64("a2")]);
      });

      contract("holds a key's successors back while its head is given back", async () => {
        const { topic, sub } = await topicWith({
          enableMessageOrdering: true,
          retryPolicy: { minimumBackoff: "60s", maximumBackoff: "60s" },
        });
        await publish(topic, { data: base64("a1"), orderingKey: "a" });
        const [first] = await pulled(sub);
        expect(first?.message.data).toBe(base64("a1"));
        await publish(topic, { data: base64("a2"), orderingKey: "a" });
        await call("POST", `${sub}:modifyAckDeadline`, {
          ackIds: [first?.ackId],
          ackDeadlineSeconds: 0,
        });
        await publish(topic, { data: base64("b1"), orderingKey: "b" });
        const next = await pulled(sub);
        expect(next.map(({ message }) => message.data)).toEqual([base64("b1")]);
      });

      contract("frees a key when its head is dead-lettered", async () => {
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
      contract(
        "redelivers what was not acknowledged, and counts attempts with a dead-letter policy",
        async () => {
          const dead = await topicWith({});
          const { topic, sub } = await topicWith({
            deadLetterPolicy: { deadLetterTopic: dead.topic, maxDeliveryAttempts: 5 },
          });
          await publish(topic, { data: base64("x") });
          const [first] = await pulled(sub);
          expect(first?.deliveryAttempt).toBe(1);
          expect(await pull(sub)).toEqual([]);
          await call("POST", `${sub}:modifyAckDeadline`, {
            ackIds: [first?.ackId],
            ackDeadlineSeconds: 0,
          });
          const [second] = await pulled(sub);
          expect(second?.deliveryAttempt).toBe(2);
          expect(second?.message.messageId).toBe(first?.message.messageId);
        },
      );

      contract("dead-letters what was given back too often", async () => {
        const dead = await topicWith({});
        const { topic, sub } = await topicWith({
          deadLetterPolicy: { deadLetterTopic: dead.topic, maxDeliveryAttempts: 5 },
        });
        await publish(topic, { data: base64("bad"), attributes: { x: "1" } });
        const letter = await eventually("the dead letter", async () => {
          const ackIds = (await pull(sub)).map((one) => one.ackId);
          if (ackIds.length > 0) {
            await call("POST", `${sub}:modifyAckDeadline`, { ackIds, ackDeadlineSeconds: 0 });
          }
          return (await pull(dead.sub))[0];
        });
        expect(letter.message).toMatchObject({ data: base64("bad"), attributes: { x: "1" } });
        expect(await pull(sub)).toEqual([]);
      });

      contract("waits for a message that comes later", async () => {
        const { topic, sub } = await topicWith({});
        const waiting = call("POST", `${sub}:pull`, { maxMessages: 1 });
        await publish(topic, { data: base64("late") });
        const { json } = await waiting;
        expect(json["receivedMessages"]).toHaveLength(1);
      });

      contract(
        "seeks back to what was acknowledged and retained, and forward over the rest",
        async () => {
          const { topic, sub } = await topicWith({ retainAckedMessages: true });
          await publish(topic, { data: base64("one") });
          const [first] = await pulled(sub);
          await call("POST", `${sub}:acknowledge`, { ackIds: [first?.ackId] });
          expect(await pull(sub)).toEqual([]);
          const past = new Date(Date.now() - 60_000).toISOString();
          await call("POST", `${sub}:seek`, { time: past });
          expect(await pulled(sub)).toHaveLength(1);
          await call("POST", `${sub}:seek`, { time: new Date(Date.now() + 1000).toISOString() });
          expect(await pull(sub)).toEqual([]);
        },
      );

      contract("refuses a stale acknowledgement with exactly-once delivery", async () => {
        const { topic, sub } = await topicWith({ enableExactlyOnceDelivery: true });
        await publish(topic, { data: base64("x") });
        const [first] = await pulled(sub);
        const ack = async () => call("POST", `${sub}:acknowledge`, { ackIds: [first?.ackId] });
        expect((await ack()).code).toBe(200);
        const { json } = await ack();
        expect(json.error?.status).toBe("FAILED_PRECONDITION");
        expect(JSON.stringify(json)).toContain("PERMANENT_FAILURE_INVALID_ACK_ID");
      });
    });

    const tools = { ...calls, contract, port: () => target.port, pulled, eventually };
    subscriptionCases(tools);
    orderedStreamCases(tools);
    snapshotCases(tools);
    schemaCases(tools);

    describe("limits and errors", () => {
      const wrong: Readonly<Record<string, readonly [readonly object[], RegExp]>> = {
        "an empty message": [[{}], /empty/],
        "no message": [[], /no messages/i],
        "more than ten million bytes": [
          [{ data: Buffer.alloc(10_000_001).toString("base64") }],
          /exceeds the limit/,
        ],
        "an attribute's key of 257 bytes": [[{ attributes: { ["k".repeat(257)]: "v" } }], /256/],
        "an attribute of 1025 bytes": [[{ attributes: { k: "v".repeat(1025) } }], /1024/],
        "an attribute in Google's name": [[{ attributes: { google: "v" } }], /reserved/],
      };
      for (const [what, [messages, reason]] of Object.entries(wrong)) {
        contract(`refuses to publish ${what}`, async () => {
          const { topic } = await topicWith({});
          const { code, json } = await call("POST", `${topic}:publish`, { messages });
          expect(code).toBe(400);
          expect(json.error).toMatchObject({ status: "INVALID_ARGUMENT" });
          expect(json.error?.message).toMatch(reason);
        });
      }

      contract("takes a message of ten million bytes less its overhead", async () => {
        const { topic, sub } = await topicWith({});
        const data = Buffer.alloc(9_999_900, 7);
        expect((await publish(topic, { data: data.toString("base64") })).code).toBe(200);
        const [got] = await pulled(sub);
        expect(Buffer.from(got?.message.data ?? "", "base64").equals(data)).toBe(true);
      });

      contract("names a field that does not exist", async () => {
        const { topic } = await topicWith({});
        const { code, json } = await call("POST", `${topic}:publish`, { mesages: [] });
        expect(code).toBe(400);
        expect(json.error?.message).toBe(
          'Invalid JSON payload received. Unknown name "mesages": Cannot find field.',
        );
      });

      contract("says what is missing, there already, or misnamed", async () => {
        const { topic, sub } = await topicWith({});
        expect((await call("GET", named("topics", "absent"))).json.error).toMatchObject({
          code: 404,
          status: "NOT_FOUND",
        });
        expect((await call("PUT", topic, {})).json.error?.status).toBe("ALREADY_EXISTS");
        expect((await call("PUT", sub, { topic })).code).toBe(409);
        expect((await call("PUT", named("topics", "goog-x"), {})).code).toBe(400);
      });

      contract("says what is missing in the service's words", async () => {
        const { json } = await call("GET", named("topics", "absent"));
        expect(json.error?.message).toBe("Resource not found (resource=absent).");
      });

      contract("refuses to change a filter", async () => {
        const { sub } = await topicWith({});
        const update = await call("PATCH", `${sub}?updateMask=filter`, {
          subscription: { filter: "" },
        });
        expect(update.code).toBe(400);
        expect(update.json.error?.message).toContain("filter");
      });

      contract(
        "keeps a deleted topic's subscription under the deleted topic's name, without its backlog growing",
        async () => {
          const { topic, sub } = await topicWith({});
          await publish(topic, { data: base64("kept") });
          await call("DELETE", topic);
          expect((await call("GET", sub)).json["topic"]).toBe("_deleted-topic_");
          expect(await pulled(sub)).toHaveLength(1);
          expect((await publish(topic, { data: base64("x") })).code).toBe(404);
        },
      );
    });

    describe.each(["gRPC", "REST"] as const)("the official client", (transport) => {
      const options = () =>
        clientOptions(transport) as ConstructorParameters<typeof v1.PublisherClient>[0];

      contract(
        `manages topics and subscriptions, publishes, pulls and acknowledges over ${transport}`,
        async () => {
          const publisher = new v1.PublisherClient(options());
          const subscriber = new v1.SubscriberClient(options());
          const topic = named("topics", fresh("topic"));
          const sub = named("subscriptions", fresh("sub"));
          await publisher.createTopic({ name: topic, labels: { team: "ml" } });
          const [made] = await subscriber.createSubscription({
            name: sub,
            topic,
            ackDeadlineSeconds: 20,
            retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 60 } },
          });
          expect(made).toMatchObject({ name: sub, topic, ackDeadlineSeconds: 20 });
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
          const [{ receivedMessages }] = await subscriber.pull({
            subscription: sub,
            maxMessages: 5,
          });
          const got = receivedMessages?.[0];
          expect(Buffer.from(got?.message?.data ?? "").equals(Buffer.from([0, 255, 128]))).toBe(
            true,
          );
          expect(got?.message?.attributes).toEqual({ é: "ü" });
          expect(
            Math.abs(Number(got?.message?.publishTime?.seconds) * 1000 - Date.now()),
          ).toBeLessThan(60_000);
          await subscriber.acknowledge({ subscription: sub, ackIds: [got?.ackId ?? ""] });
          await expect(
            publisher.getTopic({ topic: named("topics", "absent") }),
          ).rejects.toMatchObject(transport === "gRPC" ? { code: 5 } : { status: 404 });
          await publisher.deleteTopic({ topic });
          await Promise.all([publisher.close(), subscriber.close()]);
        },
      );
    });

    describe("the official high-level client", () => {
      contract(
        "streams messages in both directions with flow control, and redelivers a nack",
        async () => {
          const client = new PubSub({
            projectId: testProject,
            apiEndpoint: `127.0.0.1:${target.port}`,
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
          await eventually("every message", () => seen.size === 100 && (seen.get("m7") ?? 0) >= 2);
          expect(failures).toEqual([]);
          await sub.close();
          await client.close();
        },
      );
    });
  });
};
