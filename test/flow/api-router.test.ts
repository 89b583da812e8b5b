import { http } from "@google-cloud/functions-framework";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { onDelivery } from "../../shared/runtime/edge.js";
import { functionRouter } from "../../shared/runtime/function-router.js";

http("echo", (request, response) => {
  response.json({ url: request.url, body: request.body as unknown });
});
http("throws", async () => {
  await Promise.resolve();
  throw new Error("broken");
});

http(
  "pushed",
  onDelivery("pushed", () => Promise.resolve()),
);

const server = functionRouter(["echo", "throws", "pushed"]);
let address = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
});

const statusOf = (headers: Readonly<Record<string, string>>, body: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const call = httpRequest(`${address}/echo/`, { method: "POST", headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.once("error", reject);
    call.write(body);
    call.end();
  });

it("a function answers under its name and sees only the rest of the path", async () => {
  const reply = await fetch(`${address}/echo/a/b?c=d`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"message":{}}',
  });
  expect(await reply.json()).toEqual({ url: "/a/b?c=d", body: { message: {} } });
});

it("a push to the bare name reaches the function; a page is sent to its own root", async () => {
  const pushed = await fetch(`${address}/echo`, { method: "POST", body: "{}" });
  expect(pushed.status).toBe(200);
  const page = await fetch(`${address}/echo?x=1`, { redirect: "manual" });
  expect(page.headers.get("location")).toBe("/echo/?x=1");
});

it("a push whose body is no JSON is refused, whoever reads it", async () => {
  for (const type of ["application/json", "application/json; charset=utf-8"]) {
    const headers = { "content-type": type };
    const reply = await fetch(`${address}/pushed`, { method: "POST", headers, body: "{" });
    expect(reply.status).toBe(400);
  }
});

it("what is not listed is not served", async () => {
  expect((await fetch(`${address}/on-nothing`, { method: "POST", body: "{}" })).status).toBe(404);
  expect((await fetch(`${address}/`)).status).toBe(404);
});

it("one function's error leaves the others alone", async () => {
  expect((await fetch(`${address}/throws/`)).status).toBe(500);
  expect((await fetch(`${address}/echo/`)).status).toBe(200);
});

it.each([
  ["a body without a length", { "transfer-encoding": "chunked" }, 411],
  ["a packed body", { "content-length": "2", "content-encoding": "gzip" }, 415],
  ["a body of 33 MB", { "content-length": String(33 * 1024 * 1024) }, 413],
] as const)("%s never reaches the framework", async (_, headers, status) => {
  expect(await statusOf(headers, "{}")).toBe(status);
});
