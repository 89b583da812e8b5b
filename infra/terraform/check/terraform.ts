/** What Terraform itself says, where it is installed. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./tree.js";

/** What one of Terraform's own checks came to. */
export interface TerraformResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly detail: string;
}

const folder = join(repositoryRoot, "infra/terraform");

const terraform = (...args: readonly string[]) =>
  spawnSync("terraform", args, { cwd: folder, encoding: "utf8", timeout: 60_000 });

const skipped = (name: string, detail: string): TerraformResult => ({
  name,
  outcome: "skipped",
  detail,
});

const judged = (
  name: string,
  { status, stdout, stderr }: ReturnType<typeof terraform>,
): TerraformResult => ({
  name,
  outcome: status === 0 ? "passed" : "failed",
  detail: status === 0 ? "" : `${stdout}${stderr}`.trim(),
});

/** Whether terraform is installed. */
export const hasTerraform = (): boolean => terraform("version").status === 0;

/** The layout of the files. */
export const terraformFormat = (): TerraformResult =>
  hasTerraform()
    ? judged("terraform fmt -check", terraform("fmt", "-check", "-recursive", "-diff"))
    : skipped("terraform fmt -check", "terraform is not installed");

/**
 * `terraform test` of the module that needs no provider; those of the environments mock theirs, and need it all the
 * same, because a mock is made from the provider's schema.
 */
export const terraformTest = (path = "modules/settings"): TerraformResult => {
  const name = `terraform test ${path}`;
  if (!hasTerraform()) return skipped(name, "terraform is not installed");
  const chdir = `-chdir=${join(folder, path)}`;
  const init = terraform(chdir, "init", "-backend=false", "-input=false", "-no-color");
  return init.status === 0
    ? judged(name, terraform(chdir, "test", "-no-color"))
    : judged(name, init);
};

/** Whether an environment was initialised here, so that its provider is on this machine. */
const hasProvider = (path: string): boolean => existsSync(join(path, ".terraform/providers"));

/**
 * Terraform's own validation of each environment, and its tests: they need the provider, which a registry has, or a
 * machine on which `terraform init` was run.
 */
export const terraformValidate = (
  environments: readonly string[],
  { mayDownload }: { readonly mayDownload: boolean },
): readonly TerraformResult[] =>
  environments.map((environment) => {
    const name = `terraform validate ${environment}`;
    if (!hasTerraform()) return skipped(name, "terraform is not installed");
    const path = join(folder, "environments", environment);
    if (!mayDownload && !hasProvider(path)) {
      return skipped(name, `the provider is not here: run terraform init in ${path} first`);
    }
    const init = terraform(`-chdir=${path}`, "init", "-backend=false", "-input=false", "-no-color");
    if (init.status !== 0) {
      const reason = /(Failed to query[^\n]*|Could not[^\n]*|Error: [^\n]*)/.exec(
        `${init.stderr}${init.stdout}`,
      )?.[0];
      return skipped(name, `the provider cannot be had: ${reason ?? "terraform init failed"}`);
    }
    const validated = judged(name, terraform(`-chdir=${path}`, "validate", "-no-color"));
    return validated.outcome === "passed" && existsSync(join(path, "tests"))
      ? judged(`${name} and test`, terraform(`-chdir=${path}`, "test", "-no-color"))
      : validated;
  });
