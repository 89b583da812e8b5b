/**
 * The part of Kubeflow's PipelineSpec (schema 2.1.0, pipeline_spec.proto) that our templates use; field
 * names as in its JSON form.
 */
import type { Resources } from "../../shared/domain/machine.js";

/** Type of a pipeline's or a task's parameter. */
export type ParameterType = "STRING" | "LIST" | "STRUCT";

/** Declared inputs of a component. */
export interface InputDefinitions {
  readonly parameters?: Readonly<
    Record<
      string,
      {
        readonly parameterType: ParameterType;
        readonly isOptional?: boolean;
        readonly defaultValue?: string;
        readonly description?: string;
      }
    >
  >;
  readonly artifacts?: Readonly<Record<string, ArtifactDefinition>>;
}

/** Declared type of an artifact. */
export interface ArtifactDefinition {
  readonly artifactType: { readonly schemaTitle: string; readonly schemaVersion: "0.0.1" };
}

/** Declared outputs of a component. */
export interface OutputDefinitions {
  readonly parameters?: Readonly<Record<string, { readonly parameterType: ParameterType }>>;
  readonly artifacts?: Readonly<Record<string, ArtifactDefinition>>;
}

/** Where a task's parameter comes from. */
export type ParameterSource =
  | { readonly componentInputParameter: string }
  | {
      readonly taskOutputParameter: {
        readonly producerTask: string;
        readonly outputParameterKey: string;
      };
    };

/** Where a task's artifact comes from. */
export interface ArtifactSource {
  readonly taskOutputArtifact: {
    readonly producerTask: string;
    readonly outputArtifactKey: string;
  };
}

/** One task of a DAG. */
export interface Task {
  readonly taskInfo: { readonly name: string };
  readonly componentRef: { readonly name: string };
  readonly cachingOptions?: { readonly enableCache: boolean };
  readonly dependentTasks?: readonly string[];
  readonly triggerPolicy?: { readonly condition: string };
  readonly inputs?: {
    readonly parameters?: Readonly<Record<string, ParameterSource>>;
    readonly artifacts?: Readonly<Record<string, ArtifactSource>>;
  };
}

/** A component: an executor's interface, or a DAG of tasks. */
export interface Component {
  readonly executorLabel?: string;
  readonly dag?: { readonly tasks: Readonly<Record<string, Task>> };
  readonly inputDefinitions?: InputDefinitions;
  readonly outputDefinitions?: OutputDefinitions;
}

/** A container of a task. */
export interface Executor {
  readonly container: {
    readonly image: string;
    readonly args: readonly string[];
    readonly resources?: Resources;
  };
}

/** A compiled pipeline. */
export interface PipelineSpec {
  readonly pipelineInfo: { readonly name: string; readonly description: string };
  readonly schemaVersion: "2.1.0";
  readonly sdkVersion: string;
  readonly root: Component;
  readonly components: Readonly<Record<string, Component>>;
  readonly deploymentSpec: { readonly executors: Readonly<Record<string, Executor>> };
}
