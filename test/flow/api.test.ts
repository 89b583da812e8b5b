import { request as httpRequest } from "node:http";
import { stringify } from "yaml";
import { afterEach, describe, expect, it } from "vitest";
import type { ContinuoEvent } from "../../events/index.js";
import type { Ports } from "../../shared/ports/ports.js";
import { handleEvent } from "../../shared/runtime/handle.js";
import { manifestOf } from "../fixtures/manifest.js";
import { apiServer, token, type ApiServer } from "./api-server.js";
import { churn, storyOf, type Story } from "./story.js";

const servers: ApiServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const started = async (
  change: (ports: Ports) => Ports = (ports) => ports,
): Promise<{ readonly story: Story; readonly api: ApiServer }> => {
  const story = await storyOf(manifestOf());
  const api = await apiServer(change(story.world.ports));
  servers.push(api);
  return { story, api };
};

const statusWithHost = async (address: string, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = { host, authorization: `Bearer ${token}` };
    httpRequest(`${address}/status`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .once("error", reject)
      .end();
  });

describe("who may ask", () => {
  it.each([
    ["no token", { authorization: "" }, 401],
    ["a wrong token", { authorization: "Bearer nothing" }, 401],
    ["a page of another origin", { origin: "https://evil.example" }, 403],
  ] as const)("%s is refused", async (_, headers, status) => {
    const { api } = await started();
    const reply = await api.call("GET", "/status", undefined, headers);
    expect(reply.status).toBe(status);
    expect(reply.body).toMatchObject({ error: { message: expect.any(String) } });
  });

  it("a host name that somebody made point here is refused", async () => {
    const { api } = await started();
    expect(await statusWithHost(api.address, "evil.example")).toBe(403);
    expect(await statusWithHost(api.address, "localhost:1")).toBe(200);
  });

  it("the token never appears in a refusal", async () => {
    const { api } = await started();
    const reply = await api.call("GET", "/status", undefined, {
      authorization: "Bearer wrong-one",
    });
    expect(JSON.stringify(reply.body)).not.toContain("wrong-one");
  });
});

describe("what cannot be answered", () => {
  it.each([
    ["GET", "/nothing", undefined, 404, "no-such-route"],
    ["PUT", "/models", undefined, 405, "method-not-allowed"],
    ["GET", "/models/nobody", undefined, 404, "not-found"],
    ["GET", "/models/NOBODY", undefined, 400, "bad-request"],
    ["GET", "/runs/churn-r0000000000", undefined, 404, "not-found"],
    ["GET", "/timeline?after=yesterday", undefined, 400, "bad-request"],
    ["GET", "/runs?limit=100000", undefined, 400, "bad-request"],
    ["GET", "/events/%E0%A4%A", undefined, 400, "bad-request"],
    ["GET", "/why/nobody", undefined, 404, "not-found"],
    ["POST", "/models/churn/commands", "{", 400, "bad-request"],
    ["POST", "/models/churn/commands", { command: "explode" }, 400, "bad-request"],
    ["POST", "/models/churn/commands", { command: "pause", extra: 1 }, 400, "bad-request"],
    ["POST", "/publish", { topic: "dataset", data: "x".repeat(1_100_000) }, 413, "too-large"],
  ] as const)("%s %s", async (method, path, body, status, code) => {
    const { api } = await started();
    const reply = await api.call(method, path, body);
    expect(reply.status).toBe(status);
    expect(reply.body).toMatchObject({ error: { code } });
  });

  it("an unexpected error tells nothing of its inside", async () => {
    const { api } = await started((ports) => ({
      ...ports,
      state: { ...ports.state, models: () => Promise.reject(new Error("secret detail")) },
    }));
    const reply = await api.call("GET", "/models");
    expect(reply.status).toBe(500);
    expect(JSON.stringify(reply.body)).not.toContain("secret");
  });
});

