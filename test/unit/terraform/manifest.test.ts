/** The one list of what is deployed: complete, consistent, and the same in its generated form. */
import { readdirSync, readFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { describe, expect, it } from "vitest";
import { topics } from "../../../events/index.js";
import { functions, sinks, systemSchedules, topicNames } from "../../../functions/manifest.js";
import { permissionsFor, permissionsOf } from "../../../functions/permissions.js";
import { deploymentFiles } from "../../../infra/docs/deployment-files.js";
import { functionsEnvironment } from "../../../infra/cli/up/environment.js";
import { readConfig } from "../../../shared/runtime/config.js";

const root = new URL("../../../", import.meta.url);

describe("the list of functions", () => {
  it("has a folder for each function and no other", () => {
    const folders = readdirSync(new URL("functions/", root), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(functions.map(({ name }) => name).toSorted()).toEqual(folders.toSorted());
  });

  it("gives each function an identity of its own that Google Cloud takes", () => {
    const identities = functions.map(({ identity }) => identity);
    expect(new Set(identities).size).toBe(functions.length);
    for (const identity of identities) expect(identity).toMatch(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/);
  });

  it("names only topics that exist, and every topic of the catalogue", () => {
    const known = new Set(topicNames);
    expect(topics.filter((topic) => !known.has(topic))).toEqual([]);
    const named = [
      ...functions.flatMap(({ publishes }) => publishes),
      ...sinks.map(({ topic }) => topic),
      ...systemSchedules.map(({ topic }) => topic),
    ];
    expect(named.filter((topic) => !known.has(topic))).toEqual([]);
  });

  it("gives the permission to publish exactly to those that have a topic to publish to", () => {
    for (const { name, permissions, publishes } of functions) {
      expect([name, permissions.includes("pubsub.topics.publish")]).toEqual([
        name,
        publishes.length > 0,
      ]);
    }
  });

  it("grants what is used and nothing else", () => {
    for (const { permissions, uses } of functions) {
      expect(permissions).toEqual(permissionsFor(uses));
      expect(permissions).toEqual([...new Set(permissions)].toSorted());
    }
    expect(Object.values(permissionsOf).every((needed) => needed.length > 0)).toBe(true);
  });

  it.each(functions)("keeps Cloud Run's and Pub/Sub's limits: $name", (spec) => {
    const { trigger, cpu, memoryMib, timeoutSeconds, concurrency, instancesMax, retry } = spec;
    expect(memoryMib).toBeGreaterThanOrEqual(128);
    // Below one CPU an instance takes one request at a time.
    expect(cpu >= 1 || concurrency === 1).toBe(true);
    expect(concurrency).toBeLessThanOrEqual(1000);
    // Nothing is kept running.
    expect(spec.instancesMin).toBe(0);
    expect(instancesMax).toBeGreaterThanOrEqual(1);
    // A push waits for its answer for ten minutes at most.
    expect(timeoutSeconds).toBeLessThanOrEqual("topic" in trigger ? 600 : 3600);
    expect(retry.deliveryAttemptsMax).toBeGreaterThanOrEqual(5);
    expect(retry.deliveryAttemptsMax).toBeLessThanOrEqual(100);
  });

  it.each(functions)("sets the variables that $name reads", ({ environment }) => {
    const addresses = { cloud: "http://127.0.0.1:1", functions: "http://127.0.0.1:2" };
    const example = functionsEnvironment({ project: "p", region: "us-central1" }, addresses, "t");
    // On a laptop these are left to their defaults.
    const more: Readonly<Record<string, string>> = {
      CONTINUO_PIPELINE_IDENTITY: "pipelines@p.example",
      CONTINUO_SLOTS: "64",
      CONTINUO_TICK_PARTITIONS: "16",
      CONTINUO_SUBMISSIONS_PER_MINUTE: "120",
      CONTINUO_ACCELERATOR_JOBS: '{"NVIDIA_L4":4}',
    };
    const values = Object.fromEntries(
      environment.map((variable) => [variable, example[variable] ?? more[variable]]),
    );
    expect(readConfig(values)).toMatchObject({
      slots: 64,
      tickPartitions: 16,
      submissionsPerMinuteMax: 120,
      acceleratorJobsMax: { NVIDIA_L4: 4 },
    });
  });

  it("runs pipelines as an identity of their own where one is set", () => {
    const addresses = { cloud: "http://127.0.0.1:1", functions: "http://127.0.0.1:2" };
    const env = functionsEnvironment(
      { project: "p", region: "us-central1" },
      addresses,
      "x".repeat(16),
    );
    expect(readConfig(env).pipelineIdentity).toBe("continuo@p.iam.gserviceaccount.com");
    const own = { ...env, CONTINUO_PIPELINE_IDENTITY: "pipelines@p.example" };
    expect(readConfig(own).pipelineIdentity).toBe("pipelines@p.example");
  });
});

describe("what deployment reads", () => {
  it("is fresh; otherwise run `npm run generate`", async () => {
    for (const [path, content] of deploymentFiles()) {
      const url = new URL(path, root);
      const options = await resolveConfig(url.pathname);
      const expected = path.endsWith(".json")
        ? await format(content, { ...options, filepath: url.pathname })
        : content;
      expect([path, readFileSync(url, "utf8")]).toEqual([path, expected]);
    }
  });
});
