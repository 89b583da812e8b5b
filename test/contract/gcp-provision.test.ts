/** Provisioning, the bus and schedules, against the local cloud and checked through the official clients. */
import { v1 } from "@google-cloud/pubsub";
import { CloudSchedulerClient } from "@google-cloud/scheduler";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { modelName } from "../../events/ids.js";
import * as manifest from "../../functions/manifest.js";
import { RejectedError } from "../../shared/domain/errors.js";
import { gcpAdmin } from "../../shared/gcp/admin.js";
import { withoutCredentialLookup, type GcpConfig } from "../../shared/gcp/config.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { provision } from "../../shared/gcp/provision.js";
import type { Topology } from "../../shared/gcp/topology.js";
import { eventually, withLocalCloud, type LocalCloud } from "./local-cloud.js";

let cloud: LocalCloud;
let config: GcpConfig;
let subscriber: v1.SubscriberClient;
let scheduler: CloudSchedulerClient;

const options = {
  pushBaseUrl: "http://127.0.0.1:9",
  pushIdentity: "push@demo-project.iam.gserviceaccount.com",
};

const generated = z.object({ database: z.object({ expiring: z.record(z.string(), z.string()) }) });

const onTopic = (name: string, topic: string): Topology["functions"][number] => ({
  name,
  trigger: { topic },
  timeoutSeconds: 120,
  retry: { minBackoffSeconds: 1, maxBackoffSeconds: 600, deliveryAttemptsMax: 10 },
});

beforeAll(async () => {
  cloud = await withLocalCloud(["pubsub", "scheduler", "logging", "storage", "firestore"]);
  config = {
    projectId: cloud.projectId,
    region: "us-central1",
    bucket: "demo-bucket",
    identity: "continuo@demo-project.iam.gserviceaccount.com",
    localCloud: cloud.address,
  };
  subscriber = new v1.SubscriberClient({ ...cloud.grpcOptions, ...withoutCredentialLookup });
  scheduler = new CloudSchedulerClient({ ...cloud.grpcOptions, ...withoutCredentialLookup });
});

afterAll(async () => {
  await Promise.all([subscriber.close(), scheduler.close()]);
  await cloud.stop();
});

const subscription = async (name: string) => {
  const [found] = await subscriber.getSubscription({
    subscription: `projects/${cloud.projectId}/subscriptions/${name}`,
  });
  return found;
};

const subscriptionNames = async (): Promise<readonly string[]> => {
  const [found] = await subscriber.listSubscriptions({ project: `projects/${cloud.projectId}` });
  return found.map(({ name }) => name?.split("/").at(-1) ?? "").toSorted();
};

const jobIds = async (): Promise<readonly string[]> => {
  const [jobs] = await scheduler.listJobs({
    parent: `projects/${cloud.projectId}/locations/us-central1`,
  });
  return jobs.map(({ name }) => name?.split("/").at(-1) ?? "").toSorted();
};

