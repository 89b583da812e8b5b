/** Checks infra/terraform without the provider and without the network. */
import { z } from "zod";
import { inOrder, type Finding } from "./finding.js";
import { knownPermissions } from "./known-permissions.js";
import type { PlanContext } from "./plan/module.js";
import {
  dedicatedIdentity,
  knownPermission,
  noBasicRole,
  noPublicEdge,
  noPublicMember,
  pullRequestIdentity,
} from "./rules/access.js";
import { buildFindings } from "./rules/builds.js";
import {
  ackDeadline,
  agentGrants,
  deadLetter,
  neverExpires,
  oidcAudience,
  retryPolicy,
} from "./rules/bus.js";
import { environmentFindings } from "./rules/environments.js";
import { manifestFile, permissionsFile, type Rule, type RuleContext } from "./rules/facts.js";
import {
  permissionParity,
  scheduleAndSinkParity,
  serviceParity,
  subscriptionParity,
  topicParity,
} from "./rules/parity.js";
import {
  closedBuckets,
  everyLabel,
  imageDigest,
  lockedAudit,
  protectedState,
  trafficIgnored,
} from "./rules/resources.js";
import { providerSchema, type ProviderSchema } from "./schema/schema.js";
import { scenariosOf, type Scenario } from "./scenarios.js";
import { foldersOf, staticFindings } from "./static.js";
import type { Tree } from "./tree.js";

const rules: readonly Rule[] = [
  noPublicMember,
  noBasicRole,
  dedicatedIdentity,
  noPublicEdge,
  knownPermission,
  pullRequestIdentity,
  oidcAudience,
  deadLetter,
  retryPolicy,
  neverExpires,
  ackDeadline,
  agentGrants,
  closedBuckets,
  lockedAudit,
  imageDigest,
  trafficIgnored,
  protectedState,
  everyLabel,
  topicParity,
  subscriptionParity,
  serviceParity,
  permissionParity,
  scheduleAndSinkParity,
];

const named = z.object({ name: z.string(), topic: z.string() });
const manifestShape = z.object({
  deadLetterTopic: z.string(),
  topics: z.array(z.string()),
  schemas: z.array(z.string()),
  functions: z.record(
    z.string(),
    z.object({
      topic: z.string().nullable(),
      route: z.string().nullable(),
      memoryMib: z.number(),
      cpu: z.number(),
      timeoutSeconds: z.number(),
      concurrency: z.number(),
      instancesMin: z.number(),
      instancesMax: z.number(),
      retry: z.object({
        minBackoffSeconds: z.number(),
        maxBackoffSeconds: z.number(),
        deliveryAttemptsMax: z.number(),
      }),
      identity: z.string(),
      permissions: z.array(z.string()),
      auditPermissions: z.array(z.string()),
      publishes: z.array(z.string()),
      environment: z.array(z.string()),
    }),
  ),
  sinks: z.array(named.extend({ filter: z.string() })),
  systemSchedules: z.array(named.extend({ cron: z.string() })),
});

/** What the checker found, and what it looked at. */
export interface CheckResult {
  readonly findings: readonly Finding[];
  readonly scenarios: readonly Scenario[];
}

const labelledTypes = ({ resources }: ProviderSchema): ReadonlySet<string> =>
  new Set(
    Object.entries(resources).flatMap(([type, { attributes }]) =>
      [attributes["labels"], attributes["user_labels"]].includes("o") ? [type] : [],
    ),
  );

/** The first line with a text; 0 where no line has it. */
const lineIn =
  (lines: readonly string[]) =>
  (wanted: string): number =>
    lines.findIndex((line) => line.includes(wanted)) + 1;

const ruleContext = (tree: Tree, schema: ProviderSchema, report: (finding: Finding) => void) => {
  const text = tree.get(manifestFile) ?? "{}";
  const parsed = manifestShape.safeParse(JSON.parse(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    report({
      rule: "manifest",
      file: manifestFile,
      line: 1,
      message: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not as it should be"}`,
      fix: "Run npm run generate; never edit the file by hand.",
    });
    return null;
  }
  const lines = text.split("\n");
  const context: RuleContext = {
    manifest: parsed.data,
    permissions: knownPermissions(),
    labelled: labelledTypes(schema),
    manifestLineOf: (wanted) => Math.max(1, lineIn(lines)(wanted)),
    permissionLineOf: lineIn((tree.get(permissionsFile) ?? "").split("\n")),
  };
  return context;
};

const isSyntax = ({ rule }: Finding): boolean => rule === "syntax";
const isInput = ({ rule, file }: Finding): boolean =>
  rule === "variables-file" || (rule === "variable" && !file.includes("/modules/"));

/** What must be mended first: the rest may only follow from it. */
const firstOf = (findings: readonly Finding[]): readonly Finding[] =>
  [isSyntax, isInput].map((is) => findings.filter(is)).find((first) => first.length > 0) ??
  findings;

/** Checks a tree of files, or one way of applying it: each mistake with its file, its line and what to do. */
export const check = (tree: Tree, only?: string): CheckResult => {
  const findings: Finding[] = [];
  const report = (finding: Finding): void => void findings.push(finding);
  const schema = providerSchema();
  const context: PlanContext = { tree, schema, report };
  const forRules = ruleContext(tree, schema, report);
  if (forRules === null) return { findings, scenarios: [] };
  findings.push(...staticFindings(context), ...environmentFindings(foldersOf(context), context));
  const scenarios = scenariosOf(context, only);
  for (const scenario of scenarios) {
    findings.push(...rules.flatMap((rule) => rule(scenario, forRules)));
  }
  findings.push(...buildFindings(scenarios, tree));
  return { findings: inOrder(firstOf(findings)), scenarios };
};
