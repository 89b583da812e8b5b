/** All steps of cloudbuild.yaml in their order on this machine, against a local cloud; each says how far it went. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { readCloudBuild, substituted, type CloudBuildStep } from "./cloud-file.js";
import { cloudSteps } from "./cloud-steps.js";
import { environment, type BuildConfig } from "./config.js";
import { imageNames } from "./images.js";
import type { LocalCloud } from "./local-cloud.js";
import { serveRelease } from "./serve-release.js";

/** How far a step went. */
export interface Walked {
  readonly id: string;
  readonly command: string;
  readonly outcome: "ran" | "partly" | "skipped" | "failed";
  /** What it did, in its own last words, or why it did not. */
  readonly why: string;
  readonly seconds: number;
}

/** A dry run. */
export interface DryRunOptions {
  readonly root: string;
  readonly config: BuildConfig;
  /** Ids of steps that are left out. */
  readonly skip: readonly string[];
  /** Starts the cloud that the steps are walked against. */
  readonly startCloud: (folder: string) => Promise<LocalCloud>;
  readonly starting: (id: string) => void;
  readonly done: (step: Walked) => void;
}

const run = promisify(execFile);

const hasDocker = async (): Promise<boolean> => {
  try {
    await run("docker", ["info"], { timeout: 20_000 });
    await run("docker", ["buildx", "version"], { timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
};

const standIn = (name: string): string =>
  `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64)}`;

/** Digests that name no image anywhere: they only show how digests are carried on. */
const writeStandIns = (folder: string): void => {
  mkdirSync(join(folder, "release"), { recursive: true });
  writeFileSync(
    join(folder, "release/digests.txt"),
    imageNames.map((name) => `${name} ${standIn(name)}\n`).join(""),
  );
};

/** Why a step cannot run on this machine, by the image that it runs in and what it does there; null when it can. */
const obstacle = async (
  { name, entrypoint, args }: CloudBuildStep,
  docker: () => Promise<boolean>,
): Promise<string | null> => {
  if (entrypoint === "npm" && args[0] === "ci") {
    return "it would replace the packages that this very command runs on; they are here";
  }
  if (!name.startsWith("docker:")) return null;
  if (!(await docker())) {
    return "no Docker engine with buildx answers: untried here; stand-in digests are carried on";
  }
  return args.includes("build")
    ? null
    : "there is no registry here; stand-in digests are carried on";
};

/** Runs a step's own command; answers with its exit code and what it wrote. */
const execute = (
  { entrypoint, args }: CloudBuildStep,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly code: number | null; readonly output: readonly string[] }> =>
  new Promise((resolve, reject) => {
    const child = spawn(entrypoint, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    }
    child.once("error", reject);
    child.once("close", (code) => {
      const output = stripVTControlCharacters(text).split("\n");
      resolve({ code, output: output.map((line) => line.trimEnd()).filter((line) => line !== "") });
    });
  });

const shownLines = 15;

/** Walks the steps; those that wait for one that failed are skipped. */
export const dryRun = async (options: DryRunOptions): Promise<readonly Walked[]> => {
  const { root, config, skip, starting } = options;
  const { steps, substitutions } = readCloudBuild(root, Object.keys(cloudSteps));
  const unknown = skip.filter((id) => !steps.some((step) => step.id === id));
  if (unknown.length > 0) throw new Error(`cloudbuild.yaml has no step ${unknown.join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "continuo-build-"));
  const cloud = await options.startCloud(folder);
  try {
    writeStandIns(folder);
    const given = {
      ...substitutions,
      _ROUTINE: config.routine,
      _REGION: config.region,
      _REPOSITORY: config.repository,
      _BUCKET: config.bucket,
      _MODEL: config.model,
      PROJECT_ID: config.project,
      COMMIT_SHA: config.commit,
      BUILD_ID: config.build,
    };
    const env = {
      ...environment(),
      ...given,
      CONTINUO_LOCAL_CLOUD: cloud.address,
      CONTINUO_BUILD_FOLDER: folder,
    };
    let asked: Promise<boolean> | undefined;
    const docker = (): Promise<boolean> => (asked ??= hasDocker());
    const failed = new Set<string>();
    const walked: Walked[] = [];
    const hasRun = (id: string): boolean =>
      walked.some((step) => step.id === id && step.outcome === "ran");
    const fail = (
      step: CloudBuildStep,
      why: readonly string[],
    ): Pick<Walked, "outcome" | "why"> => {
      failed.add(step.id);
      return { outcome: "failed", why: why.join("\n  ") };
    };
    const release = async (step: CloudBuildStep): Promise<Pick<Walked, "outcome" | "why">> => {
      if (config.routine === "pull-request") {
        return { outcome: "skipped", why: "a pull request releases nothing" };
      }
      if (!hasRun("bundle")) {
        return {
          outcome: "skipped",
          why: "the local cloud has no Cloud Run, and nothing was bundled",
        };
      }
      starting(step.id);
      try {
        return {
          outcome: "partly",
          why: await serveRelease(root, join(folder, "instance"), config),
        };
      } catch (error) {
        return fail(step, [error instanceof Error ? error.message : String(error)]);
      }
    };
    const walk = async (step: CloudBuildStep): Promise<Pick<Walked, "outcome" | "why">> => {
      const before = step.waitFor.filter((id) => failed.has(id));
      if (before.length > 0) {
        failed.add(step.id);
        return { outcome: "skipped", why: `it waits for ${before.join(", ")}` };
      }
      if (skip.includes(step.id)) return { outcome: "skipped", why: "left out with --skip" };
      if (step.name.includes("/google-cloud-cli:")) return release(step);
      const why = await obstacle(step, docker);
      if (why !== null) return { outcome: "skipped", why };
      starting(step.id);
      const { code, output } = await execute(step, root, env);
      if (code === 0) return { outcome: "ran", why: output.at(-1) ?? "" };
      return fail(step, [`exit code ${String(code)}`, ...output.slice(-shownLines)]);
    };
    for (const step of steps) {
      const resolved = { ...step, name: substituted(step.name, given) };
      const startedAt = performance.now();
      const { outcome, why } = await walk(resolved);
      const done: Walked = {
        id: step.id,
        command: [step.entrypoint, ...step.args].join(" "),
        outcome,
        why,
        seconds: Number(((performance.now() - startedAt) / 1000).toFixed(1)),
      };
      walked.push(done);
      options.done(done);
    }
    return walked;
  } finally {
    await cloud.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};
