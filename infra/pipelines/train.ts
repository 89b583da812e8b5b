/**
 * Continuo's own pipeline, one per training run: profile the newest dataset version, and if the data
 * gate says go, train a challenger and evaluate it against the champion on rows that neither has seen.
 */
import { machineResources, type Accelerator } from "../../shared/domain/machine.js";
import type {
  ArtifactDefinition,
  Component,
  Executor,
  InputDefinitions,
  PipelineSpec,
  Task,
} from "./spec.js";

/** Images and machine of the pipeline. */
export interface TrainingPipelineOptions {
  readonly images: {
    readonly profiler: string;
    readonly trainer: string;
    readonly evaluator: string;
  };
  /** The training task's machine, for example n1-standard-4. */
  readonly machineType?: string;
  readonly accelerator?: Accelerator;
}

/** The images as the local cloud knows them. */
export const defaultImages: TrainingPipelineOptions["images"] = {
  profiler: "continuo/profiler",
  trainer: "continuo/trainer",
  evaluator: "continuo/evaluator",
};

const artifact = (schemaTitle: string): ArtifactDefinition => ({
  artifactType: { schemaTitle, schemaVersion: "0.0.1" },
});

const input = (name: string): string => `{{$.inputs.parameters['${name}']}}`;
const inputPath = (name: string): string => `{{$.inputs.artifacts['${name}'].path}}`;
const outputPath = (name: string): string => `{{$.outputs.artifacts['${name}'].path}}`;
const outputFile = (name: string): string => `{{$.outputs.parameters['${name}'].output_file}}`;

/** Parameters of the pipeline. */
const pipelineInputs: InputDefinitions = {
  parameters: {
    dataset_uris: {
      parameterType: "LIST",
      description: "Addresses of the dataset versions, oldest first; the last one is the newest.",
    },
    config: {
      parameterType: "STRUCT",
      description: "What the tasks need of the model's manifest.",
    },
    champion_model_uri: {
      parameterType: "STRING",
      isOptional: true,
      defaultValue: "",
      description: "Folder of the champion's model.json; empty for a model's first version.",
    },
    baseline_profile_uri: {
      parameterType: "STRING",
      isOptional: true,
      defaultValue: "",
      description: "The previous version's profile; empty when there is none.",
    },
    dataset_fingerprint: {
      parameterType: "STRING",
      isOptional: true,
      defaultValue: "",
      description: "Changes when the objects behind the addresses do: part of the cache key.",
    },
    champion_scores_uri: {
      parameterType: "STRING",
      isOptional: true,
      defaultValue: "",
      description:
        "Folder of the champion's scores, kept from one run to the next; empty to keep none.",
    },
  },
};

const profileComponent: Component = {
  executorLabel: "exec-profile",
  inputDefinitions: {
    parameters: {
      datasets: { parameterType: "LIST" },
      config: { parameterType: "STRUCT" },
      baseline: { parameterType: "STRING" },
      champion: { parameterType: "STRING" },
      fingerprint: { parameterType: "STRING" },
    },
  },
  outputDefinitions: {
    artifacts: { profile: artifact("system.Artifact"), anomalies: artifact("system.Artifact") },
    parameters: { verdict: { parameterType: "STRING" } },
  },
};

const trainComponent: Component = {
  executorLabel: "exec-train",
  inputDefinitions: {
    parameters: {
      datasets: { parameterType: "LIST" },
      config: { parameterType: "STRUCT" },
      fingerprint: { parameterType: "STRING" },
    },
  },
  outputDefinitions: {
    artifacts: { model: artifact("system.Model"), holdout: artifact("system.Dataset") },
  },
};

const evaluateComponent: Component = {
  executorLabel: "exec-evaluate",
  inputDefinitions: {
    parameters: {
      champion: { parameterType: "STRING" },
      config: { parameterType: "STRUCT" },
      kept: { parameterType: "STRING" },
    },
    artifacts: { model: artifact("system.Model"), rows: artifact("system.Dataset") },
  },
  outputDefinitions: {
    artifacts: { evaluation: artifact("system.Metrics"), scores: artifact("system.Dataset") },
    parameters: { verdict: { parameterType: "STRING" } },
  },
};

/** The name by which a condition's DAG knows a value from outside, as the Kubeflow compiler writes it. */
const channel = (name: string): string => `pipelinechannel--${name}`;

const profileTask: Task = {
  taskInfo: { name: "profile" },
  componentRef: { name: "comp-profile" },
  cachingOptions: { enableCache: true },
  inputs: {
    parameters: {
      datasets: { componentInputParameter: "dataset_uris" },
      config: { componentInputParameter: "config" },
      baseline: { componentInputParameter: "baseline_profile_uri" },
      champion: { componentInputParameter: "champion_model_uri" },
      fingerprint: { componentInputParameter: "dataset_fingerprint" },
    },
  },
};

