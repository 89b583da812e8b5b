import { beforeAll, describe, expect, it } from "vitest";
import { RejectedError } from "../../../shared/domain/errors.js";
import type { DeadLetter } from "../../../shared/ports/state.js";
import { keepDeadLetter, redrive, sendToDeadLetters } from "../../../shared/runtime/dead-letter.js";
import { unwrap, type Delivery } from "../../../shared/runtime/push.js";
import { testEnvironment } from "../../flow/story.js";
import { memoryWorld, type MemoryWorld, type Published } from "../../fixtures/memory-ports.js";
import { sample } from "../events/payloads.js";

beforeAll(() => {
  Object.assign(process.env, testEnvironment);
});

const topicOf = (name: string): string => (name === "on-dataset-arrived" ? "dataset" : name);

const delivery = (changes: Partial<Delivery> = {}): Delivery => ({
  id: "m1",
  publishTime: "2026-01-02T03:04:05Z",
  attributes: { job: "etl" },
  data: Buffer.from("not json"),
  deliveryAttempt: 1,
  ...changes,
});

/** What Pub/Sub would push to the dead letters' own function. */
const carried = ({ data, attributes }: Published, id: string): Delivery =>
  delivery({ id, data, attributes });

const lastOf = <Item>(items: readonly Item[]): Item => {
  const last = items.at(-1);
  if (last === undefined) throw new Error("there is none");
  return last;
};

const send = async (world: MemoryWorld, given: Delivery, reason = "data.uris: missing") => {
  await sendToDeadLetters("on-dataset-arrived", reason, given, world.ports);
  return lastOf(world.published);
};

const letters = (world: MemoryWorld): Promise<readonly DeadLetter[]> =>
  world.ports.state.deadLetters(10);

const attributesOf = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, "value"]));

const bytesOf = (text: string): number => Buffer.byteLength(text);

describe("dead letters", () => {
  it("go the whole round: sent, kept once, listed, and redriven as they first came", async () => {
    const world = memoryWorld();
    const sent = await send(world, delivery());
    await keepDeadLetter(carried(sent, "m7"), topicOf, world.ports);
    await keepDeadLetter(carried(sent, "m8"), topicOf, world.ports);
    const [letter, ...others] = await letters(world);
    expect(others).toHaveLength(0);
    expect(letter).toMatchObject({
      id: "m1",
      function: "on-dataset-arrived",
      topic: "dataset",
      reason: "data.uris: missing",
      redrivenAtMs: null,
    });
    if (letter === undefined) return;
    await redrive(letter, world.ports);
    const again = lastOf(world.published);
    expect(again).toMatchObject({ topic: "dataset", attributes: { job: "etl" } });
    expect(again.data).toEqual(Buffer.from("not json"));
    expect(Object.keys(again.attributes)).toEqual(["job"]);
    expect((await letters(world))[0]?.redrivenAtMs).toBe(world.nowMs);
  });

  it("of Pub/Sub's own making say how often their function failed", async () => {
    const world = memoryWorld();
    const captured = unwrap({
      message: sample("deadletter_message_attrs"),
      subscription: "projects/demo/subscriptions/on-dead-letter",
    });
    await keepDeadLetter(captured, topicOf, world.ports);
    const [letter] = await letters(world);
    expect(letter).toMatchObject({ id: "147", function: "sub-b" });
    expect(letter?.reason).toBe("sub-b failed 5 times; its log tells why");
    if (letter === undefined) return;
    await redrive(letter, world.ports);
    expect(lastOf(world.published).attributes).toEqual({ x: "1" });
  });

  it.each(["ours", "Pub/Sub's"])(
    "with 10 MB (%s) lie in the bucket and come back whole",
    async (by) => {
      const world = memoryWorld();
      const data = Buffer.alloc(10_000_000, "x");
      const attributes = { CloudPubSubDeadLetterSourceSubscription: "on-dataset-arrived" };
      const given =
        by === "ours"
          ? carried(await send(world, delivery({ data })), "m7")
          : delivery({ data, attributes });
      await keepDeadLetter(given, topicOf, world.ports);
      const [letter] = await letters(world);
      expect(JSON.stringify(letter).length).toBeLessThan(3000);
      if (letter === undefined) return;
      await redrive(letter, world.ports);
      expect(lastOf(world.published).data.equals(data)).toBe(true);
    },
  );

  it("whose body is gone from the bucket are not redriven as something else", async () => {
    const world = memoryWorld();
    const sent = await send(world, delivery({ data: Buffer.alloc(100_000) }));
    await keepDeadLetter(carried(sent, "m7"), topicOf, world.ports);
    const [letter] = await letters(world);
    if (letter === undefined) throw new Error("no letter was kept");
    const emptied = {
      ...world.ports,
      objects: { ...world.ports.objects, read: async () => null },
    };
    await expect(redrive(letter, emptied)).rejects.toThrow(RejectedError);
    expect((await letters(world))[0]?.redrivenAtMs).toBeNull();
  });

  it("carry as many attributes as Pub/Sub takes, however many and long theirs are", async () => {
    const world = memoryWorld();
    const { attributes } = await send(
      world,
      delivery({ attributes: attributesOf(100), data: Buffer.alloc(100_000) }),
      `${"ü".repeat(5000)}\n\u0000`,
    );
    expect(Object.keys(attributes).length).toBeLessThanOrEqual(100);
    for (const value of Object.values(attributes)) expect(bytesOf(value)).toBeLessThanOrEqual(1024);
    expect(attributes["continuo-reason"]).not.toMatch(/\p{Cc}/u);
  });

  it("carry no attribute that Pub/Sub reserves", async () => {
    const world = memoryWorld();
    const given = unwrap(sample("pubsub_push_wrapped_max"));
    const { attributes } = await send(world, given);
    expect(Object.keys(attributes).filter((key) => key.startsWith("goog"))).toEqual([]);
    expect(attributes["key"]).toBe("value");
  });

  it("believe no publisher that speaks in our name", async () => {
    const world = memoryWorld();
    await world.ports.objects.write(
      "gs://demo-continuo/secret",
      Buffer.from("secret"),
      "text/plain",
    );
    const forged = {
      "continuo-body": "gs://demo-continuo/secret",
      "continuo-function": "on-approval-given",
      "continuo-message": "another-letter",
      "continuo-reason": "all is well",
    };
    const sent = await send(world, delivery({ attributes: forged }));
    await keepDeadLetter(carried(sent, "m7"), topicOf, world.ports);
    const attributes = { ...forged, CloudPubSubDeadLetterSourceSubscription: "on-dataset-arrived" };
    await keepDeadLetter(delivery({ id: "m9", attributes }), topicOf, world.ports);
    const kept = await letters(world);
    expect(kept.map(({ id }) => id).toSorted()).toEqual(["m1", "m9"]);
    for (const letter of kept) {
      expect(letter.function).toBe("on-dataset-arrived");
      expect(letter.reason).not.toBe("all is well");
      await redrive(letter, world.ports);
      expect(lastOf(world.published).data.toString()).toBe("not json");
    }
  });
});
