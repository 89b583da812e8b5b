/** `npx tsx infra/terraform/check/main.ts [--validate]`: checks infra/terraform; exits with 1 when something is wrong. */
import process from "node:process";
import { parseArgs } from "node:util";
import { check } from "./check.js";
import { textOfFinding } from "./finding.js";
import { terraformFormat, terraformTest, terraformValidate } from "./terraform.js";
import { readTree } from "./tree.js";

const { values } = parseArgs({
  options: {
    /** Also asks Terraform itself, which downloads the provider. */
    validate: { type: "boolean", default: false },
  },
});

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

const { findings, scenarios } = check(readTree());
for (const finding of findings) tell(textOfFinding(finding));
for (const { name, resources } of scenarios) tell(`${name}: ${String(resources.length)} resources`);
const names = [
  ...new Set(scenarios.map(({ folder }) => folder.slice(folder.lastIndexOf("/") + 1))),
];
const results = [
  terraformFormat(),
  terraformTest(),
  ...(values.validate ? terraformValidate(names, { mayDownload: true }) : []),
];
for (const { name, outcome, detail } of results) {
  tell(`${name}: ${outcome}${detail === "" ? "" : ` (${detail})`}`);
}
const isWrong = findings.length > 0 || results.some(({ outcome }) => outcome === "failed");
const count = `${String(findings.length)} ${findings.length === 1 ? "mistake" : "mistakes"}`;
tell(isWrong ? count : "no mistake was found");
process.exitCode = isWrong ? 1 : 0;
