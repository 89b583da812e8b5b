/** Push delivery: every message is a POST, https://cloud.google.com/pubsub/docs/push */
import http from "node:http";
import https from "node:https";
import { urlToHttpOptions } from "node:url";
import type { TokenSigner } from "../identity.js";
import { dateText } from "../protocol/time-text.js";
import type { Alarms } from "./alarms.js";
import type { Consumer, Delivery, Queue } from "./queue.js";
import { timestampOf, type PushConfig, type Subscription } from "./shapes.js";

const windowFirst = 16;
const windowMin = 4;
const windowMax = 256;
const inFlightBytesMax = 32 * 1024 * 1024;
/** Back-off of a whole subscription without a retry policy, once its endpoint only fails. */
const failuresBeforePause = 3;
const pauseMsMin = 100;
const pauseMsMax = 60_000;

const acknowledging = new Set([102, 200, 201, 202, 204]);

/** Where a push goes, made once per endpoint. */
interface Target {
  readonly request: typeof http.request;
  readonly options: http.RequestOptions;
}

const targetsMax = 1000;

/** Sends push requests. */
export interface Pusher {
  readonly consumer: (queue: () => Queue) => Consumer;
  readonly stop: () => void;
}

/** The body and headers of a push request. */
export function pushRequest(
  subscription: Subscription,
  delivery: Pick<Delivery, "message" | "attempt">,
): { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> } {
  const { id, data, attributes, orderingKey } = delivery.message;
  const push: PushConfig = subscription.pushConfig ?? {};
  const messageId = String(id);
  const publishTime = dateText({ ...timestampOf(Math.floor(id / 1000)) });
  const hasDeadLetterPolicy = subscription.deadLetterPolicy !== undefined;
  if (push.noWrapper !== undefined) {
    const metadata = {
      "x-goog-pubsub-subscription-name": subscription.name,
      "x-goog-pubsub-message-id": messageId,
      "x-goog-pubsub-publish-time": publishTime,
      ...(orderingKey === "" ? {} : { "x-goog-pubsub-ordering-key": orderingKey }),
      ...(hasDeadLetterPolicy
        ? { "x-goog-pubsub-delivery-attempt": String(delivery.attempt) }
        : {}),
      // Attributes that cannot be headers are left out rather than failing the delivery for good.
      ...Object.fromEntries(
        Object.entries(attributes).filter(
          ([key, value]) =>
            /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(key) && /^[\t\x20-\x7e]*$/.test(value),
        ),
      ),
    };
    return { body: data, headers: push.noWrapper.writeMetadata === true ? metadata : {} };
  }
  const wrapped = {
    ...(hasDeadLetterPolicy ? { deliveryAttempt: delivery.attempt } : {}),
    message: {
      ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
      ...(data.length === 0 ? {} : { data: data.toString("base64") }),
      messageId,
      message_id: messageId,
      publishTime,
      publish_time: publishTime,
      ...(orderingKey === "" ? {} : { orderingKey }),
    },
    subscription: subscription.name,
  };
  return {
    body: Buffer.from(JSON.stringify(wrapped)),
    headers: { "content-type": "application/json" },
  };
}

