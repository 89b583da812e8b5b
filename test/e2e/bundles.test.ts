import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rehearse } from "../../infra/build/functions.js";
import { buildFolder } from "../../infra/cli/up/build.js";
import { isUp, newFolder, outside, play, removeFolder, until, type Playing } from "./instance.js";
import { promptManifest } from "./running.js";

const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const folder = newFolder();
/** Functions whose code cache is made before their first start. */
const rehearsed = ["api", "on-dataset-arrived", "on-training-run-requested"];
const started: { up?: Playing } = {};

beforeAll(async () => {
  started.up = play(folder, "up", "--bundles");
  await isUp(started.up);
});
afterAll(async () => {
  await started.up?.stop();
  removeFolder(folder);
});

const up = (): Playing => {
  if (started.up === undefined) throw new Error("nothing is up");
  return started.up;
};

/** Functions that have a process now, which the process with this id has started, with their own ids. */
const served = (parent: number): ReadonlyMap<string, number> =>
  new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          const stat = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "");
          const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          const name = /functions\/([\w-]+)\/main\.cjs/.exec(command)?.[1];
          const isOurs = name !== undefined && Number(stat.split(" ")[1]) === parent;
          return isOurs ? [[name, Number(pid)] as const] : [];
        } catch {
          // It ended while we looked.
          return [];
        }
      }),
  );

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("the functions from the bundles that are deployed, each in its own process", () => {
  it("take a new dataset from its event to the end of its run", async () => {
    const { continuo, runs } = outside(up());
    const router = up().instance().pids["functions"] ?? 0;
    expect(served(router).size).toBe(0);
    // As their images would, of which these then start with a code cache and the others without.
    for (const name of rehearsed) {
      const place = join(buildFolder(root, folder), "functions", name);
      await rehearse({ folder: place, name }, process.execPath);
    }
    const file = join(folder, "model.yaml");
    writeFileSync(file, promptManifest);
    const applied = await continuo("apply", "-f", file);
    expect(applied.out).toContain("applied as version 1");
    expect([...served(router).keys()]).toEqual(["api"]);

    const published = await continuo(
      "publish",
      "dataset.arrived",
      "--id",
      "d1",
      "-d",
      '{"dataset":"flights","uris":["gs://continuo-demo-continuo/none.parquet"]}',
    );
    expect(published.code).toBe(0);
    const run = await until("the end of the run", 120, async () => {
      const [first] = await runs("flight-delay");
      return first === undefined || first.isLive ? null : first;
    });
    expect(run).toMatchObject({ trigger: "new-data", versionId: null });
    expect(run.reasons.join("\n")).toContain("none.parquet");
    expect(up().output()).not.toContain("function.cache");
    expect([...served(router).keys()]).toEqual(
      expect.arrayContaining([
        "api",
        "notify",
        "on-dataset-arrived",
        "on-pipeline-job-changed",
        "on-training-run-requested",
      ]),
    );
  });

  it("train, judge and register what the repository of a new model releases, by its own trainer", async () => {
    const { continuo, runs } = outside(up());
    const repository = join(folder, "churn");
    const { cloud, bucket } = up().instance();
    expect((await continuo("init", repository)).out).toContain("11 files for the model churn");
    const again = await continuo("init", repository);
    expect(again).toMatchObject({ code: 1 });
    expect(again.err).toContain("is not empty");

    const manifest = join(repository, "model.yaml");
    const text = readFileSync(manifest, "utf8");
    writeFileSync(
      manifest,
      text.replace("\ntraining:", "\ntriggers: { debounceSeconds: 0 }\ntraining:"),
    );
    const planned = await continuo("plan", "-f", manifest);
    expect(planned.out).toContain("not applied");
    expect((await continuo("apply", "-f", manifest)).code).toBe(0);

    const released = await continuo("release", repository);
    expect(released.out).toContain("pipeline.released");
    const month = execFileSync("python3", [join(repository, "data/make.py"), "2026-01"]);
    const query = new URLSearchParams({
      uploadType: "media",
      name: "datasets/churn/2026-01.csv",
    });
    const url = `${cloud}/upload/storage/v1/b/${bucket}/o?${query.toString()}`;
    const uploaded = await fetch(url, { method: "POST", body: new Uint8Array(month) });
    expect(uploaded.status).toBe(200);
    const run = await until("the end of churn's run", 180, async () => {
      const [first] = await runs("churn");
      return first === undefined || first.isLive ? null : first;
    });
    expect(run).toMatchObject({ trigger: "new-data", versionId: "1" });
  });

  it("pass the smoke test of a release: api, console, and an event that is published and journalled", () => {
    const { functions, console: page, token } = up().instance();
    const script = fileURLToPath(new URL("../../infra/build/smoke-test.sh", import.meta.url));
    const ask = (what: string, address: string, env: Readonly<Record<string, string>> = {}) =>
      spawnSync("bash", [script, what, address], {
        encoding: "utf8",
        env: { ...process.env, TOKEN: token, ...env },
      });
    expect(ask("api", `${functions}/api`)).toMatchObject({ status: 0, stderr: "" });
    expect(ask("console", page)).toMatchObject({ status: 0, stderr: "" });
    expect(ask("event", `${functions}/api`)).toMatchObject({ status: 0, stderr: "" });
    expect(ask("console", `${functions}/api/status`).stderr).toContain("draws no page");
  });

  it("leave no process behind when they are stopped", async () => {
    const router = up().instance().pids["functions"] ?? 0;
    const pids = [...served(router).values()];
    expect(pids.length).toBeGreaterThan(0);
    await up().stop();
    await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([]);
  });
});
