/** Checks a pipeline before it is accepted, so that a wrong one fails at submission and not after an hour. */
import { z } from "zod";
import { RpcError, type StatusName } from "../../protocol/service.js";
import { isAccelerator } from "../jobs/machines.js";
import { ConditionError, parametersOf, parseCondition } from "./condition.js";
import { componentOf, cycleOf, executorOf } from "./graph.js";
import {
  parseCommandWord,
  PlaceholderError,
  placeholdersOf,
  presenceInputsOf,
  textsOf,
  type Placeholder,
} from "./placeholders.js";
import { selectorOf } from "./selector.js";
import {
  pipelineSpecSchema,
  type Component,
  type ContainerExecutor,
  type Dag,
  type PipelineSpec,
  type Task,
} from "./spec.js";

interface Problem {
  readonly at: string;
  readonly message: string;
  readonly status: StatusName;
}

const problemsMax = 10;
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$/;
/** A task name has no dot, because dots join the names of nested tasks. */
const taskNamePattern = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,199}$/;

const has = (record: object | undefined, key: string): boolean =>
  record !== undefined && Object.hasOwn(record, key);

type Report = (at: string, message: string, status?: StatusName) => void;

const checkPlaceholder = (
  placeholder: Placeholder,
  component: Component,
  at: string,
  report: Report,
): void => {
  const inputs = component.inputDefinitions;
  const outputs = component.outputDefinitions;
  switch (placeholder.kind) {
    case "input-parameter":
      if (!has(inputs?.parameters, placeholder.name)) {
        report(
          at,
          `uses input parameter "${placeholder.name}", which the component does not declare`,
        );
      }
      return;
    case "output-parameter-file":
      if (!has(outputs?.parameters, placeholder.name)) {
        report(
          at,
          `uses output parameter "${placeholder.name}", which the component does not declare`,
        );
      }
      return;
    case "artifact": {
      const declared = placeholder.direction === "inputs" ? inputs?.artifacts : outputs?.artifacts;
      if (!has(declared, placeholder.name)) {
        report(
          at,
          `uses ${placeholder.direction} artifact "${placeholder.name}", which the component does not declare`,
        );
      }
      return;
    }
    case "executor-input":
    case "job":
    case "output-metadata-file":
      return;
  }
};

const checkContainer = (
  container: ContainerExecutor,
  component: Component,
  at: string,
  report: Report,
): void => {
  if (container.lifecycle !== undefined) {
    report(`${at}.lifecycle`, "lifecycle hooks are not implemented here", "UNIMPLEMENTED");
  }
  const words = [
    container.image,
    ...(container.command ?? []),
    ...(container.args ?? []),
    ...(container.env ?? []).map((variable) => variable.value ?? ""),
  ];
  for (const text of words) {
    try {
      const word = parseCommandWord(text);
      for (const placeholder of textsOf(word).flatMap(placeholdersOf)) {
        checkPlaceholder(placeholder, component, at, report);
      }
      for (const name of presenceInputsOf(word)) {
        const inputs = component.inputDefinitions;
        if (!has(inputs?.parameters, name) && !has(inputs?.artifacts, name)) {
          report(
            at,
            `asks whether input "${name}" is present, which the component does not declare`,
          );
        }
      }
    } catch (error) {
      if (!(error instanceof PlaceholderError)) throw error;
      report(at, error.message, "UNIMPLEMENTED");
    }
  }
  checkAccelerator(container, `${at}.resources.accelerator`, report);
};

const checkAccelerator = (container: ContainerExecutor, at: string, report: Report): void => {
  const accelerator = container.resources?.accelerator;
  if (accelerator === undefined) return;
  const type = accelerator.resourceType ?? accelerator.type ?? "";
  const count = String(accelerator.resourceCount ?? accelerator.count ?? "1");
  if (!type.includes("{{$") && !isAccelerator(type)) {
    report(at, `"${type}" is not an accelerator type of Vertex AI, such as NVIDIA_L4`);
  }
  if (!count.includes("{{$") && !/^[1-9]\d?$/.test(count)) {
    report(at, `"${count}" is not a number of accelerators`);
  }
};

const checkExecutor = (
  spec: PipelineSpec,
  component: Component,
  at: string,
  report: Report,
): void => {
  const executor = executorOf(spec, component);
  if (executor === undefined) {
    report(at, `executor "${component.executorLabel ?? ""}" is not in deploymentSpec.executors`);
    return;
  }
  const where = `deploymentSpec.executors.${component.executorLabel ?? ""}`;
  if (executor.container !== undefined) {
    checkContainer(executor.container, component, `${where}.container`, report);
  } else if (executor.importer !== undefined) {
    const outputs = Object.keys(component.outputDefinitions?.artifacts ?? {});
    if (outputs.length !== 1) report(at, "an importer must declare exactly one output artifact");
  } else {
    const kind = executor.resolver === undefined ? "customJob" : "resolver";
    report(where, `executors of kind ${kind} are not implemented here`, "UNIMPLEMENTED");
  }
};

