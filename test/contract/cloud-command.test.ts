/** `continuo cloud` and `continuo cloud env`, as a script uses them. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { freePort } from "./emulators.js";

const command = new URL("../../infra/cli/continuo.mjs", import.meta.url).pathname;
const run = promisify(execFile);
const variables = z.record(z.string(), z.string());

describe("continuo cloud", () => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-command-"));
  let stop: () => Promise<unknown> = () => Promise.resolve();
  let printed: z.infer<typeof variables> = {};

  beforeAll(async () => {
    const port = await freePort();
    const child = spawn(
      process.execPath,
      [command, "cloud", "--json", `--folder=${folder}`, `--cloud-port=${port}`, "--durable=power"],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const exited = once(child, "exit");
    stop = () => {
      child.kill("SIGINT");
      return exited;
    };
    let output = "";
    let trouble = "";
    child.stderr.on("data", (part: Buffer) => (trouble += part.toString()));
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (part: Buffer) => {
        output += part.toString();
        if (output.endsWith("}\n")) resolve();
      });
      child.once("exit", () => {
        reject(new Error(`The command ended: ${trouble}`));
      });
    });
    printed = variables.parse(JSON.parse(output));
  });
  afterAll(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("prints the addresses that clients and gcloud read, and a cloud is there", async () => {
    const address = printed["CONTINUO_LOCAL_CLOUD"] ?? "";
    expect(printed["PUBSUB_EMULATOR_HOST"]).toBe(new URL(address).host);
    expect(printed["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]).toBe(`${address}/`);
    expect(await (await fetch(`${address}/healthz`)).text()).toBe("ok\n");
  });

  it("tells them again as exports and as JSON, for the folder that is named", async () => {
    const asked = [command, "cloud", "env", "--folder", folder];
    const { stdout: exports } = await run(process.execPath, asked);
    expect(exports).toContain(
      `export PUBSUB_EMULATOR_HOST=${printed["PUBSUB_EMULATOR_HOST"] ?? ""}\n`,
    );
    const { stdout: json } = await run(process.execPath, [...asked, "--json"]);
    expect(JSON.parse(json)).toEqual(printed);
  });
});
