import grpc from "@grpc/grpc-js";
import http from "node:http";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDispatch } from "../../infra/local/protocol/dispatch.js";
import { grpcServer } from "../../infra/local/protocol/grpc.js";
import { openPort, type Port } from "../../infra/local/protocol/port.js";
import { restHandler } from "../../infra/local/protocol/rest.js";
import {
  RpcError,
  typeUrl,
  type CallContext,
  type ServiceImplementation,
} from "../../infra/local/protocol/service.js";
import { decodeMessage, encodeMessage } from "../../infra/local/protocol/wire.js";
import { eventually, withLocalCloud } from "./local-cloud.js";

const operation = (product: string): ServiceImplementation => ({
  service: "google.longrunning.Operations",
  owns: (request) => String(request["name"]).includes(`/${product}/`),
  unary: {
    GetOperation: ({ name }: { readonly name: string }) => ({ name, done: product === "b" }),
  },
});

let lastAborted = false;
const services: readonly ServiceImplementation[] = [
  {
    service: "google.firestore.v1.Firestore",
    serverStream: {
      async *RunQuery(request: { readonly parent: string }) {
        await Promise.resolve();
        if (request.parent.endsWith("/refused")) throw new RpcError("PERMISSION_DENIED", "no");
        yield { transaction: Buffer.from("a") };
        if (request.parent.endsWith("/broken")) throw new RpcError("ABORTED", "half way");
        yield { transaction: Buffer.from("b") };
      },
    },
  },
  {
    service: "google.cloud.aiplatform.v1.EndpointService",
    unary: {
      GetEndpoint: ({ name }: { readonly name: string }, context: CallContext) => ({
        name,
        description: `${context.transport} ${context.principal}`,
        trafficSplit: { "1": 90, "2": 10 },
        labels: JSON.parse('{"__proto__":"x"}') as object,
      }),
      ListEndpoints: (request: { readonly pageSize?: number; readonly readMask?: object }) => {
        throw new RpcError("INVALID_ARGUMENT", JSON.stringify(request), {
          details: [{ "@type": typeUrl("google.rpc.ErrorInfo"), reason: "SHOWN", domain: "test" }],
        });
      },
      UpdateEndpoint: (request: { readonly endpoint: object }) => request.endpoint,
      CreateEndpoint: () => ({ name: "x", surprise: true }),
      DeleteEndpoint: () => {
        throw new Error("a mistake of ours");
      },
      DeployModel: async (_request: object, context: CallContext) => {
        await new Promise<void>((resolve) => {
          context.signal.addEventListener("abort", () => {
            lastAborted = true;
            resolve();
          });
        });
        return {};
      },
    },
    types: ["google.cloud.aiplatform.v1.CreateEndpointOperationMetadata"],
  },
  {
    service: "google.cloud.aiplatform.v1.PredictionService",
    unary: {
      RawPredict: ({ httpBody }: { readonly httpBody: { readonly data: Buffer } }) => ({
        contentType: "text/plain",
        data: Buffer.from(httpBody.data.toString().toUpperCase()),
      }),
    },
  },
  operation("a"),
  operation("b"),
];

const lines: string[] = [];
const dispatch = makeDispatch(services);
let port: Port;
let base = "";

beforeAll(async () => {
  const log = (line: string): void => void lines.push(line);
  port = await openPort({
    port: 0,
    grpcServer: grpcServer(dispatch, log),
    onRequest: restHandler(dispatch, log),
  });
  base = `http://127.0.0.1:${port.port}`;
});
afterAll(async () => {
  await port.close();
});