const checkTaskInputs = (
  spec: PipelineSpec,
  dag: Dag,
  parent: Component,
  task: Task,
  at: string,
  report: Report,
): void => {
  const producer = (name: string, field: "parameters" | "artifacts", key: string): void => {
    const found = has(dag.tasks, name) ? dag.tasks[name] : undefined;
    if (found === undefined) {
      report(at, `takes an input from task "${name}", which is not in the same DAG`);
      return;
    }
    const outputs = componentOf(spec, found)?.outputDefinitions?.[field];
    if (!has(outputs, key))
      report(at, `takes output "${key}" of task "${name}", which it does not declare`);
  };
  for (const [key, input] of Object.entries(task.inputs?.parameters ?? {})) {
    const {
      taskOutputParameter: output,
      taskFinalStatus: status,
      componentInputParameter: from,
    } = input;
    const kinds = [output, status, from, input.runtimeValue].filter((kind) => kind !== undefined);
    if (kinds.length !== 1)
      report(`${at}.inputs.parameters.${key}`, "must have exactly one source");
    if (output !== undefined)
      producer(output.producerTask, "parameters", output.outputParameterKey);
    if (status !== undefined && !has(dag.tasks, status.producerTask)) {
      report(
        at,
        `takes the final status of task "${status.producerTask}", which is not in the same DAG`,
      );
    }
    if (from !== undefined && !has(parent.inputDefinitions?.parameters, from)) {
      report(at, `takes parameter "${from}", which the surrounding component does not declare`);
    }
    if (input.runtimeValue?.runtimeParameter !== undefined) {
      report(at, "runtimeParameter is not implemented here", "UNIMPLEMENTED");
    }
    if (input.parameterExpressionSelector !== undefined) {
      if (selectorOf(input.parameterExpressionSelector) === undefined) {
        report(
          at,
          `parameterExpressionSelector "${input.parameterExpressionSelector}" is not implemented here: use parseJson(string_value)["key"]`,
          "UNIMPLEMENTED",
        );
      }
    }
  }
  for (const [key, input] of Object.entries(task.inputs?.artifacts ?? {})) {
    const { taskOutputArtifact: output, componentInputArtifact: from } = input;
    if ((output === undefined) === (from === undefined)) {
      report(`${at}.inputs.artifacts.${key}`, "must have exactly one source");
    }
    if (output !== undefined) producer(output.producerTask, "artifacts", output.outputArtifactKey);
    if (from !== undefined && !has(parent.inputDefinitions?.artifacts, from)) {
      report(at, `takes artifact "${from}", which the surrounding component does not declare`);
    }
  }
};

const checkTask = (
  spec: PipelineSpec,
  dag: Dag,
  parent: Component,
  entry: { readonly name: string; readonly task: Task; readonly at: string },
  report: Report,
): void => {
  const { name, task, at } = entry;
  if (!taskNamePattern.test(name)) report(at, `"${name}" is not a valid task name`);
  for (const upstream of task.dependentTasks ?? []) {
    if (!has(dag.tasks, upstream))
      report(at, `depends on task "${upstream}", which is not in the same DAG`);
  }
  checkTaskInputs(spec, dag, parent, task, at, report);
  const artifacts = task.artifactIterator;
  if (artifacts !== undefined && !has(task.inputs?.artifacts, artifacts.items.inputArtifact)) {
    report(
      `${at}.artifactIterator.items`,
      `loops over "${artifacts.items.inputArtifact}", which is not an input of the task`,
    );
  }
  const iterator = task.parameterIterator;
  if (iterator !== undefined) {
    const { raw, inputParameter } = iterator.items;
    if ((raw === undefined) === (inputParameter === undefined)) {
      report(`${at}.parameterIterator.items`, "must have exactly one of raw and inputParameter");
    }
  }
  const condition = task.triggerPolicy?.condition;
  if (condition !== undefined && condition !== "") {
    try {
      for (const parameter of parametersOf(parseCondition(condition))) {
        if (!has(task.inputs?.parameters, parameter)) {
          report(
            `${at}.triggerPolicy.condition`,
            `reads "${parameter}", which is not an input of the task`,
          );
        }
      }
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      report(`${at}.triggerPolicy.condition`, `"${condition}": ${error.message}`);
    }
  }
};

const nestingMax = 20;

