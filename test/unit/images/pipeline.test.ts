import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkPipelineSpec } from "../../../infra/local/vertex/pipelines/check-spec.js";
import { defaultImages, trainingPipeline } from "../../../infra/pipelines/train.js";

const file: unknown = JSON.parse(
  readFileSync(new URL("../../../infra/pipelines/train.json", import.meta.url), "utf8"),
);

describe("the training pipeline's template", () => {
  it("is fresh: run `tsx infra/pipelines/generate.ts` and format it", () => {
    expect(file).toEqual(trainingPipeline({ images: defaultImages }));
  });

  it("is a pipeline that the local Vertex AI accepts", () => {
    expect(() => checkPipelineSpec(file)).not.toThrow();
  });

  it("gives the training task its machine and accelerator, and no other task", () => {
    const spec = trainingPipeline({
      images: defaultImages,
      machineType: "n1-standard-8",
      accelerator: { type: "NVIDIA_TESLA_T4", count: 2 },
    });
    const { executors } = spec.deploymentSpec;
    expect(executors["exec-train"]?.container.resources).toEqual({
      cpuLimit: 8,
      memoryLimit: 30,
      resourceCpuLimit: "8",
      resourceMemoryLimit: "30G",
      accelerator: {
        type: "NVIDIA_TESLA_T4",
        count: "2",
        resourceType: "NVIDIA_TESLA_T4",
        resourceCount: "2",
      },
    });
    expect(executors["exec-profile"]?.container.resources).toBeUndefined();
    expect(() => checkPipelineSpec(spec)).not.toThrow();
  });

  it("refuses a machine type whose size it cannot tell", () => {
    expect(() => trainingPipeline({ images: defaultImages, machineType: "huge" })).toThrow(
      /n1-standard-4/,
    );
  });
});
