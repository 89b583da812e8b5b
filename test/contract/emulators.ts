/** Google's own emulators, found beside gcloud and started from their jars (gcloud's wrapper leaves them behind). */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { eventually } from "./local-cloud.js";

/** A program of this name, if the machine has one. */
export const onPath = (name: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));

/** Where Google's emulators may be installed: next to gcloud, or in the places of its packages. */
const installations = (): readonly string[] => {
  const gcloud = onPath("gcloud");
  return [
    ...(gcloud === undefined ? [] : [join(dirname(gcloud), "..")]),
    "/usr/lib/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    join(process.env["HOME"] ?? "/", "google-cloud-sdk"),
  ];
};

const filesAt = (path: string): readonly string[] => {
  const folder = dirname(path);
  const [before = "", after = ""] = path.slice(folder.length + 1).split("*");
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.startsWith(before) && file.endsWith(after))
        .map((file) => join(folder, file))
    : [];
};

/** A jar inside the Google Cloud SDK, where there is java to run it; the file's name may hold one `*`. */
export const findJar = (path: string): string | undefined =>
  onPath("java") === undefined
    ? undefined
    : installations().flatMap((folder) => filesAt(join(folder, path)))[0];

/** A port that is free now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("No free port"));
        else resolve(address.port);
      });
    });
  });

/** A running emulator. */
export interface Emulator {
  readonly port: number;
  readonly child: ChildProcess;
  readonly stop: () => Promise<void>;
}

interface Jar {
  readonly what: string;
  readonly arguments: (port: number) => readonly string[];
  readonly isReady: (output: string) => boolean;
}

/** Starts it once; undefined when it ended before it was ready, as it does when the port was taken meanwhile. */
const startOnce = async (jar: Jar): Promise<Emulator | undefined> => {
  const port = await freePort();
  const child = spawn("java", jar.arguments(port), { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const state = { isOver: false };
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      state.isOver = true;
      resolve();
    });
  });
  await eventually(`${jar.what} runs`, () => state.isOver || jar.isReady(output), 90_000);
  if (state.isOver) return undefined;
  return {
    port,
    child,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
};

const startsMax = 3;

/** Starts a jar at a free port and waits until its output says that it serves. */
export const startJar = async (jar: Jar): Promise<Emulator> => {
  for (let start = 0; start < startsMax; start += 1) {
    const emulator = await startOnce(jar);
    if (emulator !== undefined) return emulator;
  }
  throw new Error(`${jar.what} ended ${startsMax} times before it was ready`);
};
