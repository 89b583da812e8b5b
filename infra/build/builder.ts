/** The image that builds of model repositories run in: `check`, `compile`, `release` or `run`, in the repository's folder. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { installedImages, withImages } from "../../shared/gcp/installed-images.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import { readBuildConfig, readTargetConfig, type BuildConfig } from "./config.js";
import { readDigests } from "./digests.js";
import {
  readRepository,
  releasePipeline,
  templateSchema,
  type ModelRepository,
} from "./model-repository.js";
import { waitForRun } from "./wait-for-run.js";

const folder = process.cwd();

const tell = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const gcpConfig = (config: BuildConfig): GcpConfig => ({
  projectId: config.project,
  region: config.region,
  bucket: config.bucket,
  identity: `continuo-build@${config.project}.iam.gserviceaccount.com`,
  ...(config.localCloud === undefined ? {} : { localCloud: config.localCloud }),
});

/** Writes each component's image with its digest, and the pipeline with every image by its digest. */
const compile = async (config: BuildConfig, { components, template }: ModelRepository) => {
  const build = join(folder, config.folder);
  const names = components.map(({ name }) => name);
  const digests = readDigests(join(build, "digests.txt"), names);
  const own = components.map(({ name, image }) => ({
    name,
    called: image,
    image: `${config.repository}/${image}@${digests.get(name) ?? ""}`,
  }));
  mkdirSync(join(build, "component-specs"), { recursive: true });
  for (const { name, image } of own) {
    const spec = { name, commit: config.commit, image };
    writeFileSync(
      join(build, "component-specs", `${name}.json`),
      `${JSON.stringify(spec, null, 2)}\n`,
    );
  }
  const images = Object.fromEntries(own.map(({ called, image }) => [called, image]));
  const installed = installedImages(gcpPorts(gcpConfig(config)).objects, config.bucket);
  const pipeline = await withImages(
    template,
    async (image) => images[image] ?? (await installed(image)),
  );
  writeFileSync(join(build, "train.json"), `${JSON.stringify(pipeline, null, 2)}\n`);
  tell(`compiled ${config.folder}/train.json with ${own.map(({ image }) => image).join(", ")}`);
};

const release = async (config: BuildConfig, repository: ModelRepository): Promise<void> => {
  const text = readFileSync(join(folder, config.folder, "train.json"), "utf8");
  const event = await releasePipeline(
    gcpPorts(gcpConfig(config)),
    repository,
    templateSchema.parse(JSON.parse(text)),
    { build: config.build, time: new Date().toISOString() },
  );
  tell(`released ${event.data.digest} as ${event.data.template ?? ""}`);
};

const step = z.enum(["check", "compile", "release", "run"]);

const main = async (name: string): Promise<void> => {
  const wanted = step.safeParse(name);
  if (!wanted.success)
    throw new Error(`there is no step "${name}"; steps: ${step.options.join(", ")}`);
  const read = readRepository(folder);
  if (!read.ok) throw new Error(read.problems.join("\n"));
  const { repository } = read;
  if (wanted.data === "check") {
    tell(`${repository.model}: nothing is wrong`);
    return;
  }
  if (readBuildConfig().routine === "pull-request") {
    tell(`${wanted.data} is no part of the routine pull-request`);
    return;
  }
  const config = readTargetConfig();
  switch (wanted.data) {
    case "compile":
      return compile(config, repository);
    case "release":
      return release(config, repository);
    case "run":
      return waitForRun(gcpConfig(config), config, tell);
  }
};

try {
  await main(process.argv[2] ?? "");
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
