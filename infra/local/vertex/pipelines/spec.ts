/** The schema of a compiled Kubeflow pipeline (PipelineSpec 2.1.0); a field that it does not know is refused. */
import { z } from "zod";

const parameterTypes = [
  "NUMBER_DOUBLE",
  "NUMBER_INTEGER",
  "STRING",
  "BOOLEAN",
  "LIST",
  "STRUCT",
  "TASK_FINAL_STATUS",
] as const;

const artifactType = z.strictObject({
  schemaTitle: z.string().optional(),
  schemaVersion: z.string().optional(),
  instanceSchema: z.string().optional(),
});

const inputArtifact = z.strictObject({
  artifactType: artifactType.optional(),
  isArtifactList: z.boolean().optional(),
  isOptional: z.boolean().optional(),
  description: z.string().optional(),
});

const inputParameter = z.strictObject({
  parameterType: z.enum(parameterTypes),
  defaultValue: z.unknown().optional(),
  isOptional: z.boolean().optional(),
  description: z.string().optional(),
});

const outputArtifact = z.strictObject({
  artifactType: artifactType.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  isArtifactList: z.boolean().optional(),
  description: z.string().optional(),
});

const outputParameter = z.strictObject({
  parameterType: z.enum(parameterTypes),
  description: z.string().optional(),
});

const inputDefinitions = z.strictObject({
  artifacts: z.record(z.string(), inputArtifact).optional(),
  parameters: z.record(z.string(), inputParameter).optional(),
});

const outputDefinitions = z.strictObject({
  artifacts: z.record(z.string(), outputArtifact).optional(),
  parameters: z.record(z.string(), outputParameter).optional(),
});

const runtimeValue = z.strictObject({
  constant: z.unknown().optional(),
  runtimeParameter: z.string().optional(),
});

const taskInputParameter = z.strictObject({
  taskOutputParameter: z
    .strictObject({ producerTask: z.string(), outputParameterKey: z.string() })
    .optional(),
  runtimeValue: runtimeValue.optional(),
  componentInputParameter: z.string().optional(),
  taskFinalStatus: z.strictObject({ producerTask: z.string() }).optional(),
  parameterExpressionSelector: z.string().optional(),
});

const taskInputArtifact = z.strictObject({
  taskOutputArtifact: z
    .strictObject({ producerTask: z.string(), outputArtifactKey: z.string() })
    .optional(),
  componentInputArtifact: z.string().optional(),
});

const duration = z.string().regex(/^\d+(\.\d{1,9})?s$/, "must be a duration such as 30s");

const task = z.strictObject({
  taskInfo: z.strictObject({ name: z.string() }).optional(),
  componentRef: z.strictObject({ name: z.string() }),
  inputs: z
    .strictObject({
      parameters: z.record(z.string(), taskInputParameter).optional(),
      artifacts: z.record(z.string(), taskInputArtifact).optional(),
    })
    .optional(),
  dependentTasks: z.array(z.string()).optional(),
  cachingOptions: z
    .strictObject({ enableCache: z.boolean().optional(), cacheKey: z.string().optional() })
    .optional(),
  triggerPolicy: z
    .strictObject({
      condition: z.string().optional(),
      strategy: z
        .enum([
          "TRIGGER_STRATEGY_UNSPECIFIED",
          "ALL_UPSTREAM_TASKS_SUCCEEDED",
          "ALL_UPSTREAM_TASKS_COMPLETED",
        ])
        .optional(),
    })
    .optional(),
  retryPolicy: z
    .strictObject({
      maxRetryCount: z.number().int().min(0).optional(),
      backoffDuration: duration.optional(),
      backoffFactor: z.number().min(1).optional(),
      backoffMaxDuration: duration.optional(),
    })
    .optional(),
  parameterIterator: z
    .strictObject({
      items: z.strictObject({ raw: z.string().optional(), inputParameter: z.string().optional() }),
      itemInput: z.string(),
    })
    .optional(),
  artifactIterator: z
    .strictObject({
      items: z.strictObject({ inputArtifact: z.string() }),
      itemInput: z.string(),
    })
    .optional(),
  iteratorPolicy: z
    .strictObject({ parallelismLimit: z.number().int().min(0).optional() })
    .optional(),
});

