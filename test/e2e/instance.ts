/** A real instance in a folder of its own: `continuo demo` or `continuo up` as a child process, and eyes on it. */
import { fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { v1 } from "@google-cloud/aiplatform";
import { credentials } from "@grpc/grpc-js";
import { GoogleAuth, googleAuthLibrary } from "google-gax";
import { z } from "zod";
import { instanceSchema, type Instance } from "../../infra/cli/up/folder.js";
import { continuoOn } from "./running.js";

const rootFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** A child process that runs `continuo`. */
export interface Playing {
  readonly folder: string;
  /** Everything that it has printed. */
  readonly output: () => string;
  /** Addresses and process ids; read anew each time, because ids change when a child is started again. */
  readonly instance: () => Instance;
  /** How it ended. */
  readonly ended: Promise<number | null>;
  /** Ctrl-C, until it is gone. */
  readonly stop: () => Promise<void>;
}

/** A folder for state, outside the checkout. */
export const newFolder = (): string => mkdtempSync(join(tmpdir(), "continuo-e2e-"));

/** Removes what a story has left. */
export const removeFolder = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true });
};

let started = 0;

/** Starts `continuo <verb>` on a folder and on ports that are free. */
export const play = (folder: string, verb: "demo" | "up", ...flags: readonly string[]): Playing =>
  playWith({}, folder, verb, ...flags);

/** The same with more environment variables. */
export const playWith = (
  environment: Readonly<Record<string, string>>,
  folder: string,
  verb: "demo" | "up",
  ...flags: readonly string[]
): Playing => {
  // Away from the default ports, so that the instance of the machine's owner is left alone.
  const port = 41_000 + ((process.pid * 7 + started * 53) % 19_000);
  started += 1;
  const child = spawn(
    process.execPath,
    [
      rootFile("infra/cli/continuo.mjs"),
      verb,
      "--folder",
      folder,
      "--cloud-port",
      String(port),
      "--port",
      String(port + 20),
      // Google Cloud takes minutes for a deployment; nothing here depends on how long it takes.
      "--deploy-delay-ms",
      "200",
      ...flags,
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...environment, NO_COLOR: "1" } },
  );
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", (code) => resolve(code));
  });
  return {
    folder,
    output: () => text,
    instance: () =>
      instanceSchema.parse(JSON.parse(readFileSync(join(folder, "continuo.json"), "utf8"))),
    ended,
    stop: async () => {
      if (child.exitCode === null) child.kill("SIGINT");
      await ended;
    },
  };
};

const askEveryMs = 50;

/** Asks until there is an answer; null or a failed request means not yet. Throws when the limit is over. */
export const until = async <Answer>(
  what: string,
  seconds: number,
  ask: () => Promise<Answer | null> | Answer | null,
): Promise<Answer> => {
  const deadline = performance.now() + seconds * 1000;
  let problem: unknown;
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      problem = error;
    }
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
  throw new Error(`${what} did not happen within ${seconds} s`, { cause: problem });
};

/** Waits until the process has printed something; its early end is an error. */
export const printed = async (playing: Playing, text: string, seconds: number): Promise<void> => {
  let code: number | null | undefined;
  void playing.ended.then((ended) => {
    code = ended;
  });
  const isPrinted = await until(`"${text}"`, seconds, () => {
    if (playing.output().includes(text)) return true;
    return code === undefined ? null : false;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}:\n${playing.output()}`, { cause: error });
  });
  if (!isPrinted) throw new Error(`ended with ${code} before "${text}":\n${playing.output()}`);
};

/** Waits for an instance's address. */
export const isUp = (playing: Playing): Promise<void> => printed(playing, "local cloud  http", 60);

const numbers = z.record(z.string(), z.number());

const verdict = z.object({ result: z.string(), reasons: z.array(z.string()), numbers });

/** What the api says of runs. */
const runsReply = z.object({
  runs: z.array(
    z.object({
      run: z.string(),
      model: z.string(),
      isLive: z.boolean(),
      phase: z.string(),
      outcome: z.string().nullable(),
      trigger: z.string(),
      reasons: z.array(z.string()),
      datasetUris: z.array(z.string()),
      versionId: z.string().nullable(),
      evaluation: z.object({ outcome: z.string(), numbers, artifact: z.string() }).nullable(),
    }),
  ),
});

/** What the api says of rollouts. */
const rolloutsReply = z.object({
  rollouts: z.array(
    z.object({
      rollout: z.string(),
      model: z.string(),
      isLive: z.boolean(),
      phase: z.string(),
      outcome: z.string().nullable(),
      versionId: z.string(),
      reasons: z.array(z.string()),
      weight: z.number().nullable(),
      history: z.array(z.object({ weight: z.number(), verdict })),
    }),
  ),
});

/** A run as the api shows it. */
export type Run = z.infer<typeof runsReply>["runs"][number];

/** A rollout as the api shows it. */
export type Rollout = z.infer<typeof rolloutsReply>["rollouts"][number];

/** The reply of `continuo why --json`. */
export const whyReply = z.object({
  kind: z.string(),
  answer: z.string(),
  reasons: z.array(z.string()),
  numbers,
  steps: z.array(z.object({ what: z.string(), decision: z.string(), reason: z.string(), numbers })),
});

type Why = z.infer<typeof whyReply>;

const jsonOf = async (response: Response): Promise<unknown> => {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${text}`);
  return JSON.parse(text);
};

const post = async (url: string, body: unknown): Promise<unknown> =>
  jsonOf(
    await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );

