/** `npm run test:crash`: kills the real processes again and again, and checks that nothing is lost and nothing doubled. */
import process from "node:process";
import { parseArgs } from "node:util";
import { crashTest } from "./crash.js";
import { gapsOf, reportText } from "./report.js";

const usage = `usage: npm run test:crash -- [--kills 100] [--seed N] [--models 2] [--json]

Starts an instance in a temporary folder, publishes datasets, duplicates, alerts and unreadable messages to it,
kills the functions' process and the local cloud's with SIGKILL at moments drawn from the seed, and checks the
invariants through the official clients. The seed draws whom to kill and what to wait for; the machine decides
the rest, so a seed makes a failure likely again, not certain. Exit code 1 also when a hundred kills or more left a
stage of the path out, or when there was nothing to lose.`;

const wholeNumber = (name: string, text: string, max: number): number => {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  process.stderr.write(
    `--${name} must be a whole number from 1 to ${max}, not ${text}\n\n${usage}\n`,
  );
  process.exit(2);
};

const options = {
  kills: { type: "string", default: "100" },
  seed: { type: "string", default: String((Date.now() % 1_000_000) + 1) },
  models: { type: "string", default: "2" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const read = () => {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
    process.exit(2);
  }
};

const given = read();
if (given.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
const seed = wholeNumber("seed", given.seed, 2 ** 31);
process.stderr.write(`seed ${seed}\n`);
const report = await crashTest({
  kills: wholeNumber("kills", given.kills, 10_000),
  seed,
  models: wholeNumber("models", given.models, 10),
  quietSecondsMax: 600,
  tell: (line) => {
    process.stderr.write(`${line}\n`);
  },
});
process.stdout.write(`${given.json ? JSON.stringify(report, null, 2) : reportText(report)}\n`);
const isWhole = report.checks.every(({ violations }) => violations.length === 0);
process.exit(isWhole && gapsOf(report).length === 0 ? 0 : 1);
