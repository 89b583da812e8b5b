/** A local cloud with the functions' topology, real push tokens, and processes that serve one built function each. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import * as manifest from "../../functions/manifest.js";
import {
  apiRequest,
  consoleRequest,
  pushRequest,
  type PlainRequest,
} from "../../infra/build/rehearsal/requests.js";
import { isListening } from "../../infra/build/listening.js";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { provision } from "../../shared/gcp/provision.js";

const root = new URL("../..", import.meta.url).pathname;
const projectId = "bench-project";
const region = "us-central1";
const bucket = `${projectId}-continuo`;
const identity = `continuo@${projectId}.iam.gserviceaccount.com`;
const pushIdentity = `push@${projectId}.iam.gserviceaccount.com`;
const apiToken = "a-token-of-the-bench-0123456789";
const connectEveryMs = 2;
const startLimitMs = 30_000;

/** What came back. */
export interface FunctionReply {
  readonly status: number;
  readonly body: string;
  /** Since the process was started. */
  readonly ms: number;
  readonly residentMb: number;
  /** Processor time since then: what remains comparable on a busy machine. */
  readonly cpuMs: number;
}

/** A process that serves one function. */
export interface ServedFunction {
  readonly ask: (request: PlainRequest) => Promise<FunctionReply>;
  readonly stop: () => Promise<void>;
}

const callLine = z.object({
  method: z.string(),
  step: z.enum(["asked", "applied", "answered", "failed"]),
  lengths: z.record(z.string(), z.number()),
});

/** A step of one RPC that the cloud was asked for. */
export type CloudCall = z.infer<typeof callLine>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createTcpServer();
    probe.listen(0, "127.0.0.1", () => {
      const bound = probe.address();
      probe.close(() => {
        resolve(typeof bound === "object" && bound !== null ? bound.port : 0);
      });
    });
  });

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

const nsPerMs = 1e6;

/** Of all threads that live, by the scheduler's own clock: the process's counters know hundredths of a second only. */
const cpuMs = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`)
    .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0])
    .reduce((sum, ns) => sum + Number(ns) / nsPerMs, 0);

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode === null && child.signalCode === null) child.once("exit", () => resolve());
    else resolve();
  });

const bodyOf = async (message: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
};

const ask = (
  port: number,
  { method, path, headers, body }: PlainRequest,
): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        agent: false,
        headers: {
          ...headers,
          ...(body === undefined
            ? {}
            : {
                "content-type": "application/json",
                "content-length": String(Buffer.byteLength(body)),
              }),
        },
      },
      (reply) => {
        bodyOf(reply).then(
          (text) => resolve({ status: reply.statusCode ?? 0, body: text }),
          reject,
        );
      },
    );
    sent.once("error", reject);
    sent.end(body);
  });

/** Starts a program that serves on PORT; its first request goes out once it listens. */
export const serve = async (
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  node = process.execPath,
): Promise<ServedFunction> => {
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn(node, [...args], {
    env: { PATH: process.env["PATH"] ?? "", NODE_ENV: "production", ...env, PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  }
  while (!(await isListening({ port, host: "127.0.0.1" }))) {
    if (child.exitCode !== null || performance.now() - startedAt > startLimitMs) {
      child.kill("SIGKILL");
      throw new Error(`${args.join(" ")} does not serve:\n${output}`);
    }
    await pause(connectEveryMs);
  }
  return {
    ask: async (request) => {
      const reply = await ask(port, request);
      const ms = performance.now() - startedAt;
      if (reply.status >= 500) throw new Error(`${reply.status} ${reply.body}\n${output}`);
      const pid = child.pid ?? 0;
      return { ...reply, ms, residentMb: residentMb(pid), cpuMs: cpuMs(pid) };
    },
    stop: async () => {
      child.kill("SIGKILL");
      await ended(child);
    },
  };
};

const startCloud = async (folder: string) => {
  const images = join(folder, "images.json");
  // Tasks that last: a run stays open while functions are asked about it.
  const entrypoint = [process.execPath, "-e", "setTimeout(() => {}, 3600000)", "--"];
  const names = ["trainer", "predictor", "profiler", "evaluator", "launcher"];
  writeFileSync(
    images,
    JSON.stringify({
      images: Object.fromEntries(names.map((name) => [`continuo/${name}`, { entrypoint }])),
    }),
  );
  const callLog = join(folder, "calls.jsonl");
  const options = {
    folder: join(folder, "cloud"),
    port: "0",
    project: projectId,
    region,
    images,
    "call-log": callLog,
  };
  const child = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      join(root, "infra/local/main.ts"),
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith('{"ready"')) {
        resolve(z.object({ address: z.string() }).parse(JSON.parse(line)).address);
      }
    });
    child.once("exit", (code) => reject(new Error(`the local cloud ended with ${code}`)));
  });
  const calls = (): readonly CloudCall[] =>
    (existsSync(callLog) ? readFileSync(callLog, "utf8") : "")
      .split("\n")
      .flatMap((line) => (line === "" ? [] : callLine.parse(JSON.parse(line))));
  return {
    address,
    calls,
    stop: async () => {
      child.kill("SIGTERM");
      await ended(child);
    },
  };
};

/** Takes all pushes and keeps their tokens, one per function; what nobody has asked for is acknowledged. */
const collectTokens = async (config: GcpConfig) => {
  const tokens = new Map<string, string>();
  const targets = new Map<string, ServedFunction>();
  const server = createServer((request, response) => {
    const name = (request.url ?? "").split("/").at(-1) ?? "";
    const authorization = request.headers.authorization ?? "";
    tokens.set(name, authorization);
    void bodyOf(request).then(async (body) => {
      const reply = await targets
        .get(name)
        ?.ask({ method: "POST", path: "/", headers: { authorization }, body })
        .catch(() => ({ status: 503 }));
      response.writeHead(reply?.status ?? 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  const audience = `http://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
  await provision(manifest, config, { pushBaseUrl: audience, pushIdentity });
  const ports = gcpPorts(config);
  for (const topic of manifest.topicNames) {
    await ports.bus.publish(topic, { data: Buffer.from("{}"), attributes: {} });
  }
  const pushed = manifest.functions.filter(({ trigger }) => "topic" in trigger);
  const deadline = performance.now() + startLimitMs;
  while (pushed.some(({ name }) => !tokens.has(name))) {
    if (performance.now() > deadline) throw new Error("Pub/Sub did not push to every function");
    await pause(20);
  }
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { tokens, targets, audience, ports, stop };
};

