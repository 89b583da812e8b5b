/** What the demo may do, and nothing else: publish, upload, predict, advance Scheduler, write a log line, and read. */
import type { Storage as StorageClient } from "@google-cloud/storage";
import { credentials } from "@grpc/grpc-js";
import { z } from "zod";

/** Where everything is. */
export interface DemoOptions {
  /** Address of the local cloud, for example http://127.0.0.1:8790. */
  readonly cloud: string;
  /** Address of the api, for example http://127.0.0.1:8800/api. */
  readonly api: string;
  readonly token: string;
  readonly projectId: string;
  readonly region: string;
  readonly bucket: string;
  /** Folder for the demo's own files. */
  readonly folder: string;
  /** Requests per second of the live stream. */
  readonly requestsPerSecond: number;
  /** Numbers of the acts to play, in order. */
  readonly acts: readonly number[];
  /** Last month to play, 1 to 6: a short demo stops earlier. */
  readonly monthsMax: number;
  /** Share of the flights that is sampled. */
  readonly sampleShare: number;
  /** The longest wait for one run or one rollout. */
  readonly waitSecondsMax: number;
  /** Shown while something takes time. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Identity under which the demo's own calls appear in the audit log. */
export const principal = "ingestion@demo.iam.gserviceaccount.com";

const entriesReply = z.object({ entries: z.array(z.record(z.string(), z.unknown())).default([]) });
const uploadReply = z.looseObject({ modelVersionId: z.string() });

const jsonOf = async (response: Response): Promise<unknown> => {
  const body: unknown = await response.json();
  if (response.ok) return body;
  throw new Error(
    `${response.url} answered ${response.status}: ${JSON.stringify(body).slice(0, 500)}`,
  );
};

/** The demo's hands and eyes. */
export const demoWorld = async (options: DemoOptions) => {
  const { hostname, port } = new URL(options.cloud);
  const { PubSub } = await import("@google-cloud/pubsub");
  const { Storage } = await import("@google-cloud/storage");
  const { GoogleAuth, googleAuthLibrary } = await import("google-gax");
  // Without it the clients first look for a metadata server, which a laptop does not have.
  const auth = new GoogleAuth({
    authClient: new googleAuthLibrary.PassThroughClient(),
    projectId: options.projectId,
  });
  const pubsub = new PubSub({
    projectId: options.projectId,
    auth,
    apiEndpoint: `${hostname}:${port}`,
    emulatorMode: true,
  });
  const storage: StorageClient = new Storage({
    projectId: options.projectId,
    apiEndpoint: options.cloud,
  });
  const grpcOptions = {
    projectId: options.projectId,
    auth,
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
  };
  const asPerson = { otherArgs: { headers: { authorization: `Bearer local:${principal}` } } };
  const parent = `projects/${options.projectId}/locations/${options.region}`;
  return {
    options,
    parent,
    /** Publishes one message as any publisher does. */
    publish: async (
      topic: string,
      body: unknown,
      attributes: Record<string, string> = {},
    ): Promise<string> =>
      pubsub.topic(topic).publishMessage({
        data: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
        attributes,
      }),
    /** Uploads one object and returns its address. */
    upload: async (name: string, body: Buffer): Promise<string> => {
      await storage.bucket(options.bucket).file(name).save(body, { resumable: false });
      return `gs://${options.bucket}/${name}`;
    },
    download: async (uri: string): Promise<Buffer> => {
      const { pathname, host } = new URL(uri);
      const [body] = await storage
        .bucket(host)
        .file(decodeURIComponent(pathname.slice(1)))
        .download();
      return body;
    },
    /** One online prediction, as a program without any library would ask for it. */
    predict: async (
      endpoint: string,
      instances: readonly unknown[],
    ): Promise<{ status: number; body: unknown }> => {
      const response = await fetch(`${options.cloud}/v1/${parent}/endpoints/${endpoint}:predict`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ instances }),
      });
      return { status: response.status, body: await response.json() };
    },
    /** Makes a Scheduler job fire now. */
    advance: async (job: string): Promise<void> => {
      await jsonOf(
        await fetch(`${options.cloud}/v1/${parent}/jobs/${job}:run`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "{}",
        }),
      );
    },
    /** Copies of a log entry, each with an insertId of its own. */
    writeLogEntries: async (entries: readonly unknown[]): Promise<void> => {
      await jsonOf(
        await fetch(`${options.cloud}/v2/entries:write`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ entries }),
        }),
      );
    },
    listLogEntries: async (filter: string): Promise<readonly Record<string, unknown>[]> => {
      const body = await jsonOf(
        await fetch(`${options.cloud}/v2/entries:list`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            resourceNames: [`projects/${options.projectId}`],
            filter,
            orderBy: "timestamp desc",
            pageSize: 50,
          }),
        }),
      );
      return entriesReply.parse(body).entries;
    },
    /** Registers a version of a model by hand, with the official client. */
    uploadVersion: async (
      model: string,
      version: {
        readonly artifactUri: string;
        readonly image: string;
        readonly env: Readonly<Record<string, string>>;
        readonly aliases: readonly string[];
      },
    ): Promise<string> => {
      const { v1 } = await import("@google-cloud/aiplatform");
      const client = new v1.ModelServiceClient(grpcOptions);
      try {
        const [operation] = await client.uploadModel(
          {
            parent,
            parentModel: `${parent}/models/${model}`,
            model: {
              displayName: model,
              artifactUri: version.artifactUri,
              versionAliases: [...version.aliases],
              containerSpec: {
                imageUri: version.image,
                healthRoute: "/health",
                predictRoute: "/predict",
                env: Object.entries(version.env).map(([name, value]) => ({ name, value })),
              },
            },
          },
          asPerson,
        );
        const [uploaded] = await operation.promise();
        return uploadReply.parse(uploaded).modelVersionId;
      } finally {
        await client.close();
      }
    },
    /** Changes a version's aliases by hand, with the official client. */
    mergeAliases: async (
      model: string,
      version: string,
      aliases: readonly string[],
    ): Promise<void> => {
      const { v1 } = await import("@google-cloud/aiplatform");
      const client = new v1.ModelServiceClient(grpcOptions);
      try {
        await client.mergeVersionAliases(
          { name: `${parent}/models/${model}@${version}`, versionAliases: [...aliases] },
          asPerson,
        );
      } finally {
        await client.close();
      }
    },
    /** Reads from the api. */
    read: async (path: string): Promise<unknown> => {
      const response = await fetch(`${options.api}${path}`, {
        headers: { authorization: `Bearer ${options.token}` },
      });
      return jsonOf(response);
    },
    close: async (): Promise<void> => {
      await pubsub.close();
    },
  };
};

/** The demo's hands and eyes. */
export type DemoWorld = Awaited<ReturnType<typeof demoWorld>>;

/** How long something is waited for. */
export interface WaitLimits {
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** What was seen instead, for the error. */
  readonly seen?: () => string;
}

const askEveryMs = 150;

/** A process that was killed comes back within seconds: what nobody answers is asked again. */
const isNoAnswer = (error: unknown): boolean =>
  error instanceof TypeError && error.message === "fetch failed";

/** Asks until there is an answer; null means not yet. Throws with `what` when the limit is over. */
export const until = async <Answer>(
  what: string,
  ask: () => Promise<Answer | null>,
  { seconds, signal, seen }: WaitLimits,
): Promise<Answer> => {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    let unanswered: unknown;
    const answer = await ask().catch((error: unknown) => {
      if (!isNoAnswer(error)) throw error;
      unanswered = error;
      return null;
    });
    if (answer !== null) return answer;
    if (performance.now() > deadline) {
      const why = unanswered === undefined ? seen?.() : "nothing answers any more";
      throw new Error(
        `${what} did not happen within ${seconds} s${why === undefined ? "" : `: ${why}`}`,
        { cause: unanswered },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
};
