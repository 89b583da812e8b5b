import { describe, expect, it } from "vitest";
import { eventually } from "./local-cloud.js";
import {
  createEndpoint,
  deployModel,
  failureOf,
  predictOverHttp,
  startDeploy,
  startVertexWorld,
  uploadModel,
} from "./vertex-endpoints-world.js";

describe("one operation at a time", () => {
  it("changes an endpoint; others are refused with its name and its cancellation leaves nothing", async () => {
    const world = await startVertexWorld({ deployDelayMs: 60_000 });
    const endpoint = await createEndpoint(world, "busy");
    const model = await uploadModel(world, "busy");
    const operation = await startDeploy(world, endpoint, model, "1", { "0": 100 });
    const others = [
      world.grpc.endpoints.updateEndpoint({
        endpoint: { name: endpoint, displayName: "other" },
        updateMask: { paths: ["display_name"] },
      }),
      startDeploy(world, endpoint, model, "2"),
      world.rest.endpoints.deleteEndpoint({ name: endpoint }),
    ];
    for (const other of others) {
      const failure = await failureOf(other);
      expect(failure.message).toContain(operation.name);
      expect(failure.message).toContain("There are other operations running on the Endpoint");
    }
    expect(await predictOverHttp(world, endpoint, [1])).toMatchObject({ status: 400 });
    await operation.cancel();
    expect(await failureOf(operation.promise())).toMatchObject({ code: 1 });
    const [after] = await world.grpc.endpoints.getEndpoint({ name: endpoint });
    expect(after.deployedModels ?? []).toEqual([]);
    await world.stop();
  }, 30_000);
});

describe("a deployment of twenty minutes", () => {
  it("lasts that long by the cloud's clock, and its endpoint is busy until then", async () => {
    const minuteMs = 60_000;
    let nowMs = Date.now();
    const world = await startVertexWorld({ deployDelayMs: 20 * minuteMs, now: () => nowMs });
    const endpoint = await createEndpoint(world, "slow");
    const model = await uploadModel(world, "slow");
    const operation = await startDeploy(world, endpoint, model, "1", { "0": 100 });
    const shown = async (): Promise<string> => {
      const reply = await fetch(`${world.address}/v1/${operation.name}`);
      return JSON.stringify(await reply.json());
    };
    await eventually("the model server runs", async () =>
      (await shown()).includes('"deploymentStage":"FINISHING_UP"'),
    );
    nowMs += 19 * minuteMs;
    const update = world.grpc.endpoints.updateEndpoint({
      endpoint: { name: endpoint, displayName: "other" },
      updateMask: { paths: ["display_name"] },
    });
    expect((await failureOf(update)).message).toContain(operation.name);
    nowMs += minuteMs;
    await eventually("the deployment has ended", async () =>
      (await shown()).includes('"deploymentStage":"SUCCESSFULLY_DEPLOYED"'),
    );
    const [after] = await world.grpc.endpoints.getEndpoint({ name: endpoint });
    expect(after.deployedModels?.map(({ id }) => id)).toEqual(["1"]);
    await world.stop();
  }, 60_000);
});

describe("after a restart", () => {
  it("models are served again, and a deployment that was under way goes on", async () => {
    const first = await startVertexWorld({ deployDelayMs: 0 });
    const endpoint = await createEndpoint(first, "lasting");
    const model = await uploadModel(first, "lasting", { value: "kept" });
    await deployModel(first, endpoint, model, "1", { "0": 100 });
    await first.stop({ keep: true });

    const second = await startVertexWorld({ folder: first.folder, deployDelayMs: 60_000 });
    await eventually("the predictor is back", async () => {
      const { status } = await predictOverHttp(second, endpoint, [1]);
      return status === 200;
    });
    const operation = await startDeploy(second, endpoint, model, "2", { "0": 30, "1": 70 });
    await second.stop({ keep: true });

    const third = await startVertexWorld({ folder: first.folder, deployDelayMs: 0 });
    await eventually("the deployment has ended", async () => {
      const reply = await fetch(`${third.address}/v1/${operation.name}`);
      return JSON.stringify(await reply.json()).includes('"done":true');
    });
    const [after] = await third.grpc.endpoints.getEndpoint({ name: endpoint });
    expect(after.trafficSplit).toEqual({ "1": 70, "2": 30 });
    expect(after.deployedModels?.map(({ id }) => id)).toEqual(["1", "2"]);
    await third.stop();
  }, 60_000);
});