describe("manifests", () => {
  it("a wrong one is refused with the line of each problem", async () => {
    const { api } = await started();
    const text = `${stringify(manifestOf())}colour: red\n`;
    const reply = await api.call("POST", "/manifests", text);
    expect(reply.status).toBe(400);
    const line = text.trimEnd().split("\n").length;
    expect(reply.body).toMatchObject({
      error: { code: "invalid-manifest", details: [{ line, path: "colour" }] },
    });
  });

  it("a plan shows what changes and changes nothing", async () => {
    const { api, story } = await started();
    const next = manifestOf({ owner: "grace" });
    const before = story.world.journal.size;
    const reply = await api.call("POST", "/manifests?dryRun=true", stringify(next));
    expect(reply.body).toMatchObject({
      action: "update",
      isApplied: false,
      changes: [{ path: "owner", before: "unknown", after: "grace" }],
    });
    expect(story.world.journal.size).toBe(before);
  });

  it("applying makes the next version, once, under the name of who asked", async () => {
    const { api, story } = await started();
    const text = stringify(manifestOf({ owner: "grace" }));
    const first = await api.call("POST", "/manifests", text);
    expect(first).toMatchObject({ status: 201, body: { version: 2, isApplied: true } });
    const again = await api.call("POST", "/manifests", text);
    expect(again).toMatchObject({ status: 200, body: { action: "unchanged", isApplied: false } });
    expect(story.model().manifest.owner).toBe("grace");
    const entry = [...story.world.journal.values()].at(-1);
    expect(entry).toMatchObject({ function: "api", event: { data: { by: "ada" } } });
  });

  it("the environments of a rollout in progress stay where they are", async () => {
    const { api, story } = await started();
    await story.train("january");
    expect(story.model().rollout).not.toBeNull();
    const elsewhere = stringify(
      manifestOf({ promotion: { environments: [{ name: "production", endpoint: "elsewhere" }] } }),
    );
    const reply = await api.call("POST", "/manifests", elsewhere);
    expect(reply.status).toBe(409);
    expect(reply.body).toMatchObject({ error: { code: "rollout-in-progress" } });
    expect(story.model().manifestVersion).toBe(1);
    expect((await api.call("POST", "/models/churn/commands", { command: "abort" })).status).toBe(
      201,
    );
    for (let visit = 0; visit < 8 && story.model().rollout !== null; visit += 1)
      await story.pass(1);
    expect((await api.call("POST", "/manifests", elsewhere)).status).toBe(201);
  });

  it("an endpoint has one model", async () => {
    const { api } = await started();
    const name = "lapse";
    const environments = [{ name: "production", endpoint: "churn-production" }];
    const second = stringify(manifestOf({ name, promotion: { environments } }));
    for (const path of ["/manifests?dryRun=true", "/manifests"]) {
      const reply = await api.call("POST", path, second);
      expect(reply.status).toBe(409);
      expect(reply.body).toMatchObject({ error: { code: "endpoint-in-use" } });
      expect(JSON.stringify(reply.body)).toContain("churn-production belongs to model churn");
    }
    expect((await api.call("GET", `/models/${name}`)).status).toBe(404);
    expect((await api.call("DELETE", "/models/churn")).status).toBe(201);
    expect((await api.call("POST", "/manifests", second)).status).toBe(201);
  });

  it("a forgotten model is gone", async () => {
    const { api } = await started();
    expect((await api.call("DELETE", "/models/churn")).status).toBe(201);
    expect((await api.call("GET", "/models/churn")).status).toBe(404);
  });
});

describe("a command while the model keeps changing", () => {
  /** Each read of the model's state is followed by a change of it: what was looked up is outdated. */
  const restless = async (changesMax: number) => {
    let base: Ports | undefined;
    let changes = 0;
    const begun = await started((ports) => {
      base = ports;
      return {
        ...ports,
        state: {
          ...ports.state,
          model: async (model) => {
            const state = await ports.state.model(model);
            if (base !== undefined && changes < changesMax) {
              changes += 1;
              const event: ContinuoEvent = {
                specversion: "1.0",
                id: `data/restless-${changes}`,
                source: "test",
                time: new Date(ports.clock()).toISOString(),
                type: "dataset.arrived",
                data: { dataset: "customers", uris: [`gs://demo-continuo/${changes}.parquet`] },
              };
              await handleEvent(event, { function: "test", ports: base });
            }
            return state;
          },
        },
      };
    });
    return { ...begun, changes: () => changes };
  };

  it("needs one look when it needs no facts", async () => {
    const { api, story } = await restless(1_000);
    const reply = await api.call("POST", "/models/churn/commands", { command: "pause" });
    expect(reply.status).toBe(201);
    expect(story.model().isPaused).toBe(true);
  });

  const canary = async (story: Story): Promise<void> => {
    await story.firstChampion();
    await story.train("february");
    for (let visit = 0; visit < 8 && story.model().rollout?.phase !== "progressing"; visit += 1) {
      await story.pass(1);
    }
    expect(story.model().rollout).toMatchObject({ phase: "progressing" });
  };

  it("is decided after many changes, since nobody delivers it again", async () => {
    const { api, story, changes } = await restless(7);
    await canary(story);
    const reply = await api.call("POST", "/models/churn/commands", { command: "abort" });
    expect(reply.body).toMatchObject({ isEffective: true });
    expect(changes()).toBe(7);
    expect(story.model().rollout).toMatchObject({ phase: "cleaning", outcome: "aborted" });
  });

  it("is refused at last, with what to do", async () => {
    const { api, story } = await restless(1_000);
    await canary(story);
    const reply = await api.call("POST", "/models/churn/commands", { command: "abort" });
    expect(reply.status).toBe(409);
    expect(JSON.stringify(reply.body)).toMatch(/changed 3 times .*; try again/);
    expect(JSON.stringify(reply.body)).not.toContain("later");
  });
});

