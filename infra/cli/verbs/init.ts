/** `continuo init`: a repository for one model, whose build ends in a released pipeline. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { modelName } from "../../../events/ids.js";
import { defaultImages, trainingPipeline } from "../../pipelines/train.js";
import { examples, print } from "../command.js";
import { root, userName } from "../config.js";
import { failed, usage } from "../errors.js";

const templates = join(root, "infra/cli/model-repository");

/** What a new repository is told. */
export interface InitOptions {
  readonly model: string;
  readonly owner: string;
  readonly project: string;
  readonly region: string;
  /** Image of Continuo that builds run in. */
  readonly builder: string;
}

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder)
    .toSorted()
    .flatMap((name) => {
      const path = join(folder, name);
      if (name === "__pycache__") return [];
      return statSync(path).isDirectory() ? filesBelow(path) : [path];
    });

/** Every file of a new repository with its text, by its path. */
export const repositoryFiles = (options: InitOptions): ReadonlyMap<string, string> => {
  const words: Readonly<Record<string, string>> = {
    MODEL_NAME: options.model,
    OWNER_NAME: options.owner,
    PROJECT_NAME: options.project,
    REGION_NAME: options.region,
    BUCKET_NAME: `${options.project}-continuo`,
    BUILDER_IMAGE: options.builder,
  };
  const filled = (text: string): string =>
    text.replaceAll(/\b[A-Z]+_(?:NAME|IMAGE)\b/g, (word) => words[word] ?? word);
  const files = filesBelow(templates).map((path): [string, string] => {
    const name = relative(templates, path);
    return [name === "gitignore" ? ".gitignore" : name, filled(readFileSync(path, "utf8"))];
  });
  const images = { ...defaultImages, trainer: `${options.model}-trainer` };
  const pipeline = { ...trainingPipeline({ images }), pipelineInfo: { name: options.model } };
  return new Map([...files, ["pipeline/train.json", `${JSON.stringify(pipeline, null, 2)}\n`]]);
};

/** Writes a new repository into a folder that is empty or not there; answers with the files. */
export const writeRepository = (folder: string, options: InitOptions): readonly string[] => {
  if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw failed(`${folder} is not empty: name a folder that is, or one that is not there yet`);
  }
  const files = repositoryFiles(options);
  for (const [name, text] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return [...files.keys()].toSorted();
};

/** The commit of this checkout, whose images are tagged with it. */
const commit = (): string => {
  try {
    return execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  } catch {
    throw usage("this checkout has no commit: name Continuo's builder image with --builder");
  }
};

/** Adds the verb. */
export const init = (program: Command): void => {
  examples(
    program
      .command("init <folder>")
      .description("write a repository for a new model: manifest, trainer, pipeline, build")
      .option("--name <model>", "the model's name; the folder's when absent")
      .option("--owner <who>", "who answers for the model", userName())
      .option(
        "--project <id>",
        "project that it runs in; the local cloud's when absent",
        "continuo-demo",
      )
      .option("--region <region>", "region that it runs in", "us-central1")
      .option("--builder <image>", "Continuo's builder image; this commit's when absent")
      .option("--json", "print JSON for programs"),
    "continuo init churn",
    "continuo init models/churn --name churn --project my-project --region europe-west4",
  ).action(
    (
      path: string,
      options: {
        name?: string;
        owner: string;
        project: string;
        region: string;
        builder?: string;
        json?: boolean;
      },
    ) => {
      const folder = resolve(path);
      const model = modelName.safeParse(options.name ?? basename(folder));
      if (!model.success) {
        throw usage(
          `"${options.name ?? basename(folder)}" is no model's name: use a-z, 0-9 and -, and give it with --name`,
        );
      }
      const { owner, project, region } = options;
      const builder =
        options.builder ?? `${region}-docker.pkg.dev/${project}/continuo/builder:${commit()}`;
      const files = writeRepository(folder, { model: model.data, owner, project, region, builder });
      print(options.json === true, { folder, model: model.data, files }, () =>
        [
          `${folder}: ${files.length} files for the model ${model.data}`,
          ...files.map((name) => `  ${name}`),
          `next: README.md there, or at once: continuo release ${path}`,
        ].join("\n"),
      );
    },
  );
};
