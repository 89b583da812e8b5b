import { v2 as logging } from "@google-cloud/logging";
import { MetricServiceClient } from "@google-cloud/monitoring";
import { v1 } from "@google-cloud/aiplatform";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { eventually, withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { containerSpec, oneReplica, writeImages } from "./vertex-endpoints-world.js";

const operationEntries = z.array(
  z.object({ operation: z.object({ first: z.boolean(), last: z.boolean() }).partial() }),
);

let cloud: LocalCloud;
const endpoint = "projects/123456789012/locations/us-central1/endpoints/whole";

beforeAll(async () => {
  cloud = await withLocalCloud(undefined, { imagesFile: writeImages(), metricPeriodMs: 200 });
}, 30_000);

afterAll(async () => {
  await cloud.stop();
});

it("a served prediction is seen in Monitoring and its deployment in Logging", async () => {
  const parent = `projects/${cloud.projectId}/locations/us-central1`;
  const models = new v1.ModelServiceClient(cloud.grpcOptions);
  const endpoints = new v1.EndpointServiceClient(cloud.grpcOptions);
  const [upload] = await models.uploadModel({
    parent,
    modelId: "whole",
    model: { displayName: "whole", containerSpec: containerSpec() },
  });
  await upload.promise();
  const [creation] = await endpoints.createEndpoint({
    parent,
    endpointId: "whole",
    endpoint: { displayName: "whole" },
  });
  await creation.promise();
  const [deployment] = await endpoints.deployModel({
    endpoint,
    deployedModel: { id: "1", model: `${parent}/models/whole`, dedicatedResources: oneReplica },
    trafficSplit: { "0": 100 },
  });
  await deployment.promise();
  const startMs = Date.now() - 60_000;
  for (let sent = 0; sent < 5; sent += 1) {
    const reply = await fetch(`${cloud.address}/v1/${endpoint}:predict`, {
      method: "POST",
      body: '{"instances":[1]}',
    });
    expect(reply.status).toBe(200);
  }

  const metrics = new MetricServiceClient(cloud.grpcOptions);
  const count = await eventually("five predictions are in Monitoring", async () => {
    const [series] = await metrics.listTimeSeries({
      name: `projects/${cloud.projectId}`,
      filter:
        'metric.type="aiplatform.googleapis.com/prediction/online/prediction_count" AND resource.labels.endpoint_id="whole" AND metric.labels.deployed_model_id="1"',
      interval: {
        startTime: { seconds: Math.floor(startMs / 1000) },
        endTime: { seconds: Math.ceil(Date.now() / 1000) + 60 },
      },
    });
    const points = series.flatMap((one) => one.points ?? []);
    const total = points.reduce((sum, { value }) => sum + Number(value?.int64Value ?? 0), 0);
    return total === 5 && total;
  });
  expect(count).toBe(5);

  const log = new logging.LoggingServiceV2Client(cloud.grpcOptions);
  const found = await eventually(
    "both audit entries of the deployment are in Logging",
    async () => {
      const [entries] = await log.listLogEntries({
        resourceNames: [`projects/${cloud.projectId}`],
        filter:
          'protoPayload.methodName="google.cloud.aiplatform.v1.EndpointService.DeployModel" AND protoPayload.resourceName:"endpoints/whole"',
      });
      return entries.length === 2 && entries;
    },
  );
  const ends = operationEntries
    .parse(found)
    .map(({ operation }) => (operation.first === true ? "first" : "last"));
  expect(ends.toSorted()).toEqual(["first", "last"]);
  await Promise.all([models.close(), endpoints.close(), metrics.close(), log.close()]);
}, 30_000);
