import { protos } from "@google-cloud/aiplatform";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createEndpoint,
  deployModel,
  failureOf,
  oneReplica,
  predictOverHttp,
  startDeploy,
  startVertexWorld,
  uploadModel,
  type VertexWorld,
} from "./vertex-endpoints-world.js";

let world: VertexWorld;

beforeAll(async () => {
  world = await startVertexWorld();
}, 30_000);

afterAll(async () => {
  await world.stop();
});

const get = async (name: string) => {
  const [endpoint] = await world.grpc.endpoints.getEndpoint({ name });
  return endpoint;
};

const deployedIds = async (name: string): Promise<readonly string[]> =>
  ((await get(name)).deployedModels ?? []).map(({ id }) => id ?? "");

describe.each(["grpc", "rest"] as const)("a model served over %s", (transport) => {
  it("is deployed and answers predictions from its artifact", async () => {
    const clients = world[transport];
    const model = await uploadModel(world, `served-${transport}`, { value: "from the artifact" });
    const endpoint = `projects/123456789012/locations/us-central1/endpoints/flights-${transport}`;
    const [creation] = await clients.endpoints.createEndpoint({
      parent: world.parent,
      endpoint: { displayName: "flights" },
      endpointId: `flights-${transport}`,
    });
    const [created] = await creation.promise();
    expect(created.name).toBe(endpoint);
    const [deployment] = await clients.endpoints.deployModel({
      endpoint,
      deployedModel: { id: "7", model, dedicatedResources: oneReplica },
      trafficSplit: { "0": 100 },
    });
    const [deployed] = await deployment.promise();
    expect(deployed.deployedModel).toMatchObject({
      id: "7",
      model,
      modelVersionId: "1",
      displayName: `served-${transport}`,
      dedicatedResources: { minReplicaCount: 1, maxReplicaCount: 1 },
      status: { availableReplicaCount: 1 },
    });
    const { SUCCESSFULLY_DEPLOYED } = protos.google.cloud.aiplatform.v1.DeploymentStage;
    expect(deployment.metadata).toMatchObject({ deploymentStage: SUCCESSFULLY_DEPLOYED });

    const [reply] = await clients.predictions.predict({
      endpoint,
      instances: [{ structValue: { fields: { distance: { numberValue: 300 } } } }],
      parameters: { structValue: { fields: { explain: { boolValue: true } } } },
    });
    expect(reply).toMatchObject({
      deployedModelId: "7",
      model,
      modelVersionId: "1",
      modelDisplayName: `served-${transport}`,
    });
    expect(reply.predictions?.[0]?.structValue?.fields).toMatchObject({
      model: { stringValue: "from the artifact" },
      instance: { structValue: { fields: { distance: { numberValue: 300 } } } },
      parameters: { structValue: { fields: { explain: { boolValue: true } } } },
    });
    const [found] = await world.grpc.models.getModel({ name: model });
    expect(found.deployedModels).toMatchObject([{ endpoint, deployedModelId: "7" }]);
  }, 30_000);
});