const checkComponent = (
  spec: PipelineSpec,
  component: Component,
  at: string,
  trail: readonly string[],
  report: Report,
): void => {
  const names = [
    ...Object.keys(component.inputDefinitions?.artifacts ?? {}),
    ...Object.keys(component.inputDefinitions?.parameters ?? {}),
    ...Object.keys(component.outputDefinitions?.artifacts ?? {}),
    ...Object.keys(component.outputDefinitions?.parameters ?? {}),
  ];
  for (const name of names) {
    if (!namePattern.test(name)) report(at, `"${name}" is not a valid name of an input or output`);
  }
  const { dag } = component;
  if (dag === undefined) {
    checkExecutor(spec, component, at, report);
    return;
  }
  if (component.executorLabel !== undefined)
    report(at, "must have either a dag or an executorLabel");
  const cycle = cycleOf(dag);
  if (cycle !== undefined) report(at, `the tasks wait for each other: ${cycle.join(" -> ")}`);
  if (trail.length > nestingMax) {
    report(at, `is nested deeper than ${nestingMax} DAGs`);
    return;
  }
  for (const [name, task] of Object.entries(dag.tasks)) {
    const where = `${at}.dag.tasks.${name}`;
    const reference = task.componentRef.name;
    const inner = componentOf(spec, task);
    checkTask(spec, dag, component, { name, task, at: where }, report);
    if (inner === undefined) report(where, `component "${reference}" is not in components`);
    else if (trail.includes(reference)) report(where, `component "${reference}" contains itself`);
    else checkComponent(spec, inner, `components.${reference}`, [...trail, reference], report);
  }
  checkDagOutputs(spec, component, dag, at, report);
};

const checkDagOutputs = (
  spec: PipelineSpec,
  component: Component,
  dag: Dag,
  at: string,
  report: Report,
): void => {
  const selected = (subtask: string, field: "parameters" | "artifacts", key: string): void => {
    const task = has(dag.tasks, subtask) ? dag.tasks[subtask] : undefined;
    const outputs = task === undefined ? undefined : componentOf(spec, task)?.outputDefinitions;
    if (!has(outputs?.[field], key)) {
      report(
        `${at}.dag.outputs`,
        `selects output "${key}" of task "${subtask}", which does not exist`,
      );
    }
  };
  for (const [name, output] of Object.entries(dag.outputs?.parameters ?? {})) {
    if (!has(component.outputDefinitions?.parameters, name)) {
      report(
        `${at}.dag.outputs`,
        `gives parameter "${name}", which outputDefinitions does not declare`,
      );
    }
    const selectors = output.valueFromOneof?.parameterSelectors ?? [];
    for (const selector of output.valueFromParameter ? [output.valueFromParameter] : selectors) {
      selected(selector.producerSubtask, "parameters", selector.outputParameterKey);
    }
  }
  for (const [name, output] of Object.entries(dag.outputs?.artifacts ?? {})) {
    if (!has(component.outputDefinitions?.artifacts, name)) {
      report(
        `${at}.dag.outputs`,
        `gives artifact "${name}", which outputDefinitions does not declare`,
      );
    }
    for (const selector of output.artifactSelectors) {
      selected(selector.producerSubtask, "artifacts", selector.outputArtifactKey);
    }
  }
};

const refuse = (problems: readonly Problem[]): never => {
  const [first] = problems;
  const lines = problems.slice(0, problemsMax).map(({ at, message }) => `${at}: ${message}`);
  const more = problems.length > problemsMax ? ` (and ${problems.length - problemsMax} more)` : "";
  throw new RpcError(
    first?.status ?? "INVALID_ARGUMENT",
    `The pipeline spec is not accepted: ${[...new Set(lines)].join("; ")}${more}.`,
  );
};

/** Reads and checks a pipeline spec; throws RpcError INVALID_ARGUMENT or UNIMPLEMENTED with the places. */
export const checkPipelineSpec = (json: unknown): PipelineSpec => {
  const parsed = pipelineSpecSchema.safeParse(json);
  if (!parsed.success) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `The pipeline spec is not accepted: ${z.prettifyError(parsed.error)}`,
    );
  }
  const spec = parsed.data;
  const problems: Problem[] = [];
  const report: Report = (at, message, status = "INVALID_ARGUMENT") =>
    problems.push({ at, message, status });
  if (!/^2\.1\.\d+$/.test(spec.schemaVersion)) {
    report(
      "schemaVersion",
      `"${spec.schemaVersion}" is not supported: compile with Kubeflow 2 (schema 2.1.0)`,
    );
  }
  if (spec.root.dag === undefined) report("root", "must be a dag");
  else checkComponent(spec, spec.root, "root", [], report);
  if (problems.length > 0) refuse(problems);
  return spec;
};
