import { expect, test } from "vitest";
import { planManifest } from "../../../shared/manifest/diff.js";
import { manifestDigest } from "../../../shared/manifest/digest.js";
import { fieldNames, manifestJsonSchema } from "../../../shared/manifest/json-schema.js";
import { nearest } from "../../../shared/manifest/nearest.js";
import { parseManifest } from "../../../shared/manifest/parse.js";
import type { Manifest } from "../../../shared/manifest/schema.js";
import { exampleManifest } from "./example.js";

const read = (text: string): Manifest => {
  const parsed = parseManifest(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.manifest;
};

const example = read(exampleManifest);

test("a first manifest creates its endpoints and schedules", () => {
  const plan = planManifest(null, example);
  expect(plan.action).toBe("create");
  expect(plan.effects).toContain('creates endpoint "flight-delay" (production) unless it exists');
  expect(plan.effects.join("\n")).toContain('creates Cloud Scheduler job "weekly"');
});

test("an endpoint that is left goes on serving, which the plan says", () => {
  const moved = example.promotion.environments.map((environment) => ({
    ...environment,
    endpoint: `${environment.endpoint}-2`,
  }));
  const next = { ...example, promotion: { ...example.promotion, environments: moved } };
  const effects = planManifest(example, next).effects.join("\n");
  expect(effects).toContain('creates endpoint "flight-delay-2" (production) unless it exists');
  expect(effects).toMatch(
    /leaves endpoint "flight-delay" \(production\): .* until you undeploy it/,
  );
});

test("a list of named things is compared by name, so that an insertion is one change", () => {
  const next = read(
    exampleManifest.replace(
      "    - { name: distance",
      "    - { name: hour, type: numeric }\n    - { name: distance",
    ),
  );
  expect(planManifest(example, next).changes).toEqual([
    { path: "dataset.features.hour", before: undefined, after: { name: "hour", type: "numeric" } },
  ]);
});

test("a schedule that is gone is deleted", () => {
  const next = read(exampleManifest.replace(/ {2}schedules:\n.*\n/, "  schedules: []\n"));
  expect(planManifest(example, next).effects).toContain('deletes Cloud Scheduler job "weekly"');
});

test("a schedule that becomes a timer leaves Cloud Scheduler", () => {
  const next = read(exampleManifest.replace("Rome }", "Rome, backend: timer }"));
  expect(planManifest(example, next).effects).toEqual(
    expect.arrayContaining([
      'deletes Cloud Scheduler job "weekly"',
      'creates timer "weekly" (0 6 * * 1, Europe/Rome)',
    ]),
  );
});

test("the same manifest changes nothing, however it is written", () => {
  const same = read(JSON.stringify(example));
  expect(planManifest(example, same)).toEqual({ action: "unchanged", changes: [], effects: [] });
  expect(manifestDigest(same)).toBe(manifestDigest(example));
});

test("the order of fields does not change the digest; a value does", () => {
  const reversed = read(JSON.stringify(Object.fromEntries(Object.entries(example).toReversed())));
  expect(manifestDigest(reversed)).toBe(manifestDigest(example));
  expect(manifestDigest({ ...example, owner: "somebody else" })).not.toBe(manifestDigest(example));
});

test("the JSON Schema asks only for fields without a default", () => {
  const schema = manifestJsonSchema();
  expect(schema["required"]).toEqual(["apiVersion", "kind", "name", "dataset", "promotion"]);
  expect(JSON.stringify(schema)).toContain('"additionalProperties":false');
});

test.each([
  [["rollout", "analysis"], "ingestDelaySeconds"],
  [["promotion", "environments", 0, "approval"], "quorum"],
  [["dataset", "schema", "columns", "age"], "missingShareMax"],
] as const)("the fields at %j are known", (path, name) => {
  expect(fieldNames(path)).toContain(name);
});

test.each([
  ["bake-seconds", "bakeSeconds"],
  ["endpont", "endpoint"],
  ["zebra", null],
])("%s is taken for %s", (word, meant) => {
  expect(nearest(word, ["endpoint", "bakeSeconds", "name"])).toBe(meant);
});