describe("the chain of a model's records", () => {
  it("is walked on demand, also when the model was forgotten", async () => {
    const { story, api } = await started();
    const whole = await api.call("GET", `/models/${churn}/chain`);
    expect(whole.body).toMatchObject({ model: churn, isIntact: true, records: 1, anchors: 0 });
    await api.call("DELETE", `/models/${churn}`, { reason: "over" });
    expect(story.world.models.size).toBe(0);
    const forgotten = await api.call("GET", `/models/${churn}/chain`);
    expect(forgotten.body).toMatchObject({ isIntact: true, records: 2, anchors: 1, head: null });
  });

  it("that was changed is shown with the record's event", async () => {
    const { story, api } = await started(({ state, ...ports }) => ({
      ...ports,
      state: {
        ...state,
        chain: async (query) =>
          (await state.chain(query)).map((entry) => ({ ...entry, receivedAtMs: 1 })),
      },
    }));
    const { body } = await api.call("GET", `/models/${churn}/chain`);
    const [record] = [...story.world.journal.values()];
    expect(body).toMatchObject({
      isIntact: false,
      problems: [{ kind: "tampered", sequence: 1, event: record?.event.id }],
    });
  });

  it("of a model that never was is not found", async () => {
    const { api } = await started();
    expect((await api.call("GET", "/models/nobody/chain")).status).toBe(404);
  });
});

describe("what people ask for", () => {
  it("a pause is journaled, shown and undone", async () => {
    const { api, story } = await started();
    const reply = await api.call("POST", "/models/churn/commands", {
      command: "pause",
      reason: "incident 42",
    });
    expect(reply).toMatchObject({ status: 201, body: { isEffective: true } });
    expect(story.model().isPaused).toBe(true);
    expect((await api.call("GET", "/status")).body).toMatchObject({
      waitingForPeople: [{ model: churn, what: "the model is paused" }],
    });
    await api.call("POST", "/models/churn/commands", { command: "resume" });
    expect(story.model().isPaused).toBe(false);
  });

  it("a run by hand goes through the trigger policy", async () => {
    const { api, story } = await started();
    await story.arrive("january");
    await story.endJob({ state: "failed", error: "out of memory" });
    const reply = await api.call("POST", "/models/churn/runs", { reason: "try again" });
    expect(reply.status).toBe(201);
    await story.pass(3600);
    expect(story.model().run).toMatchObject({ kind: "request" });
  });

  it("an approval of what does not wait is a conflict", async () => {
    const { api } = await started();
    const reply = await api.call("POST", "/approvals", { model: "churn", decision: "approve" });
    expect(reply).toMatchObject({ status: 409, body: { error: { code: "nothing-to-approve" } } });
  });

  it("a prediction is asked of the production endpoint", async () => {
    const { api } = await started();
    const reply = await api.call("POST", "/models/churn/predict", { instances: [{ age: 3 }] });
    expect(reply.body).toMatchObject({ endpoint: "churn-production", status: 200 });
  });
});

describe("publishing", () => {
  const event = {
    specversion: "1.0",
    type: "dataset.arrived",
    id: "d1",
    source: "test",
    time: "2026-01-05T12:00:00Z",
    data: { dataset: "customers", uris: ["gs://demo-continuo/a.parquet"] },
  };

  it("an event of ours goes to its own topic", async () => {
    const { api, story } = await started();
    const reply = await api.call("POST", "/publish", { data: event });
    expect(reply.body).toEqual({ topic: "dataset", id: "d1", type: "dataset.arrived" });
    expect(story.world.published.at(-1)).toMatchObject({ topic: "dataset", body: event });
  });

  it.each([
    ["a broken event", { data: { ...event, data: {} } }, "dataset"],
    ["an event for another topic", { topic: "alert", data: event }, "belongs to topic"],
    [
      "an event that only the api makes",
      {
        data: {
          ...event,
          type: "command.issued",
          data: { model: "churn", command: "pause", by: "x" },
        },
      },
      "never travels",
    ],
    ["a message without a topic", { data: "hello" }, "name the topic"],
  ])("%s is refused", async (_, body, message) => {
    const { api, story } = await started();
    const reply = await api.call("POST", "/publish", body);
    expect(reply.status).toBe(400);
    expect(JSON.stringify(reply.body)).toContain(message);
    expect(story.world.published).toEqual([]);
  });
});

