import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  containerSpec,
  startVertexWorld,
  type VertexClients,
  type VertexWorld,
} from "./vertex-endpoints-world.js";

let world: VertexWorld;

beforeAll(async () => {
  world = await startVertexWorld();
}, 30_000);

afterAll(async () => {
  await world.stop();
});

const resources = { machineSpec: { machineType: "n1-standard-2" }, minReplicaCount: 1 };

const upload = async (clients: VertexClients, modelId: string, value: string): Promise<string> => {
  await world.putObject("artifacts", `${modelId}/model.json`, JSON.stringify({ value }));
  const [operation] = await clients.models.uploadModel({
    parent: world.parent,
    modelId,
    model: {
      displayName: modelId,
      artifactUri: `gs://artifacts/${modelId}`,
      containerSpec: containerSpec(),
    },
  });
  const [reply] = await operation.promise();
  return reply.model ?? "";
};

describe.each(["grpc", "rest"] as const)("a model served over %s", (transport) => {
  it("is uploaded, deployed and answers predictions from its artifact", async () => {
    const clients = world[transport];
    const model = await upload(clients, `served-${transport}`, `answer-${transport}`);
    const [creation] = await clients.endpoints.createEndpoint({
      parent: world.parent,
      endpoint: { displayName: "flights" },
      endpointId: `flights-${transport}`,
    });
    const [created] = await creation.promise();
    const endpoint = `projects/123456789012/locations/us-central1/endpoints/flights-${transport}`;
    expect(created.name).toBe(endpoint);
    const [deployment] = await clients.endpoints.deployModel({
      endpoint,
      deployedModel: { id: "7", model, dedicatedResources: resources },
      trafficSplit: { "0": 100 },
    });
    const [deployed] = await deployment.promise();
    expect(deployed.deployedModel).toMatchObject({ id: "7", modelVersionId: "1" });

    const [reply] = await clients.predictions.predict({
      endpoint,
      instances: [{ structValue: { fields: { distance: { numberValue: 300 } } } }],
    });
    expect(reply).toMatchObject({
      deployedModelId: "7",
      model,
      modelVersionId: "1",
      modelDisplayName: `served-${transport}`,
    });
    expect(reply.predictions?.[0]?.structValue?.fields).toMatchObject({
      model: { stringValue: `answer-${transport}` },
    });
  }, 30_000);
});
