/** What the local cloud does when things go wrong: killed under load, thousands of streams, slow readers, hostile bytes. */
import { v1 } from "@google-cloud/pubsub";
import grpc from "@grpc/grpc-js";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { residentMb, startCloudProcess, type CloudProcess } from "./cloud-process.js";
import { onPath } from "./emulators.js";
import { eventually, grpcOptionsOf, testProject, withLocalCloud } from "./local-cloud.js";
import { base64, named, pubsubCalls } from "./pubsub-targets.js";

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).toReversed()) await one();
});

const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-faults-"));
  undo.push(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
};

const topic = named("topics", "load");
const subscription = named("subscriptions", "load");

describe("SIGKILL under load", () => {
  const keys = 100;
  const perKey = 100;
  const perRequest = 10;
  const kills = 2;

  it("loses none of ten thousand messages and keeps the order of each key", async () => {
    const folder = temporaryFolder();
    let cloud = await startCloudProcess(folder, "--products", "pubsub");
    undo.push(() => cloud.end("SIGKILL"));
    const { call } = pubsubCalls(() => cloud.port);
    /** Tries until an answer comes: a process that was killed answers nothing. */
    const insist = async (path: string, body: object): ReturnType<typeof call> =>
      eventually(path, async () => {
        try {
          const reply = await call("POST", path, body);
          return reply.code === 200 && reply;
        } catch {
          return undefined;
        }
      });
    await call("PUT", topic, {});
    await call("PUT", subscription, { topic, enableMessageOrdering: true, ackDeadlineSeconds: 10 });

    let confirmed = 0;
    const publishKey = async (key: number): Promise<void> => {
      for (let first = 0; first < perKey; first += perRequest) {
        const messages = Array.from({ length: perRequest }, (_, index) => ({
          data: base64(String(first + index)),
          orderingKey: `k${key}`,
        }));
        await insist(`${topic}:publish`, { messages });
        confirmed += perRequest;
      }
    };
    const publishAll = async (): Promise<void> => {
      const waiting = Array.from({ length: keys }, (_, key) => key);
      const work = async (): Promise<void> => {
        for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) await publishKey(key);
      };
      await Promise.all(Array.from({ length: 8 }, work));
    };

    /** What came for each key, in the order of its first coming. */
    const seen = new Map<string, Set<number>>();
    const published = { isOver: false };
    const receiveAll = async (): Promise<void> => {
      const count = (): number => [...seen.values()].reduce((sum, one) => sum + one.size, 0);
      while (!published.isOver || count() < keys * perKey) {
        const { json } = await insist(`${subscription}:pull`, {
          maxMessages: 1000,
          returnImmediately: true,
        });
        const received = (json["receivedMessages"] ?? []) as {
          readonly ackId: string;
          readonly message: { readonly data: string; readonly orderingKey: string };
        }[];
        for (const { message } of received) {
          const numbers = seen.get(message.orderingKey) ?? new Set<number>();
          numbers.add(Number(Buffer.from(message.data, "base64").toString()));
          seen.set(message.orderingKey, numbers);
        }
        const ackIds = received.map(({ ackId }) => ackId);
        if (ackIds.length > 0) await insist(`${subscription}:acknowledge`, { ackIds });
      }
    };
    const killSometimes = async (): Promise<void> => {
      for (let kill = 1; kill <= kills; kill += 1) {
        const at = (kill * keys * perKey) / (kills + 1);
        await eventually(`${at} messages`, () => confirmed >= at, 60_000);
        await cloud.end("SIGKILL");
        cloud = await startCloudProcess(folder, "--products", "pubsub");
        expect(cloud.log()).toContain("ended without stopping");
      }
    };
    await Promise.all([
      publishAll().then(() => {
        published.isOver = true;
      }),
      receiveAll(),
      killSometimes(),
    ]);
    expect(seen.size).toBe(keys);
    const whole = Array.from({ length: perKey }, (_, index) => index);
    for (const numbers of seen.values()) expect([...numbers]).toEqual(whole);
  });
});

const openClients = (port: number) => {
  const options = grpcOptionsOf(port) as ConstructorParameters<typeof v1.PublisherClient>[0];
  const publisher = new v1.PublisherClient(options);
  const subscriber = new v1.SubscriberClient(options);
  undo.push(async () => {
    await Promise.all([publisher.close(), subscriber.close()]);
  });
  return { publisher, subscriber };
};

interface Batch {
  readonly receivedMessages?: readonly { readonly ackId: string }[];
}

