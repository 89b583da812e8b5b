/** Calls made slow and visible on purpose: for whoever wants to see what happens in the middle of one. */
import { appendFileSync } from "node:fs";
import type { ServedMethod } from "./dispatch.js";
import type { CallContext } from "./service.js";
import type { Message } from "./wire.js";

/** How long chosen calls take: before anything is done, and after it is done but not yet answered. */
export interface CallDelay {
  /** An RPC by its own name, for example CreatePipelineJob. */
  readonly method: string;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** What a line of the log of calls says; `applied` means that the effect is durable and the reply still to come. */
export interface CallLine {
  readonly atMs: number;
  /** Counts the calls of one process. */
  readonly call: number;
  readonly pid: number;
  readonly method: string;
  readonly step: "asked" | "applied" | "answered" | "failed";
  readonly principal: string;
  /** Resources that the request names. */
  readonly names: readonly string[];
  /** How long the request's lists are, by field; a stream's answer also says how many `messages` it had. */
  readonly lengths: Readonly<Record<string, number>>;
}

const namesMax = 12;
const depthMax = 3;

const namesIn = (value: unknown, depth = 0): readonly string[] => {
  if (typeof value === "string") return value.startsWith("projects/") ? [value] : [];
  if (typeof value !== "object" || value === null || depth > depthMax) return [];
  if (value instanceof Uint8Array) return [];
  return Object.values(value).flatMap((inner) => namesIn(inner, depth + 1));
};

const lengthsOf = (request: Message): CallLine["lengths"] =>
  Object.fromEntries(
    Object.entries(request).flatMap(([field, value]) =>
      Array.isArray(value) ? [[field, value.length] as const] : [],
    ),
  );

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (ms === 0 || signal.aborted) {
      resolve();
      return;
    }
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** The same RPCs, logged and delayed as the settings say. */
export function withCalls(
  methods: readonly ServedMethod[],
  options: {
    readonly delays: readonly CallDelay[];
    /** Takes one JSON line (CallLine) per step of a call; empty for none. */
    readonly logFile: string;
    readonly now: () => number;
  },
): readonly ServedMethod[] {
  const { delays, logFile, now } = options;
  if (delays.length === 0 && logFile === "") return methods;
  let calls = 0;

  const opened = (name: string, request: Message, { principal }: CallContext) => {
    calls += 1;
    const call = calls;
    const names = logFile === "" ? [] : [...new Set(namesIn(request))].slice(0, namesMax);
    const step = (what: CallLine["step"], messages?: number): void => {
      if (logFile === "") return;
      const line: CallLine = {
        atMs: now(),
        call,
        pid: process.pid,
        method: name,
        step: what,
        principal,
        names,
        lengths: { ...lengthsOf(request), ...(messages === undefined ? {} : { messages }) },
      };
      // Written at once, so that a killed process has told everything up to its end.
      appendFileSync(logFile, `${JSON.stringify(line)}\n`);
    };
    step("asked");
    return step;
  };

  return methods.map((one): ServedMethod => {
    const name = `${one.method.service}/${one.method.name}`;
    const delay = delays.find(({ method }) => method === one.method.name);
    return {
      ...one,
      unary: async (request, context) => {
        const step = opened(name, request, context);
        try {
          await pause(delay?.beforeMs ?? 0, context.signal);
          const reply = await one.unary(request, context);
          step("applied");
          await pause(delay?.afterMs ?? 0, context.signal);
          step("answered");
          return reply;
        } catch (error) {
          step("failed");
          throw error;
        }
      },
      serverStream: async function* (request, context) {
        const step = opened(name, request, context);
        let isWhole = false;
        let messages = 0;
        try {
          for await (const message of one.serverStream(request, context)) {
            messages += 1;
            yield message;
          }
          isWhole = true;
        } finally {
          step(isWhole ? "answered" : "failed", messages);
        }
      },
    };
  });
}
