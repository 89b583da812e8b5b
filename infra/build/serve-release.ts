/** The end of a release where there is no Cloud Run: the bundles serve behind a local cloud, and are asked what a release asks. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { start } from "../cli/up/start.js";
import { environment, type BuildConfig } from "./config.js";

const run = promisify(execFile);
const quietly = (): void => undefined;
/** The first port that is tried; others follow when it is busy. */
const functionsPort = 18_480;

/** Starts an instance in a folder from fresh bundles, lets the smoke test ask it, and stops it; throws what the test says. */
export const serveRelease = async (
  root: string,
  folder: string,
  { project, region }: Pick<BuildConfig, "project" | "region">,
): Promise<string> => {
  const { instance, stop } = await start({
    root,
    folder,
    cloudPort: 0,
    functionsPort,
    project,
    region,
    cloudFlags: {},
    without: [],
    isFresh: true,
    isFromBundles: true,
    isCloudOnly: false,
    restartDelayMsMax: 1000,
    tell: quietly,
  });
  try {
    const asked = {
      api: `${instance.functions}/api`,
      console: instance.console,
      event: `${instance.functions}/api`,
    };
    for (const [what, address] of Object.entries(asked)) {
      const script = join(root, "infra/build/smoke-test.sh");
      const env = { ...environment(), TOKEN: instance.token };
      await run("bash", [script, what, address], { env });
    }
    return `no Cloud Run here; the bundles behind a local cloud pass its smoke test: ${Object.keys(asked).join(", ")}`;
  } finally {
    await stop();
  }
};
