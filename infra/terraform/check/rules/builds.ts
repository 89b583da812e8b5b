/** Cloud Build's steps and the triggers speak of the same variables. */
import type { Finding } from "../finding.js";
import { isObject } from "../plan/values.js";
import type { Tree } from "../tree.js";
import { at, ofType } from "./facts.js";
import type { Scenario } from "../scenarios.js";

const file = "cloudbuild.yaml";

/** Variables that Cloud Build sets itself have no underscore in front. */
export const buildFindings = (scenarios: readonly Scenario[], tree: Tree): readonly Finding[] => {
  const text = tree.get(file);
  if (text === undefined) return [];
  const lines = text.split("\n");
  const own = lines.flatMap((line) => /^ {2}(_[A-Z_]+):/.exec(line)?.[1] ?? []);
  const triggers = scenarios.flatMap((scenario) => ofType(scenario, "google_cloudbuild_trigger"));
  if (triggers.length === 0) return [];
  return lines.flatMap((line, index) =>
    [...line.matchAll(/(?<!\$)\$\{?(_[A-Z_]+)/g)].flatMap(([, name = ""]) => {
      const unset = triggers.find((trigger) => {
        const values = at(trigger, "substitutions")?.value ?? null;
        return !isObject(values) || values[name] === undefined;
      });
      return own.includes(name) || unset === undefined
        ? []
        : [
            {
              rule: "build-parity",
              file,
              line: index + 1,
              message: `${name} is set neither here nor by ${unset.address}`,
              fix: "Give it a default under substitutions, or set it in infra/terraform/modules/builds.",
            },
          ];
    }),
  );
};
