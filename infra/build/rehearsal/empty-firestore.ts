/** A Firestore that holds nothing and keeps nothing, over gRPC without TLS and over REST: what a rehearsal talks to. */
import { createServer, type Http2Server } from "node:http2";
import { buffer } from "node:stream/consumers";

const lengthDelimited = 2;

const varint = (value: number): readonly number[] =>
  value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];

/** A message's field of bytes, text or another message. */
const field = (number: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([number * 8 + lengthDelimited, ...varint(content.length)]), content]);

const readVarint = (bytes: Buffer, start: number): readonly [value: number, end: number] => {
  let value = 0;
  for (let at = start, unit = 1; at < bytes.length; at += 1, unit *= 0x80) {
    const byte = bytes[at] ?? 0;
    value += (byte % 0x80) * unit;
    if (byte < 0x80) return [value, at + 1];
  }
  return [value, bytes.length];
};

/** Every value of one such field; the messages read here have no fields of other kinds before it. */
const valuesOf = (message: Buffer, number: number): readonly Buffer[] => {
  const found: Buffer[] = [];
  for (let at = 0; at < message.length;) {
    const [key, afterKey] = readVarint(message, at);
    const [length, start] = readVarint(message, afterKey);
    if (key % 8 !== lengthDelimited) return found;
    if (Math.floor(key / 8) === number) found.push(message.subarray(start, start + length));
    at = start + length;
  }
  return found;
};

const nothing = Buffer.alloc(0);
const transaction = Buffer.from("rehearsal");

/** What google.firestore.v1.Firestore answers, by method; field numbers are those of its messages. */
const answers: Readonly<Record<string, (request: Buffer) => readonly Buffer[]>> = {
  BatchGetDocuments: (request) =>
    valuesOf(request, 2).map((name) =>
      Buffer.concat([field(2, name), field(3, transaction), field(4, nothing)]),
    ),
  RunQuery: () => [Buffer.concat([field(2, transaction), field(3, nothing)])],
  RunAggregationQuery: () => [Buffer.concat([field(1, nothing), field(3, nothing)])],
  BeginTransaction: () => [field(1, transaction)],
  Commit: (request) => [
    Buffer.concat([
      ...valuesOf(request, 2).map(() => field(1, field(1, nothing))),
      field(3, nothing),
    ]),
  ],
  BatchWrite: (request) => [
    Buffer.concat(valuesOf(request, 2).flatMap(() => [field(1, nothing), field(2, nothing)])),
  ],
  Rollback: () => [nothing],
};

const framePrefixBytes = 5;

const framed = (message: Buffer): Buffer => {
  const prefix = Buffer.alloc(framePrefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

const unimplemented = "12";

/** The server; whoever makes it lets it listen. */
export const emptyFirestore = (): Http2Server => {
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const method = String(headers[":path"]).split("/").at(-1) ?? "";
    void buffer(stream).then((body) => {
      const answer = answers[method];
      const status = answer === undefined ? unimplemented : "0";
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
      stream.respond(
        { ":status": 200, "content-type": "application/grpc+proto" },
        { waitForTrailers: true },
      );
      const messages = answer?.(body.subarray(framePrefixBytes)) ?? [];
      stream.end(Buffer.concat(messages.map(framed)));
    });
  });
  return server;
};

const listIn = (body: string, name: string): readonly unknown[] => {
  const parsed: unknown = JSON.parse(body);
  const list: unknown = Object.entries(Object(parsed)).find(([key]) => key === name)?.[1];
  return Array.isArray(list) ? list : [];
};

const time = "2001-01-01T00:00:00Z";

/** What its REST API answers to a request at an address; an empty object is any other service's answer. */
export const emptyAnswer = (url: string, body: string): unknown => {
  if (url.endsWith("/documents:batchGet")) {
    return listIn(body, "documents").map((missing) => ({ missing, readTime: time }));
  }
  if (url.endsWith("/documents:commit")) {
    const writeResults = listIn(body, "writes").map(() => ({ updateTime: time }));
    return { writeResults, commitTime: time };
  }
  return url.endsWith(":runQuery") ? [{ readTime: time }] : {};
};
