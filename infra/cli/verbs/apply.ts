/** `continuo apply` and `continuo plan`: manifests from files. */
import type { Command } from "commander";
import { stringify } from "yaml";
import type { z } from "zod";
import { parseManifests, problemText } from "../../../shared/manifest/parse.js";
import type { Manifest } from "../../../shared/manifest/schema.js";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, readText, width } from "../command.js";
import { failed } from "../errors.js";
import { bold, colored, dim, green, red } from "../format.js";
import { planReply } from "../replies.js";
import { wrap } from "../table.js";

const collect = (file: string, files: readonly string[]): readonly string[] => [...files, file];

/** The manifests of all files, or every problem in them. */
const readManifests = (files: readonly string[]): readonly Manifest[] => {
  const read = files.flatMap((file) =>
    parseManifests(readText(file)).map((parsed) => ({ file, parsed })),
  );
  const problems = read.flatMap(({ file, parsed }) =>
    parsed.ok ? [] : parsed.problems.map((problem) => problemText(file, problem)),
  );
  if (problems.length > 0) throw failed([...problems, "nothing was applied"].join("\n"));
  return read.flatMap(({ parsed }) => (parsed.ok ? [parsed.manifest] : []));
};

const valueText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "(absent)");

const planText = (plan: z.infer<typeof planReply>): string => {
  const changes = plan.changes.map(({ path, before, after }) =>
    wrap(`  ${path}: ${red(valueText(before))} -> ${green(valueText(after))}`, width + 20, 6),
  );
  const done = plan.isApplied ? `applied as version ${plan.version}` : "not applied";
  const title =
    plan.action === "unchanged"
      ? `${bold(plan.model)}: unchanged (version ${plan.version})`
      : `${bold(plan.model)}: ${colored(plan.action)}, ${done}`;
  return [
    title,
    ...changes,
    ...plan.effects.map((effect) => `  ${dim("-")} ${wrap(effect, width, 4)}`),
  ].join("\n");
};

/** Adds the verbs. */
export const apply = (program: Command): void => {
  const verbs = [
    ["apply", "apply manifests: validate, show what changes, and make it so", ""],
    ["plan", "show what applying manifests would change; changes nothing", "?dryRun=true"],
  ] as const;
  for (const [verb, what, suffix] of verbs) {
    examples(
      apiCommand(program, verb, what).requiredOption(
        "-f, --file <file>",
        "YAML or JSON file; - is standard input; may be repeated",
        collect,
        [],
      ),
      `continuo ${verb} -f model.yaml`,
      `cat models/*.yaml | continuo ${verb} -f -`,
    ).action(async (options: { file: readonly string[] }) => {
      if (options.file.length === 0) throw failed(`name a file: continuo ${verb} -f model.yaml`);
      const manifests = readManifests(options.file);
      const { connection, isJson } = apiVerb(options);
      for (const manifest of manifests) {
        const reply = await call(connection, planReply, {
          method: "POST",
          path: `/manifests${suffix}`,
          body: stringify(manifest),
        });
        print(isJson, reply, () => planText(reply));
      }
    });
  }
};
