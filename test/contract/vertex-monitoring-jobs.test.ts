/** Model monitoring jobs through the official client: checked, kept, changed, paused and resumed. */
import { v1, type protos } from "@google-cloud/aiplatform";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createEndpoint,
  deployModel,
  failureOf,
  startVertexWorld,
  uploadModel,
  type VertexWorld,
} from "./vertex-endpoints-world.js";

type MonitoringJob = protos.google.cloud.aiplatform.v1.IModelDeploymentMonitoringJob;

let world: VertexWorld;
let jobs: v1.JobServiceClient;
let endpoint: string;

beforeAll(async () => {
  world = await startVertexWorld();
  jobs = new v1.JobServiceClient({
    projectId: "demo-project",
    apiEndpoint: "127.0.0.1",
    port: Number(new URL(world.address).port),
    sslCreds: credentials.createInsecure(),
  });
  endpoint = await createEndpoint(world, "watched");
  const model = await uploadModel(world, "watched-model");
  await deployModel(world, endpoint, model, "7", { 0: 100 });
}, 60_000);
afterAll(async () => {
  await jobs.close();
  await world.stop();
});

const drift = (value: number) => ({
  predictionDriftDetectionConfig: { driftThresholds: { income: { value } } },
});

const job = (more: Partial<MonitoringJob> = {}): MonitoringJob => ({
  displayName: "income drift",
  endpoint,
  labels: { team: "risk" },
  modelDeploymentMonitoringObjectiveConfigs: [
    { deployedModelId: "7", objectiveConfig: drift(0.25) },
  ],
  modelDeploymentMonitoringScheduleConfig: { monitorInterval: { seconds: 5_000 } },
  loggingSamplingStrategy: { randomSampleConfig: { sampleRate: 0.5 } },
  modelMonitoringAlertConfig: { emailAlertConfig: { userEmails: ["risk@example.com"] } },
  ...more,
});

const create = async (more: Partial<MonitoringJob> = {}): Promise<MonitoringJob> => {
  const [made] = await jobs.createModelDeploymentMonitoringJob({
    parent: world.parent,
    modelDeploymentMonitoringJob: job(more),
  });
  return made;
};

describe("a model monitoring job", () => {
  it("is kept as it was asked for, with its interval in full hours", async () => {
    const { name } = await create();
    expect(name).toMatch(
      /^projects\/123456789012\/locations\/us-central1\/modelDeploymentMonitoringJobs\/\d+$/,
    );
    const [read] = await jobs.getModelDeploymentMonitoringJob({ name: name ?? "" });
    expect(read).toMatchObject({
      displayName: "income drift",
      endpoint,
      state: "JOB_STATE_RUNNING",
      modelDeploymentMonitoringObjectiveConfigs: [
        { deployedModelId: "7", objectiveConfig: drift(0.25) },
      ],
      modelDeploymentMonitoringScheduleConfig: { monitorInterval: { seconds: "7200" } },
      loggingSamplingStrategy: { randomSampleConfig: { sampleRate: 0.5 } },
      modelMonitoringAlertConfig: { emailAlertConfig: { userEmails: ["risk@example.com"] } },
    });
    expect(read.nextScheduleTime).toBeNull();
    const search = jobs.searchModelDeploymentMonitoringStatsAnomalies({
      modelDeploymentMonitoringJob: name ?? "",
      deployedModelId: "7",
      objectives: [{ type: "RAW_FEATURE_DRIFT" }],
    });
    expect(await failureOf(search)).toMatchObject({ code: 12 });
  });

  it("is paused and resumed, once each, and listed by its state", async () => {
    const { name } = await create({ displayName: "paused" });
    const request = { name: name ?? "" };
    const listed = async (filter: string): Promise<readonly unknown[]> => {
      const [found] = await jobs.listModelDeploymentMonitoringJobs({
        parent: world.parent,
        filter,
        readMask: { paths: ["display_name"] },
      });
      return found.map(({ displayName }) => displayName);
    };
    expect(await failureOf(jobs.resumeModelDeploymentMonitoringJob(request))).toMatchObject({
      code: 9,
    });
    await jobs.pauseModelDeploymentMonitoringJob(request);
    expect(await listed('state="JOB_STATE_PAUSED" AND labels.team=risk')).toEqual(["paused"]);
    expect(await failureOf(jobs.pauseModelDeploymentMonitoringJob(request))).toMatchObject({
      code: 9,
    });
    await jobs.resumeModelDeploymentMonitoringJob(request);
    expect(await listed('state="JOB_STATE_PAUSED"')).toEqual([]);
    expect(await listed('display_name:"pau*"')).toEqual(["paused"]);
  });

  it("is changed by a mask, and deleted", async () => {
    const { name = "" } = await create({ displayName: "edited" });
    const [change] = await jobs.updateModelDeploymentMonitoringJob({
      modelDeploymentMonitoringJob: {
        name,
        displayName: "not in the mask",
        modelDeploymentMonitoringObjectiveConfigs: [
          { deployedModelId: "7", objectiveConfig: drift(0.5) },
        ],
      },
      updateMask: { paths: ["model_deployment_monitoring_objective_configs"] },
    });
    const [changed] = await change.promise();
    expect(changed).toMatchObject({
      displayName: "edited",
      modelDeploymentMonitoringObjectiveConfigs: [{ objectiveConfig: drift(0.5) }],
    });
    const wrong = jobs.updateModelDeploymentMonitoringJob({
      modelDeploymentMonitoringJob: { name, loggingSamplingStrategy: {} },
      updateMask: { paths: ["logging_sampling_strategy"] },
    });
    expect(await failureOf(wrong)).toMatchObject({ code: 3 });
    const moved = jobs.updateModelDeploymentMonitoringJob({
      modelDeploymentMonitoringJob: { name, endpoint: "elsewhere" },
      updateMask: { paths: ["endpoint"] },
    });
    expect(await failureOf(moved)).toMatchObject({ code: 3 });
    const [deletion] = await jobs.deleteModelDeploymentMonitoringJob({ name: name ?? "" });
    await deletion.promise();
    const gone = jobs.getModelDeploymentMonitoringJob({ name: name ?? "" });
    expect(await failureOf(gone)).toMatchObject({ code: 5 });
  });

  it.each([
    ["no display name", { displayName: "" }, 3, "display_name"],
    ["an endpoint that is not there", { endpoint: "/endpoints/none" }, 5, "endpoints/none"],
    ["no objective", { modelDeploymentMonitoringObjectiveConfigs: [] }, 3, "objective_configs"],
    [
      "a model that is not deployed",
      {
        modelDeploymentMonitoringObjectiveConfigs: [
          { deployedModelId: "8", objectiveConfig: drift(1) },
        ],
      },
      3,
      '"8"',
    ],
    ["no interval", { modelDeploymentMonitoringScheduleConfig: {} }, 3, "monitor_interval"],
    ["no sample rate", { loggingSamplingStrategy: {} }, 3, "sample_rate"],
    ["a label in upper case", { labels: { Team: "risk" } }, 3, "Team"],
  ])("is refused with %s", async (_what, more, code, text) => {
    const given = "endpoint" in more ? { endpoint: `${world.parent}${more.endpoint}` } : more;
    const failure = await failureOf(create(given));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(text);
  });
});
