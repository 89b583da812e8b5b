/** The Registry port on Vertex AI's Model Registry. */
import type { protos } from "@google-cloud/aiplatform";
import { z } from "zod";
import { modelVersionId, runId } from "../../events/ids.js";
import { RejectedError, UnavailableError } from "../domain/errors.js";
import type { ModelVersionFacts } from "../domain/facts.js";
import type { Objects } from "../ports/objects.js";
import type { Registry } from "../ports/vertex.js";
import { digestLabels, digestOfLabels } from "./digest-labels.js";
import { asCloudError, attempting } from "./errors.js";
import { modelEvaluationOf, shownReport } from "./model-evaluation.js";
import { readArtifact } from "./run-artifacts.js";
import type { VertexApi } from "./vertex-api.js";

type UploadModelRequest = protos.google.cloud.aiplatform.v1.IUploadModelRequest;
type MergeVersionAliasesRequest = protos.google.cloud.aiplatform.v1.IMergeVersionAliasesRequest;

const modelShape = z.object({
  versionId: modelVersionId,
  versionAliases: z.array(z.string()).default([]),
  artifactUri: z.string().default(""),
  labels: z.record(z.string(), z.string()).default({}),
  containerSpec: z.object({ imageUri: z.string().default("") }).prefault({}),
});

const factsOf = (model: z.infer<typeof modelShape>): ModelVersionFacts => ({
  versionId: model.versionId,
  aliases: model.versionAliases,
  artifactUri: model.artifactUri,
  artifactDigest: digestOfLabels(model.labels),
  servingImage: model.containerSpec.imageUri,
});

const versionList = z.object({ models: z.array(modelShape).default([]) });

const evaluationList = z.object({
  modelEvaluations: z.array(z.object({ displayName: z.string().default("") })).default([]),
  nextPageToken: z.string().optional(),
});

/** Versions that one look at a model's uploads shows; more than its runs make in a day. */
const uploadsMax = 100;

/** A version has one evaluation of its run, and what people added; more pages than this are not looked at. */
const evaluationPagesMax = 10;

/** The Registry port. */
export const vertexRegistry = (
  api: VertexApi,
  objects: Objects,
  imageOf: (image: string) => Promise<string>,
): Registry => {
  const find = async (name: string): Promise<ModelVersionFacts | null> => {
    const found = await api.find(`models/${name}`);
    return found === null ? null : factsOf(modelShape.parse(found));
  };
  const isShown = async (version: string, name: string): Promise<boolean> => {
    let pageToken = "";
    for (let page = 0; page < evaluationPagesMax; page += 1) {
      const listed = evaluationList.parse(
        await api.request("GET", `models/${version}/evaluations`, { query: { pageToken } }),
      );
      if (listed.modelEvaluations.some(({ displayName }) => displayName === name)) return true;
      if (listed.nextPageToken === undefined || listed.nextPageToken === "") return false;
      pageToken = listed.nextPageToken;
    }
    return false;
  };
  return {
    uploading: (model) =>
      attempting(`look for uploads of ${model}`, async () => {
        const running = (await api.operations(`models/${model}`)).find(
          ({ kind, isDone }) => kind === "UploadModelOperationMetadata" && !isDone,
        );
        return running?.name ?? null;
      }),
    upload: (version, fence) =>
      attempting(`upload ${version.model} with alias ${version.alias}`, async () => {
        const isFirst = (await find(version.model)) === null;
        const body: UploadModelRequest = {
          ...(isFirst
            ? { modelId: version.model }
            : { parentModel: `${api.parent}/models/${version.model}` }),
          model: {
            displayName: version.model,
            versionAliases: [version.alias],
            versionDescription: `artifact ${version.artifactDigest}`,
            artifactUri: version.artifactUri,
            containerSpec: {
              imageUri: await imageOf(version.image),
              healthRoute: version.healthRoute,
              predictRoute: version.predictRoute,
              env: Object.entries(version.env).map(([name, value]) => ({ name, value })),
            },
            labels: { ...version.labels, ...digestLabels(version.artifactDigest) },
          },
        };
        fence?.();
        try {
          await api.request("POST", "models:upload", { body });
        } catch (error) {
          if (!isFirst || asCloudError(error).status !== "ALREADY_EXISTS") throw error;
          throw new UnavailableError(
            `Model ${version.model} was created by somebody else just now. It is looked at again.`,
            { cause: error },
          );
        }
      }),
    version: (model, aliasOrId) =>
      attempting(`read model version ${model}@${aliasOrId}`, () => find(`${model}@${aliasOrId}`)),
    uploads: (model) =>
      attempting(`list uploads of ${model}`, async () => {
        const query = {
          filter: "labels.continuo-run:*",
          orderBy: "create_time desc",
          pageSize: uploadsMax,
        };
        try {
          const listed = await api.request("GET", `models/${model}:listVersions`, { query });
          return versionList.parse(listed).models.flatMap((version) => {
            const run = runId.safeParse(version.labels["continuo-run"]);
            return run.success ? [{ ...factsOf(version), run: run.data }] : [];
          });
        } catch (error) {
          if (asCloudError(error).status === "NOT_FOUND") return [];
          throw error;
        }
      }),
    remove: (model, version) =>
      attempting(`remove model version ${model}@${version}`, async () => {
        const found = await find(`${model}@${version}`);
        if (found === null || found.aliases.length > 0) return;
        await api.request("DELETE", `models/${model}@${version}:deleteVersion`);
      }),
    setAliases: (model, version, aliases, fence) =>
      attempting(`set aliases ${aliases.join(", ")} of ${model}@${version}`, async () => {
        const body: MergeVersionAliasesRequest = { versionAliases: [...aliases] };
        fence?.();
        await api.request("POST", `models/${model}@${version}:mergeVersionAliases`, {
          body,
          isRepeatable: true,
          // All repetitions together must end before the lease does under which they are sent.
          deadlineMs: 4000,
        });
      }),
    importEvaluation: (model, version, { name, report }, fence) =>
      attempting(`import evaluation ${name} of ${model}@${version}`, async () => {
        if (await isShown(`${model}@${version}`, name)) return;
        const found = await readArtifact(objects, report, "evaluation.json", shownReport);
        if (found === null) throw new RejectedError(`There is no report at ${report}.`);
        const modelEvaluation = modelEvaluationOf(found.content, { name, uri: found.uri });
        if (modelEvaluation === null) return;
        fence?.();
        await api.request("POST", `models/${model}@${version}/evaluations:import`, {
          body: { modelEvaluation },
        });
      }),
  };
};
