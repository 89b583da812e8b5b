import { expect, test } from "vitest";
import {
  parsePlaceholder,
  PlaceholderError,
  resolveConstant,
  resolveWords,
  type PlaceholderScope,
} from "../../../infra/local/vertex/pipelines/placeholders.js";
import { checkValue, readValue } from "../../../infra/local/vertex/pipelines/values.js";

const artifact = (name: string, uri: string) => ({
  name,
  uri,
  type: { schemaTitle: "system.Dataset" },
  metadata: { rows: 3, label: "x" },
});

const scope: PlaceholderScope = {
  inputs: {
    parameters: { word: "go", count: 7, list: [1, "a"], flag: false },
    artifacts: { data: [artifact("data", "gs://b/data.csv")] },
  },
  outputParameterFiles: { verdict: "/w/out/verdict" },
  outputArtifacts: { model: artifact("model", "gs://b/model") },
  outputMetadataFile: "/w/out/executor_output.json",
  localPath: (uri) => `/w/gcs/${uri.slice(5)}`,
  jobName: "job-1",
  jobResourceName: "projects/1/locations/l/pipelineJobs/job-1",
  jobUuid: "42",
  taskName: "train",
  taskUuid: "43",
  pipelineRoot: "gs://b/root",
  jobCreateTime: "2026-01-02T03:04:05.000Z",
};

test.each([
  ["--word={{$.inputs.parameters['word']}}", "--word=go"],
  ["{{$.inputs.parameters['count']}}/{{$.inputs.parameters['flag']}}", "7/false"],
  ["{{$.inputs.parameters['list']}}", '[1,"a"]'],
  ["{{$.inputs.parameters['absent']}}", ""],
  ["{{$.inputs.artifacts['data'].uri}}", "gs://b/data.csv"],
  ["{{$.inputs.artifacts['data'].path}}", "/w/gcs/b/data.csv"],
  ["{{$.inputs.artifacts['data'].metadata['rows']}}", "3"],
  ["{{$.inputs.artifacts['data'].metadata}}", '{"rows":3,"label":"x"}'],
  ["{{$.outputs.artifacts['model'].path}}", "/w/gcs/b/model"],
  ["{{$.outputs.parameters['verdict'].output_file}}", "/w/out/verdict"],
  ["{{$.outputs.output_metadata_uri}}", "/w/out/executor_output.json"],
  ["{{$.pipeline_job_name}}-{{$.pipeline_task_name}}-{{$.pipeline_job_uuid}}", "job-1-train-42"],
  ["plain {{braces}} stay", "plain {{braces}} stay"],
])("%s becomes %s", (word, expected) => {
  expect(resolveWords([word], scope)).toEqual([expected]);
});

test("the whole executor input is one JSON text", () => {
  const [text = ""] = resolveWords(["{{$}}"], scope);
  expect(JSON.parse(text)).toMatchObject({
    inputs: {
      parameterValues: { count: 7 },
      artifacts: { data: { artifacts: [{ uri: "gs://b/data.csv" }] } },
    },
    outputs: {
      parameters: { verdict: { outputFile: "/w/out/verdict" } },
      artifacts: { model: { artifacts: [{ uri: "gs://b/model" }] } },
      outputFile: "/w/out/executor_output.json",
    },
  });
});

test.each([
  [
    '{"IfPresent": {"InputName": "word", "Then": ["--word", "{{$.inputs.parameters[\'word\']}}"]}}',
    ["--word", "go"],
  ],
  ['{"IfPresent": {"InputName": "absent", "Then": ["--x"], "Else": ["--none"]}}', ["--none"]],
  ['{"IfPresent": {"InputName": "absent", "Then": "--x"}}', []],
  [
    '{"Concat": ["a=", "{{$.inputs.parameters[\'count\']}}", {"IfPresent": {"InputName": "data", "Then": ";d"}}]}',
    ["a=7;d"],
  ],
  ['{"other": 1}', ['{"other": 1}']],
])("the structure %s becomes words", (word, expected) => {
  expect(resolveWords([word], scope)).toEqual(expected);
});

test.each(["{{$.json_escape[1]}}", "{{$.inputs.parameters[word]}}", "{{$.secrets['x']}}"])(
  "%s is refused",
  (word) => {
    expect(() => resolveWords([word], scope)).toThrow(PlaceholderError);
  },
);

test("a constant may only speak of the task's own parameters", () => {
  expect(resolveConstant("{{$.inputs.parameters['a']}} > 5", { a: 9 })).toBe("9 > 5");
  expect(() => resolveConstant("{{$.inputs.artifacts['a'].uri}}", {})).toThrow(/inside a constant/);
  expect(parsePlaceholder(".inputs.parameters['a']")).toEqual({
    kind: "input-parameter",
    name: "a",
  });
});

test.each([
  ["7", "NUMBER_INTEGER", 7],
  [" 0.25\n", "NUMBER_DOUBLE", 0.25],
  ["True", "BOOLEAN", true],
  ["[1]", "LIST", [1]],
  ['{"a":1}', "STRUCT", { a: 1 }],
  ["as it is\n", "STRING", "as it is\n"],
] as const)("%j is read as %s", (text, type, value) => {
  expect(readValue(text, type, "it")).toEqual(value);
});

test.each([
  ["", "NUMBER_INTEGER"],
  ["7.5", "NUMBER_INTEGER"],
  ["NaN", "NUMBER_DOUBLE"],
  ["0x10", "NUMBER_DOUBLE"],
  ["yes", "BOOLEAN"],
  ["{}", "LIST"],
  ["[]", "STRUCT"],
  ["not json", "STRUCT"],
] as const)("%j is not a %s", (text, type) => {
  expect(() => readValue(text, type, "it")).toThrow(`it must be ${type}`);
});

test("a value that is too long is shortened in its error", () => {
  expect(() => checkValue("x".repeat(10_000), "LIST", "it")).toThrow(/^.{1,200}$/);
});
