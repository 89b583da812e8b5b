/** Firestore of the local cloud, and of Google's emulator where this machine has it, by the same suite. */
import { test } from "vitest";
import { firestoreSuite } from "./firestore-suite.js";
import { emulatorJar, startEmulator, startLocal } from "./firestore-targets.js";

firestoreSuite("the local cloud", startLocal);

const jar = emulatorJar();
if (jar === undefined) {
  test.skip("Google's Firestore emulator (oracle absent: no java, or no emulator beside gcloud)", () =>
    undefined);
} else {
  firestoreSuite("Google's emulator", async () => await startEmulator(jar));
}
