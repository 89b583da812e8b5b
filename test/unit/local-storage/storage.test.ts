import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { checksumming, crc32c } from "../../../infra/local/storage/checksums.js";
import { asStorageError } from "../../../infra/local/storage/errors.js";
import { boundaryOf, readRelated } from "../../../infra/local/storage/multipart.js";
import { readRange } from "../../../infra/local/storage/object-routes.js";
import { storageProduct } from "../../../infra/local/storage/product.js";
import { objectEtag } from "../../../infra/local/storage/resources.js";
import { standUp, until, type Stand } from "./one-product.js";

type Product = ReturnType<typeof storageProduct>;
const stands: Stand<Product>[] = [];
afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});
const standUpStorage = async (folder?: string) => {
  const stand = await standUp(storageProduct, folder === undefined ? {} : { folder });
  stands.push(stand);
  return stand;
};
const createBucket = async (stand: Stand<Product>, name: string, fields: object = {}) => {
  await fetch(`${stand.address}/storage/v1/b?project=demo`, {
    method: "POST",
    body: JSON.stringify({ name, ...fields }),
  });
};
const filesUnder = (folder: string): readonly string[] =>
  readdirSync(join(folder, "objects"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

describe("checksums", () => {
  it("are CRC32C, not CRC32, for every length around the eight-byte steps", () => {
    // The check value of CRC-32C and RFC 3720's vectors.
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32(Buffer.from("123456789"))).not.toBe(0xe3069283);
    const bytes = Buffer.from("the quick brown fox jumps over the lazy dog");
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const parts = crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)));
      expect(parts).toBe(crc32c(bytes));
    }
  });

  it("come in the API's form", () => {
    const sums = checksumming();
    sums.update(Buffer.from("hello"));
    expect(sums.finish()).toEqual({
      size: 5,
      crc32c: "mnG7TA==",
      md5Hash: "XUFAKrxLKna5cZ2REBfFkg==",
    });
  });
});

it("an object's etag is the real service's", () => {
  expect(objectEtag("1587627537231057", "1")).toBe("CNHZkbuF/ugCEAE=");
});

it.each([
  [undefined, undefined],
  ["bytes=0-", { first: 0, last: 9 }],
  ["bytes=2-4", { first: 2, last: 4 }],
  ["bytes=2-400", { first: 2, last: 9 }],
  ["bytes=-3", { first: 7, last: 9 }],
  ["bytes=-30", { first: 0, last: 9 }],
  ["lines=1-2", undefined],
])("the range %s of ten bytes is read", (range, expected) => {
  expect(readRange(range, 10)).toEqual(expected);
});

describe.each([
  ["CRLF", "\r\n"],
  ["a line feed alone, as gcloud sends it", "\n"],
])("multipart bodies with %s", (_name, lineBreak) => {
  const body = Buffer.from(
    (
      '--cut\nContent-Type: application/json\n\n{"name":"x"}\n--cut\n' +
      "Content-Type: text/plain\n\nfirst\n--cutlery is no boundary\n--cu\n--cut--\n"
    ).replaceAll("\n", lineBreak),
  );
  const read = async (size: number) => {
    const source = async function* source() {
      for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
    };
    const parts = await readRelated(source(), boundaryOf('multipart/related; boundary="cut"'));
    const chunks: Buffer[] = [];
    for await (const chunk of parts.media) chunks.push(chunk);
    return { ...parts, media: Buffer.concat(chunks).toString() };
  };

  it.each([1, 2, 3, 7, 16, 1000])("are split right in chunks of %i bytes", async (size) => {
    const parts = await read(size);
    expect(parts.metadata).toBe('{"name":"x"}');
    expect(parts.mediaType).toBe("text/plain");
    expect(parts.media).toBe("first\n--cutlery is no boundary\n--cu".replaceAll("\n", lineBreak));
  });
});
describe("a disk that refuses", () => {
  const refused = (code: string) => Object.assign(new Error(code), { code });
  it.each([
    ["ENOSPC", 503, /is full/],
    ["SQLITE_FULL", 503, /is full/],
    ["EROFS", 500, /cannot be written/],
    ["EACCES", 500, /cannot be written/],
  ])("%s is told as %i", (code, httpCode, text) => {
    const error = asStorageError(refused(code), "/somewhere/objects");
    expect(error.httpCode).toBe(httpCode);
    expect(error.message).toMatch(text);
    expect(error.message).toContain("/somewhere/objects");
  });
});

