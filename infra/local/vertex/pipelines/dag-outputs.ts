/** What a DAG gives to the outside: outputs of its tasks under its own names. */
import type { RuntimeArtifact, TaskValues } from "./placeholders.js";
import type { Dag } from "./spec.js";
import { ValueError } from "./values.js";

type OutputsOf = (task: string) => TaskValues | undefined;

const parameterOutputs = (dag: Dag, outputsOf: OutputsOf): Readonly<Record<string, unknown>> => {
  const found: Record<string, unknown> = {};
  for (const [name, output] of Object.entries(dag.outputs?.parameters ?? {})) {
    const selectors = output.valueFromOneof?.parameterSelectors ?? [];
    const values = (output.valueFromParameter ? [output.valueFromParameter] : selectors).flatMap(
      ({ producerSubtask, outputParameterKey: key }) => {
        const parameters = outputsOf(producerSubtask)?.parameters ?? {};
        return Object.hasOwn(parameters, key) ? [parameters[key]] : [];
      },
    );
    if (values.length > 1) {
      throw new ValueError(
        `output parameter "${name}" has ${values.length} values, one is allowed`,
      );
    }
    if (values.length === 1) found[name] = values[0];
  }
  return found;
};

const artifactOutputs = (
  dag: Dag,
  outputsOf: OutputsOf,
): Readonly<Record<string, readonly RuntimeArtifact[]>> =>
  Object.fromEntries(
    Object.entries(dag.outputs?.artifacts ?? {}).flatMap(([name, output]) => {
      const artifacts = output.artifactSelectors.flatMap(
        ({ producerSubtask, outputArtifactKey }) =>
          outputsOf(producerSubtask)?.artifacts[outputArtifactKey] ?? [],
      );
      return artifacts.length === 0 ? [] : [[name, artifacts] as const];
    }),
  );

/** The outputs of a DAG whose tasks have ended; what no task gave is absent. */
export const dagOutputs = (dag: Dag, outputsOf: OutputsOf): TaskValues => ({
  parameters: parameterOutputs(dag, outputsOf),
  artifacts: artifactOutputs(dag, outputsOf),
});
