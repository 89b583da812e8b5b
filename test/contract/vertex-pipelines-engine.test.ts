import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  pipelineWorld,
  shellPipeline,
  statesOf,
  taskOf,
  type SeenJob,
} from "./vertex-pipelines-memory-world.js";

const world = pipelineWorld();
afterAll(async () => {
  await world.stop();
  world.remove();
});

let count = 0;
const run = async (
  spec: object,
  more: Parameters<typeof world.submit>[2] = {},
): Promise<SeenJob> => {
  count += 1;
  await world.submit(`job-${count}`, spec, more);
  return world.ended(`job-${count}`);
};

const valueOf = (job: SeenJob, task: string, key: string): unknown =>
  taskOf(job, task).execution.metadata.fields[key];

const attemptsFile = (name: string): string => join(world.folder, name);

const from = (producerTask: string, outputParameterKey: string) => ({
  taskOutputParameter: { producerTask, outputParameterKey },
});

const writes = (text: string, type = "STRING") => ({
  script: `printf '%s' '${text}' > "$0"`,
  args: ["{{$.outputs.parameters['out'].output_file}}"],
  outputs: { parameters: { out: { parameterType: type } } },
});

const parameters = (types: Readonly<Record<string, string>>) => ({
  parameters: Object.fromEntries(
    Object.entries(types).map(([name, parameterType]) => [name, { parameterType }]),
  ),
});