interface ErrorBody {
  readonly error: {
    readonly code: number;
    readonly status: string;
    readonly message: string;
    readonly details?: readonly object[];
  };
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(`${base}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { code: response.status, json: JSON.parse(text) as Record<string, unknown> & ErrorBody };
}

const endpoints = "/v1/projects/p/locations/l/endpoints";

/** A unary call by the bare gRPC client, with our codec. */
async function unary(
  service: string,
  method: string,
  request: object,
  metadata = new grpc.Metadata(),
) {
  const found = dispatch.methods.find(
    (one) => one.method.service === service && one.method.name === method,
  )?.method;
  if (found === undefined) throw new Error(`${service}/${method}`);
  const client = new grpc.Client(`127.0.0.1:${port.port}`, grpc.credentials.createInsecure());
  try {
    return await new Promise<Record<string, unknown>>((resolve, reject) => {
      client.makeUnaryRequest(
        `/${service}/${method}`,
        (value: object) => encodeMessage(found.request, value, dispatch.lookup),
        (bytes) => decodeMessage(found.reply, bytes, dispatch.lookup),
        request,
        metadata,
        (error, reply) => {
          if (error === null) resolve(reply ?? {});
          else reject(error);
        },
      );
    });
  } finally {
    client.close();
  }
}

describe("one port", () => {
  it("serves the same handler over gRPC and REST, with the caller's name", async () => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", "Bearer local:anna@example.com");
    const reply = await unary(
      "google.cloud.aiplatform.v1.EndpointService",
      "GetEndpoint",
      { name: "projects/p/locations/l/endpoints/1" },
      metadata,
    );
    expect(reply["description"]).toBe("grpc anna@example.com");
    const { json } = await call("GET", `${endpoints}/1`, undefined, {
      authorization: "Bearer local:anna@example.com",
    });
    expect(json["description"]).toBe("rest anna@example.com");
    expect((await call("GET", `${endpoints}/1`)).json["description"]).toBe("rest anonymous");
  });

  it("takes a request that arrives one byte at a time", async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(port.port, "127.0.0.1");
      let got = "";
      socket.on("data", (part: Buffer) => (got += part.toString()));
      socket.on("error", reject);
      socket.on("close", () => {
        resolve(got);
      });
      const bytes = `POST /v1/nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;
      void (async () => {
        for (const byte of bytes) {
          socket.write(byte);
          await new Promise((resume) => {
            setImmediate(resume);
          });
        }
      })();
    });
    expect(text).toContain("404");
    expect(text).toContain("NOT_FOUND");
  });

  it("tells a handler that its caller hung up", async () => {
    const request = http.request(`${base}${endpoints}/1:deployModel`, { method: "POST" });
    request.on("error", () => undefined);
    request.end("{}");
    await new Promise<void>((resolve) =>
      request.on("socket", (socket) => {
        socket.once("connect", resolve);
      }),
    );
    request.destroy();
    expect(await eventually("the abort", () => lastAborted)).toBe(true);
  });
});

describe("REST", () => {
  it("answers in JSON what Google's annotations promise, with enums as numbers on request", async () => {
    const { json } = await call("GET", `${endpoints}/1`);
    expect(json).toMatchObject({
      name: endpoints.slice(4) + "/1",
      trafficSplit: { "1": 90, "2": 10 },
    });
    expect(Object.keys(json["labels"] as object)).toEqual(["__proto__"]);
    const update = await call(
      "PATCH",
      `${endpoints}/1?updateMask=traffic_split&$alt=json;enum-encoding=int`,
      {
        encryptionSpec: { kmsKeyName: "k" },
      },
    );
    expect(update.json).toEqual({
      name: endpoints.slice(4) + "/1",
      encryptionSpec: { kmsKeyName: "k" },
    });
  });

  it("binds query parameters by either spelling and refuses unknown ones by name", async () => {
    const { json } = await call(
      "GET",
      `${endpoints}?page_size=3&readMask=displayName,trafficSplit`,
    );
    expect(JSON.parse(json.error.message)).toEqual({
      parent: "projects/p/locations/l",
      pageSize: 3,
      readMask: { paths: ["display_name", "traffic_split"] },
    });
    const refused = await call("GET", `${endpoints}?pagesize=3`);
    expect(refused.code).toBe(400);
    expect(refused.json.error.message).toContain('"pagesize": Cannot bind query parameter');
  });

  it("carries the details of an error over both transports", async () => {
    const { json } = await call("GET", endpoints);
    expect(json.error.details).toEqual([
      { "@type": typeUrl("google.rpc.ErrorInfo"), reason: "SHOWN", domain: "test" },
    ]);
    const failure = await unary("google.cloud.aiplatform.v1.EndpointService", "ListEndpoints", {
      parent: "projects/p/locations/l",
    }).catch((error: unknown) => error as grpc.ServiceError);
    const bytes = (failure as grpc.ServiceError).metadata.get("grpc-status-details-bin")[0];
    const status = decodeMessage(
      dispatch.type("google.rpc.Status"),
      bytes as Buffer,
      dispatch.lookup,
    );
    expect(status).toMatchObject({ code: 3, details: [{ reason: "SHOWN" }] });
  });

  it("streams a list, and ends it with the error that came half way", async () => {
    const parent = "/v1/projects/p/databases/d/documents";
    expect((await call("POST", `${parent}:runQuery`, {})).json).toEqual([
      { transaction: "YQ==" },
      { transaction: "Yg==" },
    ]);
    const broken = (await call("POST", `${parent}/c/broken:runQuery`, {})).json;
    expect(broken).toMatchObject([{ transaction: "YQ==" }, { error: { status: "ABORTED" } }]);
    expect((await call("POST", `${parent}/c/refused:runQuery`, {})).code).toBe(403);
  });

  it("passes a raw body in and out", async () => {
    const response = await fetch(`${base}${endpoints}/1:rawPredict`, {
      method: "POST",
      body: "abc",
    });
    expect(response.headers.get("content-type")).toBe("text/plain");
    expect(await response.text()).toBe("ABC");
  });

  it("lets products share one service by the names that they own", async () => {
    expect((await call("GET", "/v1/projects/p/a/1/operations/7")).json).toEqual({
      name: "projects/p/a/1/operations/7",
    });
    expect((await call("GET", "/ui/projects/p/b/1/operations/7")).json["done"]).toBe(true);
    expect((await call("GET", "/v1/projects/p/c/1/operations/7")).code).toBe(404);
  });

  it("serves the preview version of Vertex AI with the same handlers", async () => {
    const { json } = await call("GET", endpoints.replace("v1", "v1beta1") + "/1");
    expect(json["trafficSplit"]).toEqual({ "1": 90, "2": 10 });
  });

  it("answers UNIMPLEMENTED for a known method and NOT_FOUND for an unknown address", async () => {
    const undeploy = await call("POST", `${endpoints}/1:undeployModel`, {});
    expect(undeploy).toMatchObject({ code: 501, json: { error: { status: "UNIMPLEMENTED" } } });
    const jobs = await call("GET", "/v1/projects/p/locations/l/pipelineJobs");
    expect(jobs).toMatchObject({ code: 501, json: { error: { status: "UNIMPLEMENTED" } } });
    expect(await call("GET", "/v9/things")).toMatchObject({ code: 404 });
    await expect(
      unary("google.cloud.aiplatform.v1.EndpointService", "UndeployModel", {}),
    ).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });

  it("refuses broken JSON, lists for objects, bodies without a place, and what is too large", async () => {
    const refused = async (...args: Parameters<typeof call>) => (await call(...args)).json.error;
    expect((await refused("PATCH", `${endpoints}/1`, "{")).message).toContain("Invalid JSON");
    expect((await refused("POST", `${endpoints}/1:deployModel`, "[]")).status).toBe(
      "INVALID_ARGUMENT",
    );
    expect((await refused("DELETE", `${endpoints}/1`, { name: "x" })).message).toContain("no body");
    const large = await call("PATCH", `${endpoints}/1`, "x".repeat(33 * 1024 * 1024)).catch(
      () => undefined,
    );
    expect(large?.json.error.message ?? "exceeds the limit").toContain("exceeds the limit");
    const bomb = await fetch(`${base}${endpoints}/1`, {
      method: "PATCH",
      headers: { "content-encoding": "gzip" },
      body: gzipSync(Buffer.alloc(40 * 1024 * 1024)),
    });
    expect(bomb.status).toBe(400);
    const zipped = await fetch(`${base}${endpoints}/1`, {
      method: "PATCH",
      headers: { "content-encoding": "gzip" },
      body: gzipSync('{"displayName":"d"}'),
    });
    expect(await zipped.json()).toMatchObject({ displayName: "d" });
  });

  it("tells a mistake of its own as INTERNAL, and logs it", async () => {
    const surprise = await call("POST", endpoints, {});
    expect(surprise.json.error).toMatchObject({ code: 500, status: "INTERNAL" });
    expect(surprise.json.error.message).toContain("surprise is not a field");
    expect((await call("DELETE", `${endpoints}/1`)).code).toBe(500);
    expect(lines.join("\n")).toContain("a mistake of ours");
    await expect(
      unary("google.cloud.aiplatform.v1.EndpointService", "CreateEndpoint", {}),
    ).rejects.toMatchObject({ code: grpc.status.INTERNAL });
  });

  it("refuses a handler of a method that does not exist, at once", () => {
    const wrong = { service: "google.pubsub.v1.Publisher", unary: { Publsh: () => ({}) } };
    expect(() => makeDispatch([wrong])).toThrow("Publsh");
    expect(() => makeDispatch([{ service: "google.pubsub.v1.Pub" }])).toThrow(
      "google.pubsub.v1.Pub",
    );
  });
});

