/** Where the local cloud's time goes: a V8 profile of each measure, summed by part. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { startCloud } from "./local-cloud-servers.js";

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

const shown = 6;

/** Parts by what a frame's address holds; the first that fits. */
const parts: readonly (readonly [string, RegExp])[] = [
  ["SQLite", /node_modules\/(libsql|@libsql|@neon-rs)\//],
  ["gRPC and HTTP/2", /node_modules\/@grpc\/|node:(internal\/)?http2/],
  ["HTTP/1", /node:(_http|internal\/http|http)/],
  [
    "sockets and streams",
    /node:(net|internal\/(stream|streams|js_stream|buffer|timers|process))|node:(buffer|events|stream)/,
  ],
  ["ours: protocol", /infra\/local\/protocol\//],
  ["ours: Firestore", /infra\/local\/firestore\//],
  ["ours: Pub/Sub", /infra\/local\/pubsub\//],
  ["ours: rest", /infra\/local\//],
  ["zod", /node_modules\/zod\//],
];

const partOf = (frame: { readonly functionName: string; readonly url: string }): string => {
  if (frame.functionName === "(garbage collector)") return "garbage collection";
  if (frame.functionName === "(idle)") return "idle";
  const found = parts.find(([, pattern]) => pattern.test(frame.url));
  // SQLite's own code has no address: it is called as a native function.
  return found?.[0] ?? (frame.url === "" ? "native (SQLite, sockets)" : "other");
};

const summarize = (text: string): readonly (readonly [string, number])[] => {
  const { nodes, samples, timeDeltas } = profileSchema.parse(JSON.parse(text));
  const names = new Map(nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
  const sums = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const part = names.get(id) ?? "other";
    sums.set(part, (sums.get(part) ?? 0) + (timeDeltas[index] ?? 0));
  }
  sums.delete("idle");
  const total = [...sums.values()].reduce((sum, value) => sum + value, 0);
  return [...sums]
    .map(([part, value]) => [part, (100 * value) / total] as const)
    .toSorted((a, b) => b[1] - a[1]);
};

/** Runs each measure against a profiled local cloud, and prints the largest parts of its busy time. */
export const printProfile = async (
  measures: readonly { readonly what: string; readonly take: (port: number) => Promise<number> }[],
): Promise<void> => {
  console.log(
    "\nwhere the local cloud's busy time goes (the start, about half a second, is part of it)",
  );
  for (const { what, take } of measures) {
    const folder = mkdtempSync(join(tmpdir(), "continuo-profile-"));
    const cloud = await startCloud(
      ["--import", "tsx", "--cpu-prof", "--cpu-prof-dir", folder, "infra/local/main.ts"],
      ["--project", "demo-project", "--products", "pubsub,firestore"],
    );
    for (let round = 0; round < 3; round += 1) await take(cloud.port);
    await cloud.stop();
    const [file] = readdirSync(folder);
    const sums = file === undefined ? [] : summarize(readFileSync(join(folder, file), "utf8"));
    const text = sums.slice(0, shown).map(([part, percent]) => `${part} ${percent.toFixed(0)} %`);
    console.log(`${what.padEnd(40)} ${text.join(", ")}`);
    rmSync(folder, { recursive: true, force: true });
  }
};
