/** `npm run build:cloud -- <step>` runs one step of cloudbuild.yaml; `-- --dry-run` walks all of them on this machine. */
import process from "node:process";
import { parseArgs } from "node:util";
import { environment, readBuildConfig, readTargetConfig } from "./config.js";
import { cloudSteps, type CloudStep, type CloudStepName } from "./cloud-steps.js";
import { dryRun, type Walked } from "./dry-run.js";
import { startLocalCloud } from "./local-cloud.js";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

const steps: readonly (readonly [string, CloudStep])[] = Object.entries(cloudSteps);

const help = `usage: npm run build:cloud -- <step>
       npm run build:cloud -- --dry-run [--skip step]... [--routine pull-request|main|tag] [--json]

One step of cloudbuild.yaml, as a build runs it:
${steps.map(([name, { what }]) => `  ${name.padEnd(11)}${what}`).join("\n")}

--dry-run   walks every step of cloudbuild.yaml in order on this machine, against a local cloud of its own, and says of
            each whether it ran, ran in part, was skipped or failed, and why. Tests and static analysis take minutes: --skip test
            --skip static leaves them out. Ends with 1 when a step failed.
--routine   what a trigger would say (main); steps that are no part of it say so.
--json      the dry run's report for programs.

Variables: the substitutions of cloudbuild.yaml (_REGION, _REPOSITORY, _BUCKET, _MODEL), PROJECT_ID and COMMIT_SHA.
`;

const tell = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const isStep = (name: string): name is CloudStepName => Object.hasOwn(cloudSteps, name);

const runStep = async (name: string): Promise<void> => {
  if (!isStep(name)) {
    throw new Error(
      `there is no step "${name}"; name one of ${Object.keys(cloudSteps).join(", ")}, or --dry-run`,
    );
  }
  const step: CloudStep = cloudSteps[name];
  const config = step.hasTarget ? readTargetConfig() : readBuildConfig();
  if (step.routines.includes(config.routine)) await step.run({ root, config, tell });
  else tell(`${name} is no part of the routine ${config.routine}`);
};

const line = ({ id, outcome, seconds, why }: Walked): string =>
  `${id.padEnd(11)}${outcome.padEnd(9)}${`${seconds.toFixed(1)} s`.padStart(8)}  ${why}`;

const summary = (walked: readonly Walked[]): string => {
  const of = (outcome: Walked["outcome"]): readonly Walked[] =>
    walked.filter((step) => step.outcome === outcome);
  const untried = [...of("partly"), ...of("skipped")].map(({ id }) => id);
  return [
    "",
    `${walked.length} steps: ${of("ran").length} ran, ${of("partly").length} in part, ${of("skipped").length} skipped, ${of("failed").length} failed`,
    ...(untried.length === 0 ? [] : [`not, or not wholly, tried here: ${untried.join(", ")}`]),
  ].join("\n");
};

const walkAll = async (options: {
  readonly skip: readonly string[];
  readonly routine: string;
  readonly isJson: boolean;
}): Promise<void> => {
  const config = readBuildConfig({ ...environment(), _ROUTINE: options.routine });
  const walked = await dryRun({
    root,
    config,
    skip: options.skip,
    startCloud: (folder) => startLocalCloud(root, folder, config),
    starting: (id) => {
      if (process.stderr.isTTY) process.stderr.write(`${id} ...\n`);
    },
    done: (step) => {
      if (!options.isJson) tell(line(step));
    },
  });
  tell(options.isJson ? JSON.stringify({ steps: walked }, null, 2) : summary(walked));
  if (walked.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
};

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      "dry-run": { type: "boolean", default: false },
      skip: { type: "string", multiple: true, default: [] },
      routine: { type: "string", default: "main" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [name, ...more] = positionals;
  if (values.help) {
    tell(help);
  } else if (values["dry-run"] && name === undefined) {
    await walkAll({ skip: values.skip, routine: values.routine, isJson: values.json });
  } else if (name === undefined || more.length > 0 || values["dry-run"]) {
    process.stderr.write(help);
    process.exitCode = 2;
  } else {
    await runStep(name);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