describe("failures", () => {
  test("slow failure runs what it can, and an exit handler learns how it ended", async () => {
    const job = await run(
      shellPipeline({
        breaks: { script: "echo oh no >&2; exit 4" },
        next: { script: "true", after: ["breaks"] },
        other: { script: "sleep 0.05" },
        later: { script: "true", after: ["other"] },
        exit: {
          script: "true",
          after: ["breaks"],
          inputs: { parameters: { status: { taskFinalStatus: { producerTask: "breaks" } } } },
          inputDefinitions: parameters({ status: "TASK_FINAL_STATUS" }),
          task: { triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" } },
        },
      }),
    );
    expect(statesOf(job)).toEqual({
      breaks: "FAILED",
      next: "NOT_TRIGGERED",
      other: "SUCCEEDED",
      later: "SUCCEEDED",
      exit: "SUCCEEDED",
    });
    expect(job.state).toBe("PIPELINE_STATE_FAILED");
    expect(job.error).toMatchObject({
      code: 9,
      message: expect.stringMatching(/\[breaks\].*code 4.*oh no/s),
    });
    expect(JSON.stringify(valueOf(job, "exit", "input:status"))).toContain("FAILED");
  });

  test("fast failure starts nothing more", async () => {
    const job = await run(
      shellPipeline({
        breaks: { script: "exit 1" },
        other: { script: "sleep 0.3" },
        later: { script: "true", after: ["other"] },
      }),
      { failurePolicy: "PIPELINE_FAILURE_POLICY_FAIL_FAST" },
    );
    expect(statesOf(job)).toEqual({ breaks: "FAILED", other: "SUCCEEDED", later: "NOT_TRIGGERED" });
  });

  test("a task is tried again as often as its policy says", async () => {
    const file = attemptsFile("attempts");
    const job = await run(
      shellPipeline({
        flaky: {
          script: `echo x >> ${file}; test $(wc -l < ${file}) -ge 3`,
          task: { retryPolicy: { maxRetryCount: 3, backoffDuration: "0.01s" } },
        },
      }),
    );
    expect(statesOf(job)).toEqual({ flaky: "SUCCEEDED" });
    expect(taskOf(job, "flaky").pipelineTaskStatus.map(({ state }) => state)).toEqual([
      "PENDING",
      "RUNNING",
      "PENDING",
      "RUNNING",
      "PENDING",
      "RUNNING",
      "SUCCEEDED",
    ]);
    expect(readFileSync(file, "utf8")).toBe("x\nx\nx\n");
  });

  test("a task that hangs is ended at its limit", async () => {
    const other = pipelineWorld({ taskTimeoutMs: 150 });
    await other.submit("hangs", shellPipeline({ hangs: { script: "sleep 600" } }));
    const job = await other.ended("hangs");
    expect(taskOf(job, "hangs").error).toMatchObject({
      code: 4,
      message: expect.stringContaining("0.15 s"),
    });
    await other.stop();
    other.remove();
  });
});

describe("outputs", () => {
  test.each([
    ["nothing written", { ...writes("x"), script: "true" }, /"out" \(STRING\) was not written/],
    [
      "a word for a number",
      writes("many", "NUMBER_INTEGER"),
      /must be NUMBER_INTEGER and is "many"/,
    ],
    ["an empty number", writes("", "NUMBER_DOUBLE"), /must be NUMBER_DOUBLE/],
    [
      "an artifact that is missing",
      {
        script: "true",
        outputs: { artifacts: { model: { artifactType: { schemaTitle: "system.Model" } } } },
      },
      /output artifact "model" \(system\.Model\) was not written/,
    ],
  ])("a task that exits with 0 and left %s has failed", async (_, task, message) => {
    const job = await run(shellPipeline({ task }));
    expect(job.state).toBe("PIPELINE_STATE_FAILED");
    expect(taskOf(job, "task").error?.message).toMatch(message);
  });

  test("the executor's output file sets parameters and metadata", async () => {
    const output = {
      parameterValues: { auc: 0.5, names: ["a"] },
      artifacts: { metrics: { artifacts: [{ metadata: { auc: 0.5 } }] } },
    };
    const job = await run(
      shellPipeline({
        task: {
          script: `printf '%s' '${JSON.stringify(output)}' > "$0"`,
          args: ["{{$.outputs.output_metadata_uri}}"],
          outputs: {
            ...parameters({ auc: "NUMBER_DOUBLE", names: "LIST" }),
            artifacts: { metrics: { artifactType: { schemaTitle: "system.Metrics" } } },
          },
        },
      }),
    );
    expect(taskOf(job, "task").error).toBeUndefined();
    expect(valueOf(job, "task", "output:auc")).toEqual({ numberValue: 0.5 });
    expect(taskOf(job, "task").outputs["metrics"]?.artifacts[0]?.["metadata"]).toEqual({
      fields: { auc: { numberValue: 0.5 } },
    });
  });

  test("a folder is an artifact of several objects", async () => {
    const job = await run(
      shellPipeline({
        make: {
          script: 'mkdir -p "$0/deep" && echo 1 > "$0/a" && echo 2 > "$0/deep/b"',
          args: ["{{$.outputs.artifacts['set'].path}}"],
          outputs: { artifacts: { set: { artifactType: { schemaTitle: "system.Dataset" } } } },
        },
        use: {
          script: 'test "$(cat "$0/a" "$0/deep/b" | tr "\\n" -)" = 1-2-',
          args: ["{{$.inputs.artifacts['set'].path}}"],
          inputs: {
            artifacts: {
              set: { taskOutputArtifact: { producerTask: "make", outputArtifactKey: "set" } },
            },
          },
          inputDefinitions: {
            artifacts: { set: { artifactType: { schemaTitle: "system.Dataset" } } },
          },
        },
      }),
    );
    expect(statesOf(job)).toEqual({ make: "SUCCEEDED", use: "SUCCEEDED" });
    const uri = taskOf(job, "make").outputs["set"]?.artifacts[0]?.uri ?? "";
    expect(world.cloud.objects.has(`${uri.slice(5)}/deep/b`)).toBe(true);
  });
});

describe("inputs", () => {
  test("defaults, optional inputs and constants reach the container", async () => {
    const job = await run(
      shellPipeline(
        {
          show: {
            script: 'printf "%s|" "$@" > "$0"',
            args: [
              "{{$.outputs.parameters['out'].output_file}}",
              "{{$.inputs.parameters['given']}}",
              "{{$.inputs.parameters['defaulted']}}",
              '{"IfPresent": {"InputName": "absent", "Then": ["--absent"], "Else": ["--without"]}}',
              "{{$.inputs.parameters['sentence']}}",
            ],
            inputs: {
              parameters: {
                given: { componentInputParameter: "number" },
                sentence: { runtimeValue: { constant: "n={{$.inputs.parameters['given']}}" } },
              },
            },
            inputDefinitions: {
              parameters: {
                given: { parameterType: "NUMBER_INTEGER" },
                sentence: { parameterType: "STRING" },
                defaulted: { parameterType: "BOOLEAN", defaultValue: true },
                absent: { parameterType: "STRING", isOptional: true },
              },
            },
            outputs: parameters({ out: "STRING" }),
          },
        },
        { inputDefinitions: parameters({ number: "NUMBER_INTEGER" }) },
      ),
      { parameters: { number: 3 } },
    );
    expect(valueOf(job, "show", "output:out")).toEqual({ stringValue: "3|true|--without|n=3|" });
  });

  test("an imported artifact is an input like any other", async () => {
    world.cloud.objects.set("bucket/seed.txt", Buffer.from("seed"));
    const spec = shellPipeline({
      use: {
        script: 'test "$(cat "$0")" = seed && test "$1" = v7',
        args: [
          "{{$.inputs.artifacts['data'].path}}",
          "{{$.inputs.artifacts['data'].metadata['version']}}",
        ],
        inputs: {
          artifacts: {
            data: {
              taskOutputArtifact: { producerTask: "importer", outputArtifactKey: "artifact" },
            },
          },
        },
        inputDefinitions: {
          artifacts: { data: { artifactType: { schemaTitle: "system.Dataset" } } },
        },
      },
    });
    const job = await run({
      ...spec,
      root: {
        dag: {
          tasks: {
            ...spec.root.dag.tasks,
            importer: {
              componentRef: { name: "comp-importer" },
              inputs: {
                parameters: { uri: { runtimeValue: { constant: "gs://bucket/seed.txt" } } },
              },
            },
          },
        },
      },
      components: {
        ...spec.components,
        "comp-importer": {
          executorLabel: "exec-importer",
          inputDefinitions: parameters({ uri: "STRING" }),
          outputDefinitions: {
            artifacts: { artifact: { artifactType: { schemaTitle: "system.Dataset" } } },
          },
        },
      },
      deploymentSpec: {
        executors: {
          ...spec.deploymentSpec.executors,
          "exec-importer": {
            importer: {
              artifactUri: { runtimeParameter: "uri" },
              typeSchema: { schemaTitle: "system.Dataset" },
              metadata: { version: "v7" },
            },
          },
        },
      },
    });
    expect(taskOf(job, "use").error).toBeUndefined();
    expect(statesOf(job)).toEqual({ importer: "SUCCEEDED", use: "SUCCEEDED" });
  });
});

describe("nested pipelines", () => {
  const inner = shellPipeline({
    double: {
      script: 'printf $(($0 * 2)) > "$1"',
      args: ["{{$.inputs.parameters['n']}}", "{{$.outputs.parameters['out'].output_file}}"],
      inputs: { parameters: { n: { componentInputParameter: "item" } } },
      inputDefinitions: parameters({ n: "NUMBER_INTEGER" }),
      outputs: parameters({ out: "NUMBER_INTEGER" }),
    },
    list: {
      script: 'printf "%s" "$0" > "$1"',
      args: ["{{$.inputs.parameters['all']}}", "{{$.outputs.parameters['out'].output_file}}"],
      inputDefinitions: parameters({ all: "LIST" }),
      outputs: parameters({ out: "STRING" }),
    },
  });
  const looped = (items: object) => ({
    ...inner,
    root: {
      dag: {
        tasks: {
          loop: {
            componentRef: { name: "comp-loop" },
            parameterIterator: { itemInput: "item", items },
            iteratorPolicy: { parallelismLimit: 1 },
          },
          list: {
            componentRef: { name: "comp-list" },
            inputs: { parameters: { all: from("loop", "doubled") } },
          },
        },
      },
    },
    components: {
      ...inner.components,
      "comp-loop": {
        inputDefinitions: parameters({ item: "NUMBER_INTEGER" }),
        outputDefinitions: parameters({ doubled: "LIST" }),
        dag: {
          tasks: { double: inner.root.dag.tasks["double"] },
          outputs: {
            parameters: {
              doubled: {
                valueFromParameter: { producerSubtask: "double", outputParameterKey: "out" },
              },
            },
          },
        },
      },
    },
  });

  test("a loop runs its DAG for each item and collects the outputs", async () => {
    const job = await run(looped({ raw: "[1, 2, 3]" }));
    expect(taskOf(job, "loop").error).toBeUndefined();
    expect(valueOf(job, "list", "output:out")).toEqual({ stringValue: "[2,4,6]" });
    expect(statesOf(job)["loop.#2.double"]).toBe("SUCCEEDED");
    expect(taskOf(job, "loop.#2.double").parentTaskId).toBe(taskOf(job, "loop.#2").taskId);
  });

  test("an item of the wrong type fails its iteration", async () => {
    const job = await run(looped({ raw: '[1, "two"]' }));
    expect(taskOf(job, "loop").error?.message).toMatch(/1 of 2 iterations failed/);
    expect(statesOf(job)["list"]).toBe("NOT_TRIGGERED");
  });
});

describe("cache", () => {
  const cached = { task: { cachingOptions: { enableCache: true } } };
  const chain = (file: string) =>
    shellPipeline({
      make: {
        script: `cat ${file} > "$0"`,
        args: ["{{$.outputs.artifacts['data'].path}}"],
        outputs: { artifacts: { data: { artifactType: { schemaTitle: "system.Dataset" } } } },
      },
      count: {
        ...cached,
        script: 'wc -c < "$0" | tr -d " \\n" > "$1"',
        args: [
          "{{$.inputs.artifacts['data'].path}}",
          "{{$.outputs.parameters['out'].output_file}}",
        ],
        inputs: {
          artifacts: {
            data: { taskOutputArtifact: { producerTask: "make", outputArtifactKey: "data" } },
          },
        },
        inputDefinitions: {
          artifacts: { data: { artifactType: { schemaTitle: "system.Dataset" } } },
        },
        outputs: parameters({ out: "NUMBER_INTEGER" }),
      },
    });

  test("equal bytes are a hit, changed bytes are not", async () => {
    const { writeFileSync } = await import("node:fs");
    const file = attemptsFile("source");
    writeFileSync(file, "12345");
    const first = await run(chain(file));
    const second = await run(chain(file));
    writeFileSync(file, "1234567");
    const third = await run(chain(file));
    const seen = [first, second, third].map((job) => [
      statesOf(job)["count"],
      valueOf(job, "count", "output:out"),
    ]);
    expect(seen).toEqual([
      ["SUCCEEDED", { numberValue: 5 }],
      ["SKIPPED", { numberValue: 5 }],
      ["SUCCEEDED", { numberValue: 7 }],
    ]);
    expect(second.state).toBe("PIPELINE_STATE_SUCCEEDED");
  });

  test("a result whose artifact is gone is made again, and a failure is never remembered", async () => {
    const spec = shellPipeline({
      make: {
        ...cached,
        script: 'echo once > "$0"',
        args: ["{{$.outputs.artifacts['data'].path}}"],
        outputs: { artifacts: { data: { artifactType: { schemaTitle: "system.Dataset" } } } },
      },
      breaks: { ...cached, script: "exit 1" },
    });
    const first = await run(spec);
    const uri = taskOf(first, "make").outputs["data"]?.artifacts[0]?.uri ?? "";
    expect(statesOf(await run(spec))).toEqual({ make: "SKIPPED", breaks: "FAILED" });
    world.cloud.objects.delete(uri.slice(5));
    expect(statesOf(await run(spec))["make"]).toBe("SUCCEEDED");
  });
});

test("at most so many containers run at once", async () => {
  const other = pipelineWorld({ tasksMax: 2 });
  const script = `touch ${other.folder}/running-$$; ls ${other.folder} | grep -c running >> ${other.folder}/counts; sleep 0.05; rm ${other.folder}/running-$$`;
  await other.submit(
    "wide",
    shellPipeline(Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, { script }]))),
  );
  const job = await other.ended("wide");
  expect(job.state).toBe("PIPELINE_STATE_SUCCEEDED");
  const counts = readFileSync(join(other.folder, "counts"), "utf8").trim().split("\n").map(Number);
  expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  await other.stop();
  other.remove();
});

