import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { cloudEvent } from "../../../events/sources/cloud-event.js";
import { UnavailableError } from "../../../shared/domain/errors.js";
import { readConfig } from "../../../shared/runtime/config.js";
import { answerPush, handlingEvents } from "../../../shared/runtime/edge.js";
import { testEnvironment } from "../../flow/story.js";
import { memoryWorld, type MemoryWorld } from "../../fixtures/memory-ports.js";
import { pushOf, sample } from "../events/payloads.js";
import { audience, email, keyServer, requestOf, responseOf, type KeyServer } from "./requests.js";

const name = "on-dataset-arrived";
const arrival = {
  specversion: "1.0",
  type: "dataset.arrived",
  id: "load-7",
  source: "etl",
  time: "2026-01-02T03:04:05Z",
  data: { dataset: "customers", uris: ["gs://b/january.parquet"] },
};

let keys: KeyServer;

beforeAll(async () => {
  Object.assign(process.env, testEnvironment);
  keys = await keyServer();
});

afterAll(() => keys.stop());

interface Pushed {
  readonly status: number;
  readonly world: MemoryWorld;
}

const push = async (
  authorization: string | undefined,
  body: unknown = pushOf(arrival),
  options: { readonly jwksUrl?: string; readonly world?: MemoryWorld } = {},
): Promise<Pushed> => {
  const world = options.world ?? memoryWorld();
  const config = readConfig({
    ...testEnvironment,
    CONTINUO_PUSH_AUDIENCE: "https://functions.example.com",
    CONTINUO_JWKS_URL: options.jwksUrl ?? keys.url,
  });
  const { response, status } = responseOf();
  const handler = handlingEvents(name, cloudEvent("dataset.arrived"));
  await answerPush({ name, handler }, requestOf(authorization, body), response, () => ({
    config,
    ports: world.ports,
  }));
  return { status: status(), world };
};

const bearer = async (claims: Readonly<Record<string, unknown>> = {}): Promise<string> =>
  `Bearer ${await keys.sign(claims)}`;

