/** The seven acts in short form, and what other people's programs see of them afterwards. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { z } from "zod";
import {
  isUp,
  newFolder,
  outside,
  play,
  removeFolder,
  tickEverySecond,
  until,
  whyReply,
  type Outside,
  type Playing,
  type Rollout,
  type Run,
} from "./instance.js";

const lastPart = ({ name }: { readonly name?: string | null }): string =>
  name?.split("/").at(-1) ?? "";

const execute = promisify(execFile);
const publisher = fileURLToPath(new URL("publish.py", import.meta.url));
const folder = newFolder();
afterAll(() => removeFolder(folder));

describe("the acts in short form", () => {
  it("end as they must, and the demo exits with 0", async () => {
    const demo = play(folder, "demo", "--exit", "--fresh", "--months", "2");
    const code = await demo.ended;
    const output = demo.output();
    for (const act of [1, 2, 3, 4, 5, 6, 7]) {
      expect(output).toMatch(new RegExp(`^ +${act}  ok `, "m"));
    }
    expect(output).toContain("all 7 acts ended as they must");
    expect(code).toBe(0);
  });
});

describe("what was decided, on the same state started again", () => {
  const started: { up?: Playing; seen?: Outside; stopTicks?: () => void } = {};

  beforeAll(async () => {
    started.up = play(folder, "up");
    await isUp(started.up);
    started.seen = outside(started.up);
    started.stopTicks = tickEverySecond(started.seen).stop;
  });
  afterAll(async () => {
    started.stopTicks?.();
    await started.up?.stop();
  });

  const world = (): Outside => {
    if (started.seen === undefined) throw new Error("nothing is up");
    return started.seen;
  };

  const found = <Item>(items: readonly Item[], matches: (item: Item) => boolean): Item => {
    const item = items.find(matches);
    if (item === undefined) throw new Error(`none of these: ${JSON.stringify(items)}`);
    return item;
  };

  const runWhere = async (matches: (run: Run) => boolean): Promise<Run> =>
    found(await world().runs("flights-late"), matches);

  const rolloutWhere = async (matches: (rollout: Rollout) => boolean): Promise<Rollout> =>
    found(await world().rollouts("flights-late"), matches);

  const isOf =
    (file: string) =>
    ({ datasetUris }: Run): boolean =>
      datasetUris.at(-1)?.endsWith(file) === true;

  it("explains a promotion by both versions' scores and every step's counts", async () => {
    const run = await runWhere(
      (seen) => isOf("/2001-02.parquet")(seen) && seen.trigger === "new-data",
    );
    const why = await world().why(run.run);
    expect(why.kind).toBe("run");
    expect(why.answer).toContain(`version ${run.versionId} of flights-late was promoted`);
    expect(why.numbers["challenger.auc"]).toBeGreaterThan(why.numbers["champion.auc"] ?? 1);
    expect(why.numbers["comparison.pValue"]).toBeLessThan(0.05);
    expect(why.numbers["comparison.lower"]).toBeGreaterThan(0);

    const rollout = await rolloutWhere(
      ({ versionId, outcome }) => versionId === run.versionId && outcome === "promoted",
    );
    const weights = rollout.history
      .filter(({ verdict }) => verdict.result === "successful")
      .map(({ weight }) => weight);
    expect(weights).toEqual([1, 10, 20, 50, 100]);
    for (const weight of [10, 20, 50, 100]) {
      const step = found(why.steps, ({ decision }) =>
        decision.includes(`progressing at ${weight} %`),
      );
      expect(step.numbers["requests"]).toBeGreaterThan(0);
      expect(step.numbers["championRequests"]).toBeGreaterThan(0);
      expect(step.reason).toContain("no evidence that the challenger is worse");
    }
  });

  it("explains a refusal by the comparison that it did not pass", async () => {
    const run = await runWhere(({ trigger }) => trigger === "schedule");
    expect(run).toMatchObject({ outcome: "rejected", versionId: null });
    const why = await world().why(run.run);
    expect(why.answer).toContain("was refused by the evaluation gate");
    expect(why.reasons.join("\n")).toMatch(/not shown to be better than the champion \(p = 0\.\d+/);
    expect(why.numbers["comparison.pValue"]).toBeGreaterThan(0.05);
    expect(why.numbers["comparison.lower"]).toBeLessThanOrEqual(0);
    expect(why.steps.map(({ decision }) => decision).join("\n")).not.toContain("rollout");
  });

  it("explains a rollback by the errors of both versions", async () => {
    const rollout = await rolloutWhere(({ outcome }) => outcome === "rolled-back");
    const { answer, reasons, numbers } = await world().why(rollout.rollout);
    expect(answer).toContain("was rolled back");
    expect(reasons.join("\n")).toMatch(
      /analysis at \d+ % failed: (?:error rate|latency) of the challenger is worse/,
    );
    expect(numbers["logEvidence"]).toBeGreaterThan(numbers["logEvidenceLimit"] ?? Infinity);
    expect(numbers["requests"]).toBeGreaterThan(0);
  });

  it("explains a stopped dataset, by its run and by its file", async () => {
    const run = await runWhere(isOf("/2001-02-broken.parquet"));
    expect(run).toMatchObject({ outcome: "rejected", evaluation: null });
    const [byRun, byFile] = await Promise.all([
      world().why(run.run),
      world().why(run.datasetUris.at(-1) ?? ""),
    ]);
    expect(byRun.answer).toContain("was stopped before anything was registered");
    expect(byFile.answer).toContain("was stopped at the data gate before any training");
    for (const { reasons } of [byRun, byFile]) {
      expect(reasons.join("\n")).toMatch(
        /column distance must lie in \[10, 6000\]: \d+ of \d+ values \(10\.\d %\) do not/,
      );
    }
    expect(byRun.steps.map(({ decision }) => decision).join("\n")).not.toContain("training\n");
  });

  it("explains every run and every rollout that has ended", async () => {
    const { runs, rollouts, read } = world();
    const models = ["flights-late", "flights-january"];
    const ended = [
      ...(await Promise.all(models.map(runs)))
        .flat()
        .map(({ run, outcome }) => ({ id: run, outcome })),
      ...(await Promise.all(models.map(rollouts)))
        .flat()
        .map(({ rollout, outcome }) => ({ id: rollout, outcome })),
    ].filter(({ outcome }) => outcome !== null);
    const unexplained = await Promise.all(
      ended.map(async ({ id }) => {
        const { reasons, steps } = whyReply.parse(await read(`/why/${id}`));
        return reasons.length > 0 && steps.length > 0 ? [] : [id];
      }),
    );
    expect(ended.length).toBeGreaterThan(9);
    expect(unexplained.flat()).toEqual([]);
  });

  it("shows jobs, models, versions and the traffic split to Google's own clients", async () => {
    const { pipelines, models, endpoints, parent, runs } = world();
    const [jobs] = await pipelines().listPipelineJobs({ parent });
    const known = [...(await runs("flights-late")), ...(await runs("flights-january"))];
    expect(jobs.map(lastPart).toSorted()).toEqual(known.map(({ run }) => run).toSorted());
    expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(["PIPELINE_STATE_SUCCEEDED"]));

    const [registered] = await models().listModels({ parent });
    expect(registered.map(lastPart).toSorted()).toEqual(["flights-january", "flights-late"]);
    const [versions] = await models().listModelVersions({ name: `${parent}/models/flights-late` });
    expect(versions.map(({ versionId }) => versionId ?? "").toSorted()).toEqual(["1", "2", "3"]);
    const champions = versions.filter(({ versionAliases }) => versionAliases?.includes("champion"));
    expect(champions.map(({ versionId }) => versionId)).toEqual(["1"]);
    for (const { run, model, versionId } of known) {
      if (versionId === null) continue;
      const version = `${parent}/models/${model}@${versionId}`;
      const [evaluations] = await models().listModelEvaluations({ parent: version });
      expect(evaluations.map(({ displayName }) => displayName)).toEqual([run]);
    }

    const [served] = await endpoints().listEndpoints({ parent });
    const production = found(served, ({ name }) => name?.endsWith("/flights-production") === true);
    const [deployed, ...others] = production.deployedModels ?? [];
    expect(others).toEqual([]);
    expect(deployed).toMatchObject({ modelVersionId: "1" });
    expect(production.trafficSplit).toEqual({ [deployed?.id ?? ""]: 100 });
  });

  it("anchors its record by the hour, and verify finds it as it was written", async () => {
    const { advance, continuo } = world();
    await advance("continuo-reconcile");
    const chains = z.object({
      isIntact: z.boolean(),
      models: z.array(z.object({ model: z.string(), records: z.number(), anchors: z.number() })),
    });
    const verified = await until("an anchored head of every model", 120, async () => {
      const { code, out } = await continuo("verify", "--json");
      const seen = chains.parse(JSON.parse(out));
      return seen.models.every(({ anchors }) => anchors > 0) ? { code, ...seen } : null;
    });
    expect(verified).toMatchObject({ code: 0, isIntact: true });
    const flights = verified.models.find(({ model }) => model === "flights-late");
    expect(flights?.records).toBeGreaterThan(20);
  });

  /** A run that a publisher started ends; a rollout that follows from it is aborted, because nobody sends requests here. */
  const endOfRun = async (file: string): Promise<Run> => {
    const run = await until(`the end of the run on ${file}`, 60, async () => {
      const seen = (await world().runs("flights-late")).find(isOf(file));
      return seen === undefined || seen.isLive ? null : seen;
    });
    if (run.outcome === "registered") {
      await until("the rollout's start", 20, async () =>
        (await world().rollouts("flights-late")).some(({ isLive }) => isLive) ? true : null,
      );
      const { code, err } = await world().continuo("abort", "flights-late");
      if (code !== 0) throw new Error(err);
      await until("the abort", 30, async () =>
        (await world().rollouts("flights-late")).some(({ isLive }) => isLive) ? null : true,
      );
    }
    return run;
  };

  it("starts a run when a program without any library publishes dataset.arrived", async () => {
    const { cloud, project, bucket, getObject, putObject } = world();
    const uri = await putObject(
      "raw/2001-02.parquet",
      await getObject("datasets/flights/2001-02.parquet"),
    );
    const event = {
      specversion: "1.0",
      type: "dataset.arrived",
      id: "raw-http/1",
      source: "test/raw-http",
      time: new Date().toISOString(),
      data: { dataset: "flights", uris: [uri] },
    };
    const response = await fetch(`${cloud}/v1/projects/${project}/topics/dataset:publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        messages: [{ data: Buffer.from(JSON.stringify(event)).toString("base64") }],
      }),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ messageIds: [expect.any(String)] });
    const run = await endOfRun(`gs://${bucket}/raw/2001-02.parquet`);
    expect(run.trigger).toBe("new-data");
    expect(["registered", "rejected"]).toContain(run.outcome);
    expect(run.evaluation?.numbers["rows"]).toBeGreaterThan(0);
  });

  it("starts a run when Python publishes dataset.arrived", async (test: TestContext) => {
    const python = await execute("python3", ["--version"]).catch(() => null);
    if (python === null) {
      process.stderr.write("skipped: python3 is not here, so Python publishes nothing\n");
      test.skip();
    }
    const { cloud, project, bucket } = world();
    await execute("python3", [publisher, cloud, project, bucket]);
    const run = await endOfRun(`gs://${bucket}/python/flights.csv`);
    // Three flights are too few to learn from, and one of them is 5 miles long: the data gate says so.
    expect(run).toMatchObject({ trigger: "new-data", outcome: "rejected" });
    expect(run.reasons.join("\n")).toContain("distance");
  });
});
