/** Pub/Sub of the local cloud, and of Google's emulator where this machine has it, by the same suite. */
import { pubsubSuite } from "./pubsub-suite.js";
import { pubsubEmulatorJar, startLocalPubsub, startPubsubEmulator } from "./pubsub-targets.js";

pubsubSuite("the local cloud", { start: startLocalPubsub });

const jar = pubsubEmulatorJar();
const absence = jar === undefined ? " (oracle absent: no java, or no emulator beside gcloud)" : "";
pubsubSuite(`Google's emulator${absence}`, {
  isEmulator: true,
  ...(jar === undefined ? {} : { start: () => startPubsubEmulator(jar) }),
});
