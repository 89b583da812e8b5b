/** The cases of snapshots and schemas, for every Pub/Sub that the suite runs against. */
import { v1 } from "@google-cloud/pubsub";
import { describe, expect } from "vitest";
import { grpcOptionsOf, testProject } from "./local-cloud.js";
import { base64, fresh, named, type pubsubCalls, type PulledMessage } from "./pubsub-targets.js";

/** What the suite gives its cases. */
export interface SuiteTools extends ReturnType<typeof pubsubCalls> {
  readonly contract: (title: string, body: () => Promise<void>) => void;
  readonly port: () => number;
  /** What comes within the case's patience, up to a count. */
  readonly pulled: (sub: string, count?: number) => Promise<readonly PulledMessage[]>;
}

const texts = (messages: readonly PulledMessage[]): readonly string[] =>
  messages.map(({ message }) => Buffer.from(message.data ?? "", "base64").toString()).toSorted();

/** Snapshots. */
export const snapshotCases = (tools: SuiteTools): void => {
  const { call, contract, topicWith, publish, pull, pulled } = tools;
  const ack = async (sub: string, messages: readonly PulledMessage[]): Promise<void> => {
    await call("POST", `${sub}:acknowledge`, { ackIds: messages.map(({ ackId }) => ackId) });
  };
  const snapshotOf = async (sub: string): Promise<string> => {
    const name = named("snapshots", fresh("snap"));
    const { code, json } = await call("PUT", name, { subscription: sub });
    if (code !== 200) throw new Error(json.error?.message);
    return name;
  };

  describe("snapshots", () => {
    contract("bring back what was not acknowledged then and what was published since", async () => {
      const { topic, sub } = await topicWith({});
      await publish(topic, { data: base64("done") }, { data: base64("open") });
      const both = await pulled(sub, 2);
      await ack(
        sub,
        both.filter(({ message }) => message.data === base64("done")),
      );
      const snapshot = await snapshotOf(sub);
      await ack(sub, both);
      await publish(topic, { data: base64("later") });
      await ack(sub, await pulled(sub));
      expect(await pull(sub)).toEqual([]);
      expect((await call("POST", `${sub}:seek`, { snapshot })).code).toBe(200);
      expect(texts(await pulled(sub, 2))).toEqual(["later", "open"]);
    });

    contract("serve another subscription of the topic, and only of that topic", async () => {
      const { topic, sub } = await topicWith({});
      const second = named("subscriptions", fresh("sub"));
      await publish(topic, { data: base64("before") });
      const snapshot = await snapshotOf(sub);
      await call("PUT", second, { topic });
      await call("POST", `${second}:seek`, { snapshot });
      expect(texts(await pulled(second))).toEqual(["before"]);
      const foreign = await topicWith({});
      expect((await call("POST", `${foreign.sub}:seek`, { snapshot })).code).toBe(400);
    });

    contract("outlive their subscription", async () => {
      const { topic, sub } = await topicWith({});
      await publish(topic, { data: base64("kept") });
      const snapshot = await snapshotOf(sub);
      await call("DELETE", sub);
      const second = named("subscriptions", fresh("sub"));
      await call("PUT", second, { topic });
      await call("POST", `${second}:seek`, { snapshot });
      expect(texts(await pulled(second))).toEqual(["kept"]);
    });

    contract("are listed, relabelled and deleted by the official client", async () => {
      const client = new v1.SubscriberClient(grpcOptionsOf(tools.port()));
      const publisher = new v1.PublisherClient(grpcOptionsOf(tools.port()));
      const { topic, sub } = await topicWith({});
      const name = named("snapshots", fresh("snap"));
      const [made] = await client.createSnapshot({ name, subscription: sub });
      expect(made).toMatchObject({ name, topic });
      expect(Number(made.expireTime?.seconds)).toBeGreaterThan(0);
      const [all] = await client.listSnapshots({ project: `projects/${testProject}` });
      expect(all.map((one) => one.name)).toContain(name);
      const [ofTopic] = await publisher.listTopicSnapshots({ topic });
      expect(ofTopic).toEqual([name]);
      const [changed] = await client.updateSnapshot({
        snapshot: { name, labels: { kept: "for-replay" } },
        updateMask: { paths: ["labels"] },
      });
      expect(changed.labels).toEqual({ kept: "for-replay" });
      await expect(client.createSnapshot({ name, subscription: sub })).rejects.toThrow(
        "ALREADY_EXISTS",
      );
      await client.deleteSnapshot({ snapshot: name });
      await expect(client.getSnapshot({ snapshot: name })).rejects.toThrow("NOT_FOUND");
      await client.close();
      await publisher.close();
    });
  });
};
