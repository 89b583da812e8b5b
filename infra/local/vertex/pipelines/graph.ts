/** The shape of a DAG: which task waits for which, and what each task is made of. */
import type { Component, Dag, Executor, PipelineSpec, Task, TaskInputParameter } from "./spec.js";

const producersOf = (input: TaskInputParameter): readonly string[] =>
  [input.taskOutputParameter?.producerTask, input.taskFinalStatus?.producerTask].filter(
    (name) => name !== undefined,
  );

/** The names of the tasks that must have ended before this one is looked at. */
export const upstreamOf = (task: Task): readonly string[] => [
  ...new Set([
    ...(task.dependentTasks ?? []),
    ...Object.values(task.inputs?.parameters ?? {}).flatMap(producersOf),
    ...Object.values(task.inputs?.artifacts ?? {}).flatMap(
      (input) => input.taskOutputArtifact?.producerTask ?? [],
    ),
  ]),
];

/** Whether the task runs however its upstream tasks ended, as exit handlers do. */
export const runsAfterFailure = (task: Task): boolean =>
  task.triggerPolicy?.strategy === "ALL_UPSTREAM_TASKS_COMPLETED";

/** The tasks of a cycle, or undefined when the DAG is one. */
export const cycleOf = (dag: Dag): readonly string[] | undefined => {
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): readonly string[] | undefined => {
    if (done.has(name)) return undefined;
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    const task = Object.hasOwn(dag.tasks, name) ? dag.tasks[name] : undefined;
    for (const upstream of task === undefined ? [] : upstreamOf(task)) {
      const cycle = visit(upstream, [...trail, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of Object.keys(dag.tasks)) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
};

/** The component that a task runs. */
export const componentOf = (spec: PipelineSpec, task: Task): Component | undefined => {
  const components = spec.components ?? {};
  return Object.hasOwn(components, task.componentRef.name)
    ? components[task.componentRef.name]
    : undefined;
};

/** The executor that a component runs. */
export const executorOf = (spec: PipelineSpec, component: Component): Executor | undefined => {
  const executors = spec.deploymentSpec?.executors ?? {};
  const label = component.executorLabel;
  return label !== undefined && Object.hasOwn(executors, label) ? executors[label] : undefined;
};