describe("bodies", () => {
  it("of an upload that breaks off leave nothing behind", async () => {
    const stand = await standUpStorage();
    await createBucket(stand, "broken");
    const sending = httpRequest(
      `${stand.address}/upload/storage/v1/b/broken/o?uploadType=media&name=half`,
      { method: "POST", headers: { "content-length": "1000000" } },
    );
    sending.on("error", () => undefined);
    sending.write(Buffer.alloc(300_000));
    await until("a temporary file", () => filesUnder(stand.folder).length === 1);
    sending.destroy();
    await until("no file", () => filesUnder(stand.folder).length === 0);
    const answer = await fetch(`${stand.address}/storage/v1/b/broken/o/half`);
    expect(answer.status).toBe(404);
  });

  it("without a row are swept at the next start, those with one are kept", async () => {
    const first = await standUpStorage();
    await createBucket(first, "swept");
    await first.product.face.write("swept", "kept", Buffer.from("body"));
    const [kept = ""] = filesUnder(first.folder);
    await first.stop(true);
    stands.splice(0);
    mkdirSync(join(first.folder, "objects", "ab"), { recursive: true });
    writeFileSync(join(first.folder, "objects", "ab", "orphan-1"), "lost");
    writeFileSync(join(first.folder, "objects", "incoming", "half"), "lost");
    writeFileSync(join(first.folder, "objects", "uploads", "gone"), "lost");
    const second = await standUpStorage(first.folder);
    expect(filesUnder(first.folder)).toEqual([kept]);
    expect((await second.product.face.read("swept", "kept")).toString()).toBe("body");
  });

  it("cannot leave their folder, whatever the name", async () => {
    const stand = await standUpStorage();
    await createBucket(stand, "names");
    const names = ["../../escape", "/etc/passwd", "a\0b", "..\\..\\x", "ü/😀", "a".repeat(1024)];
    for (const name of names) await stand.product.face.write("names", name, Buffer.from(name));
    expect(await stand.product.face.list("names", "")).toEqual(names.toSorted());
    expect(filesUnder(stand.folder)).toHaveLength(names.length);
    for (const name of names) {
      expect((await stand.product.face.read("names", name)).toString()).toBe(name);
    }
    await expect(stand.product.face.write("names", "..", Buffer.from(""))).rejects.toMatchObject({
      status: "INVALID_ARGUMENT",
    });
    await expect(stand.product.face.read("nowhere", "x")).rejects.toMatchObject({
      status: "NOT_FOUND",
    });
  });

  it("are whole to a reader while they are overwritten again and again", async () => {
    const stand = await standUpStorage();
    await createBucket(stand, "busy");
    const bodyOf = (n: number) => Buffer.alloc(70_000, String(n % 10));
    await stand.product.face.write("busy", "x", bodyOf(0));
    const writing = (async () => {
      for (let n = 1; n <= 60; n += 1) await stand.product.face.write("busy", "x", bodyOf(n));
    })();
    for (let n = 0; n < 60; n += 1) {
      const answer = await fetch(`${stand.address}/storage/v1/b/busy/o/x?alt=media`);
      const body = Buffer.from(await answer.arrayBuffer());
      expect(body.equals(Buffer.alloc(70_000, body.subarray(0, 1)))).toBe(true);
    }
    await writing;
    expect(filesUnder(stand.folder)).toHaveLength(1);
  });
});

it("a retention policy and a hold keep an object from deletion and overwriting", async () => {
  const stand = await standUpStorage();
  await createBucket(stand, "retained", { retentionPolicy: { retentionPeriod: "3600" } });
  await stand.product.face.write("retained", "x", Buffer.from("1"));
  await expect(stand.product.face.write("retained", "x", Buffer.from("2"))).rejects.toThrow(
    /retention policy/,
  );
  const remove = (bucket: string) =>
    fetch(`${stand.address}/storage/v1/b/${bucket}/o/x`, { method: "DELETE" });
  expect((await remove("retained")).status).toBe(403);
  await createBucket(stand, "held");
  await stand.product.face.write("held", "x", Buffer.from("1"));
  const hold = (temporaryHold: boolean) =>
    fetch(`${stand.address}/storage/v1/b/held/o/x`, {
      method: "PATCH",
      body: JSON.stringify({ temporaryHold }),
    });
  await hold(true);
  expect((await remove("held")).status).toBe(403);
  await hold(false);
  expect((await remove("held")).status).toBe(204);
});
