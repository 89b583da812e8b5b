import { afterEach, describe, expect, it } from "vitest";
import type { LogEntryJson } from "../../../infra/local/cloud.js";
import { loggingProduct } from "../../../infra/local/logging/product.js";
import { standUp, until, type Stand } from "../local-storage/one-product.js";

type Product = ReturnType<typeof loggingProduct>;
const stands: Stand<Product>[] = [];
afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const topic = "projects/demo/topics/alerts";
const call = async (product: Product, name: string, request: object): Promise<unknown> => {
  const handler = product.services[1]?.unary?.[name];
  const context = { principal: "x", transport: "rest", signal: AbortSignal.abort(), headers: {} };
  return await Reflect.apply(handler ?? (() => undefined), undefined, [request, context]);
};
const createSink = (product: Product, filter: string, exclusions: object[] = []) =>
  call(product, "CreateSink", {
    parent: "projects/demo",
    sink: { name: "s", destination: `pubsub.googleapis.com/${topic}`, filter, exclusions },
  });
const entry = (n: number, severity = "WARNING"): LogEntryJson => ({
  logName: "projects/demo/logs/app",
  insertId: `e${n}`,
  timestamp: "2026-01-02T03:04:05Z",
  severity,
  jsonPayload: { n },
});

const standUpLogging = async (folder?: string) => {
  const stand = await standUp(loggingProduct, folder === undefined ? {} : { folder });
  stands.push(stand);
  return stand;
};

describe("a log sink", () => {
  it("publishes the matching entry's JSON with its timestamp", async () => {
    const stand = await standUpLogging();
    await createSink(stand.product, "severity>=WARNING", [
      { name: "x", filter: "jsonPayload.n=3" },
    ]);
    await stand.product.face.write([entry(1), entry(2, "INFO"), entry(3)]);
    await until("one message", () => stand.arrived.length > 0);
    expect(stand.arrived.map((one) => one.topic)).toEqual([topic]);
    const message = stand.arrived[0]?.message;
    expect(message?.attributes).toEqual({
      "logging.googleapis.com/timestamp": "2026-01-02T03:04:05Z",
    });
    expect(JSON.parse(message?.data.toString() ?? "")).toEqual({
      ...entry(1),
      resource: { type: "global", labels: { project_id: "demo" } },
      receiveTimestamp: expect.any(String),
    });
  });

  it("does not publish a duplicate entry again", async () => {
    const stand = await standUpLogging();
    await createSink(stand.product, "");
    await stand.product.face.write([entry(1), entry(1)]);
    await stand.product.face.write([entry(1)]);
    await stand.product.face.write([entry(2)]);
    await until("two messages", () => stand.arrived.length === 2);
    expect(stand.arrived).toHaveLength(2);
  });

  it("keeps what its topic does not take, over a restart too", async () => {
    const first = await standUpLogging();
    first.missingTopics.add(topic);
    await createSink(first.product, "");
    await first.product.face.write(Array.from({ length: 250 }, (_, n) => entry(n)));
    await until("a complaint", () => first.lines.some((line) => line.includes(topic)));
    expect(first.arrived).toHaveLength(0);
    await first.stop(true);
    stands.splice(0);
    const second = await standUpLogging(first.folder);
    await until("all messages", () => second.arrived.length === 250);
    const numbers = second.arrived.map(
      ({ message }) => JSON.parse(message.data.toString()).insertId,
    );
    expect(numbers).toEqual(Array.from({ length: 250 }, (_, n) => `e${n}`));
  });

  it("stops when it is disabled", async () => {
    const stand = await standUpLogging();
    await createSink(stand.product, "");
    await call(stand.product, "UpdateSink", {
      sinkName: "projects/demo/sinks/s",
      sink: { disabled: true },
      updateMask: { paths: ["disabled"] },
    });
    await stand.product.face.write([entry(1)]);
    await call(stand.product, "UpdateSink", {
      sinkName: "projects/123456789012/sinks/s",
      sink: { disabled: false },
      updateMask: { paths: ["disabled"] },
    });
    await stand.product.face.write([entry(2)]);
    await until("one message", () => stand.arrived.length > 0);
    expect(stand.arrived).toHaveLength(1);
  });
});
