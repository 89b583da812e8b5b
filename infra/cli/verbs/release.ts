/** `continuo release`: a model's pipeline from its repository to the local cloud, as its build does on Google Cloud. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { readRepository, type ModelRepository } from "../../build/model-repository.js";
import { examples, print } from "../command.js";
import { settings } from "../config.js";
import { failed } from "../errors.js";
import { readInstance } from "../up/folder.js";

/** What stands for a repository's images on this machine. */
const localCommands = (folder: string, { components }: ModelRepository) =>
  Object.fromEntries(
    components.map(({ image, local }) => [
      image,
      {
        entrypoint: local.map((word) =>
          existsSync(join(folder, word)) ? join(folder, word) : word,
        ),
      },
    ]),
  );

/** Adds the verb. */
export const release = (program: Command): void => {
  examples(
    program
      .command("release [repository]")
      .description("release a model's pipeline from its repository to the running local cloud")
      .option("--check", "only check the repository")
      .option("--folder <folder>", "state folder of the instance to release to", settings.folder)
      .option("--json", "print JSON for programs"),
    "continuo release churn",
    "continuo release --check",
  ).action(
    async (
      path: string | undefined,
      options: { check?: boolean; folder: string; json?: boolean },
    ) => {
      const repositoryFolder = resolve(path ?? ".");
      const read = readRepository(repositoryFolder);
      if (!read.ok) throw failed([...read.problems, "nothing was released"].join("\n"));
      const { repository } = read;
      const { model } = repository;
      if (options.check === true) {
        print(options.json === true, { model, problems: [] }, () => `${model}: nothing is wrong`);
        return;
      }
      const instance = readInstance(options.folder);
      if (instance === null) {
        throw failed(
          `nothing runs in ${options.folder}: start it with continuo up; on Google Cloud the repository's own build releases`,
        );
      }
      const { allowImages } = await import("../up/images.js");
      allowImages(options.folder, localCommands(repositoryFolder, repository));
      const { releaseLocally } = await import("../../build/release-locally.js");
      const event = await releaseLocally(instance, repository);
      print(options.json === true, event, () =>
        [
          `${model}: released ${event.data.digest.slice(0, 19)}`,
          `  pipeline  ${event.data.template ?? ""}`,
          `  event     ${event.type} ${event.id}`,
        ].join("\n"),
      );
    },
  );
};
