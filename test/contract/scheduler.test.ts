import { CloudSchedulerClient } from "@google-cloud/scheduler";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";

const parent = `projects/${testProject}/locations/us-central1`;
let cloud: LocalCloud;
let nowMs = Date.parse("2026-03-27T12:00:00Z");

async function call(method: string, path: string, body?: unknown) {
  const response = await fetch(`${cloud.address}/v1/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const json = (await response.json()) as Record<string, unknown> & {
    error?: { status: string; message: string };
  };
  return { code: response.status, json };
}

beforeAll(async () => {
  cloud = await withLocalCloud(["pubsub", "scheduler"], { now: () => nowMs });
});
afterAll(async () => {
  await cloud.stop();
});

async function topicWithSubscription(id: string) {
  const topicName = `projects/${testProject}/topics/${id}`;
  await call("PUT", topicName, {});
  await call("PUT", `projects/${testProject}/subscriptions/${id}`, { topic: topicName });
  const pull = async () => {
    const { json } = await call("POST", `projects/${testProject}/subscriptions/${id}:pull`, {
      maxMessages: 10,
      returnImmediately: true,
    });
    const list = (json["receivedMessages"] ?? []) as { message: Record<string, unknown> }[];
    return list.map((one) => one.message);
  };
  return { topicName, pull };
}

describe.each(["grpc", "rest"] as const)("the official client over %s", (transport) => {
  it("creates, lists, changes, pauses, resumes, runs and deletes a job", async () => {
    const client = new CloudSchedulerClient(
      (transport === "grpc" ? cloud.grpcOptions : cloud.restOptions) as ConstructorParameters<
        typeof CloudSchedulerClient
      >[0],
    );
    const { topicName, pull } = await topicWithSubscription(`jobs-${transport}`);
    const name = `${parent}/jobs/nightly-${transport}`;
    const [made] = await client.createJob({
      parent,
      job: {
        name,
        schedule: "0 2 * * *",
        timeZone: "Europe/Berlin",
        pubsubTarget: {
          topicName,
          data: Buffer.from('{"kind":"tick"}'),
          attributes: { job: "nightly" },
        },
      },
    });
    expect(made.state).toBe("ENABLED");
    expect(Number(made.scheduleTime?.seconds) * 1000).toBe(Date.parse("2026-03-28T01:00:00Z"));
    const [jobs] = await client.listJobs({ parent });
    expect(jobs.map((job) => job.name)).toContain(name);
    const [changed] = await client.updateJob({
      job: { name, schedule: "30 2 * * *" },
      updateMask: { paths: ["schedule"] },
    });
    expect(changed).toMatchObject({ schedule: "30 2 * * *", timeZone: "Europe/Berlin" });
    expect((await client.pauseJob({ name }))[0].state).toBe("PAUSED");
    await client.runJob({ name });
    const [message] = await eventually("the message of a forced run", async () => {
      const found = await pull();
      return found.length > 0 && found;
    });
    expect(Object.keys(message ?? {}).toSorted()).toEqual([
      "attributes",
      "data",
      "messageId",
      "publishTime",
    ]);
    expect(message).toMatchObject({ attributes: { job: "nightly" } });
    expect((await client.resumeJob({ name }))[0].state).toBe("ENABLED");
    await client.deleteJob({ name });
    await expect(client.getJob({ name })).rejects.toMatchObject(
      transport === "grpc" ? { code: 5 } : { status: 404 },
    );
    await client.close();
  });
});

describe("schedules", () => {
  const next = async (schedule: string, timeZone: string): Promise<string> => {
    const name = `${parent}/jobs/s${Math.floor(performance.now() * 1000)}`;
    const pubsubTarget = { topicName: `projects/${testProject}/topics/t`, data: "eA==" };
    const { json } = await call("POST", `${parent}/jobs`, {
      name,
      schedule,
      timeZone,
      pubsubTarget,
    });
    await call("DELETE", name);
    return String(json["scheduleTime"]);
  };

  it("follows the time zone over the change to summer time", async () => {
    expect(await next("0 9 28 3 *", "Europe/Berlin")).toBe("2026-03-28T08:00:00Z");
    expect(await next("0 9 30 3 *", "Europe/Berlin")).toBe("2026-03-30T07:00:00Z");
    expect(await next("0 9 * * *", "")).toBe("2026-03-28T09:00:00Z");
    expect(await next("every 5 minutes", "UTC")).toBe("2026-03-27T12:05:00Z");
  });

  it.each([
    [
      "the end of summer time",
      "2026-10-24T12:00:00Z",
      "0 9 * * *",
      "Europe/Berlin",
      "25T08:00:00Z",
    ],
    ["the day before it", "2026-10-23T12:00:00Z", "0 9 * * *", "Europe/Berlin", "24T07:00:00Z"],
    [
      "a weekend with it",
      "2026-10-30T14:00:00Z",
      "0 9 * * 1-5",
      "America/New_York",
      "02T14:00:00Z",
    ],
    [
      "an hour that was left out",
      "2026-03-29T12:00:00Z",
      "30 2 * * *",
      "Europe/Berlin",
      "30T00:30:00Z",
    ],
    ["half an hour of offset", "2026-03-27T12:00:00Z", "0 9 * * *", "Asia/Kolkata", "28T03:30:00Z"],
    ["names of months and days", "2026-03-27T12:00:00Z", "0 0 * APR SUN", "UTC", "05T00:00:00Z"],
    ["steps and ranges", "2026-03-27T12:50:00Z", "*/20 8-12 * * *", "UTC", "28T08:00:00Z"],
  ])("knows %s", async (_, at, schedule, timeZone, expected) => {
    const before = nowMs;
    nowMs = Date.parse(at);
    const found = await next(schedule, timeZone);
    nowMs = before;
    expect(found.slice("2026-03-".length)).toBe(expected);
  });

  it("of a paused job are passed over until it is resumed", async () => {
    const { topicName, pull } = await topicWithSubscription("paused");
    const create = async (id: string): Promise<string> => {
      const name = `${parent}/jobs/${id}`;
      const pubsubTarget = { topicName, attributes: { id } };
      await call("POST", `${parent}/jobs`, { name, schedule: "30 * * * *", pubsubTarget });
      return name;
    };
    const names = [await create("paused"), await create("running")];
    const firedAt = async (time: string, count: number): Promise<readonly unknown[]> => {
      nowMs = Date.parse(time);
      // Any change makes the timer look at the clock again.
      await call("DELETE", await create("other"));
      const fired: unknown[] = [];
      await eventually(`${count} firings at ${time}`, async () => {
        fired.push(...(await pull()).map(({ attributes }) => attributes));
        return fired.length >= count;
      });
      return fired;
    };
    await call("POST", `${names[0]}:pause`, {});
    expect(await firedAt("2026-03-27T12:30:00Z", 1)).toEqual([{ id: "running" }]);
    const { json } = await call("POST", `${names[0]}:resume`, {});
    expect(json).toMatchObject({ state: "ENABLED", scheduleTime: "2026-03-27T13:30:00Z" });
    const fired = await firedAt("2026-03-27T13:30:00Z", 2);
    expect(fired).toHaveLength(2);
    expect(fired).toContainEqual({ id: "paused" });
    for (const name of names) await call("DELETE", name);
  });

  it.each([
    ["61 * * * *", "UTC"],
    ["* * * *", "UTC"],
    ["* * * * * *", "UTC"],
    ["0 9 * * *", "Mars/Olympus"],
  ])("refuses %s in %s", async (schedule, timeZone) => {
    const { code, json } = await call("POST", `${parent}/jobs`, {
      name: `${parent}/jobs/bad`,
      schedule,
      timeZone,
      pubsubTarget: { topicName: `projects/${testProject}/topics/t`, data: "eA==" },
    });
    expect(code).toBe(400);
    expect(json.error?.status).toBe("INVALID_ARGUMENT");
    expect(json.error?.message).toContain(schedule);
  });

  it("fires at its time, once", async () => {
    nowMs = Date.parse("2026-03-27T14:00:00Z");
    const { topicName, pull } = await topicWithSubscription("fires");
    const name = `${parent}/jobs/fires`;
    const { json } = await call("POST", `${parent}/jobs`, {
      name,
      schedule: "* * * * *",
      pubsubTarget: { topicName, attributes: { a: "b" } },
    });
    expect(json["scheduleTime"]).toBe("2026-03-27T14:01:00Z");
    nowMs = Date.parse("2026-03-27T14:01:00Z");
    // Any change makes the timer look at the clock again.
    await call("POST", `${parent}/jobs`, {
      name: `${parent}/jobs/other`,
      schedule: "0 0 1 1 *",
      pubsubTarget: { topicName, data: "eA==" },
    });
    await eventually("the firing", async () => (await pull()).length === 1);
    const { json: after } = await call("GET", name);
    expect(after).toMatchObject({ scheduleTime: "2026-03-27T14:02:00Z", status: {} });
    expect(await pull()).toEqual([]);
  });
});

describe("HTTP targets", () => {
  it("calls with an OpenID Connect token and Scheduler's headers, and records a failure", async () => {
    const requests: { headers: IncomingMessage["headers"]; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (part: Buffer) => (body += part.toString()));
      request.on("end", () => {
        requests.push({ headers: request.headers, body });
        response.writeHead(503).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tick`;
    const name = `${parent}/jobs/http`;
    await call("POST", `${parent}/jobs`, {
      name,
      schedule: "0 0 1 1 *",
      httpTarget: {
        uri,
        body: Buffer.from("hello").toString("base64"),
        headers: { "Content-Type": "text/plain" },
        oidcToken: { serviceAccountEmail: "tick@x.iam.gserviceaccount.com" },
      },
    });
    await call("POST", `${name}:run`, {});
    const got = await eventually("a call", () => requests[0]);
    expect(got.body).toBe("hello");
    expect(got.headers).toMatchObject({
      "content-type": "text/plain",
      "user-agent": "Google-Cloud-Scheduler",
      "x-cloudscheduler": "true",
    });
    const keys = createRemoteJWKSet(new URL(`${cloud.address}/oauth2/v3/certs`));
    const token = (got.headers["authorization"] ?? "").replace("Bearer ", "");
    const { payload } = await jwtVerify(token, keys, {
      audience: uri,
      currentDate: new Date(nowMs),
    });
    expect(payload["email"]).toBe("tick@x.iam.gserviceaccount.com");
    const status = await eventually("the status", async () => {
      const { json } = await call("GET", name);
      return json["status"] as { code: number } | undefined;
    });
    expect(status.code).toBe(14);
    server.closeAllConnections();
    server.close();
  });

  it("survives a restart with its bytes", async () => {
    const { folder } = cloud;
    await cloud.stop({ keep: true });
    cloud = await withLocalCloud(["pubsub", "scheduler"], { folder, now: () => nowMs });
    const { json } = await call("GET", `${parent}/jobs/http`);
    expect(json["httpTarget"]).toMatchObject({ body: Buffer.from("hello").toString("base64") });
  });
});
