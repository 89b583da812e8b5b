/** The whole loop on this machine: time to the first prediction, all acts, event to job, idle use. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

const root = new URL("../..", import.meta.url).pathname;
const command = join(root, "infra/cli/continuo.mjs");
const idleSeconds = 30;
const eventsPerBench = 40;
const clockTicksPerSecond = 100;

const instanceSchema = z.object({
  pid: z.number(),
  cloud: z.string(),
  functions: z.string(),
  token: z.string(),
  project: z.string(),
  region: z.string(),
  pids: z.object({ cloud: z.number(), functions: z.number() }),
});
type Instance = z.infer<typeof instanceSchema>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const row = (what: string, measured: string, goal: string): void => {
  console.log(`${what.padEnd(58)} ${measured.padStart(22)}   ${goal}`);
};

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ??
  Number.NaN;

const instanceOf = (folder: string): Instance =>
  instanceSchema.parse(JSON.parse(readFileSync(join(folder, "continuo.json"), "utf8")));

/** Starts the command; resolves with its output when it ends. */
const runToEnd = async (args: readonly string[]): Promise<{ code: number; output: string }> => {
  const child = spawn(process.execPath, [command, ...args], { cwd: root });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number>((resolve) =>
    child.once("exit", (ended) => resolve(ended ?? 1)),
  );
  return { code, output };
};

/** Starts an instance and waits until it says where it is. */
const up = async (folder: string, ...args: readonly string[]): Promise<ChildProcess> => {
  const child = spawn(process.execPath, [command, "up", "--folder", folder, ...args], {
    cwd: root,
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("local cloud ")) resolve();
    });
    child.once("exit", (code) => reject(new Error(`up ended with ${code}`)));
  });
  return child;
};

const down = async (child: ChildProcess): Promise<void> => {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  await ended;
};

const residentMb = (pid: number): number => {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb ?? 0) / 1024;
};

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond;
};

const playActs = async (folder: string): Promise<void> => {
  const startedAt = performance.now();
  const { code, output } = await runToEnd(["demo", "--exit", "--fresh", "--folder", folder]);
  const seconds = (performance.now() - startedAt) / 1000;
  const first = /first prediction (?<seconds>[\d.]+) s/.exec(output)?.groups?.["seconds"] ?? "none";
  row("first prediction by a freshly trained model", `${first} s`, "at most 30 s");
  const acts = [...output.matchAll(/^ +(\d) +(ok|FAILED) +([\d.]+) /gm)];
  row(
    "all acts",
    `${acts.reduce((sum, act) => sum + Number(act[3]), 0).toFixed(1)} s`,
    "at most 180 s",
  );
  for (const [, act, state, took] of acts) row(`  act ${act}`, `${took} s`, String(state));
  row(
    "from start to exit",
    `${seconds.toFixed(1)} s`,
    code === 0 ? "every act ended as it must" : "FAILED",
  );
};

const api = async (instance: Instance, path: string, init: RequestInit): Promise<void> => {
  const reply = await fetch(`${instance.functions}/api${path}`, {
    ...init,
    headers: { authorization: `Bearer ${instance.token}`, "content-type": "application/json" },
  });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
};

const manifestOf = (index: number): string =>
  JSON.stringify({
    apiVersion: "continuo/v1",
    kind: "Model",
    name: `bench-${index}`,
    dataset: {
      name: `bench-${index}`,
      label: "y",
      positiveClass: "1",
      features: [{ name: "x", type: "numeric" }],
    },
    triggers: { debounceSeconds: 0 },
    promotion: { environments: [{ name: "production", endpoint: "bench-production" }] },
  });

/** Publishes one event per model over REST and reads when Vertex AI says that the job was created. */
const eventToJob = async (instance: Instance): Promise<readonly number[]> => {
  const location = `projects/${instance.project}/locations/${instance.region}`;
  const publishedAt = new Map<string, number>();
  for (let index = 0; index < eventsPerBench; index += 1) {
    await api(instance, "/manifests", { method: "POST", body: manifestOf(index) });
  }
  for (let index = 0; index < eventsPerBench; index += 1) {
    const event = {
      specversion: "1.0",
      type: "dataset.arrived",
      id: `bench/${index}`,
      source: "bench",
      time: new Date().toISOString(),
      data: { dataset: `bench-${index}`, uris: [`gs://nowhere/${index}.csv`] },
    };
    const data = Buffer.from(JSON.stringify(event)).toString("base64");
    publishedAt.set(`bench-${index}`, Date.now());
    await fetch(`${instance.cloud}/v1/projects/${instance.project}/topics/dataset:publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ data }] }),
    });
    await pause(700);
  }
  const listing = z.object({
    pipelineJobs: z.array(
      z.object({ createTime: z.string(), labels: z.record(z.string(), z.string()) }),
    ),
  });
  const reply = await fetch(`${instance.cloud}/v1/${location}/pipelineJobs?pageSize=100`);
  return listing.parse(await reply.json()).pipelineJobs.flatMap(({ createTime, labels }) => {
    const at = publishedAt.get(labels["continuo-model"] ?? "");
    return at === undefined ? [] : [Date.parse(createTime) - at];
  });
};

const measureIdle = async (instance: Instance): Promise<void> => {
  const processes = {
    "local cloud": instance.pids.cloud,
    functions: instance.pids.functions,
    supervisor: instance.pid,
  };
  const before = Object.values(processes).map(cpuSeconds);
  await pause(idleSeconds * 1000);
  const after = Object.values(processes).map(cpuSeconds);
  const cpu = after.reduce((sum, seconds, index) => sum + seconds - (before[index] ?? 0), 0);
  const sizes = Object.entries(processes).map(([name, pid]) => [name, residentMb(pid)] as const);
  const total = sizes.reduce((sum, [, mb]) => sum + mb, 0);
  row("idle memory (no predictor)", `${total.toFixed(0)} MB`, "at most 400 MB");
  for (const [name, mb] of sizes) row(`  ${name}`, `${mb.toFixed(0)} MB`, "");
  row(
    `idle processor over ${idleSeconds} s`,
    `${((100 * cpu) / idleSeconds).toFixed(2)} %`,
    "at most 2 % of one core",
  );
};

/** Prints the loop's figures beside their goals. */
export const benchLoop = async (): Promise<void> => {
  console.log(
    `${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(2)}, node ${process.version}\n`,
  );
  const folder = mkdtempSync(join(tmpdir(), "continuo-bench-"));
  try {
    await playActs(join(folder, "acts"));
    const child = await up(join(folder, "idle"));
    const instance = instanceOf(join(folder, "idle"));
    await pause(10_000);
    await measureIdle(instance);
    const delays = await eventToJob(instance);
    row(
      `event published -> PipelineJob created, ${delays.length} events`,
      `p50 ${quantile(delays, 0.5)} p95 ${quantile(delays, 0.95)} ms`,
      "p50 at most 50 ms",
    );
    await down(child);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
