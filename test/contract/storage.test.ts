/** Cloud Storage by its official client and once by plain HTTP. */
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { Storage, type Bucket, type CreateBucketRequest } from "@google-cloud/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { storageProduct } from "../../infra/local/storage/product.js";
import { standUp, until, type Stand } from "../unit/local-storage/one-product.js";

type Product = ReturnType<typeof storageProduct>;
let stand: Stand<Product>;
let storage: Storage;
let bucket: Bucket;
let bucketCount = 0;

const freshBucket = async (options: CreateBucketRequest = {}): Promise<Bucket> => {
  bucketCount += 1;
  const name = `bucket-${bucketCount}`;
  await storage.createBucket(name, { ...options });
  return storage.bucket(name);
};

const codeOf = async (work: Promise<unknown>): Promise<number> => {
  try {
    await work;
  } catch (error) {
    return z.object({ code: z.coerce.number() }).parse(error).code;
  }
  return 200;
};

const options = (ifGenerationMatch: number | string) => ({
  resumable: false,
  preconditionOpts: { ifGenerationMatch },
});

const changes = (bucketName: string) =>
  stand.arrived.filter(({ message }) => message.attributes["bucketId"] === bucketName);

const listAll = async (made: Bucket, maxResults: number): Promise<unknown[]> => {
  const found: unknown[] = [];
  let pageToken: string | undefined;
  do {
    const query = {
      maxResults,
      autoPaginate: false,
      ...(pageToken === undefined ? {} : { pageToken }),
    };
    const [files, next] = await made.getFiles(query);
    expect(files.length).toBeLessThanOrEqual(maxResults);
    found.push(...files);
    pageToken = z.object({ pageToken: z.string() }).nullish().parse(next)?.pageToken;
  } while (pageToken !== undefined);
  return found;
};

beforeAll(async () => {
  stand = await standUp(storageProduct);
  storage = new Storage({
    projectId: "demo",
    apiEndpoint: stand.address,
    retryOptions: { autoRetry: false },
  });
  bucket = await freshBucket();
});
afterAll(() => stand.stop());

describe("buckets", () => {
  it("are created, found, listed, labelled and deleted", async () => {
    const made = await freshBucket({ location: "us-central1" });
    const [metadata] = await made.getMetadata();
    expect(metadata).toMatchObject({
      kind: "storage#bucket",
      location: "US-CENTRAL1",
      locationType: "region",
      metageneration: "1",
      projectNumber: "123456789012",
      etag: "CAE=",
    });
    const [all] = await storage.getBuckets();
    expect(all.map(({ name }) => name)).toContain(made.name);
    const [changed] = await made.setMetadata({ labels: { team: "ml", cost: "low" } });
    expect(changed).toMatchObject({ metageneration: "2", labels: { team: "ml" } });
    const [cleared] = await made.setMetadata({ labels: { cost: null } });
    expect(cleared.labels).toEqual({ team: "ml" });
    await made.delete();
    expect(await made.exists()).toEqual([false]);
  });

  it("lose their labels and rules when all of them are taken away", async () => {
    const made = await freshBucket();
    await made.setMetadata({ labels: { team: "ml" }, cors: [{ method: ["GET"] }] });
    const [metadata] = await made.setMetadata({ labels: { team: null }, cors: [] });
    expect(metadata.labels).toBeUndefined();
    expect(metadata.cors).toBeUndefined();
  });

  it("are created once, with a proper name, and deleted only when empty", async () => {
    const made = await freshBucket();
    expect(await codeOf(storage.createBucket(made.name))).toBe(409);
    expect(await codeOf(storage.createBucket("No Such Name"))).toBe(400);
    await made.file("x").save("x", { resumable: false });
    expect(await codeOf(made.delete())).toBe(409);
  });

  it("refuse what the local service does not act on", async () => {
    const rule = { action: { type: "Delete" as const }, condition: { age: 3 } };
    expect(await codeOf(bucket.setMetadata({ lifecycle: { rule: [rule] } }))).toBe(501);
  });
});

