import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MetricPoint } from "../../infra/local/cloud.js";
import { eventually } from "./local-cloud.js";
import {
  createEndpoint,
  deployModel,
  failureOf,
  predictOverHttp,
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

const deployed = async (
  name: string,
  options: Parameters<typeof uploadModel>[2] = {},
  fields: Parameters<typeof createEndpoint>[2] = {},
): Promise<string> => {
  const endpoint = await createEndpoint(world, name, fields);
  await deployModel(world, endpoint, await uploadModel(world, name, options), "1", { "0": 100 });
  return endpoint;
};

const pointsOf = (endpoint: string, metric: string): readonly MetricPoint[] =>
  world.points.filter(
    (point) =>
      point.metricType === `aiplatform.googleapis.com/prediction/online/${metric}` &&
      endpoint.endsWith(`/${point.resourceLabels["endpoint_id"]}`),
  );

const total = (points: readonly MetricPoint[]): number =>
  points.reduce((sum, { value }) => sum + ("int64" in value ? value.int64 : 0), 0);

describe("a container", () => {
  it("is given Vertex AI's environment, with the managed copy of its artifacts", async () => {
    const endpoint = await deployed("environment", {
      env: { FIRST: "1", SECOND: "$(FIRST)-$$(FIRST)-$(UNKNOWN)" },
    });
    const { body } = await predictOverHttp(world, endpoint, [{ env: true }]);
    expect(body.predictions?.[0]).toMatchObject({
      AIP_ACCELERATOR_TYPE: "ACCELERATOR_TYPE_UNSPECIFIED",
      AIP_DEPLOYED_MODEL_ID: "1",
      AIP_ENDPOINT_ID: "environment",
      AIP_FRAMEWORK: "CUSTOM_CONTAINER",
      AIP_HEALTH_ROUTE: "/health",
      AIP_HTTP_PORT: expect.stringMatching(/^\d+$/),
      AIP_MACHINE_TYPE: "n1-standard-2",
      AIP_MODE: "PREDICTION",
      AIP_MODE_VERSION: "1.0.0",
      AIP_MODEL_NAME: "environment",
      AIP_PREDICT_ROUTE: "/predict",
      AIP_PROJECT_NUMBER: "123456789012",
      AIP_STORAGE_URI: expect.stringMatching(
        /^gs:\/\/caip-tenant-123456789012-us-central1\/environment\/\d+\/artifacts$/,
      ),
      AIP_VERSION_NAME: "1",
      STORAGE_EMULATOR_HOST: world.address,
      HOST: "127.0.0.1",
      FIRST: "1",
      SECOND: "1-$(FIRST)-$(UNKNOWN)",
    });
  });

  it("without routes is asked at the standard ones", async () => {
    const endpoint = await deployed("standard-routes", {
      spec: { predictRoute: "", healthRoute: "" },
    });
    const { body } = await predictOverHttp(world, endpoint, [{ env: true }]);
    expect(body.predictions?.[0]).toMatchObject({
      AIP_PREDICT_ROUTE: "/v1/endpoints/standard-routes/deployedModels/1:predict",
    });
  });

  it("that dies answers 503, counts as errors, and is started again", async () => {
    const endpoint = await deployed("mortal");
    const death = await predictOverHttp(world, endpoint, [{ die: true }]);
    expect(death).toMatchObject({ status: 503, body: { error: { status: "UNAVAILABLE" } } });
    expect(await predictOverHttp(world, endpoint, [1])).toMatchObject({ status: 503 });
    await eventually("the predictor is back", async () => {
      const { status } = await predictOverHttp(world, endpoint, [1]);
      return status === 200;
    });
    await eventually("errors are counted", () => total(pointsOf(endpoint, "error_count")) >= 2);
    const classes = pointsOf(endpoint, "response_count").map(
      ({ metricLabels }) => metricLabels["response_code"],
    );
    expect(classes).toContain("5xx");
  }, 20_000);

  it("whose health check fails often enough gets no traffic, without a restart", async () => {
    const endpoint = await deployed("sickly", {
      spec: { healthProbe: { periodSeconds: 1, failureThreshold: 2 } },
    });
    expect(await predictOverHttp(world, endpoint, [{ sicken: true }])).toMatchObject({
      status: 200,
    });
    const answer = await eventually("traffic stops", async () => {
      const reply = await predictOverHttp(world, endpoint, [1]);
      return reply.status === 503 && reply;
    });
    expect(answer.body.error?.message).toContain("unhealthy");
    const [found] = await world.grpc.endpoints.getEndpoint({ name: endpoint });
    expect(found.deployedModels?.[0]?.status?.availableReplicaCount ?? 0).toBe(0);
  }, 20_000);

  it("that takes no connections any more is restarted", async () => {
    const endpoint = await deployed("deaf", {
      spec: { livenessProbe: { periodSeconds: 1, failureThreshold: 2 } },
    });
    const pid = async (): Promise<unknown> => {
      const { status, body } = await predictOverHttp(world, endpoint, [{ env: true }]);
      return status === 200 && body.predictions?.[0];
    };
    const before = await pid();
    await predictOverHttp(world, endpoint, [{ deafen: true }]);
    const after = await eventually("another process answers", pid);
    // Another process listens at another port.
    expect(after).not.toEqual(before);
  }, 20_000);

  it("that writes without end has its log bounded", async () => {
    const endpoint = await deployed("chatty");
    await predictOverHttp(world, endpoint, [{ log: 5_000 }]);
    await eventually("the dropped lines are counted", () =>
      world.entries.some((entry) => JSON.stringify(entry).includes("lines were dropped")),
    );
    const own = world.entries.filter((entry) =>
      JSON.stringify(entry["resource"]).includes('"chatty"'),
    );
    expect(own.length).toBeLessThan(1_000);
    expect(own[0]).toMatchObject({
      logName: "projects/demo-project/logs/aiplatform.googleapis.com%2Fprediction_container",
      jsonPayload: {
        message: "Local cloud: one process stands for 1 replica(s) of n1-standard-2.",
      },
    });
  });
});

describe("predict", () => {
  it.each([
    [400, 3, "INVALID_ARGUMENT"],
    [429, 8, "RESOURCE_EXHAUSTED"],
    [500, 13, "INTERNAL"],
    [503, 14, "UNAVAILABLE"],
  ])("passes a container's %s on as what it means", async (status, code, name) => {
    const endpoint = await deployed(`status-${status}`);
    expect(await predictOverHttp(world, endpoint, [{ status }])).toMatchObject({
      status,
      body: { error: { code: status, status: name, message: `refused with ${status}` } },
    });
    const call = world.grpc.predictions.predict({
      endpoint,
      instances: [{ structValue: { fields: { status: { numberValue: status } } } }],
    });
    const failure = await failureOf(Promise.resolve(call));
    expect(failure).toMatchObject({ code });
  });

  it("refuses what is not a prediction request, or is too large, and answers that are not JSON", async () => {
    const endpoint = await deployed("strict");
    const post = async (body: string): Promise<unknown> => {
      const reply = await fetch(`${world.address}/v1/${endpoint}:predict`, {
        method: "POST",
        body,
      });
      return reply.json();
    };
    expect(await post("{")).toMatchObject({ error: { status: "INVALID_ARGUMENT" } });
    expect(await post('{"instances":[]}')).toMatchObject({ error: { status: "INVALID_ARGUMENT" } });
    expect(await post('{"instance":[1]}')).toMatchObject({
      error: { message: expect.stringContaining('Unknown name "instance"') },
    });
    expect(await predictOverHttp(world, endpoint, ["x".repeat(1_600_000)])).toMatchObject({
      status: 400,
      body: {
        error: { status: "FAILED_PRECONDITION", message: expect.stringContaining("1.500MB") },
      },
    });
    expect(await predictOverHttp(world, endpoint, [{ bytes: 1_600_000 }])).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining("response size") } },
    });
    expect(await predictOverHttp(world, endpoint, [{ garbage: true }])).toMatchObject({
      status: 500,
      body: { error: { status: "INTERNAL" } },
    });
    const empty = `projects/123456789012/locations/us-central1/endpoints/absent`;
    expect(await predictOverHttp(world, empty, [1])).toMatchObject({ status: 404 });
  });

  it("gives up after the endpoint's own timeout", async () => {
    const endpoint = await deployed(
      "impatient",
      {},
      { clientConnectionConfig: { inferenceTimeout: { seconds: 1 } } },
    );
    expect(await predictOverHttp(world, endpoint, [{ sleepMs: 5_000 }])).toMatchObject({
      status: 504,
      body: { error: { status: "DEADLINE_EXCEEDED" } },
    });
  });

  it("passes raw bodies through, over both transports", async () => {
    const endpoint = await deployed("raw");
    const [body] = await world.grpc.predictions.rawPredict({
      endpoint,
      httpBody: { contentType: "text/plain", data: Buffer.from("hello") },
    });
    expect(Buffer.from(body.data ?? "").toString()).toBe("HELLO");
    const reply = await fetch(`${world.address}/v1/${endpoint}:rawPredict`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "hello",
    });
    expect(await reply.text()).toBe("HELLO");
    expect(reply.headers.get("x-vertex-ai-endpoint-id")).toBe("raw");
    expect(reply.headers.get("x-vertex-ai-deployed-model-id")).toBe("1");
  });

  it("flips with the artifact and nothing else", async () => {
    const endpoint = await createEndpoint(world, "flipped");
    const name = await uploadModel(world, "flipped", { value: "good" });
    await world.putObject("artifacts", "flipped-2/model.json", '{"value":"bad"}');
    const [operation] = await world.grpc.models.uploadModel({
      parent: world.parent,
      parentModel: name,
      model: {
        displayName: "flipped",
        artifactUri: "gs://artifacts/flipped-2",
        containerSpec: { imageUri: "example/predictor", predictRoute: "/p", healthRoute: "/h" },
      },
    });
    await operation.promise();
    await deployModel(world, endpoint, `${name}@1`, "1", { "0": 100 });
    await deployModel(world, endpoint, `${name}@2`, "2", { "0": 100 });
    const answers = await predictOverHttp(world, endpoint, [1]);
    expect(answers.body).toMatchObject({
      deployedModelId: "2",
      modelVersionId: "2",
      predictions: [{ model: "bad" }],
    });
  });
});

