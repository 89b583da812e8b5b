/** Tuning jobs: trials with parameters of their own, judged by the metric that they write. */
import { protos } from "@google-cloud/aiplatform";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./local-cloud.js";
import { startPipelinesWorld, type PipelinesWorld } from "./vertex-pipelines-world.js";

type TuningJob = protos.google.cloud.aiplatform.v1.IHyperparameterTuningJob;
const { ScaleType } = protos.google.cloud.aiplatform.v1.StudySpec.ParameterSpec;

let world: PipelinesWorld;
beforeAll(async () => {
  world = await startPipelinesWorld();
});
afterAll(async () => {
  await world.stop();
});

/** Writes the sum of its numeric flags as the metric. */
const script = `
  const flags = Object.fromEntries(process.argv.slice(1).map((flag) => flag.slice(2).split("=")));
  if (flags.kind === "broken") process.exit(3);
  const line = { timestamp: 1, trial: process.env.CLOUD_ML_TRIAL_ID, loss: String(Number(flags.rate) + Number(flags.depth)), global_step: "7" };
  if (flags.kind !== "silent") require("node:fs").appendFileSync(process.env.CLOUD_ML_HP_METRIC_FILE, JSON.stringify(line) + "\\n");
  console.log(process.env.AIP_MODEL_DIR);`;

const tuningJob = (kinds: readonly string[], more: Partial<TuningJob> = {}): TuningJob => ({
  displayName: "tuning",
  labels: { run: kinds.join("-") },
  maxTrialCount: 4,
  parallelTrialCount: 2,
  studySpec: {
    metrics: [{ metricId: "loss", goal: "MINIMIZE" }],
    parameters: [
      {
        parameterId: "rate",
        doubleValueSpec: { minValue: 0.001, maxValue: 0.1 },
        scaleType: ScaleType.UNIT_LOG_SCALE,
      },
      { parameterId: "depth", integerValueSpec: { minValue: 2, maxValue: 5 } },
      { parameterId: "kind", categoricalValueSpec: { values: [...kinds] } },
    ],
  },
  trialJobSpec: {
    baseOutputDirectory: { outputUriPrefix: "gs://artifacts/tuning" },
    workerPoolSpecs: [
      {
        replicaCount: 1,
        machineSpec: { machineType: "n1-standard-4" },
        containerSpec: {
          imageUri: "shell",
          command: [process.execPath, "-e", script, "--"],
        },
      },
    ],
  },
  ...more,
});

const create = async (hyperparameterTuningJob: TuningJob): Promise<string> => {
  const [job] = await world.jobs.createHyperparameterTuningJob({
    parent: world.parent,
    hyperparameterTuningJob,
  });
  expect(String(job.state)).toBe("JOB_STATE_PENDING");
  return job.name ?? "";
};

const endOf = async (name: string): Promise<TuningJob> =>
  eventually("the tuning job's end", async () => {
    const [job] = await world.jobs.getHyperparameterTuningJob({ name });
    return /SUCCEEDED|FAILED|CANCELLED$/.test(String(job.state)) && job;
  });

const parametersOf = (trial: protos.google.cloud.aiplatform.v1.ITrial | undefined) =>
  Object.fromEntries(
    (trial?.parameters ?? []).map(({ parameterId, value }) => [
      parameterId,
      value?.numberValue ?? value?.stringValue,
    ]),
  );