/** What the benches of functions stand on. */
export interface FunctionWorld {
  /** Environment of a function. */
  readonly env: Readonly<Record<string, string>>;
  /** A push of one event to a function, with a valid token. */
  readonly push: (name: string, event: unknown) => PlainRequest;
  /** A request to the api. */
  readonly apiRequest: (method: "GET" | "POST", path: string) => PlainRequest;
  /** A request to the console with its key. */
  readonly consoleRequest: (path: string) => PlainRequest;
  /** Pub/Sub's own pushes to a function go to this process from now on. */
  readonly deliver: (name: string, served: ServedFunction) => void;
  /** Every step of every call so far. */
  readonly calls: () => readonly CloudCall[];
  readonly bucket: string;
  readonly stop: () => Promise<void>;
}

/** Starts it. */
export const functionWorld = async (): Promise<FunctionWorld> => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-functions-"));
  const cloud = await startCloud(folder);
  const config: GcpConfig = { projectId, region, bucket, identity, localCloud: cloud.address };
  const { tokens, targets, audience, ports, stop } = await collectTokens(config);
  await ports.objects.write(
    `gs://${bucket}/continuo/pipelines/train.json`,
    readFileSync(join(root, "infra/pipelines/train.json")),
    "application/json",
  );
  const host = "bench.localhost";
  let messages = 0;
  return {
    bucket,
    env: {
      CONTINUO_PROJECT: projectId,
      CONTINUO_REGION: region,
      CONTINUO_BUCKET: bucket,
      CONTINUO_IDENTITY: identity,
      CONTINUO_PUSH_AUDIENCE: audience,
      CONTINUO_PUSH_IDENTITY: pushIdentity,
      CONTINUO_JWKS_URL: `${cloud.address}/oauth2/v3/certs`,
      CONTINUO_LOCAL_CLOUD: cloud.address,
      CONTINUO_API_TOKEN: apiToken,
      CONTINUO_CONSOLE_URL: `http://${host}/`,
    },
    push: (name, event) => {
      messages += 1;
      const subscription = `projects/${projectId}/subscriptions/${name}`;
      return pushRequest(subscription, tokens.get(name) ?? "", String(messages), event);
    },
    apiRequest: (method, path) => apiRequest(apiToken, host, method, path),
    consoleRequest: (path) => consoleRequest(apiToken, host, path),
    deliver: (name, served) => void targets.set(name, served),
    calls: cloud.calls,
    stop: async () => {
      stop();
      await cloud.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
