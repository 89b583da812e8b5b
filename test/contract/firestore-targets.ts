/** The Firestores that the contract is checked against: the local cloud, and Google's emulator where there is one. */
import { initializeApp, deleteApp, type App } from "firebase-admin/app";
import { initializeFirestore, type Firestore } from "firebase-admin/firestore";
import { GoogleAuth, PassThroughClient } from "google-auth-library";
import { findJar, startJar } from "./emulators.js";
import { testProject, withLocalCloud } from "./local-cloud.js";

/** A Firestore to test, and how to leave it. */
export interface Target {
  readonly host: string;
  readonly stop: () => Promise<void>;
}

const jarPath = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";
const mainClass = "com.google.cloud.datastore.emulator.firestore.CloudFirestore";

/** The jar of Google's emulator; undefined where there is none, or no java to run it. */
export const emulatorJar = (): string | undefined => findJar(jarPath);

/** Starts Google's emulator from its jar, at a free port. */
export const startEmulator = async (jar: string): Promise<Target> => {
  const { port, stop } = await startJar({
    what: "Google's Firestore emulator",
    arguments: (wanted) => [
      "-Xmx512m",
      "-Duser.language=en",
      "-cp",
      jar,
      mainClass,
      "--host=127.0.0.1",
      `--port=${wanted}`,
    ],
    isReady: (output) => output.includes("is now running"),
  });
  return { host: `127.0.0.1:${port}`, stop };
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
