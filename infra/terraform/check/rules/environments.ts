/** How environments are set up: the provider pinned to what the schema was read from, each with a state of its own, far away. */
import type { Finding } from "../finding.js";
import type { Attribute } from "../hcl/syntax.js";
import { attributeOf, blocksIn, type PlanContext } from "../plan/module.js";

const environments = "infra/terraform/environments/";

/** A copied folder that still says what it was copied from would change the other environment. */
const misnamed = (
  attribute: Attribute | undefined,
  file: string,
  wanted: string,
): readonly Finding[] => {
  const { value, line = 1, name = "" } = attribute ?? {};
  if (value?.kind !== "literal" || value.value === wanted) return [];
  return [
    {
      rule: "environment-name",
      file,
      line,
      message: `${name} is ${String(value.value)} in the folder of another environment`,
      fix: `Write ${name} = ${JSON.stringify(wanted)}, or name the folder after it.`,
    },
  ];
};

/** Findings about the `terraform` block of each environment, and about its name. */
export const environmentFindings = (
  folders: readonly string[],
  context: PlanContext,
): readonly Finding[] =>
  folders
    .filter((folder) => folder.startsWith(environments))
    .flatMap((folder) => {
      const blocks = blocksIn(folder, context);
      const found = blocks.find(({ block }) => block.type === "terraform");
      const file = found?.file ?? `${folder}/versions.tf`;
      const line = found?.block.line ?? 1;
      const inner = found?.block.body.blocks ?? [];
      const google = inner
        .filter(({ type }) => type === "required_providers")
        .flatMap(({ body }) => attributeOf(body, "google") ?? [])[0];
      const entries = google?.value.kind === "object" ? google.value.entries : [];
      const version = entries.flatMap(({ key, value }) =>
        key.kind === "literal" && key.value === "version" && value.kind === "literal"
          ? [String(value.value)]
          : [],
      )[0];
      const { schema } = context;
      const name = folder.slice(environments.length);
      const backend = inner.find(({ type, labels }) => type === "backend" && labels[0] === "gcs");
      const call = blocks.find(({ block }) => block.type === "module");
      return [
        ...misnamed(
          backend === undefined ? undefined : attributeOf(backend.body, "prefix"),
          file,
          `continuo/${name}`,
        ),
        ...misnamed(
          call === undefined ? undefined : attributeOf(call.block.body, "environment"),
          call?.file ?? file,
          name,
        ),
        ...(version === schema.version
          ? []
          : [
              {
                rule: "provider-pinned",
                file,
                line: google?.line ?? line,
                message: `the google provider is ${version ?? "not set"}`,
                fix: `Pin it to exactly ${schema.version}, which these files are checked against, or make the schema again.`,
              },
            ]),
        ...(backend !== undefined
          ? []
          : [
              {
                rule: "remote-state",
                file,
                line,
                message: "the state would lie on one machine",
                fix: 'Add backend "gcs" { prefix = ... }.',
              },
            ]),
      ];
    });