const parameterSelector = z.strictObject({
  producerSubtask: z.string(),
  outputParameterKey: z.string(),
});

const dag = z.strictObject({
  tasks: z.record(z.string(), task),
  outputs: z
    .strictObject({
      artifacts: z
        .record(
          z.string(),
          z.strictObject({
            artifactSelectors: z.array(
              z.strictObject({ producerSubtask: z.string(), outputArtifactKey: z.string() }),
            ),
          }),
        )
        .optional(),
      parameters: z
        .record(
          z.string(),
          z.strictObject({
            valueFromParameter: parameterSelector.optional(),
            valueFromOneof: z
              .strictObject({ parameterSelectors: z.array(parameterSelector) })
              .optional(),
          }),
        )
        .optional(),
    })
    .optional(),
});

const component = z.strictObject({
  inputDefinitions: inputDefinitions.optional(),
  outputDefinitions: outputDefinitions.optional(),
  dag: dag.optional(),
  executorLabel: z.string().optional(),
});

const acceleratorCount = z.union([z.string(), z.number()]);

const container = z.strictObject({
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  env: z.array(z.strictObject({ name: z.string(), value: z.string().optional() })).optional(),
  lifecycle: z.unknown().optional(),
  resources: z
    .strictObject({
      cpuLimit: z.number().positive().optional(),
      memoryLimit: z.number().positive().optional(),
      cpuRequest: z.number().positive().optional(),
      memoryRequest: z.number().positive().optional(),
      resourceCpuLimit: z.string().optional(),
      resourceMemoryLimit: z.string().optional(),
      resourceCpuRequest: z.string().optional(),
      resourceMemoryRequest: z.string().optional(),
      accelerator: z
        .strictObject({
          type: z.string().optional(),
          count: acceleratorCount.optional(),
          resourceType: z.string().optional(),
          resourceCount: acceleratorCount.optional(),
        })
        .optional(),
    })
    .optional(),
});

const importer = z.strictObject({
  artifactUri: runtimeValue,
  typeSchema: artifactType.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  reimport: z.boolean().optional(),
});

const executor = z.strictObject({
  container: container.optional(),
  importer: importer.optional(),
  resolver: z.unknown().optional(),
  customJob: z.unknown().optional(),
});

/** PipelineSpec, https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto */
export const pipelineSpecSchema = z.strictObject({
  pipelineInfo: z.strictObject({
    name: z.string().min(1),
    displayName: z.string().optional(),
    description: z.string().optional(),
  }),
  schemaVersion: z.string(),
  sdkVersion: z.string().optional(),
  defaultPipelineRoot: z.string().optional(),
  root: component,
  components: z.record(z.string(), component).optional(),
  deploymentSpec: z
    .strictObject({ executors: z.record(z.string(), executor).optional() })
    .optional(),
});

/** A compiled pipeline. */
export type PipelineSpec = z.infer<typeof pipelineSpecSchema>;
/** A component: either a DAG of tasks or one executor. */
export type Component = z.infer<typeof component>;
/** A task of a DAG. */
export type Task = z.infer<typeof task>;
/** A DAG of tasks. */
export type Dag = z.infer<typeof dag>;
/** What a component is made of when it is no DAG. */
export type Executor = z.infer<typeof executor>;
/** A container executor. */
export type ContainerExecutor = z.infer<typeof container>;
/** An importer executor. */
export type ImporterExecutor = z.infer<typeof importer>;
/** Where a task's input parameter comes from. */
export type TaskInputParameter = z.infer<typeof taskInputParameter>;
/** The type of a parameter. */
export type ParameterType = (typeof parameterTypes)[number];
