/** A local cloud for as long as a dry run takes. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { z } from "zod";
import { provisionBucket } from "../../shared/gcp/provision-bucket.js";
import type { BuildConfig } from "./config.js";

/** One that runs. */
export interface LocalCloud {
  readonly address: string;
  readonly stop: () => Promise<void>;
}

const ready = z.object({ address: z.string() });

/** Starts one in a folder, with the bucket that a build uploads to. */
export const startLocalCloud = async (
  root: string,
  folder: string,
  { project, region, bucket }: Pick<BuildConfig, "project" | "region" | "bucket">,
): Promise<LocalCloud> => {
  const images = join(folder, "images.json");
  writeFileSync(images, '{"images":{}}');
  const options = { folder: join(folder, "cloud"), port: "0", project, region, images };
  const child = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      join(root, "infra/local/main.ts"),
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    { cwd: root, stdio: ["ignore", "pipe", "ignore"] },
  );
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith('{"ready"')) resolve(ready.parse(JSON.parse(line)).address);
    });
    child.once("exit", (code) => reject(new Error(`the local cloud ended with ${String(code)}`)));
  });
  await provisionBucket({
    projectId: project,
    region,
    bucket,
    identity: `continuo-build@${project}.iam.gserviceaccount.com`,
    localCloud: address,
  });
  return {
    address,
    stop: async () => {
      child.kill("SIGTERM");
      await gone;
    },
  };
};
