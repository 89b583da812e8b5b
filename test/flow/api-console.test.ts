import { afterEach, describe, expect, it } from "vitest";
import { manifestOf } from "../fixtures/manifest.js";
import { apiServer, token, type ApiServer } from "./api-server.js";
import { storyOf, type Story } from "./story.js";

const servers: ApiServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

interface Visitor {
  readonly story: Story;
  readonly address: string;
  readonly cookie: string;
  readonly get: (path: string) => Promise<Response>;
}

const html = { accept: "text/html" };

const visited = async (): Promise<Visitor> => {
  const story = await storyOf(manifestOf({ description: "<script>alert(1)</script>" }));
  const api = await apiServer(story.world.ports);
  servers.push(api);
  const welcome = await fetch(`${api.address}/console/?token=${token}`, { headers: html });
  const cookie = (welcome.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const get = (path: string): Promise<Response> =>
    fetch(`${api.address}/console${path}`, { headers: { ...html, cookie } });
  return { story, address: api.address, cookie, get };
};

const csrfOf = (page: string): string =>
  /name="continuo-csrf" content="(?<csrf>[^"]+)"/.exec(page)?.groups?.["csrf"] ?? "";

describe("the console's door", () => {
  it("nobody without the printed address sees anything", async () => {
    const { address } = await visited();
    for (const path of ["/", "/?token=guess", "/models/churn", "/timeline/stream", "/api/models"]) {
      const reply = await fetch(`${address}/console${path}`, { headers: html });
      expect(reply.status).toBe(401);
      expect(await reply.text()).not.toContain("churn");
    }
  });

  it("the printed address gives a cookie that no script reads and no other site sends", async () => {
    const { address, get } = await visited();
    const welcome = await fetch(`${address}/console/?token=${token}`);
    expect(welcome.headers.get("set-cookie")).toMatch(/HttpOnly; SameSite=Strict/);
    expect(await welcome.text()).not.toContain(token);
    expect((await get("/")).status).toBe(200);
  });

  it("pages load nothing from elsewhere and may not be framed", async () => {
    const { get } = await visited();
    const reply = await get("/");
    expect(reply.headers.get("content-security-policy")).toMatch(
      /default-src 'none'; script-src 'self'.*frame-ancestors 'none'/,
    );
    const page = await reply.text();
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect(page).not.toMatch(/ style="| onclick="/);
  });

  it("a button's request needs the page's own header", async () => {
    const { address, cookie, get, story } = await visited();
    const ask = (headers: Readonly<Record<string, string>>): Promise<Response> =>
      fetch(`${address}/console/api/models/churn/commands`, {
        method: "POST",
        headers: { cookie, ...headers },
        body: JSON.stringify({ command: "pause" }),
      });
    const csrf = csrfOf(await (await get("/")).text());
    expect((await ask({})).status).toBe(403);
    expect((await ask({ "x-continuo-csrf": csrf, origin: "https://evil.example" })).status).toBe(
      403,
    );
    expect((await ask({ "x-continuo-csrf": csrf, "sec-fetch-site": "cross-site" })).status).toBe(
      403,
    );
    expect(story.model().isPaused).toBe(false);
    expect((await ask({ "x-continuo-csrf": csrf })).status).toBe(201);
    expect(story.model().isPaused).toBe(true);
  });
});

describe("the console's pages", () => {
  it("what others wrote is text and never markup", async () => {
    const { get } = await visited();
    const page = await (await get("/")).text();
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("&lt;script&gt;alert");
  });

  it("the overview shows models, the chain of events, runs and dead letters", async () => {
    const { get, story } = await visited();
    await story.firstChampion();
    await story.world.ports.state.addDeadLetter({
      id: "m1",
      function: "on-dataset-arrived",
      topic: "dataset",
      reason: "data.uris: is missing",
      receivedAtMs: story.world.nowMs,
      data: "",
      digest: "",
      attributes: {},
      redrivenAtMs: null,
    });
    const page = await (await get("/")).text();
    for (const text of ["churn", "champion 100 %", "promote version 1", "data.uris: is missing"]) {
      expect(page).toContain(text);
    }
  });

  it("every run, rollout, model and dead letter has its own page", async () => {
    const { get, story } = await visited();
    await story.firstChampion();
    const { state } = story.world.ports;
    const [run] = await state.runs({ limit: 1 });
    const [rollout] = await state.rollouts({ limit: 1 });
    for (const path of [
      "/models/churn",
      `/runs/${run?.run}`,
      `/rollouts/${rollout?.rollout}`,
      `/why/${run?.run}`,
    ]) {
      const reply = await get(path);
      expect(reply.status).toBe(200);
      expect(await reply.text()).toContain("../console.css");
    }
    expect((await get("/runs/churn-r0000000000")).status).toBe(404);
    expect((await get("/nowhere")).status).toBe(404);
  });
});
