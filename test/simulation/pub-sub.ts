/** Pub/Sub in memory: at least once, in any order, with retries, dead letters and lost acknowledgements. */
import type { Delivery } from "../../shared/runtime/push.js";
import type { Profile } from "./profile.js";
import { randomOf } from "./random.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** A message as a publisher hands it over. */
export interface Outgoing {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Pushes one message; answers through the callback, or never when the process dies. */
export type Push = (delivery: Delivery, answer: (answer: "ack" | "nack") => void) => void;

/** Topics with their subscriptions. */
export interface PubSub {
  readonly subscribe: (name: string, topic: string, push: Push) => void;
  readonly publish: (topic: string, message: Outgoing) => void;
  /** Messages that nobody acknowledged yet. */
  readonly unacknowledged: () => number;
}

interface Subscription {
  readonly name: string;
  readonly push: Push;
  /** The newest message that was delivered so far, by the order of publication. */
  newest: number;
}

interface Held extends Outgoing {
  readonly id: string;
  readonly order: number;
  attempt: number;
  isAcknowledged: boolean;
}

const ackDeadlineMs = 120_000;
const backoffMsMin = 1000;
const backoffMsMax = 600_000;
const attemptsMax = 10;
const deliveryMsMax = 200;

/** Makes a Pub/Sub without topics. */
export const pubSub = (world: {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly profile: () => Profile;
}): PubSub => {
  const { seed, scheduler, trace, profile } = world;
  const subscriptions = new Map<string, Subscription[]>();
  const published = new Map<string, number>();
  let open = 0;
  let order = 0;

  const deadLetter = (subscription: Subscription, held: Held): void => {
    trace.count("dead letter");
    publish("dead-letter", {
      data: held.data,
      attributes: {
        ...held.attributes,
        CloudPubSubDeadLetterSourceSubscription: subscription.name,
        CloudPubSubDeadLetterSourceDeliveryCount: String(held.attempt),
      },
    });
  };

  const deliver = (subscription: Subscription, held: Held, delayMs: number): void => {
    scheduler.after(delayMs, () => {
      if (held.isAcknowledged) return;
      if (held.attempt >= attemptsMax && subscription.name !== "on-dead-letter") {
        finish(held);
        return deadLetter(subscription, held);
      }
      held.attempt += 1;
      if (held.order < subscription.newest) trace.count("message delivered out of order");
      subscription.newest = Math.max(subscription.newest, held.order);
      const { attempt } = held;
      const random = randomOf(seed, `answer/${subscription.name}/${held.id}/${attempt}`);
      let isAnswered = false;
      scheduler.after(ackDeadlineMs, () => {
        // The handler may still be at work: Pub/Sub cannot know.
        if (!isAnswered) deliver(subscription, held, 0);
      });
      subscription.push(
        {
          id: held.id,
          publishTime: new Date(scheduler.nowMs()).toISOString(),
          attributes: held.attributes,
          data: held.data,
          deliveryAttempt: attempt,
        },
        (answer) => {
          if (isAnswered) return;
          isAnswered = true;
          if (answer === "ack") {
            if (!random.chance(profile().ackLost)) return finish(held);
            trace.count("acknowledgement lost");
            return deliver(subscription, held, random.between(0, ackDeadlineMs));
          }
          const backoffMs = Math.min(backoffMsMax, backoffMsMin * 2 ** (attempt - 1));
          return deliver(subscription, held, backoffMs);
        },
      );
    });
  };

  const finish = (held: Held): void => {
    if (held.isAcknowledged) return;
    held.isAcknowledged = true;
    open -= 1;
  };

  const delayOf = (random: ReturnType<typeof randomOf>): number => {
    const { delay, delayMsMax } = profile();
    if (!random.chance(delay)) return random.between(0, deliveryMsMax);
    trace.count("delayed message");
    return random.between(0, delayMsMax);
  };

  const hold = (subscription: Subscription, message: Outgoing, id: string): void => {
    const random = randomOf(seed, `delivery/${subscription.name}/${id}`);
    order += 1;
    const held: Held = { ...message, id, order, attempt: 0, isAcknowledged: false };
    open += 1;
    deliver(subscription, held, delayOf(random));
    if (random.chance(profile().duplicate)) {
      trace.count("duplicate message");
      const again: Held = { ...message, id, order, attempt: 0, isAcknowledged: false };
      open += 1;
      deliver(subscription, again, delayOf(random));
    }
  };

  const publish = (topic: string, message: Outgoing): void => {
    const content = `${topic}/${message.data.toString("utf8").slice(0, 400)}`;
    const count = (published.get(content) ?? 0) + 1;
    published.set(content, count);
    const random = randomOf(seed, `publish/${content}/${count}`);
    const isTwice = random.chance(profile().republish);
    if (isTwice) trace.count("message published twice");
    for (let copy = 0; copy <= Number(isTwice); copy += 1) {
      const id = `m${Math.floor(random.next() * 2 ** 48)}`;
      for (const subscription of subscriptions.get(topic) ?? []) hold(subscription, message, id);
    }
  };

  return {
    subscribe: (name, topic, push) => {
      subscriptions.set(topic, [...(subscriptions.get(topic) ?? []), { name, push, newest: 0 }]);
    },
    publish,
    unacknowledged: () => open,
  };
};