describe("provisioning", () => {
  it("makes every topic, subscription, sink and schedule of the functions' list", async () => {
    const changes = await provision(manifest, config, options);
    expect(changes).toEqual(expect.arrayContaining([`created bucket ${config.bucket}`]));
    const pushed = manifest.functions.flatMap(({ name, trigger }) =>
      "topic" in trigger ? [name] : [],
    );
    expect(await subscriptionNames()).toEqual(pushed.toSorted());
    expect(await subscription("on-dataset-arrived")).toMatchObject({
      topic: `projects/${cloud.projectId}/topics/dataset`,
      ackDeadlineSeconds: 120,
      pushConfig: {
        pushEndpoint: "http://127.0.0.1:9/on-dataset-arrived",
        oidcToken: {
          serviceAccountEmail: options.pushIdentity,
          audience: "http://127.0.0.1:9/on-dataset-arrived",
        },
      },
      deadLetterPolicy: {
        deadLetterTopic: `projects/${cloud.projectId}/topics/dead-letter`,
        maxDeliveryAttempts: 10,
      },
      expirationPolicy: { ttl: null },
    });
    expect((await subscription("on-dead-letter")).deadLetterPolicy ?? null).toBeNull();
    expect(await jobIds()).toEqual(manifest.systemSchedules.map(({ name }) => name).toSorted());
  });

  it("lets the documents expire that Terraform lets expire", async () => {
    const fields = `projects/${cloud.projectId}/databases/(default)/collectionGroups/-/fields`;
    const reply = await fetch(`${cloud.address}/v1/${fields}?filter=ttlConfig:*`);
    const { fields: found } = z
      .object({ fields: z.array(z.object({ name: z.string(), ttlConfig: z.object({}) })) })
      .parse(await reply.json());
    const { database } = generated.parse(
      JSON.parse(readFileSync(new URL("../../functions/manifest.json", import.meta.url), "utf8")),
    );
    expect(found.map(({ name }) => name.replace(/^.*collectionGroups\//, "")).toSorted()).toEqual(
      Object.entries(database.expiring).map(
        ([collection, field]) => `${collection}/fields/${field}`,
      ),
    );
  });

  it("changes nothing when run again", async () => {
    expect(await provision(manifest, config, options)).toEqual([]);
  });

  it("updates the subscriptions when the functions move", async () => {
    const moved = { ...options, pushBaseUrl: "http://127.0.0.1:10/" };
    const changes = await provision(manifest, config, moved);
    expect(changes).toContain("updated subscription on-dataset-arrived");
    expect((await subscription("tick")).pushConfig).toMatchObject({
      pushEndpoint: "http://127.0.0.1:10/tick",
      oidcToken: { audience: "http://127.0.0.1:10/tick" },
    });
    expect(await provision(manifest, config, moved)).toEqual([]);
  });

  it("deletes what is ours and no longer wanted, and leaves the rest alone", async () => {
    await subscriber.createSubscription({
      name: `projects/${cloud.projectId}/subscriptions/somebody-elses`,
      topic: `projects/${cloud.projectId}/topics/dataset`,
    });
    const ports = gcpPorts(config);
    const model = modelName.parse("kept");
    await ports.schedules.sync(model, [
      { name: "nightly", cron: "0 3 * * *", timeZone: "Etc/UTC" },
    ]);
    const smaller: Topology = {
      functions: [onTopic("on-dataset-arrived", "dataset")],
      sinks: manifest.sinks.slice(0, 1),
      systemSchedules: manifest.systemSchedules.slice(0, 1),
      topicNames: ["dataset"],
    };
    const changes = await provision(smaller, config, options);
    expect(changes).toEqual(
      expect.arrayContaining([
        "deleted subscription tick",
        `deleted log sink ${manifest.sinks[1]?.name ?? ""}`,
        `deleted schedule ${manifest.systemSchedules[1]?.name ?? ""}`,
      ]),
    );
    expect(await subscriptionNames()).toEqual(["on-dataset-arrived", "somebody-elses"]);
    expect(await jobIds()).toEqual(["continuo-kept-nightly", "continuo-tick"]);
    await ports.schedules.sync(model, []);
  });

  it("moves a subscription whose function reacts to another topic", async () => {
    const moved: Topology = {
      functions: [onTopic("on-dataset-arrived", "alert")],
      sinks: [],
      systemSchedules: [],
      topicNames: ["alert"],
    };
    expect(await provision(moved, config, options)).toContain(
      "moved subscription on-dataset-arrived to another topic",
    );
    expect((await subscription("on-dataset-arrived")).topic).toMatch(/topics\/alert$/);
  });
});

describe("schedules of a model", () => {
  it("become Scheduler jobs, follow the manifest and go with the model", async () => {
    const { schedules } = gcpPorts(config);
    const model = modelName.parse("late-flights");
    const nightly = { name: "nightly", cron: "0 3 * * *", timeZone: "Europe/Berlin" };
    const weekly = { name: "weekly", cron: "0 4 * * 1", timeZone: "Etc/UTC" };
    await schedules.sync(model, [nightly, weekly]);
    expect(await jobIds()).toEqual([
      "continuo-late-flights-nightly",
      "continuo-late-flights-weekly",
    ]);
    await schedules.sync(model, [{ ...nightly, cron: "0 5 * * *" }]);
    expect(await jobIds()).toEqual(["continuo-late-flights-nightly"]);
    const [job] = await scheduler.getJob({
      name: `projects/${cloud.projectId}/locations/us-central1/jobs/continuo-late-flights-nightly`,
    });
    const message = { kind: "schedule", model, schedule: "nightly" };
    expect(job).toMatchObject({
      schedule: "0 5 * * *",
      timeZone: "Europe/Berlin",
      pubsubTarget: {
        topicName: `projects/${cloud.projectId}/topics/schedule`,
        attributes: message,
      },
    });
    expect(JSON.parse(Buffer.from(job.pubsubTarget?.data ?? "").toString("utf8"))).toEqual(message);
    await schedules.sync(model, []);
    expect(await jobIds()).toEqual([]);
  });

  it("never touch the jobs of a model whose name begins alike, and refuse a taken id", async () => {
    const { schedules } = gcpPorts(config);
    const hourly = (name: string) => ({ name, cron: "0 * * * *", timeZone: "Etc/UTC" });
    await schedules.sync(modelName.parse("late-flights"), [hourly("a")]);
    await schedules.sync(modelName.parse("late"), [hourly("b")]);
    expect(await jobIds()).toEqual(["continuo-late-b", "continuo-late-flights-a"]);
    const taken = schedules.sync(modelName.parse("late"), [hourly("flights-a")]);
    await expect(taken).rejects.toThrow(RejectedError);
    await expect(taken).rejects.toThrow(/belongs to late-flights/);
  });
});

describe("publishing", () => {
  it("puts data and attributes on the topic, and a schedule run now does too", async () => {
    await provision(
      {
        ...manifest,
        functions: [],
        sinks: [],
        systemSchedules: manifest.systemSchedules.slice(0, 1),
      },
      config,
      options,
    );
    const pull = `projects/${cloud.projectId}/subscriptions/reader`;
    const topic = `projects/${cloud.projectId}/topics/tick`;
    await subscriber.createSubscription({ name: pull, topic });
    const admin = gcpAdmin(config);
    await admin.publish("tick", Buffer.from('{"a":1}'), { model: "m" });
    await admin.runScheduleNow("continuo-tick");
    const texts: string[] = [];
    await eventually("both messages", async () => {
      const [reply] = await subscriber.pull({ subscription: pull, maxMessages: 10 });
      for (const { ackId, message } of reply.receivedMessages ?? []) {
        texts.push(Buffer.from(message?.data ?? "").toString("utf8"));
        await subscriber.acknowledge({ subscription: pull, ackIds: [ackId ?? ""] });
      }
      return texts.length >= 2;
    });
    expect(texts.toSorted()).toEqual(['{"a":1}', '{"kind":"tick"}']);
  });

  it("refuses an unknown topic for good, and names it", async () => {
    const attempt = gcpPorts(config).bus.publish("no-such-topic", {
      data: Buffer.from("{}"),
      attributes: {},
    });
    await expect(attempt).rejects.toThrow(RejectedError);
    await expect(attempt).rejects.toThrow(/publish to topic no-such-topic: NOT_FOUND/);
  });
});
