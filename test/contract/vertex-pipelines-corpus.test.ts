import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import {
  metadataOf,
  startPipelinesWorld,
  statesOf,
  taskOf,
  type PipelinesWorld,
} from "./vertex-pipelines-world.js";

const fixtures = fileURLToPath(new URL("../fixtures/pipelines", import.meta.url));
/** A folder with more templates compiled by the Kubeflow compiler, when there is one. */
const corpus = env["CONTINUO_PIPELINE_CORPUS"];

const templatesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ya?ml$/.test(name))
    .toSorted();

const specSchema = z.looseObject({
  root: z
    .looseObject({
      inputDefinitions: z
        .looseObject({
          parameters: z.record(z.string(), z.looseObject({ parameterType: z.string() })).optional(),
        })
        .optional(),
    })
    .optional(),
  deploymentSpec: z
    .looseObject({
      executors: z
        .record(
          z.string(),
          z.looseObject({ container: z.looseObject({ image: z.string().optional() }).optional() }),
        )
        .optional(),
    })
    .optional(),
});

const read = (folder: string, name: string) =>
  specSchema.parse(parseAllDocuments(readFileSync(join(folder, name), "utf8"))[0]?.toJS());

const imageNames = (folder: string): readonly string[] =>
  templatesIn(folder).flatMap((name) =>
    Object.values(read(folder, name).deploymentSpec?.executors ?? {}).flatMap(({ container }) =>
      container?.image === undefined ? [] : [container.image.replace(/[:@][^/]*$/, "")],
    ),
  );

/** Stands for the interpreter that a template calls: it answers what the test wants, so that runs are repeatable. */
const python = (folder: string, coin: string, number: number): void => {
  const file = join(folder, "python");
  writeFileSync(
    file,
    `#!/bin/sh\ncase "$2" in *heads*) printf ${coin};; *) printf ${number};; esac\n`,
  );
  chmodSync(file, 0o755);
};

/** The only programs that a template finds here: none that installs or removes anything. */
const programs = [
  "sh",
  "bash",
  "echo",
  "cat",
  "mkdir",
  "dirname",
  "tee",
  "printf",
  "test",
  "true",
  "false",
];

const bin = mkdtempSync(join(tmpdir(), "continuo-bin-"));
let world: PipelinesWorld;
beforeAll(async () => {
  for (const program of programs) {
    const place = ["/bin", "/usr/bin"].find((folder) => existsSync(join(folder, program)));
    if (place !== undefined) symlinkSync(join(place, program), join(bin, program));
  }
  const names = [fixtures, ...(corpus === undefined ? [] : [corpus])].flatMap(imageNames);
  const entry = {
    entrypoint: [],
    hostCommands: true,
    env: { PATH: bin },
  };
  world = await startPipelinesWorld({
    images: Object.fromEntries(names.map((name) => [name, entry])),
  });
});
afterAll(async () => {
  await world.stop();
  rmSync(bin, { recursive: true, force: true });
});

const run = async (id: string, name: string, parameters: object = {}) => {
  await world.submit(id, read(fixtures, `${name}.yaml`), { parameters });
  return world.ended(id);
};

