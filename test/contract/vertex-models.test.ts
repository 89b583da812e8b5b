import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  containerSpec,
  failureOf,
  predictorImage,
  startVertexWorld,
  type VertexWorld,
} from "./vertex-endpoints-world.js";

let world: VertexWorld;
const location = "projects/123456789012/locations/us-central1";

beforeAll(async () => {
  world = await startVertexWorld();
  await world.putObject("artifacts", "churn/model.json", '{"value":"first"}');
  await world.putObject("artifacts", "churn/nested/features.json", "[]");
}, 30_000);

afterAll(async () => {
  await world.stop();
});

interface Extra {
  readonly displayName?: string;
  readonly versionAliases?: string[];
  readonly labels?: Record<string, string>;
  readonly artifactUri?: string;
}

const modelOf = (extra: Extra = {}) => ({
  displayName: "churn",
  containerSpec: containerSpec(),
  ...extra,
});

const upload = async (
  target: { readonly modelId: string } | { readonly parentModel: string },
  extra: Extra = {},
) => {
  const [operation] = await world.grpc.models.uploadModel({
    parent: world.parent,
    ...target,
    model: modelOf(extra),
  });
  const [reply] = await operation.promise();
  return reply;
};

const get = async (name: string) => {
  const [model] = await world.grpc.models.getModel({ name });
  return model;
};

describe("versions and aliases", () => {
  it("gives the first version the default alias and counts versions up", async () => {
    const first = await upload({ modelId: "counted" }, { versionAliases: ["champion"] });
    expect(first).toMatchObject({ model: `${location}/models/counted`, modelVersionId: "1" });
    const second = await upload(
      { parentModel: `${world.parent}/models/counted` },
      { versionAliases: ["challenger"], labels: { run: "abc" } },
    );
    expect(second).toMatchObject({ model: `${location}/models/counted`, modelVersionId: "2" });

    expect(await get(`${world.parent}/models/counted`)).toMatchObject({
      name: `${location}/models/counted`,
      versionId: "1",
      versionAliases: ["champion", "default"],
    });
    expect(await get(`${world.parent}/models/counted@challenger`)).toMatchObject({
      versionId: "2",
      versionAliases: ["challenger"],
      labels: { run: "abc" },
      supportedDeploymentResourcesTypes: ["DEDICATED_RESOURCES"],
      containerSpec: { imageUri: `${predictorImage}:1`, predictRoute: "/predict" },
    });
    const [versions] = await world.grpc.models.listModelVersions({
      name: `${world.parent}/models/counted`,
      orderBy: "create_time",
    });
    expect(versions.map(({ name }) => name)).toEqual([
      `${location}/models/counted@1`,
      `${location}/models/counted@2`,
    ]);
    const [labelled] = await world.grpc.models.listModelVersions({
      name: `${world.parent}/models/counted`,
      filter: 'labels.run="abc"',
    });
    expect(labelled.map(({ versionId }) => versionId)).toEqual(["2"]);
  });

  it("moves an alias from the version that had it, the default one too", async () => {
    await upload({ modelId: "moved" }, { versionAliases: ["champion"] });
    await upload({ parentModel: `${world.parent}/models/moved` });
    const [merged] = await world.rest.models.mergeVersionAliases({
      name: `${world.parent}/models/moved@2`,
      versionAliases: ["champion", "default"],
    });
    expect(merged).toMatchObject({ versionId: "2", versionAliases: ["champion", "default"] });
    expect((await get(`${world.parent}/models/moved@1`)).versionAliases ?? []).toEqual([]);

    await world.grpc.models.mergeVersionAliases({
      name: `${world.parent}/models/moved@2`,
      versionAliases: ["-champion", "golden", "-silver", "silver"],
    });
    expect((await get(`${world.parent}/models/moved`)).versionAliases).toEqual([
      "default",
      "golden",
    ]);
  });

  it.each([
    ["no version id", "ruled", ["golden"], 3],
    ["an alias in the place of a version id", "ruled@default", ["golden"], 3],
    ["removing the default alias", "ruled@1", ["-default"], 3],
    ["an alias in upper case", "ruled@1", ["Golden"], 3],
    ["no alias at all", "ruled@1", [], 3],
    ["a version that does not exist", "ruled@9", ["golden"], 5],
    ["a model that does not exist", "nothing@1", ["golden"], 5],
  ])("refuses to merge aliases with %s", async (_what, model, versionAliases, code) => {
    if (model.startsWith("ruled")) {
      await upload({ modelId: "ruled" }).catch(() => undefined);
    }
    const failure = await failureOf(
      world.grpc.models.mergeVersionAliases({
        name: `${world.parent}/models/${model}`,
        versionAliases,
      }),
    );
    expect(failure).toMatchObject({ code });
  });
});

