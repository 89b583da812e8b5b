/** The offline checker of infra/terraform: our files pass, and each planted mistake is told with file, line and fix. */
import { describe, expect, it } from "vitest";
import { check } from "../../../infra/terraform/check/check.js";
import { textOfFinding } from "../../../infra/terraform/check/finding.js";
import {
  terraformFormat,
  terraformTest,
  terraformValidate,
} from "../../../infra/terraform/check/terraform.js";
import { readTree, type Tree } from "../../../infra/terraform/check/tree.js";
import { plantedMistakes } from "./planted-mistakes.js";

const tree = readTree();

const changed = (file: string, from: string, to: string, also: readonly string[] = []): Tree => {
  const text = tree.get(file) ?? "";
  if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)} any more`);
  const others = also.map(
    (name) => [name, tree.get(name)?.replaceAll(from, () => to) ?? ""] as const,
  );
  return new Map([...tree, ...others, [file, text.replace(from, () => to)]]);
};

describe("the checker", () => {
  it("finds no mistake in any environment, before its first images, with them, and with every option", () => {
    const { findings, scenarios } = check(tree);
    expect(findings.map(textOfFinding)).toEqual([]);
    expect(scenarios.map(({ name }) => name)).toEqual([
      "dev, before the first images",
      "dev, with images",
      "dev, with every option",
      "prod, before the first images",
      "prod, with images",
      "prod, with every option",
    ]);
    for (const { resources } of scenarios) expect(resources.length).toBeGreaterThan(200);
  });

  it.each(plantedMistakes)(
    "tells that $mistake",
    ({ file, from, to, rule, says, at = file, also }) => {
      const { findings } = check(changed(file, from, to, also), "dev, with every option");
      const told = findings.filter((finding) => finding.rule === rule && finding.file === at);
      expect(told.map(textOfFinding).join("\n") || findings.map(textOfFinding).join("\n")).toMatch(
        says,
      );
      const [first] = told;
      const lines = (tree.get(at) ?? "").split("\n").length;
      expect(first?.line).toBeGreaterThanOrEqual(1);
      expect(first?.line).toBeLessThanOrEqual(lines + 10);
      expect(first?.fix).toMatch(/\S.*[.]$|\S$/);
    },
  );

  it("tells a mistake in the inputs alone, and not what follows from it", () => {
    const example = "infra/terraform/environments/dev/example.tfvars";
    const { findings } = check(changed(example, 'owner               = "ml-platform"\n', ""));
    expect(findings.map(textOfFinding)).toEqual([
      `${example}:1: owner is not set. Add owner = ... to it: Team that answers for the installation, as a label. [variable]`,
    ]);
  });

  it("takes the digests that a build has left, and refuses what is none, or is another commit's", () => {
    const file = "infra/terraform/environments/dev/images.auto.tfvars.json";
    const told = (image_digests: object): readonly string[] =>
      check(new Map([...tree, [file, JSON.stringify({ image_digests })]])).findings.map(
        textOfFinding,
      );
    expect(told({ tick: "latest" })[0]).toMatch(
      /images\.auto\.tfvars\.json:1: image_digests is .*image_digests must hold digests/,
    );
    expect(told({ gone: `sha256:${"1".repeat(64)}` }).join("\n")).toMatch(
      /image_digests names functions that functions\/manifest\.json does not have: gone/,
    );
  });

  it("points at the line of the mistake", () => {
    const { findings } = check(
      changed(
        "infra/terraform/environments/dev/example.tfvars",
        '"europe-west4"',
        '"europe-north1"',
      ),
      "dev, with every option",
    );
    const [finding] = findings.filter(({ rule }) => rule === "variable");
    const lines = (tree.get(finding?.file ?? "") ?? "").split("\n");
    expect(lines[(finding?.line ?? 0) - 1]).toMatch(/^region /);
  });

  it("passes Terraform's own tests of what needs no provider", { timeout: 60_000 }, ({ skip }) => {
    const { outcome, detail } = terraformTest();
    if (outcome === "skipped") skip(detail);
    expect(detail).toBe("");
  });

  it.for(["dev", "prod"])(
    "passes Terraform's own validation of %s, and its tests with a mocked provider",
    { timeout: 180_000 },
    (environment, { skip }) => {
      const [result] = terraformValidate([environment], { mayDownload: false });
      if (result?.outcome === "skipped") skip(result.detail);
      expect(result?.detail).toBe("");
    },
  );

  it("has Terraform's own layout", ({ skip }) => {
    const { outcome, detail } = terraformFormat();
    if (outcome === "skipped") skip(detail);
    expect(detail).toBe("");
  });
});
