/**
 * The names of IAM permissions that exist. To make permissions.json again, save the output of
 * `gcloud iam roles describe roles/NAME --format=json` of each role below as NAME.json into a folder and run
 * `npx tsx infra/terraform/check/known-permissions.ts FOLDER`.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { z } from "zod";

const file = new URL("permissions.json", import.meta.url);
const stored = z.object({
  description: z.string(),
  permissions: z.record(z.string(), z.array(z.string())),
});
const role = z.object({ includedPermissions: z.array(z.string()) });

/** Services whose permissions are granted here. */
const services = new Set([
  "aiplatform",
  "artifactregistry",
  "bigquery",
  "cloudscheduler",
  "datastore",
  "iam",
  "logging",
  "monitoring",
  "pubsub",
  "run",
  "secretmanager",
  "storage",
]);

/** Every known permission. */
export const knownPermissions = (): ReadonlySet<string> => {
  const { permissions } = stored.parse(JSON.parse(readFileSync(file, "utf8")));
  return new Set(
    Object.entries(permissions).flatMap(([service, names]) =>
      names.map((name) => `${service}.${name}`),
    ),
  );
};

const regenerate = (folder: string): void => {
  const names = readdirSync(folder).flatMap(
    (name) => role.parse(JSON.parse(readFileSync(join(folder, name), "utf8"))).includedPermissions,
  );
  const permissions: Record<string, string[]> = {};
  for (const name of [...new Set(names)].toSorted()) {
    const [service = ""] = name.split(".", 1);
    if (services.has(service)) (permissions[service] ??= []).push(name.slice(service.length + 1));
  }
  const { description } = stored.parse(JSON.parse(readFileSync(file, "utf8")));
  writeFileSync(file, JSON.stringify({ description, permissions }, null, 1));
};

const [, program, folder] = process.argv;
if (
  folder !== undefined &&
  program !== undefined &&
  import.meta.url === pathToFileURL(program).href
) {
  regenerate(folder);
}