test("a stopped cloud keeps finished tasks and runs interrupted ones again", async () => {
  const before = pipelineWorld();
  const runs = join(before.folder, "runs");
  const spec = shellPipeline({
    first: { script: `echo first >> ${runs}` },
    second: {
      script: `echo second >> ${runs}; test "$(grep -c second ${runs})" -ge 2 || sleep 600`,
      after: ["first"],
    },
    third: { script: `echo third >> ${runs}`, after: ["second"] },
  });
  await before.submit("kept", spec);
  await expect.poll(() => readFileSync(runs, { encoding: "utf8", flag: "a+" })).toContain("second");
  await before.stop();
  expect((await before.get("kept")).state).toBe("PIPELINE_STATE_RUNNING");
  const after = pipelineWorld({}, { cloud: before.cloud, folder: before.folder });
  await after.start();
  const job = await after.ended("kept");
  expect(statesOf(job)).toEqual({ first: "SUCCEEDED", second: "SUCCEEDED", third: "SUCCEEDED" });
  expect(readFileSync(runs, "utf8")).toBe("first\nsecond\nsecond\nthird\n");
  const states = before.cloud.entries.flatMap((entry) => {
    const payload: unknown = entry["jsonPayload"];
    return typeof payload === "object" && payload !== null && "state" in payload
      ? [payload.state]
      : [];
  });
  expect(states).toEqual(
    ["PENDING", "RUNNING", "SUCCEEDED"].map((state) => `PIPELINE_STATE_${state}`),
  );
  await after.stop();
  after.remove();
});

