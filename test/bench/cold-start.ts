/** Process start to the first answer of each built function, beside a bare function's; its memory, and its calls per event. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs, promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { functions } from "../../functions/manifest.js";
import { buildFunctions, rehearse, type BuiltFunction } from "../../infra/build/functions.js";
import { cacheFile } from "../../infra/build/rehearsal/bundle-script.js";
import { exampleEvent, type PlainRequest } from "../../infra/build/rehearsal/requests.js";
import { exampleOf } from "../../infra/docs/event-examples.js";
import { exampleManifest } from "../unit/manifest/example.js";
import { costsOf, type EventCosts } from "./cold-start-calls.js";
import {
  report,
  writeReport,
  type Measured,
  type Pair,
  type Sized,
  type Stage,
} from "./cold-start-report.js";
import { functionWorld, serve, type FunctionReply, type FunctionWorld } from "./function-world.js";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const framework = join(root, "node_modules/@google-cloud/functions-framework/build/src/main.js");
const model = "flight-delay";

/** Those whose event makes them ask Vertex AI while a run is open. */
const asksVertex: readonly string[] = ["tick", "reconcile", "on-pipeline-job-changed"];

/** Those that have a run submitted first. */
const preparing: readonly string[] = [
  "api",
  "on-dataset-arrived",
  "on-training-run-requested",
  "tick",
];

let events = 0;

const eventFor = (name: string, run: string): unknown => {
  events += 1;
  const event = exampleEvent(name, `bench/${process.pid}/${events}`);
  return name === "on-pipeline-job-changed"
    ? { ...event, data: { pipelineJob: run, state: "RUNNING" } }
    : event;
};

/** A request that is answered with 2xx after the function did its work. */
const workOf = (world: FunctionWorld, name: string, run: string): PlainRequest => {
  if (name === "api") return world.apiRequest("GET", "/status");
  if (name === "console") return world.consoleRequest("/");
  return world.push(name, eventFor(name, run));
};

/** A request that needs no cloud: event functions refuse a push without a token. */
const readyOf = (world: FunctionWorld, name: string): PlainRequest =>
  name === "console"
    ? world.consoleRequest("/console.css")
    : { method: "POST", path: "/", headers: { host: "bench.localhost" }, body: "{}" };

/** A program under measurement. */
interface Candidate {
  readonly name: string;
  readonly stage: Stage;
  readonly start: () => ReturnType<typeof serve>;
  readonly request: () => PlainRequest;
  readonly statuses: readonly number[];
}

const measureOnce = async ({
  start,
  request,
  statuses,
  name,
}: Candidate): Promise<FunctionReply> => {
  const served = await start();
  try {
    const reply = await served.ask(request());
    if (!statuses.includes(reply.status)) {
      throw new Error(`${name} answered ${reply.status}: ${reply.body.slice(0, 300)}`);
    }
    return reply;
  } finally {
    await served.stop();
  }
};

/** The Node that everything is measured with. */
const runtime = { node: process.execPath };

const startBuilt =
  ({ folder, name }: BuiltFunction, world: FunctionWorld) =>
  () =>
    serve(
      [join(folder, "main.cjs"), `--target=${name}`, `--source=${join(folder, "index.cjs")}`],
      world.env,
      runtime.node,
    );

const runShape = z.object({
  runs: z.array(z.object({ run: z.string(), submittedAt: z.string().nullable() })),
});

