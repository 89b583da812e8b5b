/** `continuo doctor`: whether an installation is as functions/manifest.ts says, and what to do where it is not. */
import process from "node:process";
import type { Command } from "commander";
import { z } from "zod";
import type { GcpConfig } from "../../../shared/gcp/config.js";
import { restClient } from "../../../shared/gcp/rest.js";
import { connect, type Connection } from "../client.js";
import { apiCommand, examples, print, width } from "../command.js";
import { settings } from "../config.js";
import { busChecks } from "../doctor/bus.js";
import { examine, type Check, type Finding } from "../doctor/finding.js";
import { googleChecks } from "../doctor/google.js";
import { doorsCheck, operationsCheck } from "../doctor/operations.js";
import { storageChecks } from "../doctor/storage.js";
import { CommandError, exitCodes, usage } from "../errors.js";
import { bold, dim, green, red, yellow } from "../format.js";
import { wrap } from "../table.js";
import { bucketOf } from "../up/environment.js";
import { readInstance } from "../up/folder.js";

const given = z.object({
  json: z.boolean().default(false),
  folder: z.string().optional(),
  address: z.string().optional(),
  token: z.string().optional(),
  project: z
    .string()
    .regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, "a project id such as my-project-1, not its number")
    .optional(),
  region: z
    .string()
    .regex(/^[a-z]+-[a-z]+\d+$/, "a region such as us-central1")
    .optional(),
  bucket: z.string().optional(),
});
type Given = z.infer<typeof given>;

interface Plan {
  readonly config: GcpConfig;
  readonly checks: readonly Check[];
}

const connectionOf = (options: Given): Connection | null =>
  (options.address ?? settings.address) === undefined
    ? null
    : connect({
        ...(options.address === undefined ? {} : { address: options.address }),
        ...(options.token === undefined ? {} : { token: options.token }),
      });

const googlePlan = (options: Given, projectId: string): Plan => {
  if (options.region === undefined)
    throw usage("a project needs --region, for example us-central1");
  return {
    config: {
      projectId,
      region: options.region,
      bucket: options.bucket ?? bucketOf(projectId),
      identity: "",
    },
    checks: [
      ...googleChecks,
      ...busChecks,
      ...storageChecks,
      operationsCheck(connectionOf(options)),
    ],
  };
};

const localPlan = (options: Given): Plan => {
  const folder = options.folder ?? settings.folder;
  const instance = readInstance(folder);
  if (instance === null) {
    throw new CommandError(
      exitCodes.unreachable,
      `nothing runs on ${folder}; start it with "continuo up", or name a project with --project and --region`,
    );
  }
  const { project, region, bucket, cloud, functions, token } = instance;
  return {
    config: {
      projectId: project,
      region,
      bucket,
      identity: `doctor@${project}.iam.gserviceaccount.com`,
      localCloud: cloud,
    },
    checks: [
      ...busChecks,
      ...storageChecks,
      doorsCheck(functions),
      operationsCheck({ address: `${functions}/api`, token }),
    ],
  };
};

const marks: Readonly<Record<Finding["verdict"], string>> = {
  ok: green("ok     "),
  warning: yellow("warning"),
  failed: red("FAILED "),
  skipped: dim("skipped"),
};

interface Examined {
  readonly check: string;
  readonly findings: readonly Finding[];
}

const textOf = (examined: readonly Examined[], failures: number, warnings: number): string =>
  [
    ...examined.map(({ check, findings }) =>
      [
        bold(check),
        ...findings.flatMap(({ verdict, what, advice }) => [
          `  ${marks[verdict]}  ${wrap(what, width, 11)}`,
          ...(advice === undefined ? [] : [`           ${dim("→")} ${wrap(advice, width, 13)}`]),
        ]),
      ].join("\n"),
    ),
    failures > 0
      ? red(`${failures} failed, ${warnings} warnings`)
      : warnings > 0
        ? yellow(`nothing failed, ${warnings} warnings`)
        : green("all is as it must be"),
  ].join("\n");

/** Adds the verb. */
export const doctor = (program: Command): void => {
  examples(
    apiCommand(
      program,
      "doctor",
      "compare an installation with the list of functions, and say what to run where they differ; exit code 1 when something failed",
    )
      .option("--project <project>", "a project on Google Cloud, with your own credentials")
      .option("--region <region>", "its region")
      .option("--bucket <bucket>", "its bucket of artifacts; <project>-continuo unless said"),
    "continuo doctor",
    "continuo doctor --project my-project --region us-central1",
    "continuo doctor --json",
  ).action(async (options: unknown) => {
    const parsed = given.safeParse(options);
    if (!parsed.success) throw usage(z.prettifyError(parsed.error));
    const { project, json } = parsed.data;
    const { config, checks } =
      project === undefined ? localPlan(parsed.data) : googlePlan(parsed.data, project);
    const patient = { config, rest: restClient(config) };
    const examined: readonly Examined[] = await Promise.all(
      checks.map(async (check) => ({ check: check.name, findings: await examine(check, patient) })),
    );
    const count = (verdict: Finding["verdict"]): number =>
      examined.flatMap(({ findings }) => findings).filter((one) => one.verdict === verdict).length;
    const [failures, warnings] = [count("failed"), count("warning")];
    print(json, { project: config.projectId, failed: failures, warnings, checks: examined }, () =>
      textOf(examined, failures, warnings),
    );
    if (failures > 0) process.exitCode = exitCodes.failed;
  });
};
