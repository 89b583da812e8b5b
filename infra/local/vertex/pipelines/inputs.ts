/** What a task gets: parameters and artifacts from its neighbours, its surroundings, constants and defaults. */
import type { RuntimeArtifact, TaskValues } from "./placeholders.js";
import { placeholdersOf, resolveConstant } from "./placeholders.js";
import { select, selectorOf } from "./selector.js";
import type { Component, ParameterType, Task, TaskInputParameter } from "./spec.js";
import { checkValue, readValue, ValueError } from "./values.js";

/** How an upstream task ended, as far as its downstream may ask. */
interface UpstreamTask {
  readonly outputs: TaskValues;
  readonly finalStatus: () => unknown;
}

/** Where a task's inputs may come from. */
export interface InputSources {
  readonly surroundings: TaskValues;
  readonly upstream: (task: string) => UpstreamTask | undefined;
}

const own = <Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

const parameterFrom = (input: TaskInputParameter, sources: InputSources): unknown => {
  if (input.taskOutputParameter !== undefined) {
    const { producerTask, outputParameterKey } = input.taskOutputParameter;
    return own(sources.upstream(producerTask)?.outputs.parameters ?? {}, outputParameterKey);
  }
  if (input.taskFinalStatus !== undefined) {
    return sources.upstream(input.taskFinalStatus.producerTask)?.finalStatus();
  }
  if (input.componentInputParameter !== undefined) {
    return own(sources.surroundings.parameters, input.componentInputParameter);
  }
  return input.runtimeValue?.constant;
};

const selected = (input: TaskInputParameter, value: unknown): unknown => {
  const selector =
    input.parameterExpressionSelector === undefined
      ? undefined
      : selectorOf(input.parameterExpressionSelector);
  return selector === undefined || value === undefined ? value : select(value, selector);
};

const isTemplate = (input: TaskInputParameter): boolean => {
  const constant = input.runtimeValue?.constant;
  return typeof constant === "string" && placeholdersOf(constant).length > 0;
};

const typeOf = (component: Component, name: string): ParameterType | undefined =>
  own(component.inputDefinitions?.parameters ?? {}, name)?.parameterType;

const parametersFor = (
  task: Task,
  component: Component,
  sources: InputSources,
): Readonly<Record<string, unknown>> => {
  const inputs = Object.entries(task.inputs?.parameters ?? {});
  const found: Record<string, unknown> = {};
  const put = (name: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    const type = typeOf(component, name);
    found[name] = type === undefined ? value : checkValue(value, type, `input parameter "${name}"`);
  };
  for (const [name, input] of inputs) {
    if (!isTemplate(input)) put(name, selected(input, parameterFrom(input, sources)));
  }
  // Constants made of placeholders speak of the task's own other inputs, hence after them.
  for (const [name, input] of inputs) {
    const template = input.runtimeValue?.constant;
    if (!isTemplate(input) || typeof template !== "string") continue;
    const text = resolveConstant(template, found);
    const type = typeOf(component, name) ?? "STRING";
    put(name, readValue(text, type, `input parameter "${name}"`));
  }
  return found;
};

const artifactsFor = (
  task: Task,
  sources: InputSources,
): Readonly<Record<string, readonly RuntimeArtifact[]>> =>
  Object.fromEntries(
    Object.entries(task.inputs?.artifacts ?? {}).flatMap(([name, input]) => {
      const output = input.taskOutputArtifact;
      const artifacts =
        output === undefined
          ? own(sources.surroundings.artifacts, input.componentInputArtifact ?? "")
          : own(
              sources.upstream(output.producerTask)?.outputs.artifacts ?? {},
              output.outputArtifactKey,
            );
      return artifacts === undefined || artifacts.length === 0 ? [] : [[name, artifacts] as const];
    }),
  );

/**
 * Adds a component's defaults, and throws ValueError for what is required and has no value. The item of a loop is
 * given per iteration, so that it may be missing before.
 */
export const completeInputs = (component: Component, given: TaskValues): TaskValues => {
  const parameters: Record<string, unknown> = { ...given.parameters };
  for (const [name, definition] of Object.entries(component.inputDefinitions?.parameters ?? {})) {
    if (Object.hasOwn(parameters, name)) continue;
    if (definition.defaultValue !== undefined && definition.defaultValue !== null) {
      parameters[name] = checkValue(
        definition.defaultValue,
        definition.parameterType,
        `the default of input parameter "${name}"`,
      );
    } else if (definition.isOptional !== true) {
      throw new ValueError(`input parameter "${name}" (${definition.parameterType}) has no value`);
    }
  }
  for (const [name, definition] of Object.entries(component.inputDefinitions?.artifacts ?? {})) {
    if (!Object.hasOwn(given.artifacts, name) && definition.isOptional !== true) {
      throw new ValueError(`input artifact "${name}" has no value`);
    }
  }
  return { parameters, artifacts: given.artifacts };
};

/** Resolves what the task is wired to, without the component's defaults. */
export const resolveInputs = (
  task: Task,
  component: Component,
  sources: InputSources,
): TaskValues => ({
  parameters: parametersFor(task, component, sources),
  artifacts: artifactsFor(task, sources),
});