describe("metrics", () => {
  it("have Google's names and labels, and agree with what was sent", async () => {
    const endpoint = await deployed("measured");
    for (let sent = 0; sent < 10; sent += 1) await predictOverHttp(world, endpoint, [1, 2, 3]);
    await predictOverHttp(world, endpoint, [{ status: 500 }]);
    await eventually(
      "all requests are counted",
      () => total(pointsOf(endpoint, "response_count")) === 11,
    );
    expect(total(pointsOf(endpoint, "prediction_count"))).toBe(31);
    expect(total(pointsOf(endpoint, "error_count"))).toBe(1);
    const [count] = pointsOf(endpoint, "prediction_count");
    expect(count).toMatchObject({
      metricKind: "DELTA",
      metricLabels: {
        deployed_model_id: "1",
        model_display_name: "measured",
        endpoint_display_name: "measured",
        spot: "False",
      },
      resourceType: "aiplatform.googleapis.com/Endpoint",
      resourceLabels: {
        resource_container: "projects/123456789012",
        location: "us-central1",
        endpoint_id: "measured",
      },
    });
    const latencies = pointsOf(endpoint, "prediction_latencies").filter(
      ({ metricLabels }) => metricLabels["latency_type"] === "total",
    );
    const distributions = latencies.flatMap(({ value }) =>
      "distribution" in value ? [value.distribution] : [],
    );
    expect(distributions.reduce((sum, { count: n }) => sum + n, 0)).toBe(11);
    for (const { count: n, bounds, bucketCounts, mean } of distributions) {
      expect(bucketCounts).toHaveLength(bounds.length + 1);
      expect(bucketCounts.reduce((sum, bucket) => sum + bucket, 0)).toBe(n);
      expect(mean).toBeGreaterThan(0);
    }
    expect(pointsOf(endpoint, "replicas").at(-1)).toMatchObject({ value: { int64: 1 } });
  });

  it.runIf(process.platform === "linux")("include what the container's process uses", async () => {
    const endpoint = await deployed("weighed");
    const memory = await eventually("memory is measured", () =>
      pointsOf(endpoint, "memory/bytes_used").at(-1),
    );
    expect(memory).toMatchObject({ metricKind: "GAUGE", metricLabels: { replica_id: "1-0" } });
    expect(total([memory])).toBeGreaterThan(5_000_000);
    const cpu = await eventually("processor use is measured", () =>
      pointsOf(endpoint, "cpu/utilization").at(-1),
    );
    expect(cpu.value).toMatchObject({ double: expect.any(Number) });
  });

  it("periods are contiguous and those without requests have no latency", async () => {
    const endpoint = await deployed("quiet");
    const third = await eventually("three periods pass", () => pointsOf(endpoint, "replicas")[2]);
    expect(pointsOf(endpoint, "prediction_latencies")).toEqual([]);
    expect(pointsOf(endpoint, "prediction_count")).toEqual([]);
    await predictOverHttp(world, endpoint, [1]);
    const point = await eventually("a request is counted", () =>
      pointsOf(endpoint, "prediction_count").at(0),
    );
    expect(point.startMs).toBeGreaterThanOrEqual(third.endMs);
  });
});

