/** Writes the generated pages, schemas and lists (format them afterwards); a test fails when they are stale. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { deploymentFiles } from "./deployment-files.js";
import { generatedFiles } from "./generated.js";

const root = new URL("../../", import.meta.url);
rmSync(new URL("events/schemas/", root), { recursive: true, force: true });
mkdirSync(new URL("events/schemas/", root), { recursive: true });
mkdirSync(new URL("infra/terraform/schemas/", root), { recursive: true });
mkdirSync(new URL("infra/terraform/dashboards/", root), { recursive: true });
for (const [path, content] of [...generatedFiles(), ...deploymentFiles()]) {
  writeFileSync(new URL(path, root), content);
}
