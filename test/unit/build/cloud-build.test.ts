import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { functions } from "../../../functions/manifest.js";
import { cloudBuildProblems } from "../../../infra/build/check-cloud-build.js";
import { readCloudBuild, substituted } from "../../../infra/build/cloud-file.js";
import { cloudSteps } from "../../../infra/build/cloud-steps.js";
import { readBuildConfig, readTargetConfig } from "../../../infra/build/config.js";
import { dryRun } from "../../../infra/build/dry-run.js";
import { dockerfile } from "../../../infra/build/function-files.js";
import { bakeFile, imageNames, jobImages } from "../../../infra/build/images.js";
import { functionLists, parityProblems } from "../../../infra/build/parity.js";

const root = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
const file = (path: string): string => readFileSync(join(root, path), "utf8");
const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(file("package.json")));
const surroundings = {
  scripts: Object.keys(scripts),
  steps: Object.keys(cloudSteps),
  hasFile: (path: string) => existsSync(join(root, path)),
};
const text = file("cloudbuild.yaml");
const problemsOf = (changed: string): readonly string[] =>
  cloudBuildProblems(changed, surroundings).map(({ line, message }) => `${line}: ${message}`);

/** The file with one place changed, and the line of that place. */
const planted = (from: string, to: string) => {
  const at = text.indexOf(from);
  if (at < 0) throw new Error(`cloudbuild.yaml has no "${from}"`);
  return {
    changed: text.slice(0, at) + to + text.slice(at + from.length),
    line: text.slice(0, at).split("\n").length,
  };
};