/** A running instance as programs of other people see it: addresses, the api, Google's REST and clients. */
export const outside = (playing: Playing) => {
  const { cloud, functions, token, project, region, bucket } = playing.instance();
  const parent = `projects/${project}/locations/${region}`;
  const { hostname, port } = new URL(cloud);
  const read = async (path: string): Promise<unknown> =>
    jsonOf(
      await fetch(`${functions}/api${path}`, { headers: { authorization: `Bearer ${token}` } }),
    );
  const options = {
    projectId: project,
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    auth: new GoogleAuth({
      authClient: new googleAuthLibrary.PassThroughClient(),
      projectId: project,
    }),
  };
  const continuo = continuoOn(playing.folder);
  return {
    cloud,
    bucket,
    parent,
    project,
    runs: async (model: string): Promise<readonly Run[]> =>
      runsReply.parse(await read(`/runs?model=${model}&limit=50`)).runs,
    rollouts: async (model: string): Promise<readonly Rollout[]> =>
      rolloutsReply.parse(await read(`/rollouts?model=${model}&limit=50`)).rollouts,
    read,
    continuo,
    /** `continuo why <id> --json`. */
    why: async (id: string): Promise<Why> => {
      const { code, out, err } = await continuo("why", id, "--json");
      if (code !== 0) throw new Error(`continuo why ${id} ended with ${code}: ${err}`);
      return whyReply.parse(JSON.parse(out));
    },
    /** Makes a Scheduler job fire now. */
    advance: (job: string): Promise<unknown> => post(`${cloud}/v1/${parent}/jobs/${job}:run`, {}),
    predict: async (endpoint: string, instances: readonly unknown[]): Promise<unknown> =>
      post(`${cloud}/v1/${parent}/endpoints/${endpoint}:predict`, { instances }),
    post,
    getObject: async (name: string): Promise<Buffer> => {
      const response = await fetch(
        `${cloud}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`,
      );
      if (!response.ok) throw new Error(`${name}: ${response.status}`);
      return Buffer.from(await response.arrayBuffer());
    },
    /** Uploads one object; returns its address. */
    putObject: async (name: string, body: Uint8Array): Promise<string> => {
      const response = await fetch(
        `${cloud}/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`,
        { method: "POST", body: new Uint8Array(body) },
      );
      await jsonOf(response);
      return `gs://${bucket}/${name}`;
    },
    pipelines: () => new v1.PipelineServiceClient(options),
    models: () => new v1.ModelServiceClient(options),
    endpoints: () => new v1.EndpointServiceClient(options),
  };
};

/** A running instance seen from outside. */
export type Outside = ReturnType<typeof outside>;

/** Fires the tick once a second, as the demo does; the answer stops it. */
export const tickEverySecond = ({
  advance,
}: Outside): { readonly count: () => number; readonly stop: () => void } => {
  let count = 0;
  let isAsking = false;
  const timer = setInterval(() => {
    if (isAsking) return;
    isAsking = true;
    advance("continuo-tick")
      .then(() => {
        count += 1;
      })
      .catch(() => undefined)
      .finally(() => {
        isAsking = false;
      });
  }, 1000);
  return { count: () => count, stop: () => clearInterval(timer) };
};

/** One flight, and how it changes from request to request. */
export const instanceAt = (index: number): Readonly<Record<string, number | string>> => ({
  hour: 6 + (index % 16),
  weekday: index % 7,
  distance: 200 + 37 * (index % 60),
  origin: ["ATL", "ORD", "DFW", "LAX"][index % 4] ?? "ATL",
  destination: ["SFO", "JFK", "BOS"][index % 3] ?? "SFO",
  originLateRate: 0.05 + (index % 40) / 100,
});

/** Sends single-instance requests at a steady rate until it is stopped. */
export const sendRequests = (
  { cloud, parent }: Outside,
  options: {
    readonly folder: string;
    readonly endpoint: string;
    readonly perSecond: number;
    /** What is asked about; flights unless said. */
    readonly instances?: readonly unknown[];
  },
): { readonly stop: () => Promise<void> } => {
  const { folder, endpoint, perSecond } = options;
  const file = join(folder, `requests-${endpoint}.json`);
  const instances =
    options.instances ?? Array.from({ length: 500 }, (_, index) => instanceAt(index));
  const bodies = instances.map((instance) => ({ instances: [instance] }));
  writeFileSync(file, JSON.stringify(bodies));
  const child = fork(rootFile("infra/demo/traffic-child.ts"), {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  child.send({
    url: `${cloud}/v1/${parent}/endpoints/${endpoint}:predict`,
    file,
    requestsPerSecond: perSecond,
  });
  return {
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
};

/** A person, as the audit log names one: what our own identity does starts no rollout. */
const asPerson = {
  otherArgs: { headers: { authorization: "Bearer local:ada@example.com" } },
};

const uploadReply = z.looseObject({ modelVersionId: z.string() });

/** Registers a version with Google's own client, as a person would; returns its id. */
export const uploadVersion = async (
  { models, parent }: Outside,
  version: {
    readonly model: string;
    readonly artifactUri: string;
    readonly image: string;
    readonly aliases: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly isFirst?: boolean;
  },
): Promise<string> => {
  const { model, artifactUri, image, aliases, isFirst = false } = version;
  const client = models();
  const [operation] = await client.uploadModel(
    {
      parent,
      ...(isFirst ? { modelId: model } : { parentModel: `${parent}/models/${model}` }),
      model: {
        displayName: model,
        artifactUri,
        versionAliases: [...aliases],
        containerSpec: {
          imageUri: image,
          healthRoute: "/health",
          predictRoute: "/predict",
          env: Object.entries(version.env).map(([name, value]) => ({ name, value })),
        },
      },
    },
    asPerson,
  );
  const [uploaded] = await operation.promise();
  await client.close();
  return uploadReply.parse(uploaded).modelVersionId;
};
