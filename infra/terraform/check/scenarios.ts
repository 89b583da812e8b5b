/** What each environment is worked out with: its example's values, before and after the first images. */
import { z } from "zod";
import { parseHcl } from "./hcl/parse.js";
import { HclSyntaxError } from "./hcl/syntax.js";
import { evaluate } from "./plan/evaluate.js";
import {
  attributeOf,
  blocksIn,
  planModule,
  type Placed,
  type PlanContext,
  type PlannedResource,
} from "./plan/module.js";
import { EvaluationError } from "./plan/values.js";

const environments = "infra/terraform/environments";
const everything = "infra/terraform/check-everything.tfvars";

/** One way in which an environment is applied. */
export interface Scenario {
  readonly name: string;
  readonly folder: string;
  /** Whether there are images. */
  readonly isDeployed: boolean;
  readonly resources: readonly PlannedResource[];
}

const manifestShape = z.looseObject({ functions: z.record(z.string(), z.unknown()) });

const scope = { readFile: (path: string) => path, root: () => undefined };

/** The values of a file of variables; mistakes are reported. */
const valuesIn = (
  file: string,
  { tree, report }: PlanContext,
): Readonly<Record<string, Placed>> => {
  const text = tree.get(file);
  if (text === undefined) return {};
  try {
    return Object.fromEntries(
      parseHcl(text).attributes.map(({ name, value, line }) => [
        name,
        { value: evaluate(value, scope), file, line },
      ]),
    );
  } catch (error) {
    if (!(error instanceof HclSyntaxError) && !(error instanceof EvaluationError)) throw error;
    const { line, message } = error;
    report({
      rule: "variables-file",
      file,
      line,
      message,
      fix: "Values of variables are plain values.",
    });
    return {};
  }
};

const declaredIn = (folder: string, { tree }: PlanContext): ReadonlySet<string> =>
  new Set(
    [...tree].flatMap(([file, text]) =>
      file === `${folder}/variables.tf`
        ? [...text.matchAll(/^variable "(\w+)"/gm)].flatMap(([, name]) => name ?? [])
        : [],
    ),
  );

/** Inputs that an environment needs and is not given; without them nothing can be worked out. */
const missingInputs = (
  folder: string,
  { values, file }: { readonly values: Readonly<Record<string, Placed>>; readonly file: string },
  context: PlanContext,
): readonly string[] => {
  const missing = blocksIn(folder, context).flatMap(({ block }) => {
    const [name = ""] = block.labels;
    const isNeeded = block.type === "variable" && attributeOf(block.body, "default") === undefined;
    return isNeeded && values[name] === undefined ? [{ name, body: block.body }] : [];
  });
  for (const { name, body } of missing) {
    const description = attributeOf(body, "description")?.value;
    const meaning = description?.kind === "literal" ? String(description.value) : "";
    context.report({
      rule: "variable",
      file,
      line: 1,
      message: `${name} is not set`,
      fix: `Add ${name} = ... to it: ${meaning}`,
    });
  }
  return missing.map(({ name }) => name);
};

const undeclared = (
  folder: string,
  values: Readonly<Record<string, Placed>>,
  context: PlanContext,
): void => {
  const declared = declaredIn(folder, context);
  for (const [name, { file, line }] of Object.entries(values)) {
    if (declared.has(name)) continue;
    context.report({
      rule: "variables-file",
      file,
      line,
      message: `${folder} has no variable ${name}`,
      fix: `It has ${[...declared].join(", ")}.`,
    });
  }
};

const digest = `sha256:${"0".repeat(64)}`;

const imagesFile = z.object({ image_digests: z.record(z.string(), z.string()) });

/** The digests that a build has left in the folder; without one, a made-up digest for every function. */
const imagesOf = (folder: string, { tree, report }: PlanContext): Placed => {
  const file = `${folder}/images.auto.tfvars.json`;
  const text = tree.get(file);
  if (text !== undefined) {
    try {
      return { value: imagesFile.parse(JSON.parse(text)).image_digests, file, line: 1 };
    } catch {
      report({
        rule: "variables-file",
        file,
        line: 1,
        message: "it holds no image_digests",
        fix: "Copy it from .build/release again, or remove it.",
      });
    }
  }
  const manifest = manifestShape.parse(JSON.parse(tree.get("functions/manifest.json") ?? "{}"));
  const digests = Object.keys(manifest.functions).map((name) => [name, digest]);
  return { value: Object.fromEntries(digests), file: `${folder}/main.tf`, line: 1 };
};

/** Every environment, each before its first images, with images, and with every option used; or one of these by name. */
export const scenariosOf = (context: PlanContext, only?: string): readonly Scenario[] => {
  const { tree } = context;
  const folders = [...tree.keys()]
    .filter((path) => path.startsWith(`${environments}/`) && path.endsWith("/main.tf"))
    .map((path) => path.slice(0, path.lastIndexOf("/")));
  return folders.flatMap((folder) => {
    const names = [`${folder}/terraform.tfvars`, `${folder}/example.tfvars`] as const;
    const file = names.find((name) => tree.has(name)) ?? names[0];
    const values = valuesIn(file, context);
    undeclared(folder, values, context);
    if (missingInputs(folder, { values, file }, context).length > 0) return [];
    const declared = declaredIn(folder, context);
    const options = Object.fromEntries(
      Object.entries(valuesIn(everything, context)).filter(([name]) => declared.has(name)),
    );
    const images = { image_digests: imagesOf(folder, context) };
    const short = folder.slice(folder.lastIndexOf("/") + 1);
    const ways = [
      { name: "before the first images", given: values, isDeployed: false },
      { name: "with images", given: { ...images, ...values }, isDeployed: true },
      { name: "with every option", given: { ...images, ...values, ...options }, isDeployed: true },
    ];
    return ways
      .map((way) => ({ ...way, name: `${short}, ${way.name}` }))
      .filter(({ name }) => only === undefined || name === only)
      .map(({ name, given, isDeployed }) => ({
        name,
        folder,
        isDeployed,
        resources: planModule(folder, "", given, context).resources,
      }));
  });
};
