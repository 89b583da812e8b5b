import { expect, test } from "vitest";
import { anyEvent } from "../../../events/index.js";
import { CommandError } from "../../../infra/cli/errors.js";
import { duration, number } from "../../../infra/cli/format.js";
import { envelopeOf } from "../../../infra/cli/verbs/publish.js";

const data = { dataset: "flights", uris: ["gs://bucket/2001-02.parquet"] };
const options = { id: "cli/1", nowMs: Date.UTC(2026, 0, 5) };

test("data alone becomes a whole event", () => {
  const event = envelopeOf("dataset.arrived", data, options);
  expect(anyEvent.parse(event)).toMatchObject({
    type: "dataset.arrived",
    id: "cli/1",
    source: "continuo/cli",
    time: "2026-01-05T00:00:00.000Z",
    data,
  });
});

test("a whole event stays as it is", () => {
  const whole = { specversion: "1.0", id: "mine" };
  expect(envelopeOf("dataset.arrived", whole, options)).toEqual(whole);
});

test("anything but an object is wrong usage", () => {
  expect(() => envelopeOf("dataset.arrived", [1], options)).toThrow(CommandError);
});

test.each([
  [1200, "1.2 s"],
  [61_000, "61 s"],
  [600_000, "10 min"],
  [10_000_000, "3 h"],
])("%i ms is %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  [11_288, "11288"],
  [0.031812, "0.03181"],
  [4.335e-24, "4.335e-24"],
])("%d is shown as %s", (value, text) => {
  expect(number(value)).toBe(text);
});