describe("templates compiled by Kubeflow", () => {
  test("an artifact's bytes reach the next task", async () => {
    const job = await run("two-step", "two_step_pipeline_containerized", {
      text: "from one to two",
    });
    expect(statesOf(job)).toEqual({ component1: "SUCCEEDED", component2: "SUCCEEDED" });
    const [artifact] = taskOf(job, "component1").outputs?.["output_gcs"]?.artifacts ?? [];
    const [, bucket = "", name = ""] = /^gs:\/\/([^/]+)\/(.*)$/.exec(artifact?.uri ?? "") ?? [];
    expect((await world.objects.read(bucket, name)).toString()).toBe("from one to two\n");
    expect(taskOf(job, "component2").inputs?.["input_gcs"]?.artifacts?.[0]?.uri).toBe(
      artifact?.uri,
    );
  });

  test.each([
    ["heads", 9, ["condition-1", "condition-1.condition-2"], "heads and 9 > 5!"],
    ["heads", 2, ["condition-1", "condition-1.condition-3"], "heads and 2 <= 5!"],
    ["tails", 18, ["condition-4", "condition-4.condition-5"], "tails and 18 > 15!"],
    ["tails", 11, ["condition-4", "condition-4.condition-6"], "tails and 11 <= 15!"],
  ])("outputs %s and %i choose the branch", async (coin, number, branch, message) => {
    python(bin, coin, number);
    // The texts of the tasks are the same each time, so the cache would repeat the first run's coin.
    const text = JSON.stringify(read(fixtures, "pipeline_with_nested_conditions_yaml.yaml"));
    const spec: object = JSON.parse(text.replaceAll('"enableCache":true', '"enableCache":false'));
    await world.submit(`nested-${coin}-${number}`, spec);
    const job = await world.ended(`nested-${coin}-${number}`);
    const states = statesOf(job);
    const triggered = Object.keys(states).filter(
      (name) => /condition-\d$/.test(name) && states[name] === "SUCCEEDED",
    );
    expect(triggered.toSorted()).toEqual(branch);
    const printed = Object.keys(states).filter((name) => /print(-\d)?$/.test(name));
    expect(printed).toHaveLength(1);
    expect(metadataOf(job, printed[0] ?? "")).toMatchObject({ "input:msg": message });
    expect(String(job.state)).toBe("PIPELINE_STATE_SUCCEEDED");
  });

  test("a missing interpreter behind a pipe is no success", async () => {
    rmSync(join(bin, "python"), { force: true });
    const text = JSON.stringify(read(fixtures, "pipeline_with_nested_conditions_yaml.yaml"));
    // Without the coin's condition the number is always asked for; its shell hides the failure behind tee.
    const spec: object = JSON.parse(
      text
        .replaceAll('"enableCache":true', '"enableCache":false')
        .replaceAll("== 'heads'", "!= 'heads'")
        .replaceAll("python -c", "no-such-interpreter -c"),
    );
    await world.submit("no-interpreter", spec);
    const job = await world.ended("no-interpreter");
    expect(String(job.state)).toBe("PIPELINE_STATE_FAILED");
    expect(taskOf(job, "condition-1.generate-random-number").error?.message).toMatch(
      /output parameter "output" must be NUMBER_INTEGER/,
    );
  });

  test.each([
    ["arguments_parameters", { param2: "p" }, ["echo"]],
    ["container_no_input", {}, ["container-no-input"]],
    ["hello_world", {}, ["echo"]],
    ["pipeline_with_after", {}, ["print-text", "print-text-2", "print-text-3"]],
    ["sequential_v1", { param1: "a", param2: "b" }, ["echo", "echo-2"]],
  ])("%s runs to its end", async (name, parameters, tasks) => {
    const job = await run(name.replaceAll("_", "-"), name, parameters);
    expect(statesOf(job)).toEqual(Object.fromEntries(tasks.map((task) => [task, "SUCCEEDED"])));
  });

  test("a required parameter that is missing refuses the job", async () => {
    await expect(run("no-parameter", "sequential_v1", { param1: "a" })).rejects.toThrow(/param2/);
    await expect(run("extra", "hello_world", { surprise: 1 })).rejects.toThrow(/surprise/);
  });
});

const sample = (type: string): unknown => {
  switch (type) {
    case "NUMBER_INTEGER":
      return 1;
    case "NUMBER_DOUBLE":
      return 0.5;
    case "BOOLEAN":
      return true;
    case "LIST":
      return ["a"];
    case "STRUCT":
      return { a: "b" };
    default:
      return "text";
  }
};

const finalState = /^(SUCCEEDED|FAILED|SKIPPED|NOT_TRIGGERED)$/;

/** Submits a template that may ask for what is not implemented, and says what became of it. */
const outcomeOf = async (id: string, spec: object, parameters: object): Promise<string> => {
  const good = "run or refused with a reason";
  try {
    await world.submit(id, spec, { parameters });
  } catch (error) {
    return /INVALID_ARGUMENT|UNIMPLEMENTED/.test(String(error)) ? good : String(error);
  }
  const job = await world.ended(id);
  const wrong = (job.jobDetail?.taskDetails ?? []).filter(
    ({ state, error }) =>
      !finalState.test(String(state)) || (String(state) === "FAILED" && !error?.message),
  );
  return wrong.length === 0 ? good : JSON.stringify(wrong);
};

describe.skipIf(corpus === undefined)(
  "a corpus of compiled templates (CONTINUO_PIPELINE_CORPUS)",
  () => {
    const folder = corpus ?? "";
    test.each(
      corpus === undefined ? [] : templatesIn(folder).map((name, index) => [name, index] as const),
    )("%s is run or refused with a reason", async (name, index) => {
      const spec = read(folder, name);
      const parameters = Object.fromEntries(
        Object.entries(spec.root?.inputDefinitions?.parameters ?? {})
          .filter(([, definition]) => definition["defaultValue"] === undefined)
          .map(([key, { parameterType }]) => [key, sample(parameterType)]),
      );
      expect(await outcomeOf(`corpus-${index}`, spec, parameters)).toBe(
        "run or refused with a reason",
      );
    });
  },
);