describe("the edge", () => {
  it("acknowledges a message with a valid token, and journals it once", async () => {
    const { status, world } = await push(await bearer());
    expect(status).toBe(204);
    await push(await bearer(), pushOf(arrival, { messageId: "2" }), { world });
    expect(world.journal.size).toBe(1);
  });

  it("takes a token with both forms of Google's issuer", async () => {
    expect((await push(await bearer({ iss: "accounts.google.com" }))).status).toBe(204);
  });

  const secondsAgo = (seconds: number): number => Math.floor(Date.now() / 1000) - seconds;
  const { payload } = sample("pubsub_push_oidc_jwt_claims") as { payload: Record<string, unknown> };

  const refused: readonly (readonly [string, () => Promise<string | undefined>])[] = [
    ["no token", async () => undefined],
    ["an empty token", async () => "Bearer "],
    ["a password", async () => "Basic cHVzaDpwYXNz"],
    ["a token of nonsense", async () => "Bearer a.b.c"],
    ["two tokens", async () => `${await bearer()}, ${await bearer()}`],
    ["an expired token", () => bearer({ iat: secondsAgo(7200), exp: secondsAgo(3600) })],
    ["the documentation's example, long expired", () => bearer(payload)],
    ["a token without an end", () => bearer({ exp: undefined })],
    ["a token for another function", () => bearer({ aud: `${audience}-not` })],
    ["a token for our parent address", () => bearer({ aud: "https://functions.example.com" })],
    ["a token of another issuer", () => bearer({ iss: "https://accounts.example.com" })],
    ["a token of another identity", () => bearer({ email: "eve@demo.iam.gserviceaccount.com" })],
    ["a token without an identity", () => bearer({ email: undefined })],
    ["an unverified identity", () => bearer({ email_verified: false })],
    ["an identity verified in words only", () => bearer({ email_verified: "true" })],
    [
      "a token signed by somebody else under our key's name",
      async () => {
        const { privateKey } = await generateKeyPair("RS256");
        return `Bearer ${await keys.sign({}, privateKey)}`;
      },
    ],
    [
      "a token that needs no signature",
      async () => {
        const part = (value: unknown): string =>
          Buffer.from(JSON.stringify(value)).toString("base64url");
        const claims = { iss: "https://accounts.google.com", aud: audience, email };
        return `Bearer ${part({ alg: "none" })}.${part({ ...claims, email_verified: true })}.`;
      },
    ],
    [
      "a token signed with a shared secret",
      async () => {
        const token = await new SignJWT({ email, email_verified: true })
          .setProtectedHeader({ alg: "HS256", kid: "test-key" })
          .setIssuer("https://accounts.google.com")
          .setAudience(audience)
          .setIssuedAt()
          .setExpirationTime("1h")
          .sign(new TextEncoder().encode("a secret of thirty-two bytes....."));
        return `Bearer ${token}`;
      },
    ],
  ];

  it.each(refused)("%s is refused with 401, and leaves no trace", async (_name, authorization) => {
    const { status, world } = await push(await authorization());
    expect(status).toBe(401);
    expect(world.journal.size).toBe(0);
    expect(world.published).toHaveLength(0);
  });

  it("takes a token again until it expires, and for nobody else", async () => {
    const end = secondsAgo(-60);
    const token = await bearer({ exp: end });
    expect((await push(token)).status).toBe(204);
    expect((await push(token)).status).toBe(204);
    const elsewhere = { name: "on-alert-fired", handler: async () => undefined };
    const config = readConfig({
      ...testEnvironment,
      CONTINUO_PUSH_AUDIENCE: "https://functions.example.com",
      CONTINUO_JWKS_URL: keys.url,
    });
    const { response, status } = responseOf();
    await answerPush(elsewhere, requestOf(token, pushOf(arrival)), response, () => ({
      config,
      ports: memoryWorld().ports,
    }));
    expect(status()).toBe(401);
    vi.useFakeTimers({ toFake: ["Date"], now: (end + 1) * 1000 });
    try {
      expect((await push(token)).status).toBe(401);
    } finally {
      vi.useRealTimers();
    }
  });

  it("never logs a token", async () => {
    const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    try {
      const token = await keys.sign({ email: "eve@example.com" });
      await push(`Bearer ${token}`);
      const lines = written.mock.calls.map(([line]) => String(line)).join("");
      expect(lines).toContain("push refused");
      expect(lines).not.toContain(token.split(".")[2]);
    } finally {
      written.mockRestore();
    }
  });

  describe("while the key server does not answer well", () => {
    const answers: readonly (readonly [string, { status: number; body: string }])[] = [
      ["503", { status: 503, body: "" }],
      ["a page", { status: 200, body: "<html>" }],
      ["no keys", { status: 200, body: "{}" }],
    ];

    it.each(answers)(
      "(%s) asks for redelivery, and takes the message afterwards",
      async (_name, answer) => {
        const broken = await keyServer();
        try {
          const good = broken.answer;
          broken.answer = answer;
          const world = memoryWorld();
          const authorization = `Bearer ${await broken.sign()}`;
          const options = { jwksUrl: broken.url, world };
          expect((await push(authorization, undefined, options)).status).toBe(500);
          expect(world.journal.size).toBe(0);
          broken.answer = good;
          expect((await push(authorization, undefined, options)).status).toBe(204);
          expect(world.journal.size).toBe(1);
        } finally {
          await broken.stop();
        }
      },
    );

    it("(nobody there) asks for redelivery", async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      await new Promise<void>((resolve) => server.close(() => resolve()));
      const { status, world } = await push(await bearer(), undefined, {
        jwksUrl: `http://127.0.0.1:${port}/certs`,
      });
      expect(status).toBe(500);
      expect(world.journal.size).toBe(0);
    });

    it("keys that are known are not asked for again", async () => {
      await push(await bearer());
      const before = keys.asked();
      for (let index = 0; index < 5; index += 1) await push(await bearer());
      expect(keys.asked()).toBe(before);
    });
  });

  it("a message that nobody can read is acknowledged and kept as a dead letter", async () => {
    const { status, world } = await push(await bearer(), pushOf({ hello: "world" }));
    expect(status).toBe(204);
    expect(world.journal.size).toBe(0);
    expect(world.published).toMatchObject([
      { topic: "dead-letter", body: { hello: "world" }, attributes: { "continuo-function": name } },
    ]);
  });

  it("a message without data is kept too: nothing is lost in silence", async () => {
    const body = {
      message: {
        attributes: { key: "value" },
        messageId: "1",
        publishTime: "2026-01-02T03:04:05Z",
      },
      subscription: "projects/demo/subscriptions/s",
    };
    const { status, world } = await push(await bearer(), body);
    expect(status).toBe(204);
    expect(world.published[0]?.attributes["continuo-reason"]).toMatch(/no data/);
  });

  it("a body that is no push is refused", async () => {
    for (const body of [undefined, null, "text", [], {}, { message: {} }, arrival]) {
      expect((await push(await bearer(), body ?? "")).status).toBe(400);
    }
  });

  it("a store that is down asks for redelivery, and nothing is lost", async () => {
    const world = memoryWorld();
    const { state } = world.ports;
    const down = {
      ...world,
      ports: {
        ...world.ports,
        state: { ...state, models: () => Promise.reject(new UnavailableError("no store")) },
      },
    };
    expect((await push(await bearer(), undefined, { world: down })).status).toBe(500);
    expect((await push(await bearer(), undefined, { world })).status).toBe(204);
    expect(world.journal.size).toBe(1);
  });

  it("a dead-letter topic that is down asks for redelivery", async () => {
    const world = memoryWorld();
    const down = {
      ...world,
      ports: {
        ...world.ports,
        bus: { publish: () => Promise.reject(new UnavailableError("no topic")) },
      },
    };
    expect((await push(await bearer(), pushOf({ x: 1 }), { world: down })).status).toBe(500);
  });
});
