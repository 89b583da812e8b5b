/** Parts that are missing or die: an act fails where it must, and goes on where it can. */
import { describe, expect, it } from "vitest";
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

/** The limits leave room for what must still happen before the missing function is missed. */
const withoutFunctions = [
  {
    name: "on-dataset-arrived",
    limit: 8,
    got: "the end of January's run did not happen within 8 s: no such run of flights-late began",
  },
  {
    name: "on-evaluation-completed",
    limit: 20,
    got: "the end of January's run did not happen within 20 s: it is judging",
  },
  {
    name: "on-training-run-requested",
    limit: 8,
    got: "the end of January's run did not happen within 8 s: it is requested",
  },
];

/** Kills one process of an instance, and waits until the supervisor has put another in its place. */
const kill = async (demo: Playing, name: "functions" | "cloud"): Promise<void> => {
  const before = demo.instance().pids[name];
  if (before === undefined) throw new Error(`no process id of the ${name}`);
  process.kill(before, "SIGKILL");
  await until(`a new process of the ${name}`, 60, () =>
    demo.instance().pids[name] === before ? null : true,
  );
};

const trainingOfFebruary = (seen: Outside): Promise<string> =>
  until("February's training", 90, async () => {
    const run = (await seen.runs("flights-late")).find(({ datasetUris }) =>
      datasetUris.at(-1)?.endsWith("/2001-02.parquet"),
    );
    return run?.isLive === true && ["validating", "training"].includes(run.phase) ? run.run : null;
  });

const weightOfAtLeast = (seen: Outside, weight: number): Promise<string> =>
  until(`a canary of ${weight} %`, 90, async () => {
    const [rollout] = await seen.rollouts("flights-late");
    return rollout?.isLive === true && (rollout.weight ?? 0) >= weight ? rollout.rollout : null;
  });

describe.concurrent("an act", () => {
  it.each(withoutFunctions)("fails without $name, and says where", async ({ name, limit, got }) => {
    const folder = newFolder();
    const flags = `--exit --fresh --acts 1 --sample 0.02 --limit ${limit} --without ${name}`;
    const demo = play(folder, "demo", ...flags.split(" "));
    try {
      const code = await demo.ended;
      expect(demo.output()).toMatch(/^ +1 {2}FAILED /m);
      expect(demo.output().replaceAll(/\s+/g, " ")).toContain(`act 1 ${got}`);
      expect(code).toBe(1);
    } finally {
      await demo.stop();
      removeFolder(folder);
    }
  });

  it("survives kill -9 of its functions and of its cloud with nothing done twice", async () => {
    const folder = newFolder();
    const demo = play(folder, "demo", "--fresh", "--acts", "1,2", "--months", "2");
    try {
      await printed(demo, "Act 2", 120);
      const seen = outside(demo);
      const run = await trainingOfFebruary(seen);
      await kill(demo, "functions");
      const rollout = await weightOfAtLeast(seen, 1);
      await kill(demo, "functions");
      await weightOfAtLeast(seen, 10);
      await kill(demo, "cloud");
      await printed(demo, "everything stays up", 200);
      expect(demo.output()).toContain("all 2 acts ended as they must");

      const runs = await seen.runs("flights-late");
      expect(runs.map(({ outcome }) => outcome)).toEqual(["registered", "registered"]);
      expect(runs[0]?.run).toBe(run);
      const [jobs] = await seen.pipelines().listPipelineJobs({ parent: seen.parent });
      const names = jobs.map(({ name }) => name?.split("/").at(-1) ?? "");
      expect(names.filter((name) => name.startsWith("flights-late-")).toSorted()).toEqual(
        runs.map((one) => one.run).toSorted(),
      );
      const [versions] = await seen
        .models()
        .listModelVersions({ name: `${seen.parent}/models/flights-late` });
      expect(versions).toHaveLength(2);

      const [last] = await seen.rollouts("flights-late");
      expect(last).toMatchObject({ rollout, isLive: false, outcome: "promoted" });
      const [production] = await seen
        .endpoints()
        .getEndpoint({ name: `${seen.parent}/endpoints/flights-production` });
      expect(production.deployedModels).toHaveLength(1);
      expect(production.deployedModels?.[0]?.modelVersionId).toBe(last?.versionId);
      expect(Object.values(production.trafficSplit ?? {})).toEqual([100]);
    } finally {
      await demo.stop();
      removeFolder(folder);
    }
  });
});