describe("a tuning job", () => {
  it("runs its trials with parameters inside their ranges and reads the metric that each wrote", async () => {
    const name = await create(tuningJob(["plain"]));
    const job = await endOf(name);
    expect(job.error?.message).toBeUndefined();
    expect(String(job.state)).toBe("JOB_STATE_SUCCEEDED");
    expect(job.trials?.map(({ id, state }) => `${id} ${String(state)}`)).toEqual(
      ["1", "2", "3", "4"].map((id) => `${id} SUCCEEDED`),
    );
    for (const trial of job.trials ?? []) {
      const { rate, depth, kind } = parametersOf(trial);
      expect(rate).toBeGreaterThanOrEqual(0.001);
      expect(rate).toBeLessThanOrEqual(0.1);
      expect([2, 3, 4, 5]).toContain(depth);
      expect(kind).toBe("plain");
      const { metrics, stepCount } = trial.finalMeasurement ?? {};
      expect(String(stepCount)).toBe("7");
      expect(metrics?.[0]?.metricId).toBe("loss");
      expect(metrics?.[0]?.value).toBeCloseTo(Number(rate) + Number(depth), 12);
    }
    expect(new Set(job.trials?.map((trial) => parametersOf(trial)["rate"])).size).toBe(4);
    const [found] = await world.jobs.listHyperparameterTuningJobs({
      parent: world.parent,
      filter: 'labels.run="plain"',
    });
    expect(found.map((one) => one.name)).toEqual([name]);
  });

  it("goes through a grid once", async () => {
    const given = tuningJob(["plain", "other"]);
    const parameters = (given.studySpec?.parameters ?? []).map((parameter) =>
      parameter.parameterId === "rate"
        ? { parameterId: "rate", discreteValueSpec: { values: [0.5] } }
        : parameter,
    );
    const studySpec = { ...given.studySpec, parameters, algorithm: "GRID_SEARCH" as const };
    const job = await endOf(await create({ ...given, studySpec, maxTrialCount: 50 }));
    const seen = (job.trials ?? []).map((trial) => JSON.stringify(parametersOf(trial)));
    expect(seen).toHaveLength(8);
    expect(new Set(seen).size).toBe(8);
  });

  it("fails once too many trials failed, and says how the last one did", async () => {
    const given = tuningJob(["broken"], { maxFailedTrialCount: 2, parallelTrialCount: 1 });
    const job = await endOf(await create(given));
    expect(String(job.state)).toBe("JOB_STATE_FAILED");
    expect(job.error?.message).toMatch(/^2 trials failed.*exited with code 3/s);
    expect(job.trials?.map(({ state }) => String(state))).toEqual(["INFEASIBLE", "INFEASIBLE"]);
    const silent = await endOf(await create(tuningJob(["silent"], { maxTrialCount: 1 })));
    expect(String(silent.state)).toBe("JOB_STATE_SUCCEEDED");
    expect(silent.trials?.[0]?.infeasibleReason).toBe("The trial did not report the metric loss.");
  });

  it("that is cancelled has no trial that still runs", async () => {
    const given = tuningJob(["plain"]);
    const [pool] = given.trialJobSpec?.workerPoolSpecs ?? [];
    const containerSpec = { imageUri: "shell", command: ["sh", "-c", "exec sleep 600", "--"] };
    const trialJobSpec = { workerPoolSpecs: [{ ...pool, containerSpec }] };
    const name = await create({ ...given, trialJobSpec });
    await eventually("two trials", async () => {
      const [job] = await world.jobs.getHyperparameterTuningJob({ name });
      return job.trials?.length === 2;
    });
    await world.jobs.cancelHyperparameterTuningJob({ name });
    const job = await endOf(name);
    expect(String(job.state)).toBe("JOB_STATE_CANCELLED");
    expect(job.trials?.map(({ infeasibleReason }) => infeasibleReason)).toEqual([
      "The job was cancelled.",
      "The job was cancelled.",
    ]);
    const [operation] = await world.jobs.deleteHyperparameterTuningJob({ name });
    await operation.promise();
    await expect(world.jobs.getHyperparameterTuningJob({ name })).rejects.toThrow("NOT_FOUND");
  });

  it("that cannot be is refused", async () => {
    const wrong: readonly (readonly [Partial<TuningJob>, RegExp])[] = [
      [{ maxTrialCount: 0 }, /maxTrialCount is 0/],
      [{ parallelTrialCount: 0 }, /parallelTrialCount is 0/],
      [{ studySpec: { metrics: [], parameters: [] } }, /metrics is empty/],
      [
        { studySpec: { metrics: [{ metricId: "loss", goal: "MINIMIZE" }], parameters: [] } },
        /parameters is empty/,
      ],
      [{ trialJobSpec: { workerPoolSpecs: [] } }, /workerPoolSpecs has 0 pools/],
    ];
    for (const [more, reason] of wrong) {
      const call = world.jobs.createHyperparameterTuningJob({
        parent: world.parent,
        hyperparameterTuningJob: tuningJob(["plain"], more),
      });
      await expect(call).rejects.toThrow(reason);
    }
  });
});