describe("the prediction log", () => {
  it("writes sampled requests as JSON lines into the bucket, in new objects", async () => {
    await world.putObject("predictions", "readme.txt", "log");
    const endpoint = await deployed(
      "logged",
      {},
      {
        predictRequestResponseLoggingConfig: {
          enabled: true,
          samplingRate: 1,
          bigqueryDestination: { outputUri: "gs://predictions" },
        },
      },
    );
    for (let sent = 0; sent < 5; sent += 1) await predictOverHttp(world, endpoint, [{ row: sent }]);
    await predictOverHttp(world, endpoint, [{ status: 500 }]);
    const rows = await eventually("six lines are logged", async () => {
      const names = await world.storage.list("predictions", "logged/");
      const bodies = await Promise.all(
        names.map(async (name) => (await world.storage.read("predictions", name)).toString()),
      );
      const lines = bodies.flatMap((body) => body.trim().split("\n"));
      return lines.length === 6 && lines.map((line): unknown => JSON.parse(line));
    });
    expect(rows[0]).toMatchObject({
      endpoint,
      deployedModelId: "1",
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      request: { instances: [{ row: 0 }] },
      response: { predictions: [{ instance: { row: 0 } }] },
      statusCode: 200,
      latencyMs: expect.any(Number),
    });
    expect(rows[5]).toMatchObject({ statusCode: 500 });
  });
});