const trainTask: Task = {
  taskInfo: { name: "train" },
  componentRef: { name: "comp-train" },
  cachingOptions: { enableCache: true },
  inputs: {
    parameters: {
      datasets: { componentInputParameter: channel("dataset_uris") },
      config: { componentInputParameter: channel("config") },
      fingerprint: { componentInputParameter: channel("dataset_fingerprint") },
    },
  },
};

const evaluateTask: Task = {
  taskInfo: { name: "evaluate" },
  componentRef: { name: "comp-evaluate" },
  cachingOptions: { enableCache: true },
  dependentTasks: ["train"],
  inputs: {
    parameters: {
      champion: { componentInputParameter: channel("champion_model_uri") },
      config: { componentInputParameter: channel("config") },
      kept: { componentInputParameter: channel("champion_scores_uri") },
    },
    artifacts: {
      model: { taskOutputArtifact: { producerTask: "train", outputArtifactKey: "model" } },
      rows: { taskOutputArtifact: { producerTask: "train", outputArtifactKey: "holdout" } },
    },
  },
};

const verdictChannel = channel("profile-verdict");

/** What runs when the data gate says go. */
const conditionComponent: Component = {
  dag: { tasks: { train: trainTask, evaluate: evaluateTask } },
  inputDefinitions: {
    parameters: {
      [verdictChannel]: { parameterType: "STRING" },
      [channel("dataset_uris")]: { parameterType: "LIST" },
      [channel("config")]: { parameterType: "STRUCT" },
      [channel("champion_model_uri")]: { parameterType: "STRING" },
      [channel("dataset_fingerprint")]: { parameterType: "STRING" },
      [channel("champion_scores_uri")]: { parameterType: "STRING" },
    },
  },
};

const conditionTask: Task = {
  taskInfo: { name: "condition-1" },
  componentRef: { name: "comp-condition-1" },
  dependentTasks: ["profile"],
  triggerPolicy: { condition: `inputs.parameter_values['${verdictChannel}'] == 'go'` },
  inputs: {
    parameters: {
      [verdictChannel]: {
        taskOutputParameter: { producerTask: "profile", outputParameterKey: "verdict" },
      },
      [channel("dataset_uris")]: { componentInputParameter: "dataset_uris" },
      [channel("config")]: { componentInputParameter: "config" },
      [channel("champion_model_uri")]: { componentInputParameter: "champion_model_uri" },
      [channel("dataset_fingerprint")]: { componentInputParameter: "dataset_fingerprint" },
      [channel("champion_scores_uri")]: { componentInputParameter: "champion_scores_uri" },
    },
  },
};

/** A command line of `--name value` flags. */
const flags = (values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);

/** The containers of the three tasks. */
function executors({
  images,
  machineType,
  accelerator,
}: TrainingPipelineOptions): PipelineSpec["deploymentSpec"]["executors"] {
  const resources = machineResources(machineType, accelerator);
  const hasResources = Object.keys(resources).length > 0;
  const profile: Executor["container"] = {
    image: images.profiler,
    args: flags({
      datasets: input("datasets"),
      config: input("config"),
      baseline: input("baseline"),
      champion: input("champion"),
      fingerprint: input("fingerprint"),
      profile: outputPath("profile"),
      anomalies: outputPath("anomalies"),
      verdict: outputFile("verdict"),
    }),
  };
  const train: Executor["container"] = {
    image: images.trainer,
    args: flags({
      datasets: input("datasets"),
      config: input("config"),
      fingerprint: input("fingerprint"),
      model: outputPath("model"),
      holdout: outputPath("holdout"),
    }),
  };
  const evaluate: Executor["container"] = {
    image: images.evaluator,
    args: flags({
      model: inputPath("model"),
      champion: input("champion"),
      rows: inputPath("rows"),
      kept: input("kept"),
      config: input("config"),
      evaluation: outputPath("evaluation"),
      scores: outputPath("scores"),
      verdict: outputFile("verdict"),
    }),
  };
  return {
    "exec-profile": { container: profile },
    "exec-train": { container: hasResources ? { ...train, resources } : train },
    "exec-evaluate": { container: evaluate },
  };
}

/** The compiled pipeline of a training run. */
export function trainingPipeline(options: TrainingPipelineOptions): PipelineSpec {
  return {
    pipelineInfo: {
      name: "continuo-train",
      description: "Profile the newest dataset version, train a challenger, evaluate it.",
    },
    schemaVersion: "2.1.0",
    sdkVersion: "continuo-1",
    root: {
      dag: { tasks: { profile: profileTask, "condition-1": conditionTask } },
      inputDefinitions: pipelineInputs,
    },
    components: {
      "comp-profile": profileComponent,
      "comp-train": trainComponent,
      "comp-evaluate": evaluateComponent,
      "comp-condition-1": conditionComponent,
    },
    deploymentSpec: { executors: executors(options) },
  };
}