describe("the whole cloud", () => {
  it("is healthy, keeps foreign web pages out, and says when its disk is full", async () => {
    const cloud = await withLocalCloud(["pubsub"]);
    expect((await fetch(`${cloud.address}/healthz`)).status).toBe(200);
    const topic = `${cloud.address}/v1/projects/demo-project/topics/full`;
    const headers = { origin: "https://evil.example" };
    expect((await fetch(topic, { method: "PUT", body: "{}", headers })).status).toBe(403);
    const rebound = await new Promise<number | undefined>((resolve, reject) => {
      const options = { port: cloud.port, path: "/healthz", headers: { host: "evil.example" } };
      http
        .get(options, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on("error", reject);
    });
    expect(rebound).toBe(403);
    expect((await fetch(topic, { method: "PUT", body: "{}" })).status).toBe(200);
    const subscription = topic.replace("topics", "subscriptions");
    const body = JSON.stringify({ topic: "projects/demo-project/topics/full" });
    expect((await fetch(subscription, { method: "PUT", body })).status).toBe(200);
    cloud.context.db.exec("PRAGMA max_page_count = 60");
    const data = Buffer.alloc(1_000_000).toString("base64");
    const full = await fetch(`${topic}:publish`, {
      method: "POST",
      body: JSON.stringify({ messages: [{ data }] }),
    });
    expect(full.status).toBe(503);
    expect(await full.text()).toContain("free some disk space");
    cloud.context.db.exec("PRAGMA max_page_count = 1000000");
    const again = await fetch(`${topic}:publish`, {
      method: "POST",
      body: JSON.stringify({ messages: [{ data }] }),
    });
    expect(again.status).toBe(200);
    await cloud.stop();
  });
});