describe("many and slow readers", () => {
  it("a thousand open streams share a subscription, and each message comes once", async () => {
    const cloud = await withLocalCloud(["pubsub"]);
    undo.push(() => cloud.stop());
    const { publisher, subscriber } = openClients(cloud.port);
    await publisher.createTopic({ name: topic });
    await subscriber.createSubscription({ name: subscription, topic, ackDeadlineSeconds: 600 });
    let opened = 0;
    let received = 0;
    const readers = new Set<number>();
    const streams = Array.from({ length: 1000 }, (_, index) => {
      const stream = subscriber.streamingPull();
      let isOpen = false;
      stream.on("error", () => undefined);
      stream.on("data", ({ receivedMessages = [] }: Batch) => {
        if (!isOpen) opened += 1;
        isOpen = true;
        if (receivedMessages.length === 0) return;
        received += receivedMessages.length;
        readers.add(index);
        stream.write({ ackIds: receivedMessages.map(({ ackId }) => ackId) });
      });
      stream.write({ subscription, streamAckDeadlineSeconds: 600 });
      return stream;
    });
    await eventually("a thousand streams", () => opened === 1000, 60_000);
    for (let batch = 0; batch < 5; batch += 1) {
      const messages = Array.from({ length: 1000 }, () => ({ data: Buffer.from("x") }));
      await publisher.publish({ topic, messages });
    }
    await eventually("five thousand messages", () => received >= 5000, 60_000);
    expect(received).toBe(5000);
    expect(readers.size).toBeGreaterThan(100);
    for (const stream of streams) stream.destroy();
  });

  it("a reader that does not read costs no memory and keeps nobody else waiting", async () => {
    const cloud: CloudProcess = await startCloudProcess(temporaryFolder(), "--products", "pubsub");
    undo.push(() => cloud.end("SIGKILL"));
    const { publisher, subscriber } = openClients(cloud.port);
    await publisher.createTopic({ name: topic });
    const other = named("subscriptions", "other");
    await subscriber.createSubscription({ name: subscription, topic });
    await subscriber.createSubscription({ name: other, topic });
    const asleep = subscriber.streamingPull();
    asleep.on("error", () => undefined);
    asleep.write({ subscription, streamAckDeadlineSeconds: 600 });
    asleep.pause();
    const before = residentMb(cloud.pid);
    const data = Buffer.alloc(1_000_000, 7);
    for (let batch = 0; batch < 40; batch += 1) {
      await publisher.publish({ topic, messages: Array.from({ length: 9 }, () => ({ data })) });
    }
    // 360 MB were published; what nobody reads stays in the database.
    expect((residentMb(cloud.pid) ?? 0) - (before ?? 0)).toBeLessThan(350);
    let got = 0;
    const awake = subscriber.streamingPull();
    awake.on("error", () => undefined);
    awake.on("data", ({ receivedMessages = [] }: Batch) => {
      got += receivedMessages.length;
      if (receivedMessages.length > 0) {
        awake.write({ ackIds: receivedMessages.map(({ ackId }) => ackId) });
      }
    });
    awake.write({ subscription: other, streamAckDeadlineSeconds: 600 });
    await eventually("the other reader has all", () => got >= 360, 60_000);
    asleep.destroy();
    awake.destroy();
  });
});

