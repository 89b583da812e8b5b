/** Who is measured: our whole stack, and Restate, each as processes of their own with durable state in a new folder. */
import { execFileSync, fork, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { v1 } from "@google-cloud/pubsub";
import { credentials } from "@grpc/grpc-js";
import { build } from "esbuild";
import { functionsEnvironment } from "../../infra/cli/up/environment.js";
import { chainTopic, stepsPerEvent, type ChainReport, type System } from "./events-plan.js";
import { bundleCloud, processorSeconds, startCloud } from "./local-cloud-servers.js";

const root = new URL("../..", import.meta.url).pathname;
const readySecondsMax = 60;
const project = "continuo-bench";

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });

const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
};

const eventually = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + readySecondsMax * 1000;
  while (performance.now() < deadline) {
    if (await isSo().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not happen within ${readySecondsMax} s`);
};

/** Follows what a process under measurement reports. */
const following = (child: ChildProcess) => {
  let steps = 0;
  let isReady = false;
  const waiting = new Map<string, () => void>();
  child.on("message", (message: ChainReport) => {
    if (message.kind === "step") steps += 1;
    else if (message.kind === "ready") isReady = true;
    else {
      waiting.get(message.chain)?.();
      waiting.delete(message.chain);
    }
  });
  return {
    steps: () => steps,
    ready: () => eventually("a process's start", () => Promise.resolve(isReady)),
    ended: (chain: string): Promise<void> =>
      new Promise((resolve) => {
        waiting.set(chain, resolve);
      }),
  };
};

/** Node arguments of a process that writes a profile when it ends. */
const profiling = (folder: string | undefined): readonly string[] =>
  folder === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", folder];

/** Bundles the functions' process as `continuo up` does; packages stay where they are. */
const bundleFunctions = async (): Promise<string> => {
  const outfile = join(root, ".build/bench/events-functions.mjs");
  await build({
    absWorkingDir: root,
    entryPoints: ["test/bench/events-functions.ts"],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    logLevel: "silent",
  });
  return outfile;
};

/** Starts the local cloud and a functions' process, and subscribes it. */
export const startContinuo = async (profileFolder?: string): Promise<System> => {
  const cloud = await startCloud(
    [...profiling(profileFolder), await bundleCloud()],
    ["--project", project, "--products", "pubsub,firestore"],
  );
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const child = fork(await bundleFunctions(), {
    execArgv: [...profiling(profileFolder)],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: {
      ...functionsEnvironment(
        { project, region: "us-central1" },
        { cloud: `http://127.0.0.1:${cloud.port}`, functions: base },
        "a-token-that-nobody-needs",
      ),
    },
  });
  const reports = following(child);
  await reports.ready();
  const options = {
    projectId: project,
    apiEndpoint: "127.0.0.1",
    port: cloud.port,
    sslCreds: credentials.createInsecure(),
    clientOptions: { universeDomain: "googleapis.com" },
  };
  const publisher = new v1.PublisherClient(options);
  const subscriber = new v1.SubscriberClient(options);
  const topic = `projects/${project}/topics/${chainTopic}`;
  const pushEndpoint = `${base}/bench-step`;
  await publisher.createTopic({ name: topic });
  await subscriber.createSubscription({
    name: `projects/${project}/subscriptions/bench-step`,
    topic,
    ackDeadlineSeconds: 60,
    retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 600 } },
    pushConfig: {
      pushEndpoint,
      oidcToken: {
        serviceAccountEmail: `push@${project}.iam.gserviceaccount.com`,
        audience: pushEndpoint,
      },
    },
  });
  await subscriber.close();
  const publish = async ({ id, model }: { readonly id: string; readonly model: string }) => {
    const event = {
      specversion: "1.0",
      type: "training-run.requested",
      id: `${id}/1`,
      source: "bench",
      time: new Date().toISOString(),
      correlationid: id,
      data: { model, reason: JSON.stringify({ chain: id, step: 1 }) },
    };
    const messages = [{ data: Buffer.from(JSON.stringify(event)) }];
    await publisher.publish({ topic, messages }, { isBundling: false });
  };
  return {
    name: "Continuo",
    send: async (event) => {
      const ended = reports.ended(event.id);
      await publish(event);
      await ended;
    },
    sendAgain: publish,
    steps: reports.steps,
    processorSeconds: () => ({
      functions: processorSeconds(child.pid),
      "local cloud": processorSeconds(cloud.pid),
    }),
    stop: async () => {
      await publisher.close();
      await end(child, "SIGTERM");
      await cloud.stop();
    },
  };
};

const peers = {
  "@restatedev/restate-server": "1.7.12",
  "@restatedev/restate-sdk": "1.17.2",
} as const;

/** Installs the peer into a folder that git ignores; throws with what to do where that is impossible. */
export const installRestate = (): string => {
  const folder = join(root, ".bench/restate");
  const isThere = Object.keys(peers).every((name) =>
    existsSync(join(folder, "node_modules", name)),
  );
  if (isThere) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const wanted = Object.entries(peers).map(([name, version]) => `${name}@${version}`);
  try {
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--silent", ...wanted], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
  } catch (error) {
    throw new Error(
      `${wanted.join(" and ")} could not be installed into ${folder}: is the npm registry within reach? This bench compares with it and measures nothing without it.`,
      { cause: error },
    );
  }
  return folder;
};

/** Starts Restate's server and a service with as many durable steps. */
export const startRestate = async (installed: string): Promise<System> => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-bench-restate-"));
  const [ingress, admin, node, service] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const server = spawn(join(installed, "node_modules/.bin/restate-server"), [], {
    cwd: folder,
    stdio: "ignore",
    env: {
      ...process.env,
      RESTATE_BASE_DIR: folder,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_DISABLE_TELEMETRY: "true",
      DO_NOT_TRACK: "1",
    },
  });
  const child = fork(
    join(root, "test/bench/events-restate.mjs"),
    [installed, String(service), String(stepsPerEvent)],
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  );
  const reports = following(child);
  await reports.ready();
  await eventually("the registration of the service with Restate", async () => {
    const reply = await fetch(`http://127.0.0.1:${admin}/deployments`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ uri: `http://127.0.0.1:${service}` }),
    });
    return reply.ok;
  });
  const call = async (
    event: { readonly id: string; readonly model: string },
    verb: "run" | "run/send",
  ): Promise<void> => {
    const reply = await fetch(`http://127.0.0.1:${ingress}/chain/${verb}`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": event.id },
      body: JSON.stringify(event),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`Restate answered ${reply.status}: ${text}`);
  };
  return {
    name: "Restate",
    send: (event) => call(event, "run"),
    sendAgain: (event) => call(event, "run/send"),
    steps: reports.steps,
    processorSeconds: () => ({
      service: processorSeconds(child.pid),
      server: processorSeconds(server.pid),
    }),
    stop: async () => {
      await end(server, "SIGTERM");
      await end(child, "SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
