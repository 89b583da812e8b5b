/** google.cloud.aiplatform.v1.ModelService. */
import type { CloudContext } from "../../cloud.js";
import { RpcError, type CallContext, type ServiceImplementation } from "../../protocol/service.js";
import { writeAudit } from "../audit.js";
import { checkDisplayName, checkEtag, checkLabels, checkMask, parseOrder } from "../fields.js";
import { parseFilter } from "../filters.js";
import { emptyReply, typeUrl, type FieldMask, type Model } from "../messages.js";
import { lastSegment, parseName, parseParent } from "../names.js";
import { operationsOf } from "../operations.js";
import { page, type PageRequest } from "../paging.js";
import { mergeAliases, parseAliases } from "./aliases.js";
import { removeArtifacts } from "./artifacts.js";
import { evaluations } from "./evaluations.js";
import {
  labelsOf,
  modelMessage,
  type DeployedModelRef,
  type ModelStore,
  type ModelVersion,
  type StoredVersion,
} from "./store.js";
import { uploadModel } from "./upload.js";

interface Named {
  readonly name?: string;
}

interface ListRequest extends PageRequest {
  readonly parent?: string;
  readonly name?: string;
  readonly filter?: string;
  readonly orderBy?: string;
}

interface UpdateModelRequest {
  readonly model?: Model;
  readonly updateMask?: FieldMask;
}

interface MergeVersionAliasesRequest extends Named {
  readonly versionAliases?: readonly string[];
}

interface DeletionInput {
  readonly name: string;
  readonly versionId?: string;
}

/** Where a model is deployed; all its versions without a version id. */
export type DeploymentsOf = (modelName: string, versionId?: string) => readonly DeployedModelRef[];

const service = "google.cloud.aiplatform.v1.ModelService";
const pageSizeMax = 1_000;

const refuseDeployed = (name: string, deployed: readonly DeployedModelRef[]): void => {
  const [first] = deployed;
  if (first !== undefined) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `The Model "${name}" is deployed at the following Endpoint: ${first.endpoint} (deployed model ${first.deployedModelId}). Undeploy it first.`,
    );
  }
};

