/** Settings of the local cloud's process, read once from flags and environment. */
import { env } from "node:process";
import { parseArgs } from "node:util";
import { z } from "zod";
import { durabilities } from "./durability.js";
import { ConfigError } from "./errors.js";
import { productNames } from "./products.js";
import type { StartSettings } from "./server.js";

const ms = z.coerce.number().int().min(0).max(86_400_000);

/** Every flag with its check and an example; the environment variable is CONTINUO_LOCAL_<FLAG>. */
const flags = {
  folder: { check: z.string().min(1), example: ".continuo", fallback: ".continuo" },
  port: { check: z.coerce.number().int().min(0).max(65_535), example: "8790", fallback: "8790" },
  project: {
    check: z.string().regex(/^[a-z][a-z0-9-]{2,28}[a-z0-9]$/),
    example: "continuo-demo",
    fallback: "continuo-demo",
  },
  "project-number": {
    check: z.string().regex(/^\d{1,20}$/),
    example: "123456789012",
    fallback: "123456789012",
  },
  region: { check: z.string().min(1), example: "us-central1", fallback: "us-central1" },
  images: { check: z.string(), example: ".build/images.json", fallback: "" },
  "deploy-delay-ms": { check: ms, example: "2000", fallback: "2000" },
  "submissions-per-minute": {
    check: z
      .string()
      .regex(/^\d{0,6}$/, "must be a number, or empty for no limit")
      .transform((text) => (text === "" ? undefined : Number(text))),
    example: "60",
    fallback: "",
  },
  "accelerator-quota": {
    check: z
      .string()
      .regex(/^(?:[A-Z][A-Z0-9_]*=\d{1,6}(?:,|$))*$/, "must name accelerators with how many")
      .transform((text) =>
        Object.fromEntries(
          [...text.matchAll(/(\w+)=(\d+)/g)].map(([, type = "", count]) => [type, Number(count)]),
        ),
      ),
    example: "NVIDIA_TESLA_T4=2,NVIDIA_L4=0",
    fallback: "",
  },
  "operation-life-ms": {
    check: z.coerce.number().int().min(0),
    example: "2592000000",
    fallback: "2592000000",
  },
  "metric-delay-ms": { check: ms, example: "1000", fallback: "1000" },
  "metric-period-ms": { check: ms.min(1), example: "1000", fallback: "1000" },
  "call-delays": {
    check: z
      .string()
      .regex(
        /^(?:[A-Z]\w*=\d{1,6}\+\d{1,6}(?:,|$))*$/,
        "must name RPCs, each with milliseconds before it is done and before it is answered",
      )
      .transform((text) =>
        [...text.matchAll(/(\w+)=(\d+)\+(\d+)/g)].map(([, method = "", before, after]) => ({
          method,
          beforeMs: Number(before),
          afterMs: Number(after),
        })),
      ),
    example: "CreatePipelineJob=200+200,Publish=50+50",
    fallback: "",
  },
  "call-log": { check: z.string(), example: ".continuo/calls.jsonl", fallback: "" },
  durable: { check: z.enum(durabilities), example: "power", fallback: "process" },
  products: {
    check: z
      .string()
      .transform((text) => text.split(","))
      .pipe(z.array(z.enum(productNames))),
    example: productNames.join(","),
    fallback: productNames.join(","),
  },
} as const;

type Flag = keyof typeof flags;

/** Reads the settings; what is wrong is said with the flag's name and an example. */
export function readConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = env,
): StartSettings {
  const options = Object.fromEntries(
    Object.keys(flags).map((name) => [name, { type: "string" as const }]),
  );
  let given: Readonly<Record<string, unknown>>;
  try {
    given = parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    const known = Object.keys(flags).map((name) => `--${name}`);
    throw new ConfigError(
      `${error instanceof Error ? error.message : String(error)} The flags are ${known.join(", ")}.`,
      { cause: error },
    );
  }
  const read = <Name extends Flag>(name: Name): z.output<(typeof flags)[Name]["check"]> => {
    const { check, example, fallback } = flags[name];
    const variable = `CONTINUO_LOCAL_${name.toUpperCase().replaceAll("-", "_")}`;
    const parsed = check.safeParse(given[name] ?? environment[variable] ?? fallback);
    if (!parsed.success) {
      const why = parsed.error.issues[0]?.message ?? "not valid";
      throw new ConfigError(`--${name} (or ${variable}): ${why}. Example: --${name} ${example}`);
    }
    return parsed.data as z.output<(typeof flags)[Name]["check"]>;
  };
  const submissionsPerMinuteMax = read("submissions-per-minute");
  return {
    folder: read("folder"),
    port: read("port"),
    projectId: read("project"),
    projectNumber: read("project-number"),
    region: read("region"),
    imagesFile: read("images"),
    deployDelayMs: read("deploy-delay-ms"),
    ...(submissionsPerMinuteMax === undefined ? {} : { submissionsPerMinuteMax }),
    acceleratorsMax: read("accelerator-quota"),
    operationLifeMs: read("operation-life-ms"),
    metricDelayMs: read("metric-delay-ms"),
    metricPeriodMs: read("metric-period-ms"),
    callDelays: read("call-delays"),
    callLogFile: read("call-log"),
    durable: read("durable"),
    products: read("products"),
  };
}
