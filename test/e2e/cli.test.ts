import { execFile } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exampleManifest } from "../unit/manifest/example.js";

const program = fileURLToPath(new URL("../../infra/cli/continuo.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "continuo-cli-"));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const continuo = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, CONTINUO_FOLDER: folder, NO_COLOR: "1" };
    execFile(process.execPath, [program, ...args], { env }, (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
    });
  });

const model = {
  model: "flight-delay",
  owner: "ada",
  mode: "active",
  manifestVersion: 3,
  isPaused: false,
  parkedReason: null,
  champion: { versionId: "2", since: "2026-01-05T00:00:00Z" },
  run: null,
  rollout: null,
  weights: { champion: 100 },
};

const chain = {
  model: "flight-delay",
  isIntact: false,
  records: 12,
  since: 1,
  head: { sequence: 12, hash: "ab" },
  anchors: 2,
  expired: 0,
  problems: [
    { kind: "tampered", sequence: 7, event: "bucket/object/17", what: "record 7 was changed" },
  ],
};

const server = createServer((request, response) => {
  const replies: Readonly<Record<string, readonly [number, unknown]>> = {
    "/models": [200, { models: [model] }],
    "/models/nobody": [404, { error: { code: "not-found", message: "there is no model" } }],
    "/models/flight-delay/chain": [200, chain],
    "/models/whole/chain": [200, { ...chain, model: "whole", isIntact: true, problems: [] }],
    "/status": [401, { error: { code: "unauthorized", message: "no" } }],
  };
  const [status, body] = replies[request.url ?? ""] ?? [500, "broken"];
  response.writeHead(status).end(JSON.stringify(body));
});

let address = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
});

test("people get a table, programs get JSON", async () => {
  const [people, programs] = await Promise.all([
    continuo("models", "--address", address),
    continuo("models", "--address", address, "--json"),
  ]);
  expect(people.out).toMatch(/^MODEL +CHAMPION/);
  expect(people.out).toContain("flight-delay  v2");
  expect(JSON.parse(programs.out)).toMatchObject([
    { model: "flight-delay", weights: { champion: 100 } },
  ]);
});

test.each([
  ["wrong usage", ["models", "--colour"], 2, "unknown option"],
  ["a verb that does not exist", ["modles"], 2, "Did you mean models?"],
  [
    "something that does not exist",
    ["models", "nobody", "--address", "ADDRESS"],
    3,
    "there is no model",
  ],
  ["a wrong token", ["status", "--address", "ADDRESS"], 1, "give the right --token"],
  ["an answer that is none", ["runs", "--address", "ADDRESS"], 1, "answered 500"],
  ["nothing that runs", ["models"], 4, 'start it with "npm start"'],
  ["nobody who answers", ["models", "--address", "http://127.0.0.1:9"], 4, "nothing answers"],
  ["a file that is not there", ["plan", "-f", "nothing.yaml"], 2, "there is no such file"],
  ["an event that is none", ["publish", "dataset.arrived", "-d", "{}"], 2, "uris"],
  ["data that is no JSON", ["publish", "dataset.arrived", "-d", "{"], 2, "that is no JSON"],
] as const)("%s has its own exit code and says what to do", async (_, args, code, message) => {
  const ended = await continuo(...args.map((word) => (word === "ADDRESS" ? address : word)));
  expect(ended.err).toContain(message);
  expect(ended.code).toBe(code);
});

test("a chain that was tampered with ends verify with 1 and names the event", async () => {
  const at = ["--address", address];
  const [all, programs, whole] = await Promise.all([
    continuo("verify", ...at),
    continuo("verify", "--json", ...at),
    continuo("verify", "--model", "whole", ...at),
  ]);
  expect(all.out).toMatch(
    /BROKEN +flight-delay[^]*tampered +record 7 was changed[^]*bucket\/object\/17/,
  );
  expect(all.code).toBe(1);
  expect(JSON.parse(programs.out)).toMatchObject({ isIntact: false, models: [chain] });
  expect(programs.code).toBe(1);
  expect(whole.out).toMatch(/^intact +whole/);
  expect(whole.code).toBe(0);
});

test("a wrong manifest is told with file, line and column before anything is sent", async () => {
  const file = join(folder, "model.yaml");
  writeFileSync(file, exampleManifest.replace("bakeSeconds", "bakeSecond"));
  const ended = await continuo("apply", "-f", file);
  expect(ended.code).toBe(1);
  expect(ended.err).toContain(
    `${file}:22:3 rollout.bakeSecond: unknown field "bakeSecond"; did you mean`,
  );
});

test("help shows examples", async () => {
  const ended = await continuo("publish", "--help");
  expect(ended.code).toBe(0);
  expect(ended.out).toContain("Examples:");
});