describe("refusals", () => {
  const good = shellPipeline({ task: { script: "true" } });
  const change = (pattern: RegExp, to: string): object =>
    JSON.parse(JSON.stringify(good).replace(pattern, to));
  test.each([
    ["an unknown field", { ...good, surprise: 1 }, "INVALID_ARGUMENT", /surprise/],
    ["an old schema", { ...good, schemaVersion: "2.0.0" }, "INVALID_ARGUMENT", /schemaVersion/],
    [
      "a missing component",
      change(/"componentRef":\{"name":"comp-task"\}/, '"componentRef":{"name":"comp-none"}'),
      "INVALID_ARGUMENT",
      /comp-none/,
    ],
    [
      "a missing executor",
      change(/"exec-task":/, '"exec-other":'),
      "INVALID_ARGUMENT",
      /exec-task/,
    ],
    [
      "an unknown upstream task",
      change(/"taskInfo"/, '"dependentTasks":["ghost"],"taskInfo"'),
      "INVALID_ARGUMENT",
      /ghost/,
    ],
    [
      "a task that waits for itself",
      change(/"taskInfo"/, '"dependentTasks":["task"],"taskInfo"'),
      "INVALID_ARGUMENT",
      /task -> task/,
    ],
    [
      "a path in a name",
      change(/"tasks":\{"task"/, '"tasks":{"../task"'),
      "INVALID_ARGUMENT",
      /not a valid task name/,
    ],
    [
      "an undeclared input",
      change(/"args":\["true"\]/, '"args":["{{$.inputs.parameters[\'x\']}}"]'),
      "INVALID_ARGUMENT",
      /"x"/,
    ],
    [
      "an unknown placeholder",
      change(/"args":\["true"\]/, '"args":["{{$.nothing}}"]'),
      "UNIMPLEMENTED",
      /nothing/,
    ],
    [
      "a bad condition",
      change(/"taskInfo"/, '"triggerPolicy":{"condition":"eval(1)"},"taskInfo"'),
      "INVALID_ARGUMENT",
      /eval/,
    ],
    ["a resolver", change(/"container":\{[^}]*\}/, '"resolver":{}'), "UNIMPLEMENTED", /resolver/],
    [
      "an unknown accelerator",
      change(
        /"image":"shell:1"/,
        '"image":"shell","resources":{"accelerator":{"resourceType":"ABACUS","resourceCount":"1"}}',
      ),
      "INVALID_ARGUMENT",
      /ABACUS/,
    ],
  ])("%s is refused at submission", async (_, spec, status, message) => {
    await expect(world.submit("refused", spec)).rejects.toMatchObject({
      status,
      message: expect.stringMatching(message),
    });
  });

  test("an accelerator is recorded, and the log says where the task was executed", async () => {
    const spec = change(
      /"image":"shell:1"/,
      '"image":"shell:1","resources":{"cpuLimit":2,"accelerator":{"type":"nvidia-tesla-t4","count":"1"}}',
    );
    const job = await run(spec);
    expect(valueOf(job, "task", "executed_on")).toEqual({ stringValue: "CPU" });
    const texts = world.cloud.entries.map((entry) => String(entry["textPayload"]));
    expect(
      texts.some((text) => /nvidia-tesla-t4 x 1 was asked for; executed on CPU/.test(text)),
    ).toBe(true);
  });

  test("labels that Vertex AI would refuse are refused", async () => {
    await expect(world.submit("labelled", good, { labels: { Run: "x" } })).rejects.toMatchObject({
      status: "INVALID_ARGUMENT",
    });
    await expect(world.submit("labelled", good, { labels: { run: "A B" } })).rejects.toMatchObject({
      status: "INVALID_ARGUMENT",
    });
  });
});