describe("objects", () => {
  it("keep bytes, type, metadata and checksums of a multipart upload", async () => {
    const body = randomBytes(100_001);
    const file = bucket.file("folder/some name ü.bin");
    await file.save(body, {
      resumable: false,
      contentType: "application/x-thing",
      metadata: { cacheControl: "no-store", metadata: { run: "r1" } },
    });
    const [back] = await file.download();
    expect(back.equals(body)).toBe(true);
    const [metadata] = await file.getMetadata();
    expect(metadata).toMatchObject({
      kind: "storage#object",
      name: "folder/some name ü.bin",
      size: "100001",
      contentType: "application/x-thing",
      cacheControl: "no-store",
      metadata: { run: "r1" },
      metageneration: "1",
    });
    expect(metadata.md5Hash).toHaveLength(24);
    expect(metadata.crc32c).toHaveLength(8);
  });

  it("arrive resumably in one piece, in chunks, and empty", async () => {
    const body = randomBytes(1_000_003);
    await bucket.file("one-piece").save(body, { resumable: true });
    await bucket.file("chunks").save(body, { resumable: true, chunkSize: 256 * 1024 });
    await bucket.file("empty").save(Buffer.alloc(0), { resumable: true });
    for (const [name, expected] of [
      ["one-piece", body],
      ["chunks", body],
      ["empty", Buffer.alloc(0)],
    ] as const) {
      const [back] = await bucket.file(name).download();
      expect([name, back.equals(expected)]).toEqual([name, true]);
    }
  });

  it("are read in ranges", async () => {
    await bucket.file("digits").save("0123456789", { resumable: false });
    const [middle] = await bucket.file("digits").download({ start: 2, end: 4 });
    expect(middle.toString()).toBe("234");
    const beyond = await fetch(`${stand.address}/storage/v1/b/${bucket.name}/o/digits?alt=media`, {
      headers: { range: "bytes=20-" },
    });
    expect(beyond.status).toBe(416);
    const tail = await fetch(`${stand.address}/storage/v1/b/${bucket.name}/o/digits?alt=media`, {
      headers: { range: "bytes=-3" },
    });
    expect(await tail.text()).toBe("789");
    expect(tail.headers.get("content-range")).toBe("bytes 7-9/10");
  });

  it("are stored compressed and read plain", async () => {
    await bucket.file("zipped").save("hello ".repeat(100), { gzip: true, resumable: false });
    const [metadata] = await bucket.file("zipped").getMetadata();
    expect(metadata.contentEncoding).toBe("gzip");
    expect(Number(metadata.size)).toBe(gzipSync("hello ".repeat(100)).length);
    const [back] = await bucket.file("zipped").download();
    expect(back.toString()).toBe("hello ".repeat(100));
    const plain = await fetch(`${stand.address}/storage/v1/b/${bucket.name}/o/zipped?alt=media`, {
      headers: { "accept-encoding": "identity" },
    });
    expect(await plain.text()).toBe("hello ".repeat(100));
  });

  it("are listed by prefix and delimiter, page by page", async () => {
    const made = await freshBucket();
    const names = ["a/1", "a/2", "a/b/1", "b", "c/1", "d"];
    for (const name of names) await made.file(name).save(name, { resumable: false });
    const all = z.array(z.object({ name: z.string() })).parse(await listAll(made, 2));
    expect(all.map(({ name }) => name)).toEqual(names);
    const [files, next, reply] = await made.getFiles({ delimiter: "/", autoPaginate: false });
    expect(files.map(({ name }) => name)).toEqual(["b", "d"]);
    expect(next).toBeNull();
    expect(reply).toMatchObject({ prefixes: ["a/", "c/"] });
    const [inA, , replyA] = await made.getFiles({
      prefix: "a/",
      delimiter: "/",
      autoPaginate: false,
    });
    expect(inA.map(({ name }) => name)).toEqual(["a/1", "a/2"]);
    expect(replyA).toMatchObject({ prefixes: ["a/b/"] });
    const [offset] = await made.getFiles({ startOffset: "a/2", endOffset: "c" });
    expect(offset.map(({ name }) => name)).toEqual(["a/2", "a/b/1", "b"]);
  });

  it("change their metadata and count it", async () => {
    const file = bucket.file("patched");
    await file.save("x", { resumable: false, metadata: { metadata: { a: "1", b: "2" } } });
    const [changed] = await file.setMetadata({
      contentType: "text/x",
      metadata: { a: null, c: "3" },
    });
    expect(changed).toMatchObject({ metageneration: "2", contentType: "text/x" });
    expect(changed.metadata).toEqual({ b: "2", c: "3" });
  });

  it("are refused with a customer's own key, as nothing here encrypts", async () => {
    const file = bucket.file("secret", { encryptionKey: randomBytes(32) });
    expect(await codeOf(file.save("x", { resumable: false }))).toBe(501);
    expect(await bucket.file("secret").exists()).toEqual([false]);
  });

  it("obey generation preconditions", async () => {
    const file = bucket.file("guarded");
    await file.save("1", options(0));
    expect(await codeOf(file.save("2", options(0)))).toBe(412);
    const [{ generation = "" }] = await file.getMetadata();
    await file.save("2", options(generation));
    expect(await codeOf(file.save("3", options(generation)))).toBe(412);
    expect((await file.download())[0].toString()).toBe("2");
    expect(await codeOf(file.delete({ ifGenerationMatch: generation }))).toBe(412);
    expect(
      await codeOf(file.setMetadata({ contentType: "a/b" }, { ifMetagenerationMatch: 9 })),
    ).toBe(412);
    const [now] = await file.getMetadata();
    const path = `${stand.address}/storage/v1/b/${bucket.name}/o/guarded`;
    const same = await fetch(`${path}?ifGenerationNotMatch=${now.generation}`);
    expect(same.status).toBe(304);
  });

  it("let exactly one of many concurrent creators win", async () => {
    const tries = Array.from({ length: 12 }, (_, index) =>
      codeOf(
        bucket.file("race").save(String(index), {
          resumable: false,
          preconditionOpts: { ifGenerationMatch: 0 },
        }),
      ),
    );
    const codes = await Promise.all(tries);
    expect(codes.filter((code) => code === 200)).toHaveLength(1);
    expect(codes.filter((code) => code === 412)).toHaveLength(11);
  });

  it("are copied, moved and composed", async () => {
    const [first, second] = [bucket.file("part-1"), bucket.file("part-2")];
    await first.save("hello ", { resumable: false, contentType: "text/plain" });
    await second.save("world", { resumable: false });
    const [copied] = await first.copy(bucket.file("copied"));
    expect((await copied.download())[0].toString()).toBe("hello ");
    expect((await copied.getMetadata())[0].contentType).toBe("text/plain");
    const [whole] = await bucket.combine([first, second], bucket.file("whole"));
    expect((await whole.download())[0].toString()).toBe("hello world");
    const [metadata] = await whole.getMetadata();
    expect(metadata.componentCount).toBe(2);
    expect(metadata.md5Hash).toBeUndefined();
    await copied.move("moved");
    expect(await bucket.file("copied").exists()).toEqual([false]);
    expect((await bucket.file("moved").download())[0].toString()).toBe("hello ");
  });

  it("keep earlier generations in a bucket with versioning", async () => {
    const made = await freshBucket({ versioning: { enabled: true } });
    const file = made.file("v");
    await file.save("1", { resumable: false });
    const [{ generation: first = "" }] = await file.getMetadata();
    await file.save("2", { resumable: false });
    const [versions] = await made.getFiles({ versions: true });
    expect(versions).toHaveLength(2);
    const old = made.file("v", { generation: first });
    expect((await old.download())[0].toString()).toBe("1");
    await file.delete();
    expect(await file.exists()).toEqual([false]);
    expect((await made.getFiles({ versions: true }))[0]).toHaveLength(2);
    await old.delete();
    expect((await made.getFiles({ versions: true }))[0]).toHaveLength(1);
  });

  it("refuse a body whose checksum differs and keep nothing of it", async () => {
    const boundary = "cut-here";
    const metadata = JSON.stringify({ name: "corrupt", crc32c: "AAAAAA==" });
    const body = [
      `--${boundary}\r\ncontent-type: application/json\r\n\r\n${metadata}`,
      `\r\n--${boundary}\r\ncontent-type: text/plain\r\n\r\nhello`,
      `\r\n--${boundary}--`,
    ].join("");
    const url = `${stand.address}/upload/storage/v1/b/${bucket.name}/o?uploadType=multipart`;
    const headers = { "content-type": `multipart/related; boundary=${boundary}` };
    const refused = await fetch(url, { method: "POST", headers, body });
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain("doesn't match calculated CRC32C");
    expect(await bucket.file("corrupt").exists()).toEqual([false]);
    const cut = await fetch(url, { method: "POST", headers, body: body.slice(0, -14) });
    expect(cut.status).toBe(400);
  });

  it("answer in Google's error form when they are not there", async () => {
    const answer = await fetch(`${stand.address}/storage/v1/b/${bucket.name}/o/nothing`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({
      error: {
        code: 404,
        message: `No such object: ${bucket.name}/nothing`,
        errors: [
          {
            message: `No such object: ${bucket.name}/nothing`,
            domain: "global",
            reason: "notFound",
          },
        ],
      },
    });
  });

  it("are honest about what is not built", async () => {
    const answer = await fetch(`${stand.address}/storage/v1/b/${bucket.name}/iam`);
    expect(answer.status).toBe(501);
  });
});

describe("a resumable upload by plain HTTP", () => {
  it("tells how much arrived, resumes there, and finishes once", async () => {
    const part = Buffer.alloc(256 * 1024, "a");
    const begun = await fetch(
      `${stand.address}/upload/storage/v1/b/${bucket.name}/o?uploadType=resumable&name=resumed`,
      { method: "POST", headers: { "x-upload-content-type": "text/plain" } },
    );
    const session = begun.headers.get("location") ?? "";
    const put = (range: string, body?: Buffer) =>
      fetch(session, {
        method: "PUT",
        headers: { "content-range": range },
        ...(body === undefined ? {} : { body: new Uint8Array(body) }),
      });
    const none = await put("bytes */*");
    expect([none.status, none.headers.get("range")]).toEqual([308, null]);
    const first = await put(`bytes 0-${part.length - 1}/*`, part);
    expect([first.status, first.headers.get("range")]).toEqual([308, `bytes=0-${part.length - 1}`]);
    const gap = await put(`bytes ${part.length + 10}-${part.length + 11}/*`, Buffer.from("xx"));
    expect(gap.status).toBe(503);
    const total = part.length + 3;
    const last = await put(`bytes ${part.length}-${total - 1}/${total}`, Buffer.from("end"));
    expect(last.status).toBe(200);
    expect(await last.json()).toMatchObject({ name: "resumed", size: String(total) });
    const again = await put(`bytes */${total}`);
    expect(await again.json()).toMatchObject({ name: "resumed", size: String(total) });
    const [metadata] = await bucket.file("resumed").getMetadata();
    expect(metadata.contentType).toBe("text/plain");
  });
});

describe("notifications", () => {
  it("tell Pub/Sub of creation, overwriting, new metadata and deletion", async () => {
    const made = await freshBucket();
    const [config] = await made.createNotification("projects/demo/topics/objects", {
      objectNamePrefix: "in/",
      customAttributes: { via: "test" },
    });
    await made.file("out/x").save("x", { resumable: false });
    const file = made.file("in/x");
    await file.save("1", { resumable: false, contentType: "text/plain" });
    const [{ generation: first }] = await file.getMetadata();
    await file.save("2", { resumable: false });
    const [{ generation: second }] = await file.getMetadata();
    await file.setMetadata({ metadata: { a: "b" } });
    await file.delete();
    await until("five messages", () => changes(made.name).length === 5);
    const seen = changes(made.name);
    expect(seen.map(({ message }) => message.attributes["eventType"])).toEqual([
      "OBJECT_FINALIZE",
      "OBJECT_DELETE",
      "OBJECT_FINALIZE",
      "OBJECT_METADATA_UPDATE",
      "OBJECT_DELETE",
    ]);
    expect(seen[0]?.topic).toBe("projects/demo/topics/objects");
    expect(seen[0]?.message.attributes).toEqual({
      via: "test",
      notificationConfig: `projects/_/buckets/${made.name}/notificationConfigs/${config.id}`,
      eventType: "OBJECT_FINALIZE",
      payloadFormat: "JSON_API_V1",
      bucketId: made.name,
      objectId: "in/x",
      objectGeneration: first,
      eventTime: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(seen[1]?.message.attributes).toMatchObject({ overwrittenByGeneration: second });
    expect(seen[2]?.message.attributes).toMatchObject({ overwroteGeneration: first });
    const payload: unknown = JSON.parse(seen[0]?.message.data.toString() ?? "");
    expect(payload).toMatchObject({
      kind: "storage#object",
      id: `${made.name}/in/x/${first}`,
      name: "in/x",
      bucket: made.name,
      generation: first,
      metageneration: "1",
      contentType: "text/plain",
      size: "1",
      md5Hash: "xMpCOKC5I4INzFCab3WEmw==",
    });
    const [configs] = await made.getNotifications();
    expect(configs).toHaveLength(1);
    await config.delete();
    expect((await made.getNotifications())[0]).toHaveLength(0);
  });

  it("wait for a topic that is gone and come when it is back", async () => {
    const made = await freshBucket();
    await made.createNotification("projects/demo/topics/later");
    stand.missingTopics.add("projects/demo/topics/later");
    await made.file("x").save("x", { resumable: false });
    await until("a failed attempt", () =>
      stand.lines.some((line) => line.includes("topics/later")),
    );
    stand.missingTopics.delete("projects/demo/topics/later");
    await until("the message", () => changes(made.name).length > 0);
    expect(changes(made.name)).toHaveLength(1);
  });
});