describe("the traffic split", () => {
  it("names the model being deployed by 0, overwrites, and is left alone when it is not given", async () => {
    const endpoint = await createEndpoint(world, "split-semantics");
    const first = await uploadModel(world, "split-first");
    const second = await uploadModel(world, "split-second");
    await deployModel(world, endpoint, first, "1", { "0": 100 });
    await deployModel(world, endpoint, second, "2");
    expect((await get(endpoint)).trafficSplit).toEqual({ "1": 100 });
    await deployModel(world, endpoint, second, "3", { "0": 10, "1": 90 });
    expect((await get(endpoint)).trafficSplit).toEqual({ "1": 90, "3": 10 });
    expect((await get(endpoint)).deployedModels).toHaveLength(3);

    const busy = world.grpc.endpoints.undeployModel({ endpoint, deployedModelId: "3" });
    expect(await failureOf(busy)).toMatchObject({ code: 9 });
    const [undeployment] = await world.rest.endpoints.undeployModel({
      endpoint,
      deployedModelId: "3",
      trafficSplit: { "1": 50, "2": 50 },
    });
    await undeployment.promise();
    expect((await get(endpoint)).trafficSplit).toEqual({ "1": 50, "2": 50 });
    expect(await deployedIds(endpoint)).toEqual(["1", "2"]);
    await expect(world.grpc.models.deleteModel({ name: first })).rejects.toThrow(
      /is deployed at the following Endpoint/,
    );
  }, 30_000);

  it("sends each request by chance in its proportions", async () => {
    const endpoint = await createEndpoint(world, "proportions");
    const model = await uploadModel(world, "proportional");
    await deployModel(world, endpoint, model, "1", { "0": 100 });
    await deployModel(world, endpoint, model, "2", { "1": 80, "0": 20 });
    const requests = 1_500;
    const served: string[] = [];
    for (let sent = 0; sent < requests; sent += 50) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => predictOverHttp(world, endpoint, [1])),
      );
      served.push(...answers.map(({ body }) => body.deployedModelId ?? ""));
    }
    const share = served.filter((id) => id === "2").length / requests;
    // Six standard errors of a share of 0.2 in 1,500: a correct split misses it once in half a billion runs.
    expect(Math.abs(share - 0.2)).toBeLessThan(6 * Math.sqrt((0.2 * 0.8) / requests));
  }, 60_000);

  it("is changed by an update with the current etag and refused with a stale one", async () => {
    const endpoint = await createEndpoint(world, "etags");
    const model = await uploadModel(world, "etag-model");
    await deployModel(world, endpoint, model, "1", { "0": 100 });
    await deployModel(world, endpoint, model, "2");
    const { etag = "" } = await get(endpoint);
    const update = async (given: string | null, trafficSplit: Record<string, number>) => {
      const [updated] = await world.grpc.endpoints.updateEndpoint({
        endpoint: { name: endpoint, etag: given, trafficSplit },
        updateMask: { paths: ["traffic_split"] },
      });
      return updated;
    };
    const updated = await update(etag, { "1": 99, "2": 1 });
    expect(updated.trafficSplit).toEqual({ "1": 99, "2": 1 });
    expect(updated.etag).not.toBe(etag);
    expect(await failureOf(update(etag, { "1": 50, "2": 50 }))).toMatchObject({ code: 10 });
    expect(await failureOf(update(null, { "1": 50, "2": 49 }))).toMatchObject({ code: 3 });
    expect(await failureOf(update(null, { "1": 50, "9": 50 }))).toMatchObject({ code: 3 });
    expect(await failureOf(update(null, { "1": 150, "2": -50 }))).toMatchObject({ code: 3 });
    expect((await get(endpoint)).trafficSplit).toEqual({ "1": 99, "2": 1 });
    await update("", {});
    expect(await predictOverHttp(world, endpoint, [1])).toMatchObject({
      status: 400,
      body: { error: { status: "FAILED_PRECONDITION" } },
    });
  }, 30_000);
});

