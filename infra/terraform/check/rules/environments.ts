/** How environments are set up: the provider pinned to what the schema was read from, the state kept far away. */
import type { Finding } from "../finding.js";
import { attributeOf, blocksIn, type PlanContext } from "../plan/module.js";

const environments = "infra/terraform/environments/";

/** Findings about the `terraform` block of each environment. */
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
      return [
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
        ...(inner.some(({ type, labels }) => type === "backend" && labels[0] === "gcs")
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
