import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { continuoOn, promptManifest, startContinuo, type RunningInstance } from "./running.js";

const running: RunningInstance[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((instance) => instance.stop()));
});

const started = async (folder?: string): Promise<RunningInstance> => {
  const instance = await startContinuo(folder);
  running.push(instance);
  return instance;
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const applied = async ({ continuo, folder }: RunningInstance): Promise<void> => {
  const file = join(folder, "model.yaml");
  writeFileSync(file, promptManifest);
  const ended = await continuo("apply", "-f", file);
  expect(ended.out).toContain("applied as version 1");
};

const waiting = { timeout: 30_000, interval: 200 } as const;

describe("continuo up", () => {
  it("serves, survives the death of either process, stops on Ctrl-C and continues later", async () => {
    const up = await started();
    await applied(up);
    const { pids, functions, cloud } = up.instance();
    const health = async (address: string): Promise<number> => {
      try {
        return (await fetch(`${address}/healthz`)).status;
      } catch {
        return 0;
      }
    };
    for (const [name, address] of [
      ["functions", functions],
      ["cloud", cloud],
    ] as const) {
      process.kill(pids[name] ?? 0, "SIGKILL");
      await expect.poll(() => up.output(), waiting).toContain(`${name}: up again`);
      await expect.poll(() => health(address), waiting).toBe(200);
    }
    await expect
      .poll(async () => (await up.continuo("models", "--json")).out, waiting)
      .toContain("flight-delay");

    const published = await up.continuo(
      "publish",
      "dataset.arrived",
      "--id",
      "d1",
      "-d",
      '{"dataset":"flights","uris":["gs://continuo-demo-continuo/none.parquet"]}',
    );
    expect(published.out.trim()).toBe("d1");
    await expect
      .poll(async () => (await up.continuo("runs", "--json")).out, waiting)
      .toContain("new-data");

    const ended = await up.interrupt();
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.ms).toBeLessThan(5000);
    expect(Object.values(pids).some(isAlive)).toBe(false);

    const again = await started(up.folder);
    expect(again.output()).toContain("continuing from the state");
    expect((await again.continuo("models", "--json")).out).toContain("flight-delay");
  });

  it("refuses a second instance with the first one's process id", async () => {
    const up = await started();
    const second = await up.continuo("up", "--folder", up.folder);
    expect(second.code).toBe(1);
    expect(second.err).toContain(`already runs on ${up.folder} as process ${up.instance().pid}`);
    const fresh = await up.continuo("up", "--fresh", "--folder", up.folder);
    expect(fresh.code).toBe(1);
    expect(statSync(join(up.folder, "cloud")).isDirectory()).toBe(true);
  });

  it("leaves no process behind when it is killed itself", async () => {
    const up = await started();
    const { pid, pids } = up.instance();
    process.kill(pid, "SIGKILL");
    await expect.poll(() => Object.values(pids).some(isAlive), waiting).toBe(false);
    const next = await continuoOn(up.folder)("status");
    expect(next.code).toBe(4);
  });

  it("keeps its key from other users of the machine", async () => {
    const up = await started();
    expect(statSync(up.folder).mode & 0o077).toBe(0);
    expect(statSync(join(up.folder, "continuo.json")).mode & 0o077).toBe(0);
    const { token, pids } = up.instance();
    const functions = String(pids["functions"]);
    const seen = execFileSync("ps", ["-o", "args=", "-p", functions], { encoding: "utf8" });
    expect(seen).not.toContain(token);
    const log = join(up.folder, "functions.log");
    // A child that had nothing to say has no log yet.
    expect(existsSync(log) ? readFileSync(log, "utf8") : "").not.toContain(token);
  });
});

describe("a state folder that cannot be used", () => {
  it("is refused with what to do when a part of its path is a file", async () => {
    const file = join("/tmp", `continuo-file-${process.pid}`);
    writeFileSync(file, "");
    const ended = await continuoOn(file)("up", "--folder", join(file, "state"));
    expect(ended.code).toBe(1);
    expect(ended.err).toContain("choose another with --folder");
  });

  it("is not removed by --fresh when it holds what is not ours", async () => {
    const folder = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim();
    writeFileSync(join(folder, "thesis.txt"), "precious");
    const ended = await continuoOn(folder)("up", "--fresh", "--folder", folder);
    expect(ended.code).toBe(1);
    expect(readFileSync(join(folder, "thesis.txt"), "utf8")).toBe("precious");
  });
});