describe("a deployment", () => {
  it.each([
    ["no resources", { id: "5" }, {}, 3, "dedicated_resources"],
    [
      "no replica",
      { dedicatedResources: { machineSpec: {}, minReplicaCount: 0 } },
      {},
      3,
      "min_replica_count",
    ],
    [
      "fewer replicas at most than at least",
      { dedicatedResources: { machineSpec: {}, minReplicaCount: 3, maxReplicaCount: 2 } },
      {},
      3,
      "max_replica_count",
    ],
    ["automatic resources", { automaticResources: { minReplicaCount: 1 } }, {}, 3, "automatic"],
    ["an id of letters", { id: "abc", dedicatedResources: oneReplica }, {}, 3, "deployed_model.id"],
    [
      "an id of eleven digits",
      { id: "12345678901", dedicatedResources: oneReplica },
      {},
      3,
      "10 digits",
    ],
    ["a split below 100", { dedicatedResources: oneReplica }, { "0": 99 }, 3, "sum to 99"],
    [
      "a split that names a stranger",
      { dedicatedResources: oneReplica },
      { "0": 50, "8": 50 },
      3,
      '"8"',
    ],
    ["an unknown model", { model: "x", dedicatedResources: oneReplica }, {}, 3, "resource name"],
  ])("is refused with %s", async (_what, deployedModel, trafficSplit, code, text) => {
    const endpoint = await createEndpoint(world, "refusing").catch(
      () => "projects/123456789012/locations/us-central1/endpoints/refusing",
    );
    const model = await uploadModel(world, "refused").catch(() => `${world.parent}/models/refused`);
    const failure = await failureOf(
      world.grpc.endpoints.deployModel({
        endpoint,
        deployedModel: { model, ...deployedModel },
        trafficSplit,
      }),
    );
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(text);
  });

  it("fails with the container's last words and leaves the endpoint as it was", async () => {
    const endpoint = await createEndpoint(world, "failing");
    const good = await uploadModel(world, "good");
    await deployModel(world, endpoint, good, "1", { "0": 100 });
    const before = await get(endpoint);
    const exits = await uploadModel(world, "exits", { env: { BEHAVIOUR: "exits" } });
    const silent = await uploadModel(world, "silent", {
      env: { BEHAVIOUR: "never-healthy" },
      spec: { deploymentTimeout: { nanos: 700_000_000 } },
    });
    const unknown = await uploadModel(world, "unknown", { spec: { imageUri: "example/unknown" } });
    for (const [model, text] of [
      [exits, "exited unexpectedly: it exited with code 3"],
      [exits, "the model file is corrupt"],
      [silent, "did not answer 200 within 700 ms"],
      [unknown, 'Image "example/unknown" is not in'],
    ] as const) {
      const operation = await startDeploy(world, endpoint, model, "2", { "0": 50, "1": 50 });
      const failure = await failureOf(operation.promise());
      expect(failure.code).toBe(9);
      expect(failure.message).toContain(text);
    }
    expect(await get(endpoint)).toEqual(before);
    expect(await predictOverHttp(world, endpoint, [1])).toMatchObject({ status: 200 });
    const failed = world.entries.filter(
      (entry) => JSON.stringify(entry).includes('"last":true') && entry["severity"] === "ERROR",
    );
    expect(failed.length).toBeGreaterThanOrEqual(4);
    expect(failed[0]).toMatchObject({
      protoPayload: { status: { code: 9 }, resourceName: endpoint },
    });
  }, 30_000);

  it("of a taken id is refused", async () => {
    const endpoint = await createEndpoint(world, "taken-id");
    const model = await uploadModel(world, "taken-id");
    await deployModel(world, endpoint, model, "1", { "0": 100 });
    expect(await failureOf(startDeploy(world, endpoint, model, "1"))).toMatchObject({ code: 6 });
  });

  it("is resized without touching the traffic, and ends with the endpoint's deletion", async () => {
    const endpoint = await createEndpoint(world, "resized");
    const model = await uploadModel(world, "resized");
    await deployModel(world, endpoint, model, "1", { "0": 100 });
    const [mutation] = await world.grpc.endpoints.mutateDeployedModel({
      endpoint,
      deployedModel: { id: "1", dedicatedResources: { minReplicaCount: 3, maxReplicaCount: 5 } },
      updateMask: {
        paths: ["dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count"],
      },
    });
    await mutation.promise();
    expect(await get(endpoint)).toMatchObject({
      trafficSplit: { "1": 100 },
      deployedModels: [
        {
          dedicatedResources: { minReplicaCount: 3, maxReplicaCount: 5 },
          status: { availableReplicaCount: 3 },
        },
      ],
    });
    const early = world.grpc.endpoints.deleteEndpoint({ name: endpoint });
    expect(await failureOf(early)).toMatchObject({ code: 9 });
    const [undeployment] = await world.grpc.endpoints.undeployModel({
      endpoint,
      deployedModelId: "1",
    });
    await undeployment.promise();
    expect((await get(endpoint)).trafficSplit).toEqual({});
    const [deletion] = await world.rest.endpoints.deleteEndpoint({ name: endpoint });
    await deletion.promise();
    expect(await failureOf(get(endpoint))).toMatchObject({ code: 5 });
  }, 30_000);
});

describe("endpoints", () => {
  it("are listed by name, id and labels, and updated field by field", async () => {
    await createEndpoint(world, "labelled", { labels: { env: "qa" } });
    const ids = async (filter: string): Promise<readonly string[]> => {
      const [found] = await world.rest.endpoints.listEndpoints({ parent: world.parent, filter });
      return found.map(({ name }) => name?.split("/").pop() ?? "");
    };
    expect(await ids("labels.env=qa")).toEqual(["labelled"]);
    expect(await ids('display_name="labelled"')).toEqual(["labelled"]);
    expect(await ids("endpoint=labelled")).toEqual(["labelled"]);
    expect(await ids("labels.env=prod")).toEqual([]);
    const [updated] = await world.rest.endpoints.updateEndpoint({
      endpoint: {
        name: `${world.parent}/endpoints/labelled`,
        displayName: "renamed",
        description: "ignored",
      },
      updateMask: { paths: ["display_name"] },
    });
    expect(updated).toMatchObject({ displayName: "renamed", labels: { env: "qa" } });
    expect(updated.description ?? "").toBe("");
  });

  it.each([
    ["an id that begins with a hyphen", { endpointId: "-x" }, { displayName: "x" }, 3],
    ["an id that exists", { endpointId: "existing" }, { displayName: "x" }, 6],
    ["no display name", { endpointId: "y" }, {}, 3],
    ["a private network", { endpointId: "z" }, { displayName: "x", network: "n" }, 12],
    [
      "a log in BigQuery",
      { endpointId: "bq" },
      {
        displayName: "x",
        predictRequestResponseLoggingConfig: {
          enabled: true,
          samplingRate: 1,
          bigqueryDestination: { outputUri: "bq://demo-project" },
        },
      },
      12,
    ],
  ])("are refused with %s", async (_what, id, endpoint, code) => {
    if (id.endpointId === "existing") await createEndpoint(world, "existing");
    const creation = world.grpc.endpoints.createEndpoint({ parent: world.parent, ...id, endpoint });
    expect(await failureOf(creation)).toMatchObject({ code });
  });
});
