/** Process start to the first answer of each built function, beside a bare function's; its memory, and its calls per event. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs, promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { functions } from "../../functions/manifest.js";
import { buildFunctions, rehearse, type BuiltFunction } from "../../infra/build/functions.js";
import { exampleEvent } from "../../infra/build/rehearsal/requests.js";
import { exampleOf } from "../../infra/docs/event-examples.js";
import { exampleManifest } from "../unit/manifest/example.js";
import {
  functionWorld,
  serve,
  type FunctionReply,
  type FunctionRequest,
  type FunctionWorld,
} from "./function-world.js";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const framework = join(root, "node_modules/@google-cloud/functions-framework/build/src/main.js");
const model = "flight-delay";

/** What a function is asked, and what of the cloud its answer needs. */
type Stage = "ready" | "firestore" | "vertex";

/** Times the bare function's, as the project wants it. */
const budgets: Readonly<Record<Stage, number>> = { ready: 1.3, firestore: 2, vertex: 2.2 };
const residentBudget = 1.5;

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
const workOf = (world: FunctionWorld, name: string, run: string): FunctionRequest => {
  if (name === "api") return world.apiRequest("GET", "/status");
  if (name === "console") return world.consoleRequest("/");
  return world.push(name, eventFor(name, run));
};

/** A request that needs no cloud: event functions refuse a push without a token. */
const readyOf = (world: FunctionWorld, name: string): FunctionRequest =>
  name === "console"
    ? world.consoleRequest("/console.css")
    : { method: "POST", path: "/", headers: { host: "bench.localhost" }, body: "{}" };

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** A program under measurement. */
interface Candidate {
  readonly name: string;
  readonly stage: Stage;
  readonly start: () => ReturnType<typeof serve>;
  readonly request: () => FunctionRequest;
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

/** One start of a function, and the bare function's start right before it: on a busy machine only such pairs compare. */
interface Pair {
  readonly hello: FunctionReply;
  readonly own: FunctionReply;
}

const shown = (values: readonly number[], digits = 0): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)})`;

const ratios = (pairs: readonly Pair[], of: (reply: FunctionReply) => number): readonly number[] =>
  pairs.map(({ hello, own }) => of(own) / of(hello));

const stageNames: Readonly<Record<Stage, string>> = {
  ready: "no cloud",
  firestore: "Firestore",
  vertex: "Vertex AI",
};

const printTimes = (measured: ReadonlyMap<Candidate, readonly Pair[]>): number => {
  const line = (...columns: readonly string[]): void => {
    const [name = "", stage = "", ...rest] = columns;
    console.log(
      `${name.padEnd(29)}${stage.padEnd(11)}${rest.map((text) => text.padStart(18)).join("")}`,
    );
  };
  const hellos = [...measured.values()].flatMap((pairs) => pairs.map(({ hello }) => hello));
  console.log(
    `hello: ${shown(hellos.map(({ ms }) => ms))} ms, ${shown(hellos.map(({ residentMb }) => residentMb))} MB resident, ${hellos.length} starts\n`,
  );
  line("function", "needs", "ms", "x hello", "CPU x hello", "resident x hello", "budget");
  let missed = 0;
  for (const [candidate, pairs] of measured) {
    const times = ratios(pairs, ({ ms }) => ms);
    const memory = ratios(pairs, ({ residentMb }) => residentMb);
    const budget = budgets[candidate.stage];
    const isKept = median(times) <= budget && median(memory) <= residentBudget;
    if (!isKept) missed += 1;
    line(
      candidate.name,
      stageNames[candidate.stage],
      shown(pairs.map(({ own }) => own.ms)),
      shown(times, 2),
      shown(
        ratios(pairs, ({ cpuMs }) => cpuMs),
        2,
      ),
      shown(memory, 2),
      `${budget} / ${residentBudget}${isKept ? "" : " MISSED"}`,
    );
  }
  return missed;
};

const writeMethods = new Set(["Commit", "BatchWrite"]);
const readMethods = new Set([
  "BatchGetDocuments",
  "RunQuery",
  "RunAggregationQuery",
  "GetDocument",
]);

/** Counts the cloud's calls while a warm process handles one more event. */
const printCalls = async (
  world: FunctionWorld,
  built: readonly BuiltFunction[],
  run: string,
): Promise<void> => {
  console.log("\ncalls per event, by a process that is warm");
  for (const one of built) {
    const served = await startBuilt(one, world)();
    try {
      await served.ask(workOf(world, one.name, run));
      const before = world.calls().length;
      await served.ask(workOf(world, one.name, run));
      const calls = world.calls().slice(before);
      const count = (matches: (service: string, method: string) => boolean): number =>
        calls.filter(({ method }) => {
          const [service = "", name = ""] = method.split("/");
          return matches(service, name);
        }).length;
      const reads = count(
        (service, name) => service.includes("firestore") && readMethods.has(name),
      );
      const writes = count(
        (service, name) => service.includes("firestore") && writeMethods.has(name),
      );
      const messages = count((_service, name) => name === "Publish");
      const vertex = count((service) => service.includes("aiplatform"));
      const others = calls.length - reads - writes - messages - vertex;
      console.log(
        `${one.name.padEnd(29)} Firestore reads ${reads}, commits ${writes}; messages ${messages}; Vertex AI ${vertex}; others ${others}`,
      );
    } finally {
      await served.stop();
    }
  }
};

/** `npm run bench -- cold-start [--runs 7] [function ...]` */
export const benchColdStart = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(3),
    allowPositionals: true,
    options: {
      runs: { type: "string", default: "5" },
      node: { type: "string", default: process.execPath },
      "without-code-cache": { type: "boolean", default: false },
    },
  });
  const names = functions.map(({ name }) => name);
  const wanted = positionals.length === 0 ? names : positionals;
  const folder = mkdtempSync(join(tmpdir(), "continuo-cold-start-"));
  runtime.node = values.node;
  const { stdout: version } = await promisify(execFile)(values.node, ["--version"]);
  console.log(
    `${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(2)}, node ${version.trim()}, median and spread of ${values.runs} interleaved pairs of starts\n`,
  );
  const startedAt = performance.now();
  const needed = names.filter((name) => wanted.includes(name) || preparing.includes(name));
  const built = await buildFunctions(root, needed, join(folder, "functions"));
  const seconds = (performance.now() - startedAt) / 1000;
  for (const { name, bytes, gzipBytes } of built) {
    console.log(
      `${name.padEnd(29)} ${(bytes / 1000).toFixed(0)} kB, ${(gzipBytes / 1000).toFixed(0)} kB compressed`,
    );
  }
  console.log(`${built.length} functions built in ${seconds.toFixed(1)} s\n`);
  // As every image does while it is built.
  if (!values["without-code-cache"]) {
    for (const one of built) await rehearse(one, runtime.node);
  }
  const world = await functionWorld();
  try {
    const run = await openRun(world, new Map(built.map((one) => [one.name, one])));
    const asked = built.filter(({ name }) => wanted.includes(name));
    const hello = helloOf(folder);
    const candidates = candidatesOf(world, asked, run);
    const measured = new Map<Candidate, readonly Pair[]>();
    for (let round = 0; round < Number(values.runs); round += 1) {
      for (const candidate of candidates) {
        const pairs = measured.get(candidate) ?? [];
        const pair = { hello: await measureOnce(hello), own: await measureOnce(candidate) };
        measured.set(candidate, [...pairs, pair]);
      }
    }
    const missed = printTimes(measured);
    console.log(missed === 0 ? "every budget is kept" : `${missed} rows over their budget`);
    await printCalls(world, asked, run);
  } finally {
    await world.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};
