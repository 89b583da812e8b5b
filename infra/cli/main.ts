/** The `continuo` command. */
import process from "node:process";
import { Command, CommanderError } from "commander";
import { z } from "zod";
import { ApiRefusal } from "./client.js";
import { CommandError, exitCodes } from "./errors.js";
import { red } from "./format.js";
import { apply } from "./verbs/apply.js";
import { approve } from "./verbs/approve.js";
import { cost } from "./verbs/cost.js";
import { deadLetters } from "./verbs/dead-letters.js";
import { demo } from "./verbs/demo.js";
import { doctor } from "./verbs/doctor.js";
import { get } from "./verbs/get.js";
import { init } from "./verbs/init.js";
import { logs } from "./verbs/logs.js";
import { maturity } from "./verbs/maturity.js";
import { models } from "./verbs/models.js";
import { monitoring } from "./verbs/monitoring.js";
import { open } from "./verbs/open.js";
import { operate } from "./verbs/operate.js";
import { predict } from "./verbs/predict.js";
import { publish } from "./verbs/publish.js";
import { release } from "./verbs/release.js";
import { rollouts } from "./verbs/rollouts.js";
import { runs } from "./verbs/runs.js";
import { schema } from "./verbs/schema.js";
import { status } from "./verbs/status.js";
import { up } from "./verbs/up.js";
import { verify } from "./verbs/verify.js";
import { why } from "./verbs/why.js";

const program = new Command("continuo")
  .description("Keeps machine-learning models in production fresh and safe on Google Cloud.")
  .configureHelp({ showGlobalOptions: true })
  .showSuggestionAfterError()
  .addHelpText(
    "after",
    `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 nothing answers.
Start with:
  npm start                          the demo: everything on this machine
  continuo up                        everything without the demo
  continuo apply -f model.yaml       bring a model of your own`,
  );
for (const verb of [
  up,
  demo,
  apply,
  get,
  init,
  release,
  publish,
  status,
  models,
  monitoring,
  runs,
  rollouts,
  why,
  verify,
  doctor,
  cost,
  maturity,
  predict,
  approve,
  operate,
  deadLetters,
  logs,
  open,
  schema,
]) {
  verb(program);
}

const detailsText = (details: unknown): string => {
  const problems = z
    .array(z.object({ line: z.number(), path: z.string(), message: z.string() }))
    .safeParse(details);
  return problems.success
    ? problems.data
        .map(({ line, path, message }) => `\n  line ${line} ${path}: ${message}`)
        .join("")
    : "";
};

const exitCodeOf = (error: unknown): number => {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  if (error instanceof CommandError) {
    const details = error instanceof ApiRefusal ? detailsText(error.details) : "";
    console.error(`${red("error:")} ${error.message}${details}`);
    return error.exitCode;
  }
  console.error(red("error:"), error);
  return exitCodes.failed;
};

const exitInsteadOfThrowing = (command: Command): void => {
  command.exitOverride();
  command.commands.forEach(exitInsteadOfThrowing);
};
exitInsteadOfThrowing(program);

// A reader that has seen enough (head, less) is no error.
process.stdout.on("error", () => process.exit(exitCodes.ok));

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