describe("cloudbuild.yaml", () => {
  it("is what Cloud Build reads, and names only what is there", () => {
    expect(problemsOf(text)).toEqual([]);
  });

  it.each([
    ["a step's unknown field", "entrypoint: npm", "entryPoint: npm", "Unrecognized key"],
    ["an unknown option", "machineType:", "machine:", "Unrecognized key"],
    ["a wrong value", "E2_HIGHCPU_8", "E2_HUGE_8", "options.machineType"],
    ["a time without its unit", "timeout: 5400s", 'timeout: "5400"', "must be seconds"],
    ["an id that is there twice", "id: static", "id: test", "another step is called test"],
    [
      "a step that waits for a later one",
      "waitFor: [bundle]",
      "waitFor: [push]",
      "no earlier step",
    ],
    ["an image that moves", "node:22.23.3-slim", "node:22-slim", "may be another image tomorrow"],
    ["an image without a tag", "docker:28.2.2-cli", "docker", "may be another image tomorrow"],
    [
      "a variable that nobody sets",
      "name: $_DOCKER",
      "name: $_DOKCER:1.2.3",
      "$_DOKCER is set nowhere",
    ],
    [
      "a script that is gone",
      '"build:cloud", --, test',
      '"build:clod", --, test',
      "which package.json lacks",
    ],
    ["a step of ours that is gone", "--, bundle]", "--, bundel]", "which nobody knows"],
    [
      "a shell script that is gone",
      "infra/build/release.sh",
      "infra/release.sh",
      "which is not there",
    ],
    ["what is no YAML", "steps:", "steps: [", "it is not YAML"],
  ])("is refused with %s", (_what, from, to, message) => {
    const { changed, line } = planted(from, to);
    const problems = problemsOf(changed);
    expect(problems.join("\n")).toContain(message);
    const lines = problems.map((problem) => Number(problem.split(":")[0]));
    expect(Math.min(...lines.map((found) => Math.abs(found - line)))).toBeLessThanOrEqual(5);
  });

  it("runs tests, analysis and images beside each other, and pushes after all three", () => {
    const { steps } = readCloudBuild(root, surroundings.steps);
    const waits = new Map(steps.map(({ id, waitFor }) => [id, waitFor]));
    for (const id of ["test", "static", "bundle"]) expect(waits.get(id)).toEqual(["fetch"]);
    expect(waits.get("push")?.toSorted()).toEqual(["images", "static", "test"]);
  });

  it("is refused before a dry run starts anything", async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuo-build-"));
    try {
      writeFileSync(join(folder, "cloudbuild.yaml"), text.replace("docker:28.2.2-cli", "docker"));
      writeFileSync(join(folder, "package.json"), file("package.json"));
      const walk = dryRun({
        root: folder,
        config: readBuildConfig({}),
        skip: [],
        startCloud: () => Promise.reject(new Error("a local cloud was started")),
        starting: () => undefined,
        done: () => undefined,
      });
      await expect(walk).rejects.toThrow(/cloudbuild.yaml:\d+: steps run in docker,/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("has the nine steps of a build in their order, with every step of ours once", () => {
    const { steps } = readCloudBuild(root, surroundings.steps);
    const ids = steps.map(({ id }) => id);
    const nine = [
      "fetch",
      "test",
      "static",
      "images",
      "push",
      "digests",
      "pipelines",
      "upload",
      "run",
    ];
    expect(ids.filter((id) => nine.includes(id))).toEqual(nine);
    const ours = steps.flatMap(({ args }) => (args.includes("build:cloud") ? args.slice(-1) : []));
    expect(ours.toSorted()).toEqual(Object.keys(cloudSteps).toSorted());
  });

  it("runs in the same Node as the images that it builds", () => {
    const { substitutions } = readCloudBuild(root, surroundings.steps);
    const node = substitutions["_NODE"] ?? "";
    const froms = jobImages.flatMap((name) =>
      [...file(`infra/images/${name}/Dockerfile`).matchAll(/^FROM (\S+)/gm)].map(
        ([, from]) => from,
      ),
    );
    expect(new Set(froms)).toEqual(new Set([node]));
    expect(dockerfile("tick")).toContain(`ARG BASE=${node}\n`);
  });

  it("carries substitutions that stand in others", () => {
    const { substitutions } = readCloudBuild(root, surroundings.steps);
    expect(substituted("$_REPOSITORY/tick", { ...substitutions, PROJECT_ID: "shop" })).toBe(
      "us-central1-docker.pkg.dev/shop/continuo/tick",
    );
  });
});

describe("a build's variables", () => {
  it("are refused all at once, each with where it is set", () => {
    const wrong = { _ROUTINE: "nightly", _REPOSITORY: "shop/continuo", COMMIT_SHA: "main" };
    expect(() => readBuildConfig(wrong)).toThrow(/_ROUTINE.*\n.*_REPOSITORY.*\n.*COMMIT_SHA/);
    expect(() => readBuildConfig({ _REGION: "europe" })).toThrow(/_REGION: must be a region/);
    const given = { PROJECT_ID: "p", _REGION: "us-east1", _BUCKET: "p-continuo", COMMIT_SHA: "" };
    expect(() => readTargetConfig(given)).toThrow(/^_REPOSITORY, COMMIT_SHA must be set/);
  });
});

describe("the images of a release", () => {
  const bake = bakeFile({ folder: ".build", repository: "r", commit: "c0ffee0" });

  it("are one per function of the list, and one per kind of job", () => {
    expect(Object.keys(bake.target)).toEqual([
      ...functions.map(({ name }) => name),
      ...jobImages,
      "builder",
    ]);
    expect(bake.group.default.targets).toEqual(imageNames);
  });

  it("have a Dockerfile each, a tag of the commit, and a cache beside it", () => {
    for (const name of jobImages) {
      expect(existsSync(join(root, "infra/images", name, "Dockerfile"))).toBe(true);
    }
    expect(bake.target["tick"]).toMatchObject({
      context: ".build/functions/tick",
      tags: ["r/tick:c0ffee0"],
      "cache-from": ["type=registry,ref=r-cache/tick:cache"],
    });
  });
});

describe("triggers", () => {
  it("leave builds out for documentation and notebooks alone", () => {
    const hcl = file("infra/terraform/modules/builds/main.tf");
    expect(/ignored\s*=\s*\[([^\]]*)\]/.exec(hcl)?.[1]).toMatch(
      /"\*\*\/\*\.md".*"\*\*\/\*\.ipynb"/,
    );
    expect(hcl).toContain("ignored_files   = local.ignored");
  });

  it("set what the file asks for", () => {
    const set = [
      ...file("infra/terraform/modules/builds/main.tf").matchAll(/^ {4}(_[A-Z]+)\s*=/gm),
    ];
    const { substitutions } = z
      .object({ substitutions: z.record(z.string(), z.string()) })
      .parse(parse(text));
    expect(
      set.map(([, name]) => name).filter((name) => !Object.hasOwn(substitutions, name ?? "")),
    ).toEqual([]);
  });
});

describe("the lists of functions", () => {
  const lists = functionLists(root);

  it("name the same functions in the list, in Terraform, in Cloud Build, and in the code", () => {
    expect(parityProblems(lists)).toEqual([]);
    expect(Object.keys(lists)).toHaveLength(4);
  });

  it.each(Object.keys(lists))("are told apart when a function is missing from %s", (place) => {
    const without = (lists[place] ?? []).filter((name) => name !== "tick");
    expect(parityProblems({ ...lists, [place]: without })).toEqual([
      `function tick is missing from ${place}`,
    ]);
  });

  it("are told apart when one has a function of its own", () => {
    const more = {
      ...lists,
      "functions/<name>/index.ts": [...(lists["functions/<name>/index.ts"] ?? []), "stray"],
    };
    expect(parityProblems(more).join()).toMatch(
      /^function stray is missing from functions\/manifest.ts and .*json.* and .*cloudbuild/,
    );
  });
});