describe("dead letters", () => {
  const letter = {
    id: "m1",
    function: "on-dataset-arrived",
    topic: "dataset",
    reason: "data.uris: is missing",
    receivedAtMs: 1_767_000_000_000,
    data: Buffer.from("{not json").toString("base64"),
    digest: "sha256:x",
    attributes: { origin: "airflow" },
    redrivenAtMs: null,
  };

  it("are listed with their reason and sent again as they came", async () => {
    const sent: unknown[] = [];
    const { api, story } = await started((ports) => ({
      ...ports,
      bus: {
        publish: async (topic, { data, attributes }) => {
          sent.push({ topic, text: data.toString(), attributes });
        },
      },
    }));
    await story.world.ports.state.addDeadLetter(letter);
    expect((await api.call("GET", "/dead-letters")).body).toMatchObject({
      deadLetters: [{ id: "m1", reason: "data.uris: is missing", redrivenAt: null }],
    });
    expect((await api.call("GET", "/dead-letters/m1")).body).toMatchObject({ body: "{not json" });
    expect((await api.call("POST", "/dead-letters/m1/redrive")).status).toBe(200);
    expect(sent).toEqual([
      { topic: "dataset", text: "{not json", attributes: { origin: "airflow" } },
    ]);
    expect((await api.call("GET", "/status")).body).toMatchObject({ deadLetters: 0 });
  });

  it("whose body lies in the bucket are sent again whole, and refused when it is gone", async () => {
    const { api, story } = await started();
    const uri = "gs://demo-continuo/continuo/dead-letters/x";
    const large = { ...letter, data: Buffer.from(uri).toString("base64") };
    await story.world.ports.state.addDeadLetter({
      ...large,
      attributes: { ...letter.attributes, "continuo-body": uri },
    });
    expect((await api.call("POST", "/dead-letters/m1/redrive")).status).toBe(422);
    const body = Buffer.alloc(100_000, "x");
    await story.world.ports.objects.write(uri, body, "application/octet-stream");
    expect((await api.call("POST", "/dead-letters/m1/redrive")).status).toBe(200);
    expect(story.world.published.at(-1)).toMatchObject({
      topic: "dataset",
      data: body,
      attributes: { origin: "airflow" },
    });
  });
});

describe("the live timeline", () => {
  it("asks the store at most once a second however many watch, and not at all when nobody does", async () => {
    let looks = 0;
    const { api, story } = await started((ports) => ({
      ...ports,
      state: {
        ...ports.state,
        timeline: (query) => {
          looks += 1;
          return ports.state.timeline(query);
        },
      },
    }));
    const abort = new AbortController();
    const headers = { authorization: `Bearer ${token}` };
    const streams = await Promise.all(
      Array.from({ length: 5 }, () =>
        fetch(`${api.address}/timeline/stream`, { headers, signal: abort.signal }),
      ),
    );
    const startedAt = performance.now();
    await expect.poll(() => looks).toBeGreaterThan(0);
    await story.arrive("january");
    const texts = await Promise.all(
      streams.map(async ({ body }) => {
        let text = "";
        if (body === null) throw new Error("no stream");
        for await (const chunk of body) {
          text += new TextDecoder().decode(chunk);
          if (text.includes("dataset.arrived")) return text;
        }
        return text;
      }),
    );
    expect(texts.every((text) => text.includes("event: entry"))).toBe(true);
    expect(looks).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / 1000);
    abort.abort();
    let before = -1;
    await expect
      .poll(
        () => {
          const isQuiet = looks === before;
          before = looks;
          return isQuiet;
        },
        { interval: 1300, timeout: 6000 },
      )
      .toBe(true);
  });
});

it("the metrics are Prometheus text", async () => {
  const { api } = await started();
  const response = await fetch(`${api.address}/metrics`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await response.text();
  expect(text).toContain("# TYPE continuo_models gauge\ncontinuo_models 1\n");
  expect(text).toContain('continuo_live_run{model="churn"} 0');
});
