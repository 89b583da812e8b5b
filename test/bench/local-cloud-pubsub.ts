/** Pub/Sub's measurements: each takes a server's port, does the same work with the same client, and gives one number. */
import { v1 } from "@google-cloud/pubsub";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { grpcOptionsOf, testProject } from "../contract/local-cloud.js";

const latencyMessages = 60;
const pushMessages = 3000;
const pullMessages = 20_000;
const publishMessages = 20_000;
const batch = 100;
const publishConcurrency = 4;
const body = Buffer.alloc(100, "x");
/** The generated client would hold every request back for ten milliseconds, to put several into one. */
const unbundled = { isBundling: false };

let count = 0;

/** An endpoint that answers 204 and tells of every request. */
const listen = async (onMessage: () => void) => {
  const server = createServer((request: IncomingMessage, response) => {
    request.resume();
    request.once("end", () => {
      response.writeHead(204).end();
      onMessage();
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const open = async (port: number, pushEndpoint?: string) => {
  const options = grpcOptionsOf(port) as ConstructorParameters<typeof v1.PublisherClient>[0];
  const publisher = new v1.PublisherClient(options);
  const subscriber = new v1.SubscriberClient(options);
  count += 1;
  const topic = `projects/${testProject}/topics/bench-${count}`;
  const subscription = `projects/${testProject}/subscriptions/bench-${count}`;
  await publisher.createTopic({ name: topic });
  await subscriber.createSubscription({
    name: subscription,
    topic,
    ackDeadlineSeconds: 60,
    ...(pushEndpoint === undefined ? {} : { pushConfig: { pushEndpoint } }),
  });
  const publish = async (messages: number): Promise<void> => {
    let left = messages;
    const work = async (): Promise<void> => {
      while (left > 0) {
        const size = Math.min(batch, left);
        left -= size;
        await publisher.publish(
          { topic, messages: Array.from({ length: size }, () => ({ data: body })) },
          unbundled,
        );
      }
    };
    await Promise.all(Array.from({ length: publishConcurrency }, work));
  };
  return {
    publisher,
    subscriber,
    topic,
    subscription,
    publish,
    close: async () => {
      await subscriber.deleteSubscription({ subscription });
      await publisher.deleteTopic({ topic });
      await Promise.all([publisher.close(), subscriber.close()]);
    },
  };
};

const perSecond = (messages: number, startedAt: number): number =>
  (messages * 1000) / (performance.now() - startedAt);

/** Milliseconds from the call of publish to the push, one message at a time, the median. */
export const pushLatency = async (port: number): Promise<number> => {
  let arrived: (() => void) | undefined;
  const endpoint = await listen(() => arrived?.());
  const { publisher, topic, close } = await open(port, endpoint.url);
  const times: number[] = [];
  for (let index = 0; index < latencyMessages; index += 1) {
    const push = new Promise<void>((resolve) => (arrived = resolve));
    const startedAt = performance.now();
    await publisher.publish({ topic, messages: [{ data: body }] }, unbundled);
    await push;
    times.push(performance.now() - startedAt);
  }
  await close();
  endpoint.close();
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
};

/** Pushes a second, from the first publish to the last push. */
export const pushThroughput = async (port: number): Promise<number> => {
  let left = pushMessages;
  let done: (() => void) | undefined;
  const all = new Promise<void>((resolve) => (done = resolve));
  const endpoint = await listen(() => {
    left -= 1;
    if (left === 0) done?.();
  });
  const { publish, close } = await open(port, endpoint.url);
  const startedAt = performance.now();
  await publish(pushMessages);
  await all;
  const result = perSecond(pushMessages, startedAt);
  await close();
  endpoint.close();
  return result;
};

/** Messages a second out of a backlog, over one StreamingPull that acknowledges what it gets. */
export const pullThroughput = async (port: number): Promise<number> => {
  const { publish, subscriber, subscription, close } = await open(port);
  await publish(pullMessages);
  const startedAt = performance.now();
  const stream = subscriber.streamingPull();
  stream.write({ subscription, streamAckDeadlineSeconds: 60 });
  let left = pullMessages;
  await new Promise<void>((resolve, reject) => {
    stream.on("error", (error: Error) => {
      if (left > 0) reject(error);
    });
    stream.on("data", (reply: { receivedMessages?: readonly { ackId: string }[] }) => {
      const received = reply.receivedMessages ?? [];
      if (received.length > 0) stream.write({ ackIds: received.map(({ ackId }) => ackId) });
      left -= received.length;
      if (left <= 0) resolve();
    });
  });
  const result = perSecond(pullMessages, startedAt);
  stream.end();
  stream.destroy();
  await close();
  return result;
};

/** Messages a second that publish confirms, to a topic with one subscription. */
export const publishThroughput = async (port: number): Promise<number> => {
  const { publish, close } = await open(port);
  const startedAt = performance.now();
  await publish(publishMessages);
  const result = perSecond(publishMessages, startedAt);
  await close();
  return result;
};
