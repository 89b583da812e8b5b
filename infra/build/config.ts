/** What a build is told: Cloud Build's own variables and our substitutions, as cloudbuild.yaml hands them on. */
import process from "node:process";
import { z } from "zod";

/** The settings of one build. */
export interface BuildConfig {
  readonly routine: "pull-request" | "main" | "tag";
  readonly project: string;
  readonly region: string;
  /** Registry path of the images. */
  readonly repository: string;
  readonly bucket: string;
  /** A model whose run is started at the end and waited for; empty means none. */
  readonly model: string;
  readonly commit: string;
  readonly build: string;
  /** Where everything that a build makes lies, from the checkout's root. */
  readonly folder: string;
  /** Address of a local cloud that stands in for Google's. */
  readonly localCloud?: string;
}

const variables = z.object({
  _ROUTINE: z.enum(["pull-request", "main", "tag"]).default("pull-request"),
  _REGION: z
    .string()
    .regex(/^[a-z]+-[a-z]+\d+$/, "must be a region such as us-central1")
    .default("us-central1"),
  _REPOSITORY: z
    .string()
    .regex(
      /^[a-z0-9-]+-docker\.pkg\.dev\/[a-z0-9-]+\/[a-z0-9-]+$/,
      "must be REGION-docker.pkg.dev/PROJECT/REPOSITORY",
    )
    .default("us-central1-docker.pkg.dev/my-project/continuo"),
  _BUCKET: z.string().min(3).default("my-project-continuo"),
  _MODEL: z.string().default(""),
  PROJECT_ID: z.string().min(1).default("my-project"),
  COMMIT_SHA: z
    .string()
    .regex(/^[0-9a-f]{7,40}$/, "must be a commit; a build by hand gives it with --substitutions")
    .default("0000000"),
  BUILD_ID: z.string().min(1).default("by-hand"),
  CONTINUO_BUILD_FOLDER: z.string().min(1).default(".build"),
  CONTINUO_LOCAL_CLOUD: z.url().optional(),
});

/** Reads them; throws an error that names each wrong variable and where it is set. */
export const readBuildConfig = (
  env: Readonly<Record<string, string | undefined>> = process.env,
): BuildConfig => {
  const parsed = variables.safeParse(env);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(
      ({ path, message }) =>
        `${path.join(".")}: ${message}; set it under substitutions in cloudbuild.yaml or in the trigger`,
    );
    throw new Error(lines.join("\n"));
  }
  const { CONTINUO_LOCAL_CLOUD: localCloud, ...given } = parsed.data;
  return {
    routine: given["_ROUTINE"],
    project: given.PROJECT_ID,
    region: given["_REGION"],
    repository: given["_REPOSITORY"],
    bucket: given["_BUCKET"],
    model: given["_MODEL"],
    commit: given.COMMIT_SHA,
    build: given.BUILD_ID,
    folder: given.CONTINUO_BUILD_FOLDER,
    ...(localCloud === undefined ? {} : { localCloud }),
  };
};

const targets = ["PROJECT_ID", "_REGION", "_REPOSITORY", "_BUCKET", "COMMIT_SHA"] as const;

/** Reads them for a step that names images, or writes somewhere: a default would be somebody else's project. */
export const readTargetConfig = (
  env: Readonly<Record<string, string | undefined>> = process.env,
): BuildConfig => {
  const missing = targets.filter((name) => (env[name] ?? "") === "");
  if (missing.length > 0) {
    throw new Error(
      `${missing.join(", ")} must be set: a build takes them from cloudbuild.yaml and its trigger; by hand, export them`,
    );
  }
  return readBuildConfig(env);
};

/** Environment of this process, for the commands that steps start. */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;
