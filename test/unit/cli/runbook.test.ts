/** The pages for people on call name what exists. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

const alerts = (): readonly string[] => {
  const text = read("infra/terraform/modules/monitoring/main.tf");
  const keys = [...text.matchAll(/^ {4}"([a-z-]+)" = \{$/gm)].map(([, key = ""]) => key);
  return [...keys, ...[...text.matchAll(/runbook\.md#([a-z-]+)"/g)].map(([, key = ""]) => key)];
};

const verbs = (): ReadonlySet<string> => {
  const folder = new URL("infra/cli/verbs/", root);
  const text = readdirSync(folder)
    .map((file) => readFileSync(new URL(file, folder), "utf8"))
    .join("\n");
  return new Set(
    [...text.matchAll(/["[]"?([a-z][a-z-]+)(?: [<[][^"]*)?"/g)].map(([, verb = ""]) => verb),
  );
};

const pages = (): readonly (readonly [string, string])[] => [
  ["README.md", read("README.md")],
  ["test/README.md", read("test/README.md")],
  ["infra/terraform/README.md", read("infra/terraform/README.md")],
  ...readdirSync(new URL("infra/docs/", root))
    .filter((file) => file.endsWith(".md"))
    .map((file) => [`infra/docs/${file}`, read(`infra/docs/${file}`)] as const),
];

describe("the runbook", () => {
  it("has a section for every alert", () => {
    const sections = [...read("infra/docs/runbook.md").matchAll(/^## (.+)$/gm)].map(
      ([, title]) => title,
    );
    const known = alerts();
    expect(known.length).toBeGreaterThan(10);
    expect(known.filter((alert) => !sections.includes(alert))).toEqual([]);
  });
});

describe("the pages", () => {
  it("name no command that does not exist", () => {
    const known = verbs();
    expect(known.has("doctor")).toBe(true);
    const unknown = pages().flatMap(([page, text]) =>
      [...text.matchAll(/(?:`|no -- |^)continuo ([a-z][a-z-]+)/gm)]
        .map(([, verb = ""]) => verb)
        .filter((verb) => !known.has(verb))
        .map((verb) => `${page}: continuo ${verb}`),
    );
    expect(unknown).toEqual([]);
  });

  it("link to files that exist", () => {
    const broken = pages().flatMap(([page, text]) =>
      [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => {
          const url = new URL(target, new URL(page, root));
          try {
            readdirSync(url);
            return false;
          } catch (error) {
            return !(error instanceof Error && "code" in error && error.code === "ENOTDIR");
          }
        })
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});
