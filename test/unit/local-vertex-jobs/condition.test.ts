import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ConditionError,
  holds,
  parseCondition,
  parametersOf,
} from "../../../infra/local/vertex/pipelines/condition.js";

const parameters = { word: "go", count: 7, share: 0.5, flag: true, text: "12", empty: "" };

test.each([
  ["inputs.parameter_values['word'] == 'go'", true],
  [`inputs.parameter_values["word"] != "go"`, false],
  ["int(inputs.parameter_values['text']) > 5", true],
  ["int(inputs.parameter_values['count']) <= 6", false],
  ["inputs.parameter_values['share'] < 0.75", true],
  ["double(inputs.parameter_values['text']) >= 12.0", true],
  ["inputs.parameter_values['flag'] == true", true],
  ["inputs.parameter_values['flag']", true],
  ["!(inputs.parameter_values['word'] == 'go')", false],
  ["!(inputs.parameter_values['word'] == 'stop') && inputs.parameter_values['count'] == 7", true],
  [
    "inputs.parameter_values['word'] == 'x' || (inputs.parameter_values['count'] > 1 && true)",
    true,
  ],
  ["string(inputs.parameter_values['count']) == '7'", true],
  ["inputs.parameter_values['count'] == -7 || false", false],
  ["inputs.parameter_values['word'] == 'it\\'s'", false],
  ["inputs.parameter_values['count'] == 'go'", false],
  ["false && inputs.parameter_values['missing'] == 1", false],
  ["bool('false') == false", true],
])("%s is %s", (text, expected) => {
  expect(holds(parseCondition(text), parameters)).toBe(expected);
});

test.each([
  ["", /did not expect/],
  ["inputs.parameter_values['word'] = 'go'", /cannot read/],
  ["inputs.parameter_values['word'] == ", /did not expect/],
  ["inputs.artifacts['x'] == 'a'", /not supported/],
  ["size(inputs.parameter_values['word']) > 1", /"size" is not supported/],
  ["process.exit(1)", /"process" is not supported/],
  ["'a' 'b'", /did not expect "b"/],
  [`${"(".repeat(200)}true${")".repeat(200)}`, /nested too deeply/],
])("%s is refused", (text, message) => {
  expect(() => parseCondition(text)).toThrow(ConditionError);
  expect(() => parseCondition(text)).toThrow(message);
});

test.each([
  ["int(inputs.parameter_values['word']) > 1", /int\(\) cannot convert "go"/],
  ["int(inputs.parameter_values['empty']) > 1", /int\(\) cannot convert ""/],
  ["inputs.parameter_values['word'] > 1", /cannot compare/],
  ["inputs.parameter_values['missing'] == 1", /'missing' has no value/],
  ["inputs.parameter_values['word'] && true", /needs a boolean/],
  ["inputs.parameter_values['word']", /not a boolean/],
  ["inputs.parameter_values['constructor'] == 1", /has no value/],
])("%s has no value", (text, message) => {
  expect(() => holds(parseCondition(text), parameters)).toThrow(message);
});

test("a condition tells which parameters it reads", () => {
  const text = "int(inputs.parameter_values['a']) > 1 && !(inputs.parameter_values['b'] == 'x')";
  expect(parametersOf(parseCondition(text))).toEqual(["a", "b"]);
});

test("any text either parses or is refused with a ConditionError", () => {
  const property = fc.property(
    fc.string({
      unit: fc.constantFrom(
        "(",
        ")",
        "!",
        "'a'",
        "1",
        " ",
        "==",
        "&&",
        "<",
        "true",
        "inputs",
        ".",
        "[",
        "]",
        "\\",
        "'",
      ),
    }),
    (text) => {
      try {
        parseCondition(text);
      } catch (error) {
        if (!(error instanceof ConditionError)) throw error;
      }
    },
  );
  expect(fc.check(property).failed).toBe(false);
});