describe("uploads", () => {
  it("keep a copy of the artifacts that later changes do not reach", async () => {
    await upload({ modelId: "copied" }, { artifactUri: "gs://artifacts/churn/" });
    const bucket = "caip-tenant-123456789012-us-central1";
    const names = await world.storage.list(bucket, "copied/");
    expect(names.map((name) => name.replace(/^copied\/\d+\//, ""))).toEqual([
      "artifacts/model.json",
      "artifacts/nested/features.json",
    ]);
    await world.putObject("artifacts", "churn/model.json", '{"value":"changed"}');
    const [first = ""] = names;
    expect((await world.storage.read(bucket, first)).toString()).toBe('{"value":"first"}');
    expect(await get(`${world.parent}/models/copied`)).toMatchObject({
      artifactUri: "gs://artifacts/churn/",
    });
  });

  it.each([
    ["a missing display name", { model: { ...modelOf(), displayName: "" } }, 3, "display_name"],
    ["no container", { model: { displayName: "x" } }, 3, "containerSpec.imageUri"],
    [
      "artifacts that are not there",
      { model: modelOf({ artifactUri: "gs://artifacts/missing" }) },
      9,
      'There are no files under "gs://artifacts/missing" to copy',
    ],
    ["an artifact URI of a file", { model: modelOf({ artifactUri: "/tmp/x" }) }, 3, "gs://"],
    ["an invalid model id", { modelId: "1bad", model: modelOf() }, 3, "model_id"],
    ["an alias in upper case", { model: modelOf({ versionAliases: ["Bad"] }) }, 3, "alias"],
    ["a label in upper case", { model: modelOf({ labels: { a: "B" } }) }, 3, "label"],
    [
      "an unknown parent model",
      { parentModel: "projects/demo-project/locations/us-central1/models/none", model: modelOf() },
      5,
      "models/none",
    ],
    [
      "another location",
      { parent: "projects/demo-project/locations/mars", model: modelOf() },
      3,
      "mars",
    ],
    [
      "another project",
      { parent: "projects/other/locations/us-central1", model: modelOf() },
      7,
      "other",
    ],
  ])("are refused with %s", async (_what, request, code, text) => {
    const failure = await failureOf(
      world.grpc.models.uploadModel({ parent: world.parent, ...request }),
    );
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(text);
  });

  it("are refused for a model id that is taken", async () => {
    await upload({ modelId: "taken" });
    expect(await failureOf(upload({ modelId: "taken" }))).toMatchObject({ code: 6 });
  });
});

describe("lists", () => {
  it("are filtered by name, id and labels, and paged", async () => {
    await upload({ modelId: "listed-a" }, { displayName: "listed", labels: { tier: "gold" } });
    await upload({ modelId: "listed-b" }, { displayName: "listed" });
    const ids = async (filter: string): Promise<readonly string[]> => {
      const [models] = await world.grpc.models.listModels({
        parent: world.parent,
        filter,
        orderBy: "create_time",
        pageSize: 1,
      });
      return models.map(({ name }) => name?.split("/").pop() ?? "");
    };
    expect(await ids('display_name="listed"')).toEqual(["listed-a", "listed-b"]);
    expect(await ids('displayName="listed" AND labels.tier=gold')).toEqual(["listed-a"]);
    expect(await ids('display_name="listed" AND labels.tier:*')).toEqual(["listed-a"]);
    expect(await ids("model=listed-b")).toEqual(["listed-b"]);
    expect(await failureOf(ids("size>3"))).toMatchObject({ code: 3 });
  });
});

describe("updates and deletions", () => {
  it("change what the mask names, of the model or of one version", async () => {
    await upload({ modelId: "edited" });
    const name = `${world.parent}/models/edited`;
    const before = await get(name);
    await world.grpc.models.updateModel({
      model: { name, displayName: "renamed", description: "not in the mask" },
      updateMask: { paths: ["display_name"] },
    });
    await world.rest.models.updateModel({
      model: { name: `${name}@1`, versionDescription: "january", labels: { month: "01" } },
      updateMask: { paths: ["version_description", "labels"] },
    });
    const after = await get(name);
    expect(after).toMatchObject({
      displayName: "renamed",
      versionDescription: "january",
      labels: { month: "01" },
    });
    expect(after.description ?? "").toBe("");
    expect(after.etag).not.toBe(before.etag);
    const stale = world.grpc.models.updateModel({
      model: { name, displayName: "late", etag: before.etag ?? "" },
      updateMask: { paths: ["display_name"] },
    });
    expect(await failureOf(stale)).toMatchObject({ code: 10 });
    const immutable = world.grpc.models.updateModel({
      model: { name, artifactUri: "gs://elsewhere" },
      updateMask: { paths: ["artifact_uri"] },
    });
    expect(await failureOf(immutable)).toMatchObject({ code: 3 });
  });

  it("delete versions but not the default or the only one, and never give an id again", async () => {
    await upload({ modelId: "pruned" }, { artifactUri: "gs://artifacts/churn" });
    const bucket = "caip-tenant-123456789012-us-central1";
    expect(await world.storage.list(bucket, "pruned/")).toHaveLength(2);
    const name = `${world.parent}/models/pruned`;
    expect(
      await failureOf(world.grpc.models.deleteModelVersion({ name: `${name}@1` })),
    ).toMatchObject({ code: 9 });
    await upload({ parentModel: name });
    expect(
      await failureOf(world.grpc.models.deleteModelVersion({ name: `${name}@1` })),
    ).toMatchObject({ code: 9 });
    const [deletion] = await world.rest.models.deleteModelVersion({ name: `${name}@2` });
    await deletion.promise();
    expect(await upload({ parentModel: name })).toMatchObject({ modelVersionId: "3" });

    const [removal] = await world.grpc.models.deleteModel({ name });
    await removal.promise();
    expect(await failureOf(world.grpc.models.getModel({ name }))).toMatchObject({ code: 5 });
    expect(await world.storage.list(bucket, "pruned/")).toEqual([]);
  });
});

describe("evaluations", () => {
  it("are imported for a version and read back with their metrics", async () => {
    await upload({ modelId: "judged" });
    const parent = `${world.parent}/models/judged@1`;
    const modelEvaluation = {
      displayName: "february",
      metricsSchemaUri:
        "gs://google-cloud-aiplatform/schema/modelevaluation/classification_metrics_1.0.0.yaml",
      metrics: {
        structValue: {
          fields: {
            auRoc: { numberValue: 0.713 },
            confusionMatrix: { listValue: { values: [{ numberValue: 3 }] } },
          },
        },
      },
    };
    const [imported] = await world.grpc.models.importModelEvaluation({ parent, modelEvaluation });
    expect(imported.name).toMatch(
      /^projects\/123456789012\/locations\/us-central1\/models\/judged@1\/evaluations\/\d+$/,
    );
    const [read] = await world.rest.models.getModelEvaluation({ name: imported.name ?? "" });
    expect(read.displayName).toBe("february");
    expect(read.metrics?.structValue?.fields?.["auRoc"]?.numberValue).toBe(0.713);
    const [all] = await world.grpc.models.listModelEvaluations({ parent });
    expect(all.map(({ name }) => name)).toEqual([imported.name]);
    const unscored = world.grpc.models.importModelEvaluation({ parent, modelEvaluation: {} });
    expect(await failureOf(unscored)).toMatchObject({ code: 3 });
  });
});

describe("audit entries", () => {
  it("are written for an upload, first and last, and for a merge, by the caller", async () => {
    const headers = { otherArgs: { headers: { authorization: "Bearer local:mlops@example.com" } } };
    const [operation] = await world.grpc.models.uploadModel(
      { parent: world.parent, modelId: "audited", model: modelOf() },
      headers,
    );
    await operation.promise();
    await world.grpc.models.mergeVersionAliases(
      { name: `${world.parent}/models/audited@1`, versionAliases: ["champion"] },
      headers,
    );
    const ofModel = world.entries.filter((entry) =>
      JSON.stringify(entry).includes("models/audited"),
    );
    const common = {
      severity: "NOTICE",
      logName: "projects/demo-project/logs/cloudaudit.googleapis.com%2Factivity",
    };
    expect(ofModel).toMatchObject([
      {
        ...common,
        protoPayload: {
          methodName: "google.cloud.aiplatform.v1.ModelService.UploadModel",
          authenticationInfo: { principalEmail: "mlops@example.com" },
          resourceName: location,
          status: {},
          request: {
            "@type": "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelRequest",
            modelId: "audited",
          },
        },
        operation: { id: operation.name, producer: "aiplatform.googleapis.com", first: true },
      },
      {
        ...common,
        protoPayload: {
          status: {},
          resourceName: `${location}/models/audited`,
          response: {
            "@type": "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse",
            model: `${location}/models/audited`,
            modelVersionId: "1",
          },
        },
        operation: { id: operation.name, last: true },
      },
      {
        ...common,
        protoPayload: {
          methodName: "google.cloud.aiplatform.v1.ModelService.MergeVersionAliases",
          request: { versionAliases: ["champion"] },
          response: { versionId: "1", versionAliases: ["champion", "default"] },
        },
      },
    ]);
    expect(new Set(ofModel.map(({ insertId }) => insertId)).size).toBe(3);
  });
});

describe("audit entries of refused calls", () => {
  it("carry the status and stand alone", async () => {
    await failureOf(
      world.grpc.models.deleteModel({ name: `${world.parent}/models/never-uploaded` }),
    );
    const [entry, ...others] = world.entries.filter((one) =>
      JSON.stringify(one).includes("models/never-uploaded"),
    );
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      severity: "ERROR",
      protoPayload: {
        methodName: "google.cloud.aiplatform.v1.ModelService.DeleteModel",
        resourceName: `${location}/models/never-uploaded`,
        status: { code: 5 },
      },
    });
    expect(entry).not.toHaveProperty("operation");
  });
});

