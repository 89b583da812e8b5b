import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { anyEvent } from "../../events/index.js";
import { buildBuilder } from "../../infra/build/build-builder.js";
import { cloudSteps } from "../../infra/build/cloud-steps.js";
import { readBuildConfig } from "../../infra/build/config.js";
import { dryRun } from "../../infra/build/dry-run.js";
import { readCloudBuild } from "../../infra/build/cloud-file.js";
import { buildImages } from "../../infra/images/build.js";
import { writeRepository } from "../../infra/cli/verbs/init.js";
import { installedImagesUri } from "../../shared/gcp/installed-images.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { provisionBucket } from "../../shared/gcp/provision-bucket.js";
import { withLocalCloud } from "./local-cloud.js";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const report = z.object({
  steps: z.array(
    z.object({
      id: z.string(),
      outcome: z.enum(["ran", "partly", "skipped", "failed"]),
      why: z.string(),
      command: z.string(),
    }),
  ),
});
const messages = z.object({
  receivedMessages: z.array(z.object({ message: z.object({ data: z.string() }) })).default([]),
});
/** What takes minutes. */
const minutes = ["test", "static", "bundle", "images"];

const env = { PROJECT_ID: "shop", _BUCKET: "shop-continuo" };
const ended = z.object({ code: z.number().default(0), stdout: z.string(), stderr: z.string() });

/** `npm run build:cloud` as a process of its own. */
const build = async (args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
  const program = ["--import", "tsx", "infra/build/cloud.ts", ...args];
  const options = { cwd: root, env: { ...process.env, ...env, ...more } };
  return ended.parse(
    await promisify(execFile)(process.execPath, program, options).catch((error: unknown) => error),
  );
};

