import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeAlarms } from "../../../infra/local/pubsub/alarms.js";
import { parseFilter } from "../../../infra/local/pubsub/filter.js";
import { pushRequest } from "../../../infra/local/pubsub/push.js";
import type { Subscription } from "../../../infra/local/pubsub/shapes.js";

describe("alarms", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("ring in the order of their times, each once, and not when cancelled", () => {
    const alarms = makeAlarms(Date.now, () => undefined);
    const rung: number[] = [];
    const start = Date.now();
    const delays = Array.from({ length: 500 }, (_, index) => (index * 7919) % 1000);
    const set = delays.map((ms) => alarms.at(start + ms, () => rung.push(ms)));
    for (const [index, alarm] of set.entries()) if (index % 3 === 0) alarm.cancel();
    vi.advanceTimersByTime(2000);
    const wanted = delays.filter((_, index) => index % 3 !== 0).toSorted((a, b) => a - b);
    expect(rung).toEqual(wanted);
  });

  it("survive the cancelling of most of them, and a callback that throws", () => {
    const lines: string[] = [];
    const alarms = makeAlarms(Date.now, (line) => lines.push(line));
    const start = Date.now();
    let rung = 0;
    const set = Array.from({ length: 30_000 }, (_, index) =>
      alarms.at(start + 60_000 + (index % 100), () => (rung += 1)),
    );
    for (const alarm of set.slice(10)) alarm.cancel();
    alarms.at(start + 10, () => {
      throw new Error("broken");
    });
    vi.advanceTimersByTime(120_000);
    expect(rung).toBe(10);
    expect(lines.join()).toContain("broken");
  });
});

describe("a push request", () => {
  const subscription: Subscription = {
    name: "projects/myproject/subscriptions/mysubscription",
    topic: "projects/myproject/topics/t",
    pushConfig: { pushEndpoint: "http://127.0.0.1/" },
  };
  const delivery = {
    attempt: 5,
    message: {
      id: Date.parse("2021-02-26T19:13:55.749Z") * 1000,
      data: Buffer.from("Hello"),
      attributes: { key: "value" },
      orderingKey: "key",
    },
  };
  const bodyOf = (config: Subscription): unknown =>
    JSON.parse(pushRequest(config, delivery).body.toString());

  it("has the ordering key in the message and the attempt beside it, only with a dead-letter policy", () => {
    const deadLetterPolicy = { deadLetterTopic: "d", maxDeliveryAttempts: 5 };
    const message = {
      attributes: { key: "value" },
      data: "SGVsbG8=",
      messageId: "1614366835749000",
      message_id: "1614366835749000",
      publishTime: "2021-02-26T19:13:55.749Z",
      publish_time: "2021-02-26T19:13:55.749Z",
      orderingKey: "key",
    };
    expect(bodyOf({ ...subscription, deadLetterPolicy })).toEqual({
      deliveryAttempt: 5,
      message,
      subscription: subscription.name,
    });
    expect(bodyOf(subscription)).toEqual({ message, subscription: subscription.name });
  });

  it("is the bare data without a wrapper, with metadata as headers where that is asked for", () => {
    const pushConfig = { pushEndpoint: "http://127.0.0.1/", noWrapper: { writeMetadata: true } };
    const { body, headers } = pushRequest({ ...subscription, pushConfig }, delivery);
    expect(body.toString()).toBe("Hello");
    expect(headers).toEqual({
      key: "value",
      "x-goog-pubsub-subscription-name": subscription.name,
      "x-goog-pubsub-message-id": "1614366835749000",
      "x-goog-pubsub-publish-time": "2021-02-26T19:13:55.749Z",
      "x-goog-pubsub-ordering-key": "key",
    });
  });
});

describe("a filter", () => {
  it("is not fooled by names of the language", () => {
    expect(parseFilter("attributes:constructor")({})).toBe(false);
    expect(parseFilter('attributes."a b" = "x\\"y"')({ "a b": 'x"y' })).toBe(true);
  });

  it.each([
    "attributes.a = b",
    "(attributes:a",
    'attributes.a == "b"',
    "hello",
    'attributes.a = "x" $',
    "x".repeat(300),
  ])("refuses %.20s", (filter) => {
    expect(() => parseFilter(filter)).toThrow("Invalid filter");
  });
});
