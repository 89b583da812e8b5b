/** Cloud Logging by its official clients over gRPC, and once by plain REST. */
import { Logging } from "@google-cloud/logging";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

let cloud: LocalCloud;
let logging: Logging;

const resource = { type: "global", labels: { project_id: "demo-project" } };
const codeOf = async (work: Promise<unknown>): Promise<number> => {
  try {
    await work;
  } catch (error) {
    return z.object({ code: z.number() }).parse(error).code;
  }
  return 0;
};

const post = async (path: string, body: object, method = "POST") => {
  const answer = await fetch(`${cloud.address}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(method === "GET" ? {} : { body: JSON.stringify(body) }),
  });
  const json: unknown = await answer.json();
  return { status: answer.status, json };
};

const auditMetadata = z.object({
  payload: z.string(),
  protoPayload: z.object({ type_url: z.string(), value: z.instanceof(Buffer) }),
});

const partialEntry = (index: number) => ({
  logName: "projects/demo-project/logs/partial",
  insertId: `p${index}`,
  resource,
  textPayload: String(index),
  timestamp: index === 2 ? "2999-01-01T00:00:00Z" : "2026-01-01T00:00:00Z",
});

beforeAll(async () => {
  cloud = await withLocalCloud(["logging"]);
  logging = new Logging(cloud.grpcOptions);
});
afterAll(async () => {
  await logging.loggingService.close();
  await logging.configService.close();
  await cloud.stop();
});

describe("entries", () => {
  it("written by the official client read back equal", async () => {
    const log = logging.log("round-trip");
    const payload = {
      text: "hello",
      count: 3,
      ratio: 0.25,
      yes: true,
      list: [1, "two", { three: null }],
    };
    const metadata = {
      resource,
      severity: "WARNING",
      labels: { run: "r-1" },
      httpRequest: { status: 503, requestUrl: "/predict" },
      operation: { id: "op", producer: "test", first: true },
      trace: "projects/demo-project/traces/abc",
    };
    await log.write(log.entry(metadata, payload));
    await log.write(log.entry({ resource }, "plain text"));
    // The client adds an entry about itself to the first write of a process.
    const filter = `timestamp>="2026-01-01" AND NOT jsonPayload."logging.googleapis.com/diagnostic":*`;
    const [entries] = await log.getEntries({ filter, orderBy: "timestamp asc" });
    expect(entries).toHaveLength(2);
    expect(entries[0]?.data).toEqual(payload);
    expect(entries[0]?.metadata).toMatchObject({
      logName: "projects/demo-project/logs/round-trip",
      severity: "WARNING",
      labels: { run: "r-1" },
      resource,
      httpRequest: { status: 503, requestUrl: "/predict" },
      operation: { id: "op", producer: "test", first: true },
      trace: "projects/demo-project/traces/abc",
    });
    expect(entries[1]?.data).toBe("plain text");
  });

  it("are listed by filter and order, page by page", async () => {
    const log = logging.log("paged");
    const entries = Array.from({ length: 25 }, (_, index) =>
      log.entry(
        { resource, severity: index % 2 === 0 ? "INFO" : "ERROR", insertId: `i${index}` },
        { index },
      ),
    );
    await log.write(entries);
    const filter = `jsonPayload.index>=5 severity=ERROR`;
    const seen: unknown[] = [];
    let pageToken: string | undefined;
    do {
      const [page, next] = await log.getEntries({
        filter,
        pageSize: 4,
        autoPaginate: false,
        orderBy: "timestamp desc",
        ...(pageToken === undefined ? {} : { pageToken }),
      });
      expect(page.length).toBeLessThanOrEqual(4);
      seen.push(...page.map(({ data }) => z.object({ index: z.number() }).parse(data).index));
      pageToken = z.object({ pageToken: z.string() }).nullish().catch(null).parse(next)?.pageToken;
    } while (pageToken !== undefined && pageToken !== "");
    expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual([
      5, 7, 9, 11, 13, 15, 17, 19, 21, 23,
    ]);
  });

  describe("are found by", () => {
    const at = (day: number): Date => new Date(`2026-02-0${day}T00:00:00Z`);
    const log = () => logging.log("filtered");
    const found = async (filter: string): Promise<string> => {
      // Without a time the client asks for the last day alone.
      const all = `logName="projects/demo-project/logs/filtered" timestamp>="2026-01-01" AND (${filter})`;
      const [entries] = await logging.getEntries({ filter: all, orderBy: "timestamp asc" });
      return entries.map(({ metadata }) => metadata.insertId).join("");
    };

    beforeAll(async () => {
      const model = { type: "model", labels: { location: "us-central1" } };
      await log().write([
        log().entry(
          { resource, timestamp: at(1), insertId: "a", severity: "INFO" },
          "training began",
        ),
        log().entry(
          { resource, timestamp: at(2), insertId: "b", severity: "ERROR", labels: { run: "r-1" } },
          { model: { name: "flights", version: 3 }, share: 0.25, ok: false },
        ),
        log().entry(
          { resource: model, timestamp: at(3), insertId: "c", severity: "WARNING" },
          { model: { name: "Fares", version: 12 }, share: 0.75, tags: ["x", "y"] },
        ),
        log().entry(
          { resource, timestamp: at(4), insertId: "d", httpRequest: { status: 503 } },
          "training failed",
        ),
      ]);
    });

    it.each([
      ['jsonPayload.model.name="flights"', "b"],
      ['jsonPayload.model.name:"f"', "bc"],
      ["jsonPayload.model.version>=3 AND jsonPayload.model.version<12", "b"],
      ["jsonPayload.share>0.5", "c"],
      ["jsonPayload.ok=false", "b"],
      ['jsonPayload.tags="y"', "c"],
      ["jsonPayload.model:*", "bc"],
      ["NOT jsonPayload.model:*", "ad"],
      ['-textPayload:"training"', "bc"],
      ['textPayload="training began" OR severity>=ERROR', "ab"],
      ['severity>=WARNING (labels.run="r-1" OR resource.type="model")', "bc"],
      ['jsonPayload.model.name=~"^fl.*s$"', "b"],
      ['jsonPayload.model.name=~"(?i)^f"', "bc"],
      ['textPayload!~"fail" AND textPayload:*', "a"],
      ['timestamp>="2026-02-02" timestamp<"2026-02-04T00:00:00Z"', "bc"],
      ["httpRequest.status=503", "d"],
      ['severity=(INFO OR "ERROR")', "ab"],
      ['"training"', "ad"],
      ['resource.labels.location="us-central1" AND severity!=WARNING', ""],
    ])("%s", async (filter, expected) => {
      expect(await found(filter)).toBe(expected);
    });
  });

  it("with equal insertId, log and time are one entry", async () => {
    const log = logging.log("twice");
    const timestamp = new Date("2026-01-02T03:04:05.678Z");
    for (const n of [1, 2, 3]) {
      await log.write(log.entry({ resource, timestamp, insertId: n === 3 ? "b" : "a" }, { n }));
    }
    const [entries] = await log.getEntries({ filter: `timestamp>="2026-01-01"` });
    expect(entries.map(({ data }) => data)).toEqual([{ n: 3 }, { n: 1 }]);
  });

  it("carry audit payloads in and out", async () => {
    const audit = {
      "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
      serviceName: "aiplatform.googleapis.com",
      methodName: "google.cloud.aiplatform.v1.ModelService.UploadModel",
      resourceName: "projects/1/locations/us-central1",
      status: {},
      authenticationInfo: { principalEmail: "someone@example.com" },
      request: {
        "@type": "type.googleapis.com/x.Y",
        parentModel: "models/churn",
        deep: { a: [1] },
      },
    };
    const entry = {
      logName: "projects/demo-project/logs/cloudaudit.googleapis.com%2Factivity",
      insertId: "vertex-1",
      timestamp: "2026-07-01T09:00:00Z",
      resource: { type: "audited_resource", labels: { service: "aiplatform.googleapis.com" } },
      severity: "NOTICE",
      protoPayload: audit,
      operation: { id: "o9", first: true },
    };
    await cloud.context.services.logging.write([entry]);
    const filter = `protoPayload.methodName="${audit.methodName}"`;
    const [entries] = await logging.getEntries({ filter: `${filter} timestamp>="2026-01-01"` });
    expect(entries).toHaveLength(1);
    const { payload, protoPayload } = auditMetadata.parse(entries[0]?.metadata);
    expect([payload, protoPayload.type_url]).toEqual(["protoPayload", audit["@type"]]);
    expect(protoPayload.value.includes("someone@example.com")).toBe(true);
    expect(protoPayload.value.includes("models/churn")).toBe(true);
    const rest = await post("/v2/entries:list", {
      resourceNames: ["projects/demo-project"],
      filter,
    });
    expect(rest.json).toEqual({ entries: [{ ...entry, receiveTimestamp: expect.any(String) }] });

    // What the client read it can write again, to another log.
    const log = logging.log("audit-copy");
    await logging.loggingService.writeLogEntries({
      entries: [{ logName: "projects/demo-project/logs/audit-copy", resource, protoPayload }],
    });
    const [copies] = await log.getEntries({ filter });
    const copy = auditMetadata.parse(copies[0]?.metadata);
    expect(copy.protoPayload.value.equals(protoPayload.value)).toBe(true);
  });

  it("are refused one by one with partialSuccess, and all together without", async () => {
    const entries = [partialEntry(1), partialEntry(2)];
    const all = await post("/v2/entries:write", { entries });
    expect(all.status).toBe(400);
    const listed = () =>
      post("/v2/entries:list", {
        resourceNames: ["projects/demo-project"],
        filter: "log_id(partial)",
      });
    expect((await listed()).json).toEqual({});
    const some = await post("/v2/entries:write", { entries, partialSuccess: true });
    expect(some.status).toBe(400);
    expect(JSON.stringify(some.json)).toContain("24 hours in the future");
    expect((await listed()).json).toMatchObject({ entries: [{ insertId: "p1" }] });
    const wrong = await post("/v2/entries:write", {
      entries: [{ ...entries[0], logName: "partial" }],
    });
    expect(wrong.status).toBe(400);
    expect(wrong.json).toMatchObject({ error: { status: "INVALID_ARGUMENT" } });
  });

  it("name their logs, which can be deleted", async () => {
    const log = logging.log("short lived/log");
    await log.write(log.entry({ resource }, "x"));
    const names = async () => (await logging.getLogs())[0].map(({ name }) => name);
    expect(await names()).toContain("short%20lived%2Flog");
    await log.delete();
    expect(await names()).not.toContain("short%20lived%2Flog");
    expect(await codeOf(log.delete())).toBe(5);
  });

  it("are not listed by a broken filter or a foreign token", async () => {
    expect(await codeOf(logging.getEntries({ filter: "severity=(" }))).toBe(3);
    const page = { pageToken: "bogus", autoPaginate: false };
    expect(await codeOf(logging.getEntries(page))).toBe(3);
  });
});

describe("sinks", () => {
  const create = (sink: object) =>
    post("/v2/projects/demo-project/sinks", { name: "one", destination, filter: "", ...sink });
  const destination = "pubsub.googleapis.com/projects/demo-project/topics/alerts";

  it("are created, listed, changed and deleted", async () => {
    await logging.configService.createSink({
      parent: "projects/demo-project",
      sink: { name: "to-topic", destination, filter: "severity>=WARNING" },
    });
    const sink = logging.sink("to-topic");
    const [metadata] = await sink.getMetadata();
    expect(metadata).toMatchObject({
      name: "to-topic",
      destination,
      filter: "severity>=WARNING",
      writerIdentity: "serviceAccount:service-123456789012@gcp-sa-logging.iam.gserviceaccount.com",
    });
    await sink.setFilter("severity>=ERROR");
    expect((await sink.getMetadata())[0].filter).toBe("severity>=ERROR");
    expect((await logging.getSinks())[0].map(({ name }) => name)).toEqual(["to-topic"]);
    await sink.delete();
    expect(await codeOf(sink.getMetadata())).toBe(5);
  });

  it("are refused with a bad filter, another destination, or a name taken", async () => {
    expect((await create({ filter: "severity=(" })).status).toBe(400);
    const toBucket = await create({ destination: "storage.googleapis.com/some-bucket" });
    expect(toBucket.json).toMatchObject({
      error: { message: expect.stringContaining("not built here") },
    });
    expect((await create({})).status).toBe(200);
    expect((await create({})).status).toBe(409);
  });

  it("stay honest about what is not built", async () => {
    const buckets = await post("/v2/projects/demo-project/locations/global/buckets", {}, "GET");
    expect(buckets.status).toBe(501);
  });
});
