/** UploadModel: a new model or a new version of one. */
import type { CloudContext } from "../../cloud.js";
import { RpcError, type CallContext } from "../../protocol/service.js";
import { checkDisplayName, checkLabels } from "../fields.js";
import { typeUrl, type Model, type ModelContainerSpec } from "../messages.js";
import { generateId, lastSegment, parseName, parseParent } from "../names.js";
import { operationsOf, type OperationMessage } from "../operations.js";
import { mergeAliases, parseAliases } from "./aliases.js";
import { artifactNames, copyArtifacts } from "./artifacts.js";
import type { ModelStore, StoredVersion } from "./store.js";

/** google.cloud.aiplatform.v1.UploadModelRequest. */
export interface UploadModelRequest {
  readonly parent?: string;
  readonly parentModel?: string;
  readonly modelId?: string;
  readonly model?: Model;
  readonly serviceAccount?: string;
}

interface UploadInput {
  readonly name: string;
  readonly isNew: boolean;
  readonly model: Model;
}

const modelIdPattern = /^[a-z_][a-z0-9_-]{0,62}$/;
const method = "google.cloud.aiplatform.v1.ModelService.UploadModel";

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const checkRoute = (field: string, route: string | undefined): void => {
  if (route !== undefined && route !== "" && !route.startsWith("/")) {
    throw invalid(`Invalid model.containerSpec.${field} "${route}": it must begin with "/".`);
  }
};

/** Checks what a container specification asks for, and refuses what cannot be served here. */
const checkContainerSpec = (spec: ModelContainerSpec | undefined): void => {
  if (spec?.imageUri === undefined || spec.imageUri === "") {
    throw invalid(
      "model.containerSpec.imageUri is required: name the image that serves this model's predictions.",
    );
  }
  checkRoute("predictRoute", spec.predictRoute);
  checkRoute("healthRoute", spec.healthRoute);
  for (const { name } of spec.env ?? []) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name ?? "")) {
      throw invalid(`Invalid name "${name ?? ""}" in model.containerSpec.env.`);
    }
    if (name?.startsWith("AIP_") === true) {
      throw invalid(`model.containerSpec.env cannot set ${name}: the service sets AIP_ variables.`);
    }
  }
  for (const { containerPort = 0 } of spec.ports ?? []) {
    if (containerPort < 1 || containerPort > 65_535) {
      throw invalid(`Invalid port ${containerPort} in model.containerSpec.ports.`);
    }
  }
  if ((spec.grpcPorts ?? []).length > 0 || (spec.invokeRoutePrefix ?? "") !== "") {
    throw new RpcError(
      "UNIMPLEMENTED",
      "model.containerSpec.grpcPorts and invokeRoutePrefix are not served here: use predictRoute.",
    );
  }
};

const target = (
  context: CloudContext,
  store: ModelStore,
  request: UploadModelRequest,
): { readonly name: string; readonly isNew: boolean } => {
  const location = parseParent(context.settings, request.parent);
  const wantedId = request.modelId ?? "";
  if (request.parentModel !== undefined && request.parentModel !== "") {
    if (wantedId !== "") {
      throw invalid("Set either parent_model (for a new version) or model_id (for a new model).");
    }
    const { name } = parseName(context.settings, "models", request.parentModel);
    if (store.find(name) === undefined) {
      throw new RpcError("NOT_FOUND", `The Model "${name}" does not exist.`);
    }
    return { name, isNew: false };
  }
  if (wantedId !== "" && !modelIdPattern.test(wantedId)) {
    throw invalid(
      `Invalid model_id "${wantedId}": it has up to 63 characters of [a-z0-9_-] and does not begin with a digit or "-".`,
    );
  }
  return { name: `${location}/models/${wantedId === "" ? generateId() : wantedId}`, isNew: true };
};

const newVersion = (
  context: CloudContext,
  input: UploadInput,
  made: {
    readonly versionId: string;
    readonly operation: string;
    readonly managedUri: string | undefined;
  },
): StoredVersion => {
  const { model } = input;
  const now = context.now();
  return {
    versionId: made.versionId,
    aliases: [],
    ...(model.versionDescription === undefined
      ? {}
      : { versionDescription: model.versionDescription }),
    containerSpec: model.containerSpec ?? {},
    ...(model.artifactUri === undefined ? {} : { artifactUri: model.artifactUri }),
    ...(made.managedUri === undefined ? {} : { managedUri: made.managedUri }),
    labels: model.labels ?? {},
    extras: {
      ...(model.metadata === undefined ? {} : { metadata: model.metadata }),
      ...(model.metadataSchemaUri === undefined
        ? {}
        : { metadataSchemaUri: model.metadataSchemaUri }),
      ...(model.predictSchemata === undefined ? {} : { predictSchemata: model.predictSchemata }),
      ...(model.explanationSpec === undefined ? {} : { explanationSpec: model.explanationSpec }),
      ...(model.pipelineJob === undefined ? {} : { pipelineJob: model.pipelineJob }),
    },
    createMs: now,
    updateMs: now,
    revision: 1,
    uploadOperation: made.operation,
  };
};