/** Makes the sender of push requests. */
export function makePusher(options: {
  readonly tokens: TokenSigner;
  readonly alarms: Alarms;
  readonly now: () => number;
  readonly log: (line: string) => void;
}): Pusher {
  const { tokens, alarms, now, log } = options;
  const agentOptions = { keepAlive: true, maxSockets: windowMax, maxFreeSockets: windowMax };
  const plain = new http.Agent(agentOptions);
  const secure = new https.Agent(agentOptions);

  const targets = new Map<string, Target>();

  const targetOf = (endpoint: string): Target => {
    const known = targets.get(endpoint);
    if (known !== undefined) return known;
    const url = new URL(endpoint);
    const isSecure = url.protocol === "https:";
    const target: Target = {
      request: (isSecure ? https : http).request,
      options: { ...urlToHttpOptions(url), method: "POST", agent: isSecure ? secure : plain },
    };
    if (targets.size >= targetsMax) targets.clear();
    targets.set(endpoint, target);
    return target;
  };

  const post = async (
    target: Target,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
    timeoutMs: number,
  ): Promise<number> =>
    new Promise<number>((resolve, reject) => {
      const request = target.request({
        ...target.options,
        headers: { ...headers, "content-length": body.length },
      });
      const timer = setTimeout(() => {
        request.destroy(new Error(`no answer within the ack deadline of ${timeoutMs / 1000} s`));
      }, timeoutMs);
      request.once("response", (response) => {
        clearTimeout(timer);
        response.on("error", () => undefined);
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.once("error", (error: Error & { code?: string }) => {
        clearTimeout(timer);
        // The endpoint closed an idle connection at the moment of its reuse: nothing was delivered.
        if (request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE")) {
          post(target, headers, body, timeoutMs).then(resolve, reject);
        } else reject(error);
      });
      request.end(body);
    });

  const send = async (
    subscription: Subscription,
    delivery: Delivery,
  ): Promise<string | undefined> => {
    const push = subscription.pushConfig ?? {};
    const endpoint = push.pushEndpoint ?? "";
    try {
      const target = targetOf(endpoint);
      const { body, headers } = pushRequest(subscription, delivery);
      const email = push.oidcToken?.serviceAccountEmail;
      const authorization: Record<string, string> =
        email === undefined
          ? {}
          : {
              authorization: `Bearer ${await tokens.token(email, push.oidcToken?.audience ?? endpoint)}`,
            };
      const code = await post(
        target,
        {
          accept: "application/json",
          "user-agent": "CloudPubSub-Google",
          from: "noreply@google.com",
          ...headers,
          ...authorization,
        },
        body,
        (subscription.ackDeadlineSeconds ?? 10) * 1000,
      );
      return acknowledging.has(code) ? undefined : `HTTP ${code}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };

  return {
    consumer: (queue) => {
      let inFlight = 0;
      let inFlightBytes = 0;
      let window = windowFirst;
      let failures = 0;
      let pausedUntilMs = 0;
      let lastReason = "";

      const succeed = (): void => {
        window = Math.min(windowMax, window + 1);
        failures = 0;
        lastReason = "";
      };
      const failed = (subscription: Subscription, reason: string): void => {
        window = Math.max(windowMin, Math.floor(window * 0.75));
        failures += 1;
        if (reason !== lastReason) {
          log(`push to ${subscription.name} failed: ${reason}`);
          lastReason = reason;
        }
        if (subscription.retryPolicy === undefined && failures >= failuresBeforePause) {
          const exponent = Math.min(failures - failuresBeforePause, 20);
          pausedUntilMs = now() + Math.min(pauseMsMax, pauseMsMin * 2 ** exponent);
          alarms.at(pausedUntilMs, () => {
            queue().pumpSoon();
          });
        }
      };
      const deliver = async (delivery: Delivery): Promise<void> => {
        const subscription = queue().row.config;
        const reason = await send(subscription, delivery);
        inFlight -= 1;
        inFlightBytes -= delivery.message.data.length;
        if (reason === undefined) succeed();
        else failed(subscription, reason);
        delivery.settle(reason === undefined ? "acked" : "failed");
        queue().pumpSoon();
      };
      return {
        deadlineSeconds: undefined,
        wants: () =>
          (queue().row.config.pushConfig?.pushEndpoint ?? "") === "" ||
          now() < pausedUntilMs ||
          inFlightBytes > inFlightBytesMax
            ? 0
            : window - inFlight,
        give: (delivery) => {
          inFlight += 1;
          inFlightBytes += delivery.message.data.length;
          void deliver(delivery);
        },
        onClosed: () => undefined,
      };
    },
    stop: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}
