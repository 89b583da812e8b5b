/** What every rule asks of a planned resource. */
import type { Finding } from "../finding.js";
import type { PlannedBlock, PlannedResource } from "../plan/module.js";
import type { Value } from "../plan/values.js";
import type { Scenario } from "../scenarios.js";

/** The list of functions, as it is generated. */
export const manifestFile = "functions/manifest.json";
/** Where the permissions of the list are written down. */
export const permissionsFile = "functions/permissions.ts";

/** A rule: what is wrong in one way of applying an environment. */
export type Rule = (scenario: Scenario, context: RuleContext) => readonly Finding[];

/** The list of functions, as Terraform reads it. */
export interface ManifestFunction {
  readonly topic: string | null;
  readonly route: string | null;
  readonly memoryMib: number;
  readonly cpu: number;
  readonly timeoutSeconds: number;
  readonly concurrency: number;
  readonly instancesMin: number;
  readonly instancesMax: number;
  readonly retry: {
    readonly minBackoffSeconds: number;
    readonly maxBackoffSeconds: number;
    readonly deliveryAttemptsMax: number;
  };
  readonly identity: string;
  readonly permissions: readonly string[];
  readonly auditPermissions: readonly string[];
  readonly publishes: readonly string[];
  readonly environment: readonly string[];
}

/** The whole list. */
export interface DeploymentManifest {
  readonly deadLetterTopic: string;
  readonly topics: readonly string[];
  readonly schemas: readonly string[];
  readonly functions: Readonly<Record<string, ManifestFunction>>;
  readonly sinks: readonly {
    readonly name: string;
    readonly topic: string;
    readonly filter: string;
  }[];
  readonly systemSchedules: readonly {
    readonly name: string;
    readonly cron: string;
    readonly topic: string;
  }[];
}

/** What rules are given besides the plan. */
export interface RuleContext {
  readonly manifest: DeploymentManifest;
  readonly permissions: ReadonlySet<string>;
  /** Types of resources that take labels. */
  readonly labelled: ReadonlySet<string>;
  /** Lines of the list's file, for what is wrong there. */
  readonly manifestLineOf: (text: string) => number;
  /** Lines of the file in which permissions are written down; 0 where there is none. */
  readonly permissionLineOf: (text: string) => number;
}

/** The resources of one type. */
export const ofType = ({ resources }: Scenario, type: string): readonly PlannedResource[] =>
  resources.filter((resource) => resource.type === type);

interface Found {
  readonly value: Value;
  readonly line: number;
}

/** An attribute by its path through nested blocks, the first of each; undefined where there is none. */
export const at = (block: PlannedBlock, path: string): Found | undefined => {
  const names = path.split(".");
  let current = block;
  for (const name of names.slice(0, -1)) {
    const inner = current.blocks[name]?.[0];
    if (inner === undefined) return undefined;
    current = inner;
  }
  return current.attributes[names.at(-1) ?? ""];
};

/** An attribute's value as a text; empty where there is none. */
export const textAt = (block: PlannedBlock, path: string): string => {
  const value = at(block, path)?.value;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : "";
};

/** A finding about a resource, at an attribute of it where that is set. */
export const about = (
  resource: PlannedResource,
  rule: string,
  path: string | null,
  message: string,
  fix: string,
): Finding => {
  const found = path === null ? undefined : at(resource, path);
  const block = path === null ? undefined : resource.blocks[path.split(".")[0] ?? ""]?.[0];
  return {
    rule,
    file: resource.file,
    line: found?.line ?? block?.line ?? resource.line,
    message: `${resource.address} ${message}`,
    fix,
  };
};
