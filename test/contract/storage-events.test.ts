/** What Cloud Storage and Cloud Logging send to Pub/Sub, pulled by its official client, also after a SIGKILL. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Logging } from "@google-cloud/logging";
import { PubSub, type Message } from "@google-cloud/pubsub";
import { Storage } from "@google-cloud/storage";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { eventually, testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const startCloud = async (): Promise<LocalCloud> => {
  const cloud = await withLocalCloud(["pubsub", "storage", "logging"]);
  closing.push(() => cloud.stop());
  return cloud;
};

/** Creates a topic and collects what is published to it from then on. */
const collect = async (cloud: LocalCloud, topic: string): Promise<readonly Message[]> => {
  const apiEndpoint = `127.0.0.1:${cloud.port}`;
  const pubsub = new PubSub({ projectId: testProject, apiEndpoint, emulatorMode: true });
  closing.push(() => pubsub.close());
  await pubsub.createTopic(topic);
  const [subscription] = await pubsub.topic(topic).createSubscription(`${topic}-pull`);
  const messages: Message[] = [];
  subscription.on("message", (message) => {
    messages.push(message);
    message.ack();
  });
  subscription.on("error", () => undefined);
  closing.push(() => subscription.close());
  return messages;
};

const storageOf = (address: string): Storage =>
  new Storage({ projectId: testProject, apiEndpoint: address });

describe("a bucket's notifications", () => {
  it("arrive through Pub/Sub with the object's resource", async () => {
    const cloud = await startCloud();
    const messages = await collect(cloud, "objects");
    const storage = storageOf(cloud.address);
    await storage.createBucket("flights");
    await storage.bucket("flights").createNotification("objects");
    const file = storage.bucket("flights").file("2001/01.parquet");
    await file.save("rows", { resumable: false, contentType: "application/x-parquet" });
    const message = await eventually("the message", () => messages[0]);
    const [metadata] = await file.getMetadata();
    expect(message.attributes).toMatchObject({
      eventType: "OBJECT_FINALIZE",
      bucketId: "flights",
      objectId: "2001/01.parquet",
      objectGeneration: metadata.generation,
      payloadFormat: "JSON_API_V1",
    });
    expect(JSON.parse(message.data.toString())).toEqual(metadata);
  });
});

describe("a log sink", () => {
  it("routes the matching entries of the official client to its topic", async () => {
    const cloud = await startCloud();
    const messages = await collect(cloud, "alerts");
    const logging = new Logging(cloud.grpcOptions);
    closing.push(
      () => logging.loggingService.close(),
      () => logging.configService.close(),
    );
    await logging.configService.createSink({
      parent: `projects/${testProject}`,
      sink: {
        name: "drift",
        destination: `pubsub.googleapis.com/projects/${testProject}/topics/alerts`,
        filter: `log_id("aiplatform.googleapis.com/model_monitoring_anomaly") AND severity>=WARNING`,
      },
    });
    const log = logging.log("aiplatform.googleapis.com/model_monitoring_anomaly");
    const resource = { type: "aiplatform.googleapis.com/ModelDeploymentMonitoringJob", labels: {} };
    await log.write([
      log.entry({ resource, severity: "INFO", insertId: "calm" }, { score: 0.1 }),
      log.entry({ resource, severity: "WARNING", insertId: "drifted" }, { score: 0.9 }),
    ]);
    const message = await eventually("the message", () => messages[0]);
    const entry = z
      .looseObject({ timestamp: z.string() })
      .parse(JSON.parse(message.data.toString()));
    expect(message.attributes).toEqual({ "logging.googleapis.com/timestamp": entry.timestamp });
    expect(entry).toMatchObject({
      insertId: "drifted",
      severity: "WARNING",
      logName: `projects/${testProject}/logs/aiplatform.googleapis.com%2Fmodel_monitoring_anomaly`,
      jsonPayload: { score: 0.9 },
      resource: { type: "aiplatform.googleapis.com/ModelDeploymentMonitoringJob" },
    });
  });
});

const readySchema = z.object({ address: z.string(), pid: z.number() });

/** The cloud as a process of its own, to be ended without warning. */
const spawnCloud = async (folder: string) => {
  const main = new URL("../../infra/local/main.ts", import.meta.url).pathname;
  const products = "pubsub,storage,logging";
  const flags = [
    "--folder",
    folder,
    "--port",
    "0",
    "--project",
    testProject,
    "--products",
    products,
  ];
  const child = spawn(process.execPath, ["--import", "tsx", main, ...flags], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise((resolve) => {
    child.once("exit", resolve);
  });
  const lines = createInterface({ input: child.stdout });
  const first = await new Promise<string>((resolve) => {
    lines.once("line", resolve);
  });
  const { address } = readySchema.parse(JSON.parse(first));
  return {
    address,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
};

const post = async (url: string, body: object, method: "POST" | "PATCH" | "PUT" = "POST") => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
  expect([url, answer.status]).toEqual([url, 200]);
};

const pullAll = async (address: string): Promise<readonly string[]> => {
  const url = `${address}/v1/projects/${testProject}/subscriptions/pull:pull`;
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ maxMessages: 1000 }),
  });
  const schema = z.object({
    receivedMessages: z
      .array(z.object({ message: z.object({ attributes: z.record(z.string(), z.string()) }) }))
      .optional(),
  });
  const { receivedMessages = [] } = schema.parse(await answer.json());
  return receivedMessages.map(({ message }) => message.attributes["objectId"] ?? "entry");
};

describe("after the cloud was killed", () => {
  it("every acknowledged object is whole, and its message and the entry's arrive", async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuo-kill-"));
    closing.push(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const first = await spawnCloud(folder);
    closing.push(() => first.kill());
    const bucket = storageOf(first.address).bucket("kept");
    await storageOf(first.address).createBucket("kept");
    const topic = `projects/${testProject}/topics/later`;
    await post(`${first.address}/storage/v1/b/kept/notificationConfigs`, {
      topic: `//pubsub.googleapis.com/${topic}`,
      payload_format: "JSON_API_V1",
    });
    await post(`${first.address}/v2/projects/${testProject}/sinks`, {
      name: "all",
      destination: `pubsub.googleapis.com/${topic}`,
    });
    // The topic does not exist yet, so every message is still owed when the process dies.
    const names = Array.from(
      { length: 20 },
      (_, index) => `object-${String(index).padStart(2, "0")}`,
    );
    await Promise.all(names.map((name) => bucket.file(name).save(name, { resumable: false })));
    await post(`${first.address}/v2/entries:write`, {
      entries: [
        {
          logName: `projects/${testProject}/logs/app`,
          resource: { type: "global" },
          textPayload: "kept",
        },
      ],
    });
    await first.kill();

    const second = await spawnCloud(folder);
    closing.push(() => second.kill());
    await post(`${second.address}/v1/${topic}`, {}, "PUT");
    const subscription = `${second.address}/v1/projects/${testProject}/subscriptions/pull`;
    await post(subscription, { topic, ackDeadlineSeconds: 600 }, "PUT");
    const again = storageOf(second.address).bucket("kept");
    for (const name of names) {
      const [body] = await again.file(name).download();
      expect(body.toString()).toBe(name);
    }
    const seen = new Set<string>();
    await eventually(
      "21 messages",
      async () => {
        for (const id of await pullAll(second.address)) seen.add(id);
        return seen.size === names.length + 1;
      },
      45_000,
    );
    expect([...seen].toSorted()).toEqual(["entry", ...names]);
  });
});
