/** Pub/Sub of the local cloud, and of Google's emulator where this machine has it, by the same suite. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { deviationTable } from "./pubsub-deviations.js";
import { pubsubSuite } from "./pubsub-suite.js";
import { pubsubEmulatorJar, startLocalPubsub, startPubsubEmulator } from "./pubsub-targets.js";

pubsubSuite("the local cloud", { start: startLocalPubsub });

const jar = pubsubEmulatorJar();
const absence = jar === undefined ? " (oracle absent: no java, or no emulator beside gcloud)" : "";
pubsubSuite(`Google's emulator${absence}`, {
  isEmulator: true,
  ...(jar === undefined ? {} : { start: () => startPubsubEmulator(jar) }),
});

/** Cells without the padding that the formatter gives them. */
const bare = (text: string): string =>
  text
    .split("\n")
    .filter((row) => row.startsWith("|"))
    .map((row) => row.replaceAll(/ *\| */g, "|").replaceAll(/-{3,}/g, "---"))
    .join("\n");

it("the page on the local cloud lists every deviation of the emulator", () => {
  const page = new URL("../../infra/docs/local-cloud.md", import.meta.url);
  const [, table = ""] = readFileSync(page, "utf8").split(/<!-- \/?deviations -->/);
  expect(bare(table)).toBe(bare(deviationTable()));
});