/** A checkout whose build is these steps alone. */
const walkSteps = async (steps: string, skip: readonly string[] = []) => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-steps-"));
  writeFileSync(
    join(folder, "cloudbuild.yaml"),
    `substitutions: { _ROUTINE: tag }\nsteps:\n${steps}`,
  );
  writeFileSync(join(folder, "package.json"), '{ "scripts": {} }');
  try {
    return await dryRun({
      root: folder,
      config: readBuildConfig({ ...env, _ROUTINE: "main" }),
      skip,
      startCloud: () =>
        Promise.resolve({ address: "http://127.0.0.1:9", stop: () => Promise.resolve() }),
      starting: () => undefined,
      done: () => undefined,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const stepText = (id: string, command: string, waitFor: string): string =>
  `  - { id: ${id}, name: "node:22.23.3-slim", entrypoint: sh, args: [-c, "${command}"], waitFor: ["${waitFor}"] }\n`;

describe("a dry run of Cloud Build", () => {
  it("walks every step in order, runs what can run here, says why the others did not, and fails with one of them", async () => {
    const skipped = minutes.flatMap((id) => ["--skip", id]);
    // Nobody listens for what the last step asks for: this cloud has no functions, and no topics.
    const { code, stdout } = await build(["--dry-run", "--json", ...skipped], { _MODEL: "ghost" });
    const steps = new Map(report.parse(JSON.parse(stdout)).steps.map((one) => [one.id, one]));
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
      run: "failed",
    });
    expect(steps.get("pipelines")?.why).toMatch(
      /5 component specs.*train\.json \(sha256:[0-9a-f]{16}\)/,
    );
    expect(steps.get("upload")?.why).toContain("gs://shop-continuo/continuo/pipelines/train.json");
    expect(steps.get("push")?.why).toMatch(/Docker|registry/);
    expect(steps.get("release")?.why).toContain("no Cloud Run");
    expect(steps.get("run")?.why).toMatch(/training-run/);
    expect(code).toBe(1);
  });

  it("runs nothing that waits for a step that failed, or for one that waited for it", async () => {
    const walked = await walkSteps(
      [
        stepText("broken", "echo it broke >&2; exit 3", "-"),
        stepText("next", "echo ran", "broken"),
        stepText("last", "echo ran", "next"),
        stepText("beside", "echo $_ROUTINE", "-"),
      ].join(""),
    );
    expect(walked.map(({ id, outcome, why }) => [id, outcome, why])).toEqual([
      ["broken", "failed", "exit code 3\n  it broke"],
      ["next", "skipped", "it waits for broken"],
      ["last", "skipped", "it waits for next"],
      ["beside", "ran", "main"],
    ]);
  });

  it("refuses a routine, a step and a build that there are not", async () => {
    expect(() => readBuildConfig({ ...env, _ROUTINE: "nightly" })).toThrow(/_ROUTINE/);
    await expect(walkSteps(stepText("one", "true", "-"), ["tset"])).rejects.toThrow(/no step tset/);
    const { code, stderr } = await build(["deploy"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/no step "deploy"; name one of test, static/);
  });
});

describe("the images of jobs", () => {
  const listed = z.object({ components: z.array(z.object({ name: z.string() })) });

  it("carry a list of the packages in their bundles, and nothing beside them but a native module", async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuo-images-"));
    try {
      const names = Object.keys(await buildImages(folder, { isPortable: true }));
      const packages = new Map(
        names.map((name) => {
          const text = readFileSync(join(folder, `${name}.cdx.json`), "utf8");
          const { components } = listed.parse(JSON.parse(text));
          return [name, components.map((component) => component.name)];
        }),
      );
      expect(packages.get("trainer")).toEqual(expect.arrayContaining(["hyparquet", "zod"]));
      expect(packages.get("launcher")).not.toContain("hyparquet");
      expect([...packages.values()].flat()).not.toContain("@duckdb/node-api");
      for (const name of names) {
        const dockerfile = readFileSync(join(root, "infra/images", name, "Dockerfile"), "utf8");
        expect(dockerfile).toContain(`COPY --from=build /out/${name}.cdx.json /app/sbom.cdx.json`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("the builder image", () => {
  it("checks, compiles and releases the repository of a model, every image by its digest", async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuo-builder-"));
    const cloud = await withLocalCloud(["pubsub", "storage"]);
    try {
      const { projectId, address } = cloud;
      const bucket = `${projectId}-continuo`;
      const base = {
        projectId,
        region: "us-central1",
        bucket,
        identity: "b@x",
        localCloud: address,
      };
      await provisionBucket(base);
      const { objects } = gcpPorts(base);
      const digest = `sha256:${"ab".repeat(32)}`;
      const installed = { images: { "continuo/profiler": `r/profiler@${digest}` } };
      await objects.write(
        installedImagesUri(bucket),
        Buffer.from(JSON.stringify(installed)),
        "application/json",
      );
      for (const path of ["topics/pipeline", "subscriptions/seen"]) {
        await fetch(`${address}/v1/projects/${projectId}/${path}`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: path.startsWith("topics")
            ? "{}"
            : JSON.stringify({ topic: `projects/${projectId}/topics/pipeline` }),
        });
      }
      await buildBuilder(root, join(folder, "builder"));
      const sbom = JSON.parse(
        readFileSync(join(folder, "builder/sbom.cdx.json"), "utf8"),
      ) as unknown;
      expect(sbom).toMatchObject({
        components: expect.arrayContaining([expect.objectContaining({ name: "zod" })]) as unknown,
      });
      const repository = join(folder, "churn");
      writeRepository(repository, {
        model: "churn",
        owner: "me",
        project: projectId,
        region: "us-central1",
        builder: "builder:1.0.0",
      });
      const run = (step: string) =>
        promisify(execFile)(process.execPath, [join(folder, "builder/main.mjs"), step], {
          cwd: repository,
          env: {
            PATH: process.env["PATH"],
            PROJECT_ID: projectId,
            COMMIT_SHA: "c0ffee0",
            BUILD_ID: "b7",
            CONTINUO_LOCAL_CLOUD: address,
            _ROUTINE: "main",
            _REGION: "us-central1",
            _REPOSITORY: "us-central1-docker.pkg.dev/my-project/continuo",
            _BUCKET: bucket,
          },
        });
      expect((await run("check")).stdout).toBe("churn: nothing is wrong\n");
      await expect(run("compile")).rejects.toThrow(/run the step "digests" first/);
      mkdirSync(join(repository, ".build"));
      writeFileSync(join(repository, ".build/digests.txt"), `trainer ${digest}\n`);
      await run("compile");
      expect((await run("release")).stdout).toMatch(/^released sha256:[0-9a-f]{64} as gs:/);
      expect((await run("run")).stdout).toContain("no run is asked for");
      const uploaded = await objects.read(
        `gs://${bucket}/continuo/models/churn/train.json`,
        1_000_000,
      );
      const images = [...(uploaded?.toString() ?? "").matchAll(/"image": "([^"]+)"/g)].map(
        ([, image]) => image,
      );
      expect(images).toEqual([
        `r/profiler@${digest}`,
        `us-central1-docker.pkg.dev/my-project/continuo/churn-trainer@${digest}`,
        "continuo/evaluator",
      ]);
      const pulled = await fetch(`${address}/v1/projects/${projectId}/subscriptions/seen:pull`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"maxMessages": 1}',
      });
      const { receivedMessages } = messages.parse(await pulled.json());
      const text = Buffer.from(receivedMessages[0]?.message.data ?? "", "base64").toString();
      expect(anyEvent.parse(JSON.parse(text))).toMatchObject({
        type: "pipeline.released",
        data: { model: "churn", build: "b7" },
      });
    } finally {
      await cloud.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