/** Applies a manifest and has one run submitted, by the functions' own bundles. */
const openRun = async (world: FunctionWorld, built: ReadonlyMap<string, BuiltFunction>) => {
  const started = async (name: string) => {
    const found = built.get(name);
    if (found === undefined) throw new Error(`${name} is not built`);
    return startBuilt(found, world)();
  };
  const [api, arrived, requested, tick] = [
    await started("api"),
    await started("on-dataset-arrived"),
    await started("on-training-run-requested"),
    await started("tick"),
  ];
  world.deliver("on-training-run-requested", requested);
  try {
    const manifest = exampleManifest.replace("triggers:\n", "triggers:\n  debounceSeconds: 0\n");
    const applied = await api.ask({
      ...world.apiRequest("POST", "/manifests"),
      body: JSON.stringify(parse(manifest)),
    });
    if (applied.status >= 300) throw new Error(`the manifest: ${applied.body}`);
    const event = {
      ...exampleOf("dataset.arrived"),
      id: "bench/first",
      time: new Date().toISOString(),
    };
    await arrived.ask(world.push("on-dataset-arrived", event));
    for (let attempt = 0; attempt < 40; attempt += 1) {
      await tick.ask(world.push("tick", {}));
      const reply = await api.ask(world.apiRequest("GET", `/runs?model=${model}`));
      const run = runShape
        .parse(JSON.parse(reply.body))
        .runs.find(({ submittedAt }) => submittedAt !== null);
      if (run !== undefined) return run.run;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const runs = await api.ask(world.apiRequest("GET", "/runs"));
    throw new Error(`no run was submitted: ${runs.body}`);
  } finally {
    await Promise.all([api, arrived, requested, tick].map((served) => served.stop()));
  }
};

const helloFolder = (folder: string): string => {
  const hello = join(folder, "hello");
  mkdirSync(hello, { recursive: true });
  writeFileSync(join(hello, "index.js"), 'exports.hello = (req, res) => { res.send("hello"); };\n');
  writeFileSync(join(hello, "package.json"), '{"name":"hello","main":"index.js"}\n');
  return hello;
};

const helloOf = (folder: string): Candidate => {
  const source = helloFolder(folder);
  return {
    name: "hello",
    stage: "ready",
    start: () => serve([framework, "--target=hello", `--source=${source}`], {}, runtime.node),
    request: () => ({ method: "GET", path: "/", headers: {} }),
    statuses: [200],
  };
};

const candidatesOf = (
  world: FunctionWorld,
  built: readonly BuiltFunction[],
  run: string,
): readonly Candidate[] =>
  built.flatMap((one): readonly Candidate[] => [
    {
      name: one.name,
      stage: "ready",
      start: startBuilt(one, world),
      request: () => readyOf(world, one.name),
      statuses: one.name === "console" ? [200] : [401],
    },
    {
      name: one.name,
      stage: asksVertex.includes(one.name)
        ? "vertex"
        : one.name === "notify"
          ? "ready"
          : "firestore",
      start: startBuilt(one, world),
      request: () => workOf(world, one.name, run),
      statuses: [200, 204],
    },
  ]);

/** What one more event costs, handled by a process that is warm. */
const costsOfOne = async (
  world: FunctionWorld,
  one: BuiltFunction,
  run: string,
): Promise<EventCosts> => {
  const served = await startBuilt(one, world)();
  try {
    await served.ask(workOf(world, one.name, run));
    const before = world.calls().length;
    await served.ask(workOf(world, one.name, run));
    return costsOf(world.calls().slice(before));
  } finally {
    await served.stop();
  }
};

const measureAll = async (
  hello: Candidate,
  candidates: readonly Candidate[],
  runs: number,
): Promise<readonly Measured[]> => {
  const measured = new Map<Candidate, readonly Pair[]>();
  for (let round = 0; round < runs; round += 1) {
    for (const candidate of candidates) {
      const pair = { hello: await measureOnce(hello), own: await measureOnce(candidate) };
      measured.set(candidate, [...(measured.get(candidate) ?? []), pair]);
    }
  }
  return [...measured].map(([{ name, stage }, pairs]) => ({ name, stage, pairs }));
};

const bytesOf = (file: string): number => (existsSync(file) ? statSync(file).size : 0);

/** `npm run bench -- cold-start [--runs 7] [--write] [function ...]` */
export const benchColdStart = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(3),
    allowPositionals: true,
    options: {
      runs: { type: "string", default: "5" },
      node: { type: "string", default: process.execPath },
      "without-code-cache": { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const names = functions.map(({ name }) => name);
  const wanted = positionals.length === 0 ? names : positionals;
  const folder = mkdtempSync(join(tmpdir(), "continuo-cold-start-"));
  runtime.node = values.node;
  const { stdout: version } = await promisify(execFile)(values.node, ["--version"]);
  const machine = `${availableParallelism()} cores, load ${(loadavg()[0] ?? 0).toFixed(1)} before, Node ${version.trim()}, ${values.runs} pairs of starts for each row`;
  const needed = names.filter((name) => wanted.includes(name) || preparing.includes(name));
  const startedAt = performance.now();
  const built = await buildFunctions(root, needed, join(folder, "functions"));
  console.log(
    `${built.length} functions built in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
  );
  // As every image does while it is built.
  if (!values["without-code-cache"]) {
    for (const one of built) await rehearse(one, runtime.node);
  }
  const world = await functionWorld();
  try {
    const run = await openRun(world, new Map(built.map((one) => [one.name, one])));
    const asked = built.filter(({ name }) => wanted.includes(name));
    const measured = await measureAll(
      helloOf(folder),
      candidatesOf(world, asked, run),
      Number(values.runs),
    );
    const sized: Sized[] = [];
    for (const one of asked) {
      const cacheBytes = bytesOf(join(one.folder, cacheFile));
      sized.push({ built: one, cacheBytes, costs: await costsOfOne(world, one, run) });
    }
    const text = report(measured, sized, machine);
    console.log(`\n${text}`);
    if (values.write) writeReport(join(root, "infra/docs/builds.md"), text);
  } finally {
    await world.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};
