/** The process's settings: read once, checked once. */
import { z } from "zod";
import { ConfigError } from "../domain/errors.js";

const schema = z.object({
  CONTINUO_PROJECT: z.string().min(1).describe("my-project"),
  CONTINUO_REGION: z.string().min(1).default("us-central1").describe("us-central1"),
  CONTINUO_BUCKET: z.string().min(3).describe("my-project-continuo"),
  /** Service account whose identity this process has. */
  CONTINUO_IDENTITY: z
    .string()
    .includes("@")
    .describe("continuo@my-project.iam.gserviceaccount.com"),
  /** Service account that pipelines and their jobs run as; this process's own when absent. */
  CONTINUO_PIPELINE_IDENTITY: z
    .string()
    .includes("@")
    .optional()
    .describe("pipelines@my-project.iam.gserviceaccount.com"),
  /** What push tokens are made for: this base address, a slash and the function's name. */
  CONTINUO_PUSH_AUDIENCE: z.url().describe("https://functions.example.com"),
  /** The only identity that may push. */
  CONTINUO_PUSH_IDENTITY: z
    .string()
    .includes("@")
    .describe("push@my-project.iam.gserviceaccount.com"),
  CONTINUO_JWKS_URL: z
    .url()
    .default("https://www.googleapis.com/oauth2/v3/certs")
    .describe("https://www.googleapis.com/oauth2/v3/certs"),
  /** Address of a local cloud; unset on Google Cloud. */
  CONTINUO_LOCAL_CLOUD: z.url().optional().describe("http://127.0.0.1:8790"),
  /** Token of the api and console when no identity-aware proxy stands before them. */
  CONTINUO_API_TOKEN: z
    .string()
    .min(16)
    .optional()
    .describe("a random text of 16 characters or more"),
  /** Submissions to Vertex AI a minute; the rest of its quota of 60 is kept for rollbacks and clean-up. */
  CONTINUO_SUBMISSIONS_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .max(6000)
    .default(54)
    .describe("54"),
  /** How many jobs may use an accelerator type at once; types that are not named have no limit. */
  CONTINUO_ACCELERATOR_JOBS: z
    .string()
    .default("{}")
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "is not JSON" });
        return z.NEVER;
      }
    })
    .pipe(z.record(z.string().min(1), z.int().min(1)))
    .describe('{"NVIDIA_TESLA_T4":4}'),
  /** Slots that open work is spread over; raise it at any time, lower it only while nothing is open. */
  CONTINUO_SLOTS: z.coerce.number().int().min(1).max(64).default(8).describe("8"),
  /** Workers that share a tick; more of them for more than some thousand open runs and rollouts. */
  CONTINUO_TICK_PARTITIONS: z.coerce.number().int().min(1).max(64).default(1).describe("1"),
  CONTINUO_CONSOLE_URL: z.url().optional().describe("http://127.0.0.1:8800"),
});

const examples = new Map(
  Object.entries(schema.shape).map(([name, { description }]) => [name, description ?? ""]),
);

/** What every function is configured with. */
export interface Config {
  readonly projectId: string;
  readonly region: string;
  readonly bucket: string;
  readonly identity: string;
  readonly pipelineIdentity: string;
  readonly pushAudience: string;
  readonly pushIdentity: string;
  readonly jwksUrl: string;
  readonly localCloud?: string;
  readonly apiToken?: string;
  readonly consoleUrl?: string;
  readonly slots: number;
  readonly tickPartitions: number;
  readonly submissionsPerMinuteMax: number;
  readonly acceleratorJobsMax: Readonly<Record<string, number>>;
}

/** Reads the settings; throws ConfigError that names each bad variable with an example. */
export const readConfig = (env: Readonly<Record<string, string | undefined>>): Config => {
  const parsed = schema.safeParse(env);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      return `${name}: ${issue.message} (for example ${name}=${examples.get(name) ?? ""})`;
    });
    throw new ConfigError(`the environment is not complete:\n  ${lines.join("\n  ")}`);
  }
  const values = parsed.data;
  return {
    projectId: values.CONTINUO_PROJECT,
    region: values.CONTINUO_REGION,
    bucket: values.CONTINUO_BUCKET,
    identity: values.CONTINUO_IDENTITY,
    pipelineIdentity: values.CONTINUO_PIPELINE_IDENTITY ?? values.CONTINUO_IDENTITY,
    pushAudience: values.CONTINUO_PUSH_AUDIENCE.replace(/\/$/, ""),
    pushIdentity: values.CONTINUO_PUSH_IDENTITY,
    jwksUrl: values.CONTINUO_JWKS_URL,
    slots: values.CONTINUO_SLOTS,
    tickPartitions: Math.min(values.CONTINUO_TICK_PARTITIONS, values.CONTINUO_SLOTS),
    submissionsPerMinuteMax: values.CONTINUO_SUBMISSIONS_PER_MINUTE,
    acceleratorJobsMax: values.CONTINUO_ACCELERATOR_JOBS,
    ...(values.CONTINUO_LOCAL_CLOUD === undefined
      ? {}
      : { localCloud: values.CONTINUO_LOCAL_CLOUD }),
    ...(values.CONTINUO_API_TOKEN === undefined ? {} : { apiToken: values.CONTINUO_API_TOKEN }),
    ...(values.CONTINUO_CONSOLE_URL === undefined
      ? {}
      : { consoleUrl: values.CONTINUO_CONSOLE_URL }),
  };
};

/** The settings of this process's environment. */
export const environment = (): Config => readConfig(process.env);
