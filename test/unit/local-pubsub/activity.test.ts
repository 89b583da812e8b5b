import { describe, expect, it } from "vitest";
import { isExpired, makeActivity } from "../../../infra/local/pubsub/activity.js";
import type { Subscription } from "../../../infra/local/pubsub/shapes.js";

const subscription = (expirationPolicy: Subscription["expirationPolicy"]): Subscription => ({
  name: "projects/p/subscriptions/s",
  topic: "projects/p/topics/t",
  ...(expirationPolicy === undefined ? {} : { expirationPolicy }),
});

describe("the use of a subscription", () => {
  it("lasts as long as any subscriber is connected, and from its last one on", () => {
    let nowMs = 0;
    const activity = makeActivity(0, () => nowMs);
    const config = subscription({ ttl: { seconds: "10" } });
    const isOver = (): boolean => isExpired(config, activity, nowMs);
    const [first, second] = [activity.hold(), activity.hold()];
    nowMs = 50_000;
    expect(isOver()).toBe(false);
    first();
    nowMs = 100_000;
    expect(isOver()).toBe(false);
    second();
    nowMs = 109_999;
    expect(isOver()).toBe(false);
    nowMs = 110_000;
    expect(isOver()).toBe(true);
    activity.touch();
    expect(isOver()).toBe(false);
  });

  it("does not matter without a time to live", () => {
    const activity = makeActivity(0, () => 0);
    expect(isExpired(subscription({}), activity, 1e15)).toBe(false);
    expect(isExpired(subscription(undefined), activity, 1e15)).toBe(false);
  });
});
