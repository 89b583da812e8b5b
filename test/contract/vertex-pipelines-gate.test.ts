import { afterAll, expect, test } from "vitest";
import { pipelineWorld, shellPipeline, statesOf, taskOf } from "./vertex-pipelines-memory-world.js";

const world = pipelineWorld();
afterAll(async () => {
  await world.stop();
  world.remove();
});

const verdict = (word: string) => ({
  script: `printf ${word} > "$0"`,
  args: ["{{$.outputs.parameters['verdict'].output_file}}"],
  outputs: { parameters: { verdict: { parameterType: "STRING" } } },
});

const takesVerdict = {
  inputs: {
    parameters: {
      verdict: { taskOutputParameter: { producerTask: "gate", outputParameterKey: "verdict" } },
    },
  },
  inputDefinitions: { parameters: { verdict: { parameterType: "STRING" } } },
};

const when = (word: string) => ({
  triggerPolicy: { condition: `inputs.parameter_values['verdict'] == '${word}'` },
});

const gated = (word: string) =>
  shellPipeline({
    gate: verdict(word),
    train: {
      ...takesVerdict,
      script: 'mkdir -p "$(dirname "$0")" && printf weights > "$0"',
      args: ["{{$.outputs.artifacts['model'].path}}"],
      outputs: { artifacts: { model: { artifactType: { schemaTitle: "system.Model" } } } },
      task: when("go"),
    },
    evaluate: {
      script: 'test "$(cat "$0")" = weights && printf 0.75 > "$1"',
      args: ["{{$.inputs.artifacts['model'].path}}", "{{$.outputs.parameters['auc'].output_file}}"],
      inputs: {
        artifacts: {
          model: { taskOutputArtifact: { producerTask: "train", outputArtifactKey: "model" } },
        },
      },
      inputDefinitions: { artifacts: { model: { artifactType: { schemaTitle: "system.Model" } } } },
      outputs: { parameters: { auc: { parameterType: "NUMBER_DOUBLE" } } },
    },
    refuse: { ...takesVerdict, script: "true", task: when("stop") },
  });

test("a task's output decides whether training runs", async () => {
  const created = await world.submit("go", gated("go"));
  expect(created.state).toBe("PIPELINE_STATE_PENDING");
  const job = await world.ended("go");
  expect(statesOf(job)).toEqual({
    gate: "SUCCEEDED",
    train: "SUCCEEDED",
    evaluate: "SUCCEEDED",
    refuse: "NOT_TRIGGERED",
  });
  expect(job.state).toBe("PIPELINE_STATE_SUCCEEDED");
  expect(taskOf(job, "evaluate").execution.metadata.fields["output:auc"]).toEqual({
    numberValue: 0.75,
  });
  const [model] = taskOf(job, "train").outputs["model"]?.artifacts ?? [];
  expect(model?.uri).toMatch(/^gs:\/\/bucket\/root\/123456\/go\/train_\d+\/model$/);
  expect(world.cloud.objects.get(model?.uri.slice(5) ?? "")?.toString()).toBe("weights");

  await world.submit("stop", gated("stop"));
  expect(statesOf(await world.ended("stop"))).toEqual({
    gate: "SUCCEEDED",
    train: "NOT_TRIGGERED",
    evaluate: "NOT_TRIGGERED",
    refuse: "SUCCEEDED",
  });
});
