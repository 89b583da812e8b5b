/** The steps of cloudbuild.yaml that are ours: what each does, and in which routines. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { functions } from "../../functions/manifest.js";
import { installedImagesUri } from "../../shared/gcp/installed-images.js";
import { gcpPorts } from "../../shared/gcp/ports.js";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { templateUri } from "../../shared/runtime/training-spec.js";
import { trainingPipeline } from "../pipelines/train.js";
import type { BuildConfig } from "./config.js";
import { buildBuilder } from "./build-builder.js";
import { readDigests } from "./digests.js";
import { buildFunctions } from "./functions.js";
import { imageNames, jobImages, writeImageLists } from "./images.js";
import { checkParity } from "./parity.js";
import { waitForRun } from "./wait-for-run.js";

/** What a step works with. */
export interface StepContext {
  readonly root: string;
  readonly config: BuildConfig;
  readonly tell: (line: string) => void;
}

/** One step. */
export interface CloudStep {
  readonly what: string;
  readonly routines: readonly BuildConfig["routine"][];
  /** Whether it names a project's images, or writes to the project. */
  readonly hasTarget: boolean;
  readonly run: (context: StepContext) => Promise<void>;
}

const npm = ({ root }: StepContext, ...args: readonly string[]): Promise<void> =>
  new Promise((resolved, reject) => {
    const child = spawn("npm", [...args], { cwd: root, stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code === 0) resolved();
      else reject(new Error(`npm ${args.join(" ")} ended with ${String(code)}`));
    });
  });

const releaseFolder = ({ root, config }: StepContext): string =>
  resolve(root, config.folder, "release");

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const writeJson = (file: string, value: unknown): string => {
  const text = `${JSON.stringify(value, null, 2)}\n`;
  writeFileSync(file, text);
  return text;
};

/** Writes each job's image with its digest, the functions' digests for Terraform, and the template that uses them. */
const compile = async (context: StepContext): Promise<void> => {
  const { config, tell } = context;
  const folder = releaseFolder(context);
  const digests = readDigests(join(folder, "digests.txt"), imageNames);
  const imageOf = (name: (typeof jobImages)[number]): string =>
    `${config.repository}/${name}@${digests.get(name) ?? ""}`;
  const specs = join(folder, "component-specs");
  mkdirSync(specs, { recursive: true });
  for (const name of jobImages) {
    writeJson(join(specs, `${name}.json`), { name, commit: config.commit, image: imageOf(name) });
  }
  writeJson(join(folder, "images.auto.tfvars.json"), {
    image_digests: Object.fromEntries(functions.map(({ name }) => [name, digests.get(name)])),
  });
  writeJson(join(folder, "images.json"), {
    images: Object.fromEntries(jobImages.map((name) => [`continuo/${name}`, imageOf(name)])),
  });
  const images = {
    profiler: imageOf("profiler"),
    trainer: imageOf("trainer"),
    evaluator: imageOf("evaluator"),
  };
  const template = writeJson(join(folder, "train.json"), trainingPipeline({ images }));
  tell(
    `${jobImages.length} component specs, Terraform's digests, and train.json (sha256:${sha256(template).slice(0, 16)})`,
  );
};

const gcpConfig = ({ config }: StepContext): GcpConfig => ({
  projectId: config.project,
  region: config.region,
  bucket: config.bucket,
  identity: `continuo-build@${config.project}.iam.gserviceaccount.com`,
  ...(config.localCloud === undefined ? {} : { localCloud: config.localCloud }),
});

/** Uploads the template twice, by its digest, for ever, and as what the next run takes, and the images' digests. */
const upload = async (context: StepContext): Promise<void> => {
  const { bucket } = context.config;
  const body = readFileSync(join(releaseFolder(context), "train.json"));
  const { objects } = gcpPorts(gcpConfig(context));
  const digest = sha256(body.toString("utf8")).slice(0, 16);
  const kept = `gs://${bucket}/continuo/pipelines/train-${digest}.json`;
  await objects.write(kept, body, "application/json");
  const images = readFileSync(join(releaseFolder(context), "images.json"));
  await objects.write(installedImagesUri(bucket), images, "application/json");
  await objects.write(templateUri(bucket), body, "application/json");
  context.tell(`uploaded ${kept} and ${templateUri(bucket)}`);
};

const bundle = async ({ root, config, tell }: StepContext): Promise<void> => {
  const { folder, repository, commit, routine } = config;
  checkParity(root);
  writeImageLists(root, { folder, repository, commit });
  if (routine === "tag") {
    tell(`${imageNames.length} images are promoted; a promotion builds nothing`);
    return;
  }
  const startedAt = performance.now();
  const built = await buildFunctions(
    root,
    functions.map(({ name }) => name),
    resolve(root, folder, "functions"),
  );
  for (const { name, digest } of built) tell(`${name} ${digest}`);
  await buildBuilder(root, resolve(root, folder, "builder"));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  tell(`${built.length} functions bundled in ${seconds} s, ${imageNames.length} images listed`);
};

/** The suites that need neither a browser nor a whole instance. */
const suites = ["unit", "contract", "flow"].flatMap((name) => ["--project", name]);

/** What `npm run build:cloud -- <step>` may name. */
export const cloudSteps = {
  test: {
    what: "unit, contract and flow tests",
    routines: ["pull-request", "main"],
    hasTarget: false,
    run: (context) =>
      npm(
        context,
        "exec",
        "--no",
        "--",
        "vitest",
        "run",
        "--config",
        "test/vitest.config.ts",
        ...suites,
      ),
  },
  static: {
    what: "format, lint, types, architecture",
    routines: ["pull-request", "main"],
    hasTarget: false,
    run: (context) => npm(context, "run", "static"),
  },
  bundle: {
    what: "every function as a folder, and the list of images",
    routines: ["pull-request", "main", "tag"],
    hasTarget: false,
    run: bundle,
  },
  pipelines: {
    what: "component specs and the pipeline template, with every image by its digest",
    routines: ["main", "tag"],
    hasTarget: true,
    run: compile,
  },
  upload: {
    what: "the template, to the bucket",
    routines: ["main", "tag"],
    hasTarget: true,
    run: upload,
  },
  run: {
    what: "a training run of the model in _MODEL, waited for",
    routines: ["main", "tag"],
    hasTarget: true,
    run: (context) => waitForRun(gcpConfig(context), context.config, context.tell),
  },
} as const satisfies Readonly<Record<string, CloudStep>>;

/** Name of a step of ours. */
export type CloudStepName = keyof typeof cloudSteps;
