/** Where the time of the processes under measurement goes: V8 profiles, summed by part. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

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

/** Parts by what a frame's address holds; the first that fits. */
const parts: readonly (readonly [string, RegExp])[] = [
  ["SQLite's JavaScript", /node_modules\/(libsql|@libsql|@neon-rs)\//],
  ["gRPC and HTTP/2", /node_modules\/@grpc\/|node:(internal\/)?http2/],
  ["protobuf", /node_modules\/(protobufjs|@protobufjs|long|google-proto-files)\//],
  ["Google's Firestore client", /node_modules\/(@google-cloud\/firestore|firebase-admin)\//],
  ["google-gax and auth", /node_modules\/(google-gax|google-auth-library|gaxios|retry-request)\//],
  ["Google's Pub/Sub client", /node_modules\/@google-cloud\//],
  ["tokens (jose, crypto)", /node_modules\/jose\/|node:(internal\/)?crypto/],
  [
    "functions-framework, express",
    /node_modules\/(@google-cloud\/functions|express|body-parser|on-finished|send|router|qs)/,
  ],
  ["zod", /node_modules\/zod\//],
  [
    "modules and start",
    /node:internal\/(modules|process|vm)|node:vm|node_modules\/(tsx|esbuild|get-tsconfig)\//,
  ],
  ["HTTP/1", /node:(_http|internal\/http|http)/],
  [
    "sockets, streams, timers",
    /node:(net|internal|buffer|events|stream|timers|async_hooks|diagnostics)/,
  ],
  ["ours: the cloud", /\.build\/bench\/cloud/],
  ["ours: runtime and adapters", /\.build\/bench\/events-functions/],
];

const partOf = (frame: { readonly functionName: string; readonly url: string }): string => {
  if (frame.functionName === "(garbage collector)") return "garbage collection";
  if (frame.functionName === "(idle)") return "idle";
  const found = parts.find(([, pattern]) => pattern.test(frame.url));
  if (found !== undefined) return found[0];
  // What is native has no address: SQLite, sockets, JSON, cryptography.
  if (frame.url === "") return "native (SQLite, sockets, JSON, crypto)";
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(frame.url)?.[1] ?? "other";
};

const secondsByPart = (text: string): ReadonlyMap<string, number> => {
  const { nodes, samples, timeDeltas } = profileSchema.parse(JSON.parse(text));
  const names = new Map(nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
  const sums = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const part = names.get(id) ?? "other";
    sums.set(part, (sums.get(part) ?? 0) + (timeDeltas[index] ?? 0) / 1_000_000);
  }
  return sums;
};

/** Prints the parts of every profile in a folder, largest first. */
export const printProfiles = (folder: string, events: number): void => {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), "utf8");
    const isOurs = text.includes("bench/events-functions.mjs");
    if (!isOurs && !text.includes("bench/cloud.mjs")) continue;
    const who = isOurs ? "the functions" : "the local cloud";
    const sums = secondsByPart(text);
    const idle = sums.get("idle") ?? 0;
    const all = [...sums.values()].reduce((sum, seconds) => sum + seconds, 0);
    const busy = all - idle;
    console.log(
      `\n${who}: busy ${busy.toFixed(1)} of ${all.toFixed(1)} s, ${((1000 * busy) / events).toFixed(2)} ms per event (the start included)`,
    );
    for (const [part, seconds] of [...sums].toSorted(([, a], [, b]) => b - a)) {
      if (part === "idle" || seconds / busy < 0.01) continue;
      console.log(`  ${part.padEnd(42)} ${((100 * seconds) / busy).toFixed(1).padStart(5)} %`);
    }
  }
};
