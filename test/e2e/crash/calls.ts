/** Where on an event's path a process died, read from the local cloud's log of calls. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { z } from "zod";

const callLine = z.object({
  atMs: z.number(),
  call: z.number(),
  pid: z.number(),
  method: z.string(),
  step: z.enum(["asked", "applied", "answered", "failed"]),
  principal: z.string(),
  names: z.array(z.string()),
});

/** One step of one call. */
export type CallLine = z.infer<typeof callLine>;

/** The stages of an event's path, as a process can die in them. */
export const stages = [
  "before the journal",
  "during the commit",
  "between commit and perform",
  "between perform and done",
  "between commit and done, between two calls",
  "between done and acknowledgement",
  "no call in progress",
] as const;

/** One of them. */
export type Stage = (typeof stages)[number];

/** Everything that changes something outside the state store, by the RPC that does it. */
const effects = new Set([
  "Publish",
  "CreatePipelineJob",
  "CancelPipelineJob",
  "UploadModel",
  "DeleteModelVersion",
  "MergeVersionAliases",
  "CreateEndpoint",
  "DeployModel",
  "UndeployModel",
  "MutateDeployedModel",
  "UpdateEndpoint",
]);

const nameOf = ({ method }: CallLine): string => method.slice(method.lastIndexOf("/") + 1);

/** Whether a call is an effect of the functions; a copy to the dead letters is the edge's and has no journal. */
export const isEffect = (line: CallLine): boolean =>
  effects.has(nameOf(line)) && !line.names.some((name) => name.endsWith("/topics/dead-letter"));

/** The journal entries that a commit writes. */
const entriesIn = ({ names }: CallLine): readonly string[] =>
  names.filter((name) => name.includes("/documents/journal/"));

/** Calls of the functions that were in progress at a time, each with its last step, and where on the path they are. */
export const stagesAt = (
  lines: readonly CallLine[],
  atMs: number,
  cloudPid: number,
): readonly Stage[] => {
  const journalled = new Set<string>();
  const open = new Map<number, { readonly line: CallLine; readonly isFirstWrite: boolean }>();
  for (const line of lines) {
    if (line.atMs > atMs || !line.principal.startsWith("continuo@")) continue;
    const entries = entriesIn(line);
    if (line.pid === cloudPid) {
      if (line.step === "answered" || line.step === "failed") open.delete(line.call);
      else {
        const isFirstWrite =
          open.get(line.call)?.isFirstWrite ?? !entries.some((entry) => journalled.has(entry));
        open.set(line.call, { line, isFirstWrite });
      }
    }
    if (line.step === "applied" && nameOf(line) === "Commit") {
      for (const entry of entries) journalled.add(entry);
    }
  }
  const found = [...open.values()].map(({ line, isFirstWrite }): Stage => {
    const isApplied = line.step === "applied";
    if (isEffect(line)) {
      return isApplied ? "between perform and done" : "between commit and perform";
    }
    // Taking and giving back the right to an effect.
    if (line.names.some((name) => name.includes("/documents/leases/"))) {
      return "between commit and done, between two calls";
    }
    if (nameOf(line) !== "Commit" || entriesIn(line).length === 0) return "before the journal";
    if (isFirstWrite) return isApplied ? "between commit and perform" : "during the commit";
    return isApplied ? "between done and acknowledgement" : "between perform and done";
  });
  return found.length === 0 ? ["no call in progress"] : [...new Set(found)];
};

/** The bytes of a file after a position. */
const bytesAfter = (file: string, position: number): Buffer => {
  if (!existsSync(file)) return Buffer.alloc(0);
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - position));
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, position));
  } finally {
    closeSync(descriptor);
  }
};

/** Follows a growing log of calls. */
export const followCalls = (file: string) => {
  let read = 0;
  const lines: CallLine[] = [];
  const refresh = (): readonly CallLine[] => {
    const bytes = bytesAfter(file, read);
    // A line that is being written is read next time.
    const end = bytes.lastIndexOf(10) + 1;
    read += end;
    const added = bytes
      .subarray(0, end)
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => callLine.parse(JSON.parse(line)));
    lines.push(...added);
    return added;
  };
  return {
    /** What was added since the last time. */
    refresh,
    /** Everything so far. */
    all: (): readonly CallLine[] => lines,
  };
};