/** Makes the model registry's service. */
export const modelService = (
  context: CloudContext,
  store: ModelStore,
  deploymentsOf: DeploymentsOf,
): ServiceImplementation => {
  const operations = operationsOf(context);
  const imported = evaluations(context, store);
  const { settings } = context;

  const show = (found: ModelVersion): Model =>
    modelMessage(found, deploymentsOf(found.model.name, found.version.versionId));

  const removeCopies = async (versions: readonly StoredVersion[]): Promise<void> => {
    for (const { managedUri } of versions) {
      if (managedUri !== undefined) await removeArtifacts(context, managedUri);
    }
  };

  const startDelete = operations.define<DeletionInput>({
    method: `${service}.DeleteModel`,
    metadataType: "DeleteOperationMetadata",
    run: async ({ name }) => {
      refuseDeployed(name, deploymentsOf(name));
      const copies = store.versions(name);
      imported.removeOf(name);
      store.removeModel(name);
      await removeCopies(copies);
      return { resourceName: name, response: emptyReply };
    },
  });

  const startDeleteVersion = operations.define<DeletionInput>({
    method: `${service}.DeleteModelVersion`,
    metadataType: "DeleteOperationMetadata",
    run: async ({ name, versionId = "" }) => {
      refuseDeployed(`${name}@${versionId}`, deploymentsOf(name, versionId));
      const copies = store.versions(name).filter((version) => version.versionId === versionId);
      imported.removeOf(name, versionId);
      store.removeVersion(name, versionId);
      await removeCopies(copies);
      return { resourceName: `${name}@${versionId}`, response: emptyReply };
    },
  });

  const updateModelFields = (
    found: ModelVersion,
    given: Model,
    mask: FieldMask | undefined,
  ): void => {
    const paths = checkMask(mask, ["display_name", "description", "labels"]);
    const { description: before, ...rest } = found.model;
    const description = paths.has("description") ? given.description : before;
    const labels = paths.has("labels") ? (given.labels ?? {}) : rest.labels;
    checkLabels(labels);
    store.putModel({
      ...rest,
      displayName: paths.has("display_name")
        ? checkDisplayName("model.display_name", given.displayName)
        : rest.displayName,
      ...(description === undefined ? {} : { description }),
      labels,
      updateMs: context.now(),
      revision: rest.revision + 1,
    });
  };

  const updateVersionFields = (
    found: ModelVersion,
    given: Model,
    mask: FieldMask | undefined,
  ): void => {
    const paths = checkMask(mask, ["version_description", "labels"]);
    const { versionDescription: before, ...rest } = found.version;
    const versionDescription = paths.has("version_description") ? given.versionDescription : before;
    const labels = paths.has("labels") ? (given.labels ?? {}) : rest.labels;
    checkLabels(labels);
    store.putVersion(found.model.name, {
      ...rest,
      ...(versionDescription === undefined ? {} : { versionDescription }),
      labels,
      updateMs: context.now(),
      revision: rest.revision + 1,
    });
  };

  return {
    service,
    types: ["UploadModelOperationMetadata", "UploadModelResponse", "DeleteOperationMetadata"].map(
      (name) => `google.cloud.aiplatform.v1.${name}`,
    ),
    unary: {
      ...imported.handlers,
      UploadModel: uploadModel(context, store),

      GetModel: (request: Named) =>
        show(store.resolve(parseName(settings, "models", request.name))),

      ListModels: (request: ListRequest) => {
        parseParent(settings, request.parent);
        const matches = parseFilter(request.filter, "model");
        const compare = parseOrder(request.orderBy);
        const found = store
          .models()
          .map(({ name }) => store.resolve({ name, id: lastSegment(name) }))
          .filter((item) =>
            matches({
              id: lastSegment(item.model.name),
              displayName: item.model.displayName,
              labels: labelsOf(item),
            }),
          )
          .toSorted((left, right) => compare(left.model, right.model));
        const { items, nextPageToken } = page(found, request, pageSizeMax);
        return {
          models: items.map(show),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
      },

      ListModelVersions: (request: ListRequest) => {
        const wanted = parseName(settings, "models", request.name);
        const { model } = store.resolve({ name: wanted.name, id: wanted.id });
        const matches = parseFilter(request.filter, "model");
        const compare = parseOrder(request.orderBy);
        const found = store
          .versions(model.name)
          .map((version) => ({ model, version }))
          .filter((item) =>
            matches({ id: wanted.id, displayName: model.displayName, labels: labelsOf(item) }),
          )
          .toSorted((left, right) =>
            compare({ ...left.version, displayName: "" }, { ...right.version, displayName: "" }),
          );
        const { items, nextPageToken } = page(found, request, pageSizeMax);
        return {
          models: items.map((item) => ({
            ...show(item),
            name: `${item.model.name}@${item.version.versionId}`,
          })),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
      },

      UpdateModel: async (request: UpdateModelRequest, call: CallContext) => {
        const { model: given = {} } = request;
        const wanted = parseName(settings, "models", given.name);
        const isModelUpdate = wanted.version === undefined || wanted.version === "-";
        const selected = isModelUpdate ? { name: wanted.name, id: wanted.id } : wanted;
        const found = store.resolve(selected);
        checkEtag(
          `${found.model.name}@${found.version.versionId}`,
          found.model.revision + found.version.revision,
          given.etag,
        );
        (isModelUpdate ? updateModelFields : updateVersionFields)(found, given, request.updateMask);
        const reply = show(store.resolve(selected));
        await writeAudit(context, {
          method: `${service}.UpdateModel`,
          principal: call.principal,
          resourceName: found.model.name,
          request,
          response: { "@type": typeUrl("Model"), ...reply },
        });
        return reply;
      },

      MergeVersionAliases: async (request: MergeVersionAliasesRequest, call: CallContext) => {
        const wanted = parseName(settings, "models", request.name);
        if (!/^\d+$/.test(wanted.version ?? "")) {
          throw new RpcError(
            "INVALID_ARGUMENT",
            `Invalid name "${request.name ?? ""}": the version id must be included, as in models/{model}@1.`,
          );
        }
        const texts = request.versionAliases ?? [];
        if (texts.length === 0) {
          throw new RpcError("INVALID_ARGUMENT", "version_aliases is required and names none.");
        }
        const { model, version } = store.resolve(wanted);
        const change = parseAliases(texts);
        const changed = mergeAliases(store.versions(model.name), version.versionId, change);
        store.together(() => {
          for (const item of changed) {
            store.putVersion(model.name, {
              ...item,
              updateMs: context.now(),
              revision: item.revision + 1,
            });
          }
        });
        const reply = show(store.resolve(wanted));
        await writeAudit(context, {
          method: `${service}.MergeVersionAliases`,
          principal: call.principal,
          resourceName: `${model.name}@${version.versionId}`,
          request: { ...request, name: `${model.name}@${version.versionId}` },
          response: { "@type": typeUrl("Model"), ...reply },
        });
        return reply;
      },

      DeleteModel: (request: Named, call: CallContext) => {
        const wanted = parseName(settings, "models", request.name);
        if (wanted.version !== undefined) {
          throw new RpcError(
            "INVALID_ARGUMENT",
            `DeleteModel deletes all versions and takes no version: use DeleteModelVersion for "${request.name ?? ""}".`,
          );
        }
        const { model } = store.resolve(wanted);
        refuseDeployed(model.name, deploymentsOf(model.name));
        return startDelete({
          under: model.name,
          input: { name: model.name },
          request,
          principal: call.principal,
        });
      },

      DeleteModelVersion: (request: Named, call: CallContext) => {
        const wanted = parseName(settings, "models", request.name);
        if (wanted.version === undefined) {
          throw new RpcError(
            "INVALID_ARGUMENT",
            `Invalid name "${request.name ?? ""}": the version must be included, as in models/{model}@2.`,
          );
        }
        const { model, version } = store.resolve(wanted);
        const name = `${model.name}@${version.versionId}`;
        if (store.versions(model.name).length === 1) {
          throw new RpcError(
            "FAILED_PRECONDITION",
            `"${name}" is the only version of its model: use DeleteModel to delete the model.`,
          );
        }
        if (version.aliases.includes("default")) {
          throw new RpcError(
            "FAILED_PRECONDITION",
            `"${name}" is the default version: give the "default" alias to another version before deleting it.`,
          );
        }
        refuseDeployed(name, deploymentsOf(model.name, version.versionId));
        return startDeleteVersion({
          under: model.name,
          input: { name: model.name, versionId: version.versionId },
          request,
          principal: call.principal,
          auditResource: name,
        });
      },
    },
  };
};
