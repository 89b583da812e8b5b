import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { cloudBuildProblems } from "../../../infra/build/check-cloud-build.js";
import { readRepository, releasePipeline } from "../../../infra/build/model-repository.js";
import { repositoryFiles, writeRepository } from "../../../infra/cli/verbs/init.js";
import { installedImages, withImages } from "../../../shared/gcp/installed-images.js";
import { parseManifests } from "../../../shared/manifest/parse.js";

const options = {
  model: "late-trains",
  owner: "ml@example.com",
  project: "shop",
  region: "europe-west4",
  builder: `europe-west4-docker.pkg.dev/shop/continuo/builder:${"c0ffee".repeat(6)}c0de`,
};

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const place = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-init-"));
  folders.push(folder);
  return join(folder, "model");
};
const written = (): string => {
  const folder = place();
  writeRepository(folder, options);
  return folder;
};
const problemsOf = (folder: string): string => {
  const read = readRepository(folder);
  return read.ok ? "" : read.problems.join("\n");
};

describe("a new model's repository", () => {
  it("holds a manifest that is valid, a pipeline with its trainer, and no word that was to be filled in", () => {
    const files = repositoryFiles(options);
    const [parsed] = parseManifests(files.get("model.yaml") ?? "");
    expect(parsed).toMatchObject({ ok: true, manifest: { name: "late-trains" } });
    expect(files.get("pipeline/train.json")).toContain('"image": "late-trains-trainer"');
    expect(
      [...files].flatMap(([name, text]) => (/[A-Z]_(?:NAME|IMAGE)\b/.test(text) ? [name] : [])),
    ).toEqual([]);
    expect(problemsOf(written())).toBe("");
  });

  it("has a build that Cloud Build reads, with the nine steps in their order", () => {
    const folder = written();
    const text = readFileSync(join(folder, "cloudbuild.yaml"), "utf8");
    const hasFile = (path: string): boolean => existsSync(join(folder, path));
    expect(cloudBuildProblems(text, { scripts: [], steps: [], hasFile })).toEqual([]);
    const ids = [...text.matchAll(/- id: (\w+)/g)].map(([, id]) => id);
    expect(ids).toEqual([
      "test",
      "check",
      "images",
      "push",
      "digests",
      "compile",
      "release",
      "run",
    ]);
  });

  it("has a trainer whose own tests pass", () => {
    const folder = written();
    execFileSync("python3", ["-B", "-m", "unittest", "discover", "trainer"], {
      cwd: folder,
      stdio: "pipe",
    });
    expect(readdirSync(folder)).toContain("trainer");
  });

  it("is never written over something else", () => {
    const folder = written();
    expect(() => writeRepository(folder, options)).toThrow("is not empty");
    const file = place();
    writeFileSync(file, "mine");
    expect(() => writeRepository(file, options)).toThrow("is not empty");
    const empty = place();
    mkdirSync(empty);
    expect(writeRepository(empty, options)).toContain("model.yaml");
  });
});

describe("a check of a repository", () => {
  it.each([
    ["a manifest that says nothing", "model.yaml", () => "kind: Model\n", "model.yaml:"],
    [
      "a manifest without a template",
      "model.yaml",
      (text: string) => text.replace(/^ {2}template:.*$/m, ""),
      "training.template must say",
    ],
    [
      "an image that no step has",
      "components/trainer.json",
      (text: string) => text.replace("late-trains-trainer", "other"),
      "pipeline/train.json has no step with the image other",
    ],
    [
      "a component without a Dockerfile",
      "components/trainer.json",
      (text: string) => text.replace('"trainer",\n  "local"', '"nowhere",\n  "local"'),
      "nowhere/Dockerfile is not there",
    ],
    ["a pipeline that is none", "pipeline/train.json", () => "{}", "pipeline/train.json:"],
    ["a file that is no JSON", "components/trainer.json", () => "{", "components/trainer.json:"],
  ])("names %s", (_what, name, change, message) => {
    const folder = written();
    const path = join(folder, name);
    const before = readFileSync(path, "utf8");
    const after = change(before);
    expect(after).not.toBe(before);
    writeFileSync(path, after);
    expect(problemsOf(folder)).toContain(message);
  });
});

describe("a release of a pipeline", () => {
  const read = readRepository(written());

  it("uploads it twice and says so in an event that names the one that stays", async () => {
    if (!read.ok) throw new Error("the repository is broken");
    const uploaded: string[] = [];
    const published: string[] = [];
    const ports = {
      objects: { write: async (uri: string) => void uploaded.push(uri) },
      bus: { publish: async (topic: string) => void published.push(topic) },
    };
    const { repository } = read;
    const event = await releasePipeline(ports, repository, repository.template, {
      build: "b1",
      time: "2026-11-21T12:00:00.000Z",
    });
    const digest = event.data.digest.slice("sha256:".length, "sha256:".length + 16);
    const folder = "gs://shop-continuo/continuo/models/late-trains";
    expect(uploaded).toEqual([`${folder}/train-${digest}.json`, `${folder}/train.json`]);
    expect(published).toEqual(["pipeline"]);
    expect(event).toMatchObject({
      id: "b1/late-trains",
      data: { model: "late-trains", build: "b1", template: uploaded[0] },
    });
  });

  it("takes Continuo's own images by their digests where a build has written them", async () => {
    if (!read.ok) throw new Error("the repository is broken");
    const { template } = read.repository;
    const list = { images: { "continuo/profiler": "r/profiler@sha256:1" } };
    const body = Buffer.from(JSON.stringify(list));
    const imageOf = (found: Buffer | null) =>
      installedImages({ read: async () => found }, "shop-continuo");
    const imagesIn = (spec: unknown): string[] =>
      [...JSON.stringify(spec).matchAll(/"image":"([^"]+)"/g)].map(([, image]) => image ?? "");
    expect(imagesIn(await withImages(template, imageOf(body)))).toEqual([
      "r/profiler@sha256:1",
      "late-trains-trainer",
      "continuo/evaluator",
    ]);
    expect(await withImages(template, imageOf(null))).toEqual(template);
    expect(await withImages({ no: "pipeline" }, imageOf(body))).toEqual({ no: "pipeline" });
    await expect(imageOf(Buffer.from("[]"))("continuo/trainer")).rejects.toThrow(
      "gs://shop-continuo/continuo/images.json is no list of images. Release Continuo again.",
    );
  });
});
