/** Order per key under disorder: many keys on a stream, messages given back at random while others are on their way. */
import { v1, type protos } from "@google-cloud/pubsub";
import { describe, expect, it } from "vitest";
import { eventually, grpcOptionsOf, withLocalCloud } from "./local-cloud.js";
import { base64, pubsubCalls } from "./pubsub-targets.js";

const keys = ["a", "b", "c", "d"];
const perKey = 200;
const givenBackShare = 0.05;

/** A small generator, so that a failure comes again with its seed. */
const randomOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

describe("an ordered stream", () => {
  it.each([1, 2, 3])(
    "finishes every key in order whatever is given back, and loses nothing (seed %i)",
    async (seed) => {
      const random = randomOf(seed);
      const cloud = await withLocalCloud(["pubsub"]);
      const { topicWith, publish, pull } = pubsubCalls(() => cloud.port);
      const { topic, sub } = await topicWith({ enableMessageOrdering: true });
      /** How many messages of each key are acknowledged. */
      const done = new Map(keys.map((key) => [key, 0]));
      /** Keys whose next message was given back; what is on its way behind it comes again after it. */
      const waiting = new Set<string>();
      const early: string[] = [];
      const client = new v1.SubscriberClient(grpcOptionsOf(cloud.port));
      const stream = client.streamingPull();
      let givenBack = 0;
      const take = (key: string, number: number, ackId: string): void => {
        const next = done.get(key) ?? 0;
        if (number > next) {
          if (!waiting.has(key)) early.push(`${key}${number} while ${next} was due`);
        } else if (number === next && random() < givenBackShare) {
          givenBack += 1;
          waiting.add(key);
          stream.write({ modifyDeadlineAckIds: [ackId], modifyDeadlineSeconds: [0] });
        } else {
          if (number === next) {
            waiting.delete(key);
            done.set(key, next + 1);
          }
          stream.write({ ackIds: [ackId] });
        }
      };
      stream.on("error", () => undefined);
      stream.on("data", (reply: protos.google.pubsub.v1.IStreamingPullResponse) => {
        for (const { ackId, message } of reply.receivedMessages ?? []) {
          const number = Number(Buffer.from(message?.data ?? "").toString());
          take(message?.orderingKey ?? "", number, ackId ?? "");
        }
      });
      stream.write({ subscription: sub, streamAckDeadlineSeconds: 60 });
      for (let number = 0; number < perKey; number += 1) {
        const data = base64(String(number));
        await publish(topic, ...keys.map((orderingKey) => ({ data, orderingKey })));
      }
      await eventually("every key's end", () =>
        [...done.values()].every((count) => count === perKey),
      );
      expect(early).toEqual([]);
      expect(givenBack).toBeGreaterThan(0);
      await eventually("an empty backlog", () => {
        const row = cloud.context.db.prepare("SELECT count(*) AS count FROM pubsub_backlog").get();
        return (row as { count: number }).count === 0;
      });
      expect(await pull(sub)).toEqual([]);
      stream.destroy();
      await client.close();
      await cloud.stop();
    },
    60_000,
  );
});
