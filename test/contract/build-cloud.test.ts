import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { cloudSteps } from "../../infra/build/cloud-steps.js";
import { readCloudBuild } from "../../infra/build/cloud-file.js";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const report = z.object({
  steps: z.array(
    z.object({
      id: z.string(),
      outcome: z.enum(["ran", "skipped", "failed"]),
      why: z.string(),
      command: z.string(),
    }),
  ),
});
/** What takes minutes. */
const minutes = ["test", "static", "bundle", "images"];

const build = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, ["--import", "tsx", "infra/build/cloud.ts", ...args], {
    cwd: root,
    env: { ...process.env, PROJECT_ID: "shop", _BUCKET: "shop-continuo" },
  });

const walk = async (...args: readonly string[]) => {
  const skipped = minutes.flatMap((id) => ["--skip", id]);
  const { stdout } = await build("--dry-run", "--json", ...skipped, ...args);
  const { steps } = report.parse(JSON.parse(stdout));
  return new Map(steps.map((step) => [step.id, step]));
};

describe("a dry run of Cloud Build", () => {
  it("walks every step in order, runs what can run here, and says why the others did not", async () => {
    const steps = await walk();
    const { steps: listed } = readCloudBuild(root, Object.keys(cloudSteps));
    expect([...steps.keys()]).toEqual(listed.map(({ id }) => id));
    const outcomes = Object.fromEntries([...steps].map(([id, { outcome }]) => [id, outcome]));
    expect(outcomes).toMatchObject({
      fetch: "skipped",
      test: "skipped",
      push: "skipped",
      release: "skipped",
      pipelines: "ran",
      upload: "ran",
      run: "ran",
    });
    expect(steps.get("pipelines")?.why).toMatch(
      /5 component specs.*train\.json \(sha256:[0-9a-f]{16}\)/,
    );
    expect(steps.get("upload")?.why).toContain("gs://shop-continuo/continuo/pipelines/train.json");
    expect(steps.get("push")?.why).toMatch(/Docker|registry/);
    expect(steps.get("release")?.why).toContain("no Cloud Run");
  });

  it("ends with 1 when a step fails, and runs nothing that waits for it", async () => {
    const failed = build(
      "--dry-run",
      "--json",
      ...minutes.flatMap((id) => ["--skip", id]),
      "--skip",
      "pipelines",
    );
    const error = z.object({ code: z.number(), stdout: z.string() });
    const { code, stdout } = error.parse(await failed.catch((thrown: unknown) => thrown));
    expect(code).toBe(1);
    const { steps } = report.parse(JSON.parse(stdout));
    expect(steps.find(({ id }) => id === "upload")).toMatchObject({ outcome: "failed" });
    expect(steps.find(({ id }) => id === "run")).toMatchObject({
      outcome: "skipped",
      why: "it waits for upload",
    });
  });

  it("refuses a routine, a step and a build that there are not", async () => {
    await expect(build("--dry-run", "--routine", "nightly")).rejects.toThrow(/_ROUTINE/);
    await expect(build("--dry-run", "--skip", "tset")).rejects.toThrow(/no step tset/);
    await expect(build("deploy")).rejects.toThrow(/no step "deploy"; name one of test, static/);
  });
});
