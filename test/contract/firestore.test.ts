/** Firestore of the local cloud, and of Google's emulator where this machine has it, by the same suite. */
import { firestoreSuite } from "./firestore-suite.js";
import { emulatorJar, startEmulator, startLocal } from "./firestore-targets.js";

firestoreSuite("the local cloud", startLocal);

const jar = emulatorJar();
const absence = jar === undefined ? " (oracle absent: no java, or no emulator beside gcloud)" : "";
firestoreSuite(
  `Google's emulator${absence}`,
  jar === undefined ? undefined : () => startEmulator(jar),
  { isEmulator: true },
);
