/** The Firestores that the contract is checked against: the local cloud, and Google's emulator where there is one. */
import { initializeApp, deleteApp, type App } from "firebase-admin/app";
import { initializeFirestore, type Firestore } from "firebase-admin/firestore";
import { GoogleAuth, PassThroughClient } from "google-auth-library";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { eventually, testProject, withLocalCloud } from "./local-cloud.js";

/** A Firestore to test, and how to leave it. */
export interface Target {
  readonly host: string;
  readonly stop: () => Promise<void>;
}

const jarPath = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";
const mainClass = "com.google.cloud.datastore.emulator.firestore.CloudFirestore";

const onPath = (name: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));

/** Where Google's emulator may be installed: next to gcloud, or in the places of its packages. */
const installations = (): readonly string[] => {
  const gcloud = onPath("gcloud");
  return [
    ...(gcloud === undefined ? [] : [join(dirname(gcloud), "..")]),
    "/usr/lib/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    join(process.env["HOME"] ?? "/", "google-cloud-sdk"),
  ];
};

/** The jar of Google's emulator; undefined where there is none, or no java to run it. */
export const emulatorJar = (): string | undefined =>
  onPath("java") === undefined
    ? undefined
    : installations()
        .map((folder) => join(folder, jarPath))
        .find((file) => existsSync(file));

const freePort = (): Promise<number> =>
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

/** Starts Google's emulator from its jar, at a free port. */
export const startEmulator = async (jar: string): Promise<Target> => {
  const port = await freePort();
  const child = spawn(
    "java",
    ["-Xmx512m", "-Duser.language=en", "-cp", jar, mainClass, "--host=127.0.0.1", `--port=${port}`],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await eventually(
    "Google's Firestore emulator runs",
    () => output.includes("is now running"),
    40_000,
  );
  return {
    host: `127.0.0.1:${port}`,
    stop: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
};

/** Starts the local cloud with Firestore alone. */
export const startLocal = async (): Promise<Target> => {
  const cloud = await withLocalCloud(["firestore"]);
  return { host: `127.0.0.1:${cloud.port}`, stop: cloud.stop };
};

let apps = 0;

/** firebase-admin against a target, over gRPC, or over REST where it is preferred. */
export const connect = (
  host: string,
  options: { readonly preferRest?: boolean; readonly projectId?: string } = {},
): { readonly firestore: Firestore; readonly close: () => Promise<void> } => {
  apps += 1;
  const app: App = initializeApp(
    { projectId: options.projectId ?? testProject },
    `contract-${apps}`,
  );
  const firestore = initializeFirestore(app, { preferRest: options.preferRest ?? false });
  // REST would look for credentials; gRPC without TLS needs none.
  const auth = new GoogleAuth({ authClient: new PassThroughClient(), projectId: testProject });
  firestore.settings({ host, ssl: false, ...(options.preferRest === true ? { auth } : {}) });
  return {
    firestore,
    close: async () => {
      await firestore.terminate();
      await deleteApp(app);
    },
  };
};
