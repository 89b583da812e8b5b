/** Models and their versions as they are kept, and as replies show them. */
import type { CloudContext } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";
import { documentTable } from "../documents.js";
import { etagOf } from "../fields.js";
import { timestampOf, type Labels, type Model, type ModelContainerSpec } from "../messages.js";
import type { ResourceName } from "../names.js";

/** What all versions of a model share. */
export interface StoredModel {
  readonly name: string;
  readonly displayName: string;
  readonly description?: string;
  readonly labels: Labels;
  readonly createMs: number;
  readonly updateMs: number;
  readonly revision: number;
  /** The highest version id ever given; ids are not used again. */
  readonly lastVersion: number;
}

/** One version of a model. */
export interface StoredVersion {
  readonly versionId: string;
  readonly aliases: readonly string[];
  readonly versionDescription?: string;
  readonly containerSpec: ModelContainerSpec;
  /** Where the caller's artifacts were. */
  readonly artifactUri?: string;
  /** Where the managed copy is, without a slash at its end. */
  readonly managedUri?: string;
  readonly labels: Labels;
  readonly extras: Pick<
    Model,
    "metadata" | "metadataSchemaUri" | "predictSchemata" | "explanationSpec" | "pipelineJob"
  >;
  readonly createMs: number;
  readonly updateMs: number;
  readonly revision: number;
  /** The operation that made it, so that repeating the operation makes no second one. */
  readonly uploadOperation: string;
}

/** A model together with one of its versions. */
export interface ModelVersion {
  readonly model: StoredModel;
  readonly version: StoredVersion;
}

/** A model's place on an endpoint. */
export interface DeployedModelRef {
  readonly endpoint: string;
  readonly deployedModelId: string;
}

/** The model registry's durable state. */
export interface ModelStore {
  readonly find: (name: string) => StoredModel | undefined;
  readonly models: () => readonly StoredModel[];
  readonly versions: (name: string) => readonly StoredVersion[];
  /** A model with the version that a name asks for by id or alias; the default one without either. */
  readonly resolve: (wanted: ResourceName) => ModelVersion;
  readonly putModel: (model: StoredModel) => void;
  readonly putVersion: (name: string, version: StoredVersion) => void;
  readonly removeVersion: (name: string, versionId: string) => void;
  readonly removeModel: (name: string) => void;
  /** Runs changes that belong together. */
  readonly together: (change: () => void) => void;
}

/** Opens the registry. */
export const modelStore = (context: CloudContext): ModelStore => {
  const models = documentTable<StoredModel>(context.db, "vertex_models");
  const versionTable = documentTable<StoredVersion>(context.db, "vertex_model_versions");
  const versions = (name: string): readonly StoredVersion[] =>
    versionTable
      .list(`${name}@`)
      .map(({ document }) => document)
      .toSorted((left, right) => Number(left.versionId) - Number(right.versionId));
  return {
    find: models.get,
    models: () => models.list("").map(({ document }) => document),
    versions,
    resolve: (wanted) => {
      const model = models.get(wanted.name);
      const selector = wanted.version ?? "default";
      const version = versions(wanted.name).find(
        ({ versionId, aliases }) => versionId === selector || aliases.includes(selector),
      );
      if (model === undefined || version === undefined) {
        throw new RpcError(
          "NOT_FOUND",
          `The Model "${wanted.name}${wanted.version === undefined ? "" : `@${wanted.version}`}" does not exist.`,
        );
      }
      return { model, version };
    },
    putModel: (model) => {
      models.put(model.name, model);
    },
    putVersion: (name, version) => {
      versionTable.put(`${name}@${version.versionId}`, version);
    },
    removeVersion: (name, versionId) => {
      versionTable.remove(`${name}@${versionId}`);
    },
    removeModel: (name) => {
      for (const { versionId } of versions(name)) versionTable.remove(`${name}@${versionId}`);
      models.remove(name);
    },
    together: (change) => {
      context.db.transaction(change)();
    },
  };
};

/** A version's labels lie over its model's. */
export const labelsOf = ({ model, version }: ModelVersion): Labels => ({
  ...model.labels,
  ...version.labels,
});

/** A model version as a reply. */
export const modelMessage = (
  { model, version }: ModelVersion,
  deployedModels: readonly DeployedModelRef[],
): Model => {
  const labels = labelsOf({ model, version });
  return {
    name: model.name,
    versionId: version.versionId,
    versionAliases: version.aliases,
    versionCreateTime: timestampOf(version.createMs),
    versionUpdateTime: timestampOf(version.updateMs),
    displayName: model.displayName,
    ...(model.description === undefined ? {} : { description: model.description }),
    ...(version.versionDescription === undefined
      ? {}
      : { versionDescription: version.versionDescription }),
    containerSpec: version.containerSpec,
    ...(version.artifactUri === undefined ? {} : { artifactUri: version.artifactUri }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...version.extras,
    supportedDeploymentResourcesTypes: ["DEDICATED_RESOURCES"],
    supportedInputStorageFormats: ["jsonl"],
    supportedOutputStorageFormats: ["jsonl"],
    modelSourceInfo: { sourceType: "CUSTOM" },
    createTime: timestampOf(model.createMs),
    updateTime: timestampOf(Math.max(model.updateMs, version.updateMs)),
    ...(deployedModels.length === 0 ? {} : { deployedModels }),
    etag: etagOf(`${model.name}@${version.versionId}`, model.revision + version.revision),
  };
};
