import { describe, expect, it } from "vitest";
import { datasetArrived } from "../../../events/dataset.js";
import { InvalidEventError } from "../../../shared/domain/errors.js";
import { checkTime } from "../../../shared/runtime/timely.js";

const nowMs = Date.parse("2026-03-01T00:00:00Z");

const at = (time: string) =>
  datasetArrived.parse({
    specversion: "1.0",
    type: "dataset.arrived",
    id: "ingest/1",
    source: "airflow/flights",
    time,
    data: { dataset: "flights", uris: ["gs://flights/1.csv"] },
  });

describe("an event's time", () => {
  it.each(["2026-01-31T00:00:00Z", "2026-02-28T23:59:59Z", "2026-03-01T00:05:00Z"])(
    "of %s is taken",
    (time) => {
      expect(() => {
        checkTime(at(time), nowMs);
      }).not.toThrow();
    },
  );

  it.each([
    ["2025-03-01T00:00:00Z", "more than 30 days ago"],
    ["2026-01-29T23:59:59Z", "publish it with a new id and today's time"],
    ["2026-03-02T00:00:01Z", "has not come yet: set the publisher's clock"],
    ["2099-12-31T00:00:00Z", "has not come yet"],
  ])("of %s is refused with the reason", (time, reason) => {
    const refuse = (): void => {
      checkTime(at(time), nowMs);
    };
    expect(refuse).toThrow(InvalidEventError);
    expect(refuse).toThrow(reason);
  });
});