/** Records the version with its aliases in one transaction and returns its id. */
const register = (
  context: CloudContext,
  store: ModelStore,
  input: UploadInput,
  operation: string,
  managedUri: string | undefined,
): string => {
  let versionId = "";
  store.together(() => {
    const before = store.versions(input.name);
    const repeated = before.find(({ uploadOperation }) => uploadOperation === operation);
    if (repeated !== undefined) {
      versionId = repeated.versionId;
      return;
    }
    const existing = store.find(input.name);
    if (existing === undefined && !input.isNew) {
      throw new RpcError("NOT_FOUND", `The Model "${input.name}" was deleted during the upload.`);
    }
    const now = context.now();
    versionId = String((existing?.lastVersion ?? 0) + 1);
    const version = newVersion(context, input, { versionId, operation, managedUri });
    const { added } = parseAliases(input.model.versionAliases ?? []);
    const aliases = before.length === 0 ? new Set([...added, "default"]) : added;
    const all = [...before, version];
    const changed = mergeAliases(all, versionId, { added: aliases, removed: new Set() });
    const isChanged = changed.some((item) => item.versionId === versionId);
    for (const item of isChanged ? changed : [version, ...changed]) {
      store.putVersion(input.name, { ...item, updateMs: now, revision: item.revision + 1 });
    }
    store.putModel({
      name: input.name,
      displayName: existing?.displayName ?? input.model.displayName ?? "",
      ...(existing?.description === undefined && input.model.description === undefined
        ? {}
        : { description: existing?.description ?? input.model.description ?? "" }),
      labels: existing?.labels ?? {},
      createMs: existing?.createMs ?? now,
      updateMs: now,
      revision: (existing?.revision ?? 0) + 1,
      lastVersion: Number(versionId),
    });
  });
  return versionId;
};

/** Makes the UploadModel handler. */
export const uploadModel = (
  context: CloudContext,
  store: ModelStore,
): ((request: UploadModelRequest, call: CallContext) => Promise<OperationMessage>) => {
  const operations = operationsOf(context);
  const start = operations.define<UploadInput>({
    method,
    metadataType: "UploadModelOperationMetadata",
    run: async (input, operation) => {
      const { artifactUri } = input.model;
      const folder = `${lastSegment(input.name)}/${lastSegment(operation.name)}`;
      const managedUri =
        artifactUri === undefined || artifactUri === ""
          ? undefined
          : await copyArtifacts(context, artifactUri, folder, operation.signal);
      const versionId = register(context, store, input, operation.name, managedUri);
      context.log(`vertex: uploaded ${lastSegment(input.name)}@${versionId}`);
      return {
        resourceName: input.name,
        response: {
          "@type": typeUrl("UploadModelResponse"),
          model: input.name,
          modelVersionId: versionId,
        },
      };
    },
  });
  return async (request, call) => {
    const { name, isNew } = target(context, store, request);
    const { model } = request;
    if (model === undefined) throw invalid("model is required.");
    checkDisplayName("model.display_name", model.displayName);
    checkLabels(model.labels);
    checkContainerSpec(model.containerSpec);
    const { removed } = parseAliases(model.versionAliases ?? []);
    if (removed.size > 0) {
      throw invalid('model.version_aliases cannot remove aliases ("-x") in an upload.');
    }
    if (isNew && (store.find(name) !== undefined || operations.runningUnder(name) !== undefined)) {
      throw new RpcError(
        "ALREADY_EXISTS",
        `The Model "${name}" already exists: upload a new version of it with parent_model, or choose another model_id.`,
      );
    }
    if (model.artifactUri !== undefined && model.artifactUri !== "") {
      await artifactNames(context, model.artifactUri);
    }
    return start({
      under: name,
      input: { name, isNew, model },
      request,
      principal: call.principal,
      auditResource: parseParent(context.settings, request.parent),
    });
  };
};