describe("operations", () => {
  it("are polled over gRPC and at every REST address that clients use", async () => {
    const [operation] = await world.grpc.models.uploadModel({
      parent: world.parent,
      modelId: "polled",
      model: modelOf(),
    });
    await operation.promise();
    const name = operation.name ?? "";
    expect(name).toMatch(/\/models\/polled\/operations\/\d+$/);
    const short = name.replace("/models/polled", "").replace("123456789012", "demo-project");
    for (const path of [`/v1/${name}`, `/ui/${name}`, `/v1beta1/${short}`]) {
      const reply = await fetch(`${world.address}${path}`);
      expect(await reply.json()).toMatchObject({
        name,
        done: true,
        metadata: {
          "@type": "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelOperationMetadata",
        },
        response: { modelVersionId: "1" },
      });
    }
    const listed = await fetch(`${world.address}/v1/${world.parent}/models/polled/operations`);
    expect(await listed.json()).toMatchObject({ operations: [{ name }] });
    const waited = await fetch(`${world.address}/v1/${name}:wait`, { method: "POST", body: "{}" });
    expect(await waited.json()).toMatchObject({ done: true });
    await fetch(`${world.address}/v1/${name}`, { method: "DELETE" });
    expect((await fetch(`${world.address}/v1/${name}`)).status).toBe(404);
  });
});
