/** Model evaluations: imported from outside, read and listed per model version. */
import type { CloudContext } from "../../cloud.js";
import { RpcError, type CallContext, type UnaryHandler } from "../../protocol/service.js";
import { writeAudit } from "../audit.js";
import { documentTable } from "../documents.js";
import { timestampOf, typeUrl, type ModelEvaluation } from "../messages.js";
import { generateId, parseName, type ResourceName } from "../names.js";
import { page, type PageRequest } from "../paging.js";
import type { ModelStore } from "./store.js";

interface ImportRequest {
  readonly parent?: string;
  readonly modelEvaluation?: ModelEvaluation;
}

interface ListRequest extends PageRequest {
  readonly parent?: string;
  readonly filter?: string;
}

interface StoredEvaluation {
  readonly evaluation: ModelEvaluation;
  readonly createMs: number;
}

/** What else goes when a model or a version of it is deleted. */
export interface Evaluations {
  readonly handlers: Readonly<Record<string, UnaryHandler>>;
  readonly removeOf: (modelName: string, versionId?: string) => void;
}

const method = "google.cloud.aiplatform.v1.ModelService.ImportModelEvaluation";

/** Makes the handlers of evaluations. */
export const evaluations = (context: CloudContext, store: ModelStore): Evaluations => {
  const table = documentTable<StoredEvaluation>(context.db, "vertex_model_evaluations");
  const prefixOf = (wanted: ResourceName): string => {
    const { model, version } = store.resolve(wanted);
    return `${model.name}@${version.versionId}/evaluations/`;
  };
  const parentOf = (text: string | undefined): ResourceName =>
    parseName(context.settings, "models", text);

  return {
    handlers: {
      ImportModelEvaluation: async (request: ImportRequest, call: CallContext) => {
        const given = request.modelEvaluation;
        if (given?.metrics === undefined) {
          throw new RpcError("INVALID_ARGUMENT", "model_evaluation.metrics is required.");
        }
        if (given.metricsSchemaUri?.startsWith("gs://") !== true) {
          throw new RpcError(
            "INVALID_ARGUMENT",
            `Invalid model_evaluation.metrics_schema_uri "${given.metricsSchemaUri ?? ""}": expected a gs:// URI of a metrics schema.`,
          );
        }
        const createMs = context.now();
        const evaluation: ModelEvaluation = {
          ...given,
          name: `${prefixOf(parentOf(request.parent))}${generateId()}`,
          createTime: timestampOf(createMs),
        };
        table.put(evaluation.name ?? "", { evaluation, createMs });
        await writeAudit(context, {
          method,
          principal: call.principal,
          resourceName: evaluation.name ?? "",
          request,
          response: { "@type": typeUrl("ModelEvaluation"), ...evaluation },
        });
        return evaluation;
      },
      GetModelEvaluation: (request: { readonly name?: string }) => {
        const match = /^(.*)\/evaluations\/([^/]+)$/.exec(request.name ?? "");
        const wanted = parentOf(match?.[1] ?? "");
        const id = match?.[2] ?? "";
        const { model } = store.resolve(wanted);
        const found = table
          .list(`${model.name}@`)
          .find(({ key }) =>
            wanted.version === undefined
              ? key.endsWith(`/evaluations/${id}`)
              : key === `${prefixOf(wanted)}${id}`,
          );
        if (found === undefined) {
          throw new RpcError(
            "NOT_FOUND",
            `The ModelEvaluation "${request.name ?? ""}" does not exist.`,
          );
        }
        return found.document.evaluation;
      },
      ListModelEvaluations: (request: ListRequest) => {
        if ((request.filter ?? "").trim() !== "") {
          throw new RpcError("UNIMPLEMENTED", "ListModelEvaluations takes no filter here.");
        }
        const all = table
          .list(prefixOf(parentOf(request.parent)))
          .map(({ document }) => document)
          .toSorted((left, right) => right.createMs - left.createMs)
          .map(({ evaluation }) => evaluation);
        const { items, nextPageToken } = page(all, request, 1_000);
        return {
          modelEvaluations: items,
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
      },
    },
    removeOf: (modelName, versionId) => {
      for (const { key } of table.list(
        versionId === undefined ? `${modelName}@` : `${modelName}@${versionId}/`,
      )) {
        table.remove(key);
      }
    },
  };
};