describe("hostile input", () => {
  const random = (seed: number): (() => number) => {
    let state = seed;
    return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  };

  const send = (client: grpc.Client, path: string, body: Buffer): Promise<number> =>
    new Promise((resolve) => {
      const asIs = (bytes: Buffer): Buffer => bytes;
      client.makeUnaryRequest(path, asIs, asIs, body, (error) => {
        resolve(error?.code ?? grpc.status.OK);
      });
    });

  /** `Value { array_value { values: [Value { ... }] } }`, deeper than any stack. */
  const nested = (depth: number): Buffer => {
    let inner: Buffer = Buffer.alloc(0);
    const wrap = (tag: number, content: Buffer): Buffer => {
      const length: number[] = [];
      for (let left = content.length; ; left >>>= 7) {
        length.push(left > 127 ? (left & 127) | 128 : left);
        if (left <= 127) break;
      }
      return Buffer.concat([Buffer.from([tag, ...length]), content]);
    };
    for (let level = 0; level < depth; level += 1) inner = wrap(0x4a, wrap(0x0a, inner));
    return inner;
  };

  it("protobuf that is random, cut off or too deep is refused, and nothing breaks", async () => {
    const cloud = await withLocalCloud(["pubsub", "firestore"]);
    undo.push(() => cloud.stop());
    const client = new grpc.Client(`127.0.0.1:${cloud.port}`, grpc.credentials.createInsecure());
    undo.push(() => {
      client.close();
    });
    const next = random(7);
    const paths = [
      "/google.pubsub.v1.Publisher/Publish",
      "/google.pubsub.v1.Subscriber/CreateSubscription",
      "/google.firestore.v1.Firestore/Commit",
    ];
    const codes = new Set<number>();
    for (let round = 0; round < 300; round += 1) {
      const length = Math.floor(next() * 200);
      const body = Buffer.from(Array.from({ length }, () => Math.floor(next() * 256)));
      codes.add(await send(client, paths[round % paths.length] ?? "", body));
    }
    const document = Buffer.concat([Buffer.from([0x12]), nested(5000)]);
    codes.add(await send(client, "/google.firestore.v1.Firestore/Commit", document));
    const lie = Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x07, 1]);
    codes.add(await send(client, "/google.pubsub.v1.Publisher/Publish", lie));
    expect([...codes]).not.toContain(grpc.status.INTERNAL);
    expect([...codes]).toContain(grpc.status.INVALID_ARGUMENT);
    expect((await fetch(`${cloud.address}/healthz`)).status).toBe(200);
  });

  it("JSON that is deep, repeated, huge in numbers or no text is refused, and nothing breaks", async () => {
    const cloud = await withLocalCloud(["pubsub", "firestore", "scheduler"]);
    undo.push(() => cloud.stop());
    const documents = `v1/projects/${testProject}/databases/(default)/documents`;
    const bodies = [
      `{"fields":{"a":${'{"arrayValue":{"values":['.repeat(20_000)}`,
      `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
      `{"fields":${'{"mapValue":'.repeat(3000)}{}${"}".repeat(3000)}}`,
      '{"fields":{"a":{"integerValue":"99999999999999999999999999"}}}',
      '{"fields":{"a":{"integerValue":1e400}}}',
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
      '{"fields":{"a":{"bytesValue":"%%%"}}}',
      '{"fields":{"a":{"timestampValue":"yesterday"}}}',
      '{"fields":{"a":{"stringValue":"x","integerValue":"1"}}}',
      '"text"',
      "\u0000",
      "",
      "{".repeat(10),
    ];
    for (const body of bodies) {
      const reply = await fetch(`${cloud.address}/${documents}/c`, { method: "POST", body });
      const text = await reply.text();
      // An empty body is an empty document.
      expect(reply.status, `${body.slice(0, 60)}: ${text}`).toBe(body === "" ? 200 : 400);
    }
    const invalidText = await fetch(`${cloud.address}/${documents}/c`, {
      method: "POST",
      body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    });
    expect(invalidText.status).toBe(400);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect((await fetch(`${cloud.address}/healthz`)).status).toBe(200);
  });
});

describe("a full disk", () => {
  const bytesMax = 4 * 1024 * 1024;
  const data = base64("x".repeat(500_000));
  const hasPrlimit = onPath("prlimit") !== undefined;

  /** Files of a process may grow no further than this, as on a disk that is full. */
  const limitFiles = (pid: number, limit: number | "unlimited"): void => {
    execFileSync("prlimit", [`--pid=${pid}`, `--fsize=${limit}:`]);
  };

  it.skipIf(!hasPrlimit)(
    `refuses writes, serves what it has, and goes on when there is room again${hasPrlimit ? "" : " (absent: prlimit)"}`,
    async () => {
      const folder = temporaryFolder();
      const cloud = await startCloudProcess(folder, "--products", "pubsub,firestore,storage");
      undo.push(() => cloud.end("SIGKILL"));
      const { call, pull } = pubsubCalls(() => cloud.port);
      await call("PUT", topic, {});
      await call("PUT", subscription, { topic, ackDeadlineSeconds: 600 });
      const documents = `${cloud.address}/v1/projects/${testProject}/databases/(default)/documents`;
      const writeDocument = async (id: string): Promise<number> => {
        const body = JSON.stringify({ fields: { data: { stringValue: data } } });
        return (await fetch(`${documents}/c/${id}`, { method: "PATCH", body })).status;
      };
      const storage = `${cloud.address}/storage/v1/b`;
      await fetch(`${storage}?project=${testProject}`, { method: "POST", body: '{"name":"full"}' });
      const upload = async (name: string, bytes: number): Promise<Response> =>
        fetch(`${cloud.address}/upload/storage/v1/b/full/o?uploadType=media&name=${name}`, {
          method: "POST",
          body: "x".repeat(bytes),
        });

      limitFiles(cloud.pid, bytesMax);
      const acknowledged: string[] = [];
      const kept: string[] = [];
      const publish = async (): Promise<number> => {
        const { code, json } = await call("POST", `${topic}:publish`, { messages: [{ data }] });
        if (code === 200) acknowledged.push(...(json["messageIds"] as string[]));
        return code;
      };
      let isFull = false;
      for (let round = 0; round < 40 && !isFull; round += 1) {
        const [published, written] = [await publish(), await writeDocument(`d${round}`)];
        if (written === 200) kept.push(`d${round}`);
        isFull = published === 503 && written === 503;
      }
      expect(isFull).toBe(true);
      expect(kept.length).toBeGreaterThan(0);
      expect((await upload("large", bytesMax + 1)).status).toBe(503);
      expect((await fetch(`${storage}/full/o/large`)).status).toBe(404);
      expect((await call("GET", subscription)).code).toBe(200);
      expect((await fetch(`${documents}/c/${kept[0]}`)).status).toBe(200);

      limitFiles(cloud.pid, "unlimited");
      await eventually("a publish after the disk has room", async () => (await publish()) === 200);
      expect(await writeDocument("after")).toBe(200);
      expect((await upload("large", bytesMax + 1)).status).toBe(200);
      const received = new Set<string>();
      await eventually("every acknowledged message", async () => {
        for (const { message } of await pull(subscription, 100)) received.add(message.messageId);
        return acknowledged.every((id) => received.has(id));
      });
      await cloud.end("SIGKILL");
      const again = await startCloudProcess(folder, "--products", "firestore");
      undo.push(() => again.end("SIGKILL"));
      const list = await fetch(
        `${documents.replace(cloud.address, again.address)}/c?mask.fieldPaths=none&pageSize=100`,
      );
      const found = ((await list.json()) as { documents: { name: string }[] }).documents;
      expect(found.map(({ name }) => name.slice(name.lastIndexOf("/") + 1))).toEqual(
        [...kept, "after"].toSorted(),
      );
    },
  );
});

describe("a damaged database", () => {
  it("is told clearly and left as it is", async () => {
    const folder = temporaryFolder();
    const cloud = await startCloudProcess(folder, "--products", "pubsub");
    const { call } = pubsubCalls(() => cloud.port);
    await call("PUT", topic, {});
    await call("PUT", subscription, { topic });
    for (let index = 0; index < 20; index += 1) {
      await call("POST", `${topic}:publish`, { messages: [{ data: base64("x".repeat(20_000)) }] });
    }
    await cloud.end("SIGTERM");
    const file = join(folder, "cloud.db");
    const damaged = readFileSync(file);
    // Every page but the first: the header still looks right.
    damaged.fill(0xa5, 4096, damaged.length);
    writeFileSync(file, damaged);
    await expect(startCloudProcess(folder, "--products", "pubsub")).rejects.toThrow(/damaged/);
    expect(readFileSync(file).equals(damaged)).toBe(true);
  });
});

describe("--durable power", () => {
  it("serves as usual, over every transport, and keeps what it answered", async () => {
    const folder = temporaryFolder();
    const flags = ["--products", "pubsub,firestore,storage", "--durable", "power"];
    const cloud = await startCloudProcess(folder, ...flags);
    const { call } = pubsubCalls(() => cloud.port);
    await call("PUT", topic, {});
    await call("PUT", subscription, { topic });
    const { publisher } = openClients(cloud.port);
    const published = Array.from({ length: 50 }, async (_, index) =>
      publisher.publish({ topic, messages: [{ data: Buffer.from(String(index)) }] }),
    );
    await Promise.all(published);
    const storage = `${cloud.address}/storage/v1/b`;
    await fetch(`${storage}?project=${testProject}`, { method: "POST", body: '{"name":"kept"}' });
    const upload = await fetch(
      `${cloud.address}/upload/storage/v1/b/kept/o?uploadType=media&name=a`,
      { method: "POST", body: "bytes" },
    );
    expect(upload.status).toBe(200);
    await cloud.end("SIGKILL");
    const again = await startCloudProcess(folder, ...flags);
    undo.push(() => again.end("SIGKILL"));
    const { pull } = pubsubCalls(() => again.port);
    expect(await pull(subscription, 100)).toHaveLength(50);
    const object = await fetch(`${again.address}/storage/v1/b/kept/o/a?alt=media`);
    expect(await object.text()).toBe("bytes");
  });
});
