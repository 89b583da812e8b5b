/** SIGKILL in the middle of the work: the act still ends as it must, with nothing done twice. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  newFolder,
  outside,
  play,
  printed,
  removeFolder,
  until,
  type Outside,
  type Playing,
} from "./instance.js";

describe("act 2 with its processes killed under it", () => {
  const folder = newFolder();
  const started: { demo?: Playing; seen?: Outside } = {};

  beforeAll(async () => {
    started.demo = play(folder, "demo", "--fresh", "--acts", "1,2", "--months", "2");
    await printed(started.demo, "Act 2", 90);
    started.seen = outside(started.demo);
  });
  afterAll(async () => {
    await started.demo?.stop();
    removeFolder(folder);
  });

  const world = (): { readonly demo: Playing; readonly seen: Outside } => {
    const { demo, seen } = started;
    if (demo === undefined || seen === undefined) throw new Error("nothing is up");
    return { demo, seen };
  };

  /** Kills one process of the instance, and waits until the supervisor has put another in its place. */
  const kill = async (
    name: "functions" | "cloud",
  ): Promise<{ readonly before: number; readonly after: number }> => {
    const { demo } = world();
    const before = demo.instance().pids[name];
    if (before === undefined) throw new Error(`no process id of the ${name}`);
    process.kill(before, "SIGKILL");
    const after = await until(`a new process of the ${name}`, 30, () => {
      const now = demo.instance().pids[name] ?? before;
      return now === before ? null : now;
    });
    return { before, after };
  };

  it("goes on when the functions die while February is trained on", async () => {
    const { seen } = world();
    await until("February's training", 60, async () => {
      const run = (await seen.runs("flights-late")).find(({ datasetUris }) =>
        datasetUris.at(-1)?.endsWith("/2001-02.parquet"),
      );
      return run?.isLive === true && ["validating", "training"].includes(run.phase) ? true : null;
    });
    const { before, after } = await kill("functions");
    expect(after).not.toBe(before);
  });

  it("goes on when the functions die in the middle of the canary", async () => {
    const { seen } = world();
    await until("the canary's first step", 90, async () => {
      const [rollout] = await seen.rollouts("flights-late");
      return rollout?.isLive === true && rollout.phase === "progressing" ? true : null;
    });
    const { before, after } = await kill("functions");
    expect(after).not.toBe(before);
  });

  it("goes on when the cloud itself dies in the middle of the canary", async () => {
    const { seen } = world();
    await until("the canary's second step", 60, async () => {
      const [rollout] = await seen.rollouts("flights-late");
      return rollout?.isLive === true && (rollout.weight ?? 0) >= 10 ? true : null;
    });
    const { before, after } = await kill("cloud");
    expect(after).not.toBe(before);
  });

  it("ends as it must, with one job per dataset version and one deployed champion", async () => {
    const { demo, seen } = world();
    await printed(demo, "everything stays up", 150);
    expect(demo.output()).toContain("all 2 acts ended as they must");

    const [jobs] = await seen.pipelines().listPipelineJobs({ parent: seen.parent });
    const names = jobs.map(({ name }) => name?.split("/").at(-1) ?? "");
    const runs = await seen.runs("flights-late");
    expect(runs.map(({ outcome }) => outcome)).toEqual(["registered", "registered"]);
    expect(names.filter((name) => name.startsWith("flights-late-")).toSorted()).toEqual(
      runs.map(({ run }) => run).toSorted(),
    );
    const [versions] = await seen
      .models()
      .listModelVersions({ name: `${seen.parent}/models/flights-late` });
    expect(versions).toHaveLength(2);

    const [rollout] = await seen.rollouts("flights-late");
    expect(rollout).toMatchObject({ isLive: false, outcome: "promoted" });
    const [production] = await seen
      .endpoints()
      .getEndpoint({ name: `${seen.parent}/endpoints/flights-production` });
    expect(production.deployedModels).toHaveLength(1);
    expect(production.deployedModels?.[0]?.modelVersionId).toBe(rollout?.versionId);
    expect(Object.values(production.trafficSplit ?? {})).toEqual([100]);
  });
});
