/** The images of a release: one per function, from its bundle, and one per kind of job. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { functions } from "../../functions/manifest.js";

/** Components that run as jobs or containers on Vertex AI; their Dockerfiles lie in infra/images. */
export const jobImages = ["trainer", "predictor", "profiler", "evaluator", "launcher"] as const;

const functionNames: readonly string[] = functions.map(({ name }) => name);

/** The image that builds of model repositories run in. */
const builder = "builder";

/** Images that carry no function. */
export const otherImages: readonly string[] = [...jobImages, builder];

/** Every image's name. */
export const imageNames: readonly string[] = [...functionNames, ...otherImages];

/** One target of Docker's bake file. */
interface Target {
  readonly context: string;
  readonly dockerfile: string;
  readonly tags: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly "cache-from": readonly string[];
  readonly "cache-to": readonly string[];
}

/** Where a build keeps what it makes, and what its images are called. */
export interface ImageOptions {
  /** Where the functions' folders and the release's lists lie, from the root. */
  readonly folder: string;
  readonly repository: string;
  readonly commit: string;
}

/** What Docker builds, all at once: each image tagged with the commit, its layers in a repository whose tags may move. */
export const bakeFile = ({ folder, repository, commit }: ImageOptions) => {
  const target = (name: string, context: string, dockerfile: string): readonly [string, Target] => [
    name,
    {
      context,
      dockerfile,
      tags: [`${repository}/${name}:${commit}`],
      labels: { "org.opencontainers.image.revision": commit },
      "cache-from": [`type=registry,ref=${repository}-cache/${name}:cache`],
      "cache-to": [
        `type=registry,ref=${repository}-cache/${name}:cache,mode=max,ignore-error=true`,
      ],
    },
  ];
  return {
    group: { default: { targets: imageNames } },
    target: Object.fromEntries([
      ...functionNames.map((name) => target(name, join(folder, "functions", name), "Dockerfile")),
      ...jobImages.map((name) => target(name, ".", `infra/images/${name}/Dockerfile`)),
      target(builder, join(folder, builder), "Dockerfile"),
    ]),
  };
};

const lines = (names: readonly string[]): string => names.map((name) => `${name}\n`).join("");

/** Writes the bake file and the lists that the scripts read. */
export const writeImageLists = (root: string, options: ImageOptions): void => {
  const folder = resolve(root, options.folder, "release");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "bake.json"), JSON.stringify(bakeFile(options), null, 2));
  writeFileSync(join(folder, "names.txt"), lines(imageNames));
  writeFileSync(join(folder, "functions.txt"), lines(functionNames));
};
