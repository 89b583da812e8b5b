/** A running instance whose processes may be killed at any moment, and eyes on it through the official clients. */
import { join } from "node:path";
import { PubSub } from "@google-cloud/pubsub";
import { Storage } from "@google-cloud/storage";
import { Firestore } from "firebase-admin/firestore";
import { GoogleAuth, googleAuthLibrary } from "google-gax";
import { z } from "zod";
import { isUp, outside, playWith, tickEverySecond, until, type Outside } from "../instance.js";
import { followCalls } from "./calls.js";

/** Who can be killed. */
export type Victim = "functions" | "cloud";

/** How long chosen calls take, so that a kill can hit their middle: before they are done, and before they are answered. */
export const effectDelayMs = 150;
const commitDelayMs = 25;
const effectCalls = [
  "Publish",
  "CreatePipelineJob",
  "UploadModel",
  "MergeVersionAliases",
  "DeployModel",
  "UndeployModel",
  "UpdateEndpoint",
];
const callDelays = [
  ...effectCalls.map((method) => `${method}=${effectDelayMs}+${effectDelayMs}`),
  `Commit=${commitDelayMs}+${commitDelayMs}`,
].join(",");

const startSecondsMax = 90;

/** A journal entry as it lies in Firestore, with what checks need. */
export const storedEntry = z.looseObject({
  key: z.string(),
  model: z.string().nullable(),
  event: z.looseObject({ type: z.string(), id: z.string(), source: z.string() }),
  receivedAtMs: z.number(),
  decisions: z.array(
    z.looseObject({ decision: z.looseObject({ do: z.string(), reason: z.string() }) }),
  ),
  chain: z.object({ sequence: z.number(), previous: z.string(), hash: z.string() }).nullable(),
});

/** A journal entry. */
export type Entry = z.infer<typeof storedEntry>;

const slots = [0, 1, 2, 3, 4, 5, 6, 7];

const isHealthy = async (address: string): Promise<boolean> => {
  try {
    return (await fetch(`${address}/healthz`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
};

/** Starts an instance in a folder. */
export const startWorld = async (folder: string) => {
  const callLog = join(folder, "calls.jsonl");
  const playing = playWith(
    { CONTINUO_LOCAL_CALL_DELAYS: callDelays, CONTINUO_LOCAL_CALL_LOG: callLog },
    folder,
    "up",
    "--restart-delay-ms-max",
    "500",
    "--metric-delay-ms",
    "200",
    "--metric-period-ms",
    "500",
  );
  await isUp(playing);
  const seen: Outside = outside(playing);
  const { project, bucket, cloud } = seen;
  const auth = new GoogleAuth({
    authClient: new googleAuthLibrary.PassThroughClient(),
    projectId: project,
  });
  const { host } = new URL(cloud);
  const pubsub = new PubSub({ projectId: project, auth, apiEndpoint: host, emulatorMode: true });
  const storage = new Storage({ projectId: project, apiEndpoint: cloud });
  const firestore = new Firestore({ projectId: project, host, ssl: false });
  const calls = followCalls(callLog);
  const ticks = tickEverySecond(seen);

  const pidOf = (victim: Victim): number => {
    const pid = playing.instance().pids[victim];
    if (pid === undefined) throw new Error(`no process id of the ${victim}`);
    return pid;
  };

  return {
    folder,
    seen,
    calls,
    pubsub,
    firestore,
    pidOf,
    output: playing.output,
    instance: playing.instance,
    upload: async (name: string, body: string): Promise<string> => {
      await storage.bucket(bucket).file(name).save(body, { resumable: false });
      return `gs://${bucket}/${name}`;
    },
    /** Kills one process, not its children: its supervisor sees to those. */
    kill: (victim: Victim): void => {
      process.kill(pidOf(victim), "SIGKILL");
    },
    /** Waits until a killed process has a successor that serves. */
    isBack: (victim: Victim, killedPid: number): Promise<unknown> =>
      until(`a new process of the ${victim}`, startSecondsMax, async () => {
        const { cloud: cloudAddress, functions } = playing.instance();
        if (pidOf(victim) === killedPid) return null;
        return (await isHealthy(victim === "cloud" ? cloudAddress : functions)) ? true : null;
      }),
    /** Keys of the entries with effects still to perform. */
    pendingKeys: async (): Promise<readonly string[]> => {
      const found = await firestore
        .collection("journal")
        .where("pendingSlot", "in", slots)
        .select()
        .get();
      return found.docs.map(({ id }) => id);
    },
    journal: async (): Promise<readonly Entry[]> => {
      const found = await firestore.collection("journal").get();
      return found.docs.map((document) =>
        storedEntry.parse(JSON.parse(String(document.get("entry")))),
      );
    },
    documents: async (collection: string, field: string): Promise<readonly unknown[]> => {
      const found = await firestore.collection(collection).get();
      return found.docs.map((document): unknown => JSON.parse(String(document.get(field))));
    },
    stop: async (): Promise<void> => {
      ticks.stop();
      await Promise.all([pubsub.close(), firestore.terminate()]);
      await playing.stop();
    },
  };
};

/** A running instance under attack. */
export type World = Awaited<ReturnType<typeof startWorld>>;
