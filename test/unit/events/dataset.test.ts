import { expect, it } from "vitest";
import { datasetArrived } from "../../../events/dataset.js";

const arrived = (uris: readonly string[]) =>
  datasetArrived.safeParse({
    specversion: "1.0",
    type: "dataset.arrived",
    id: "one",
    source: "test",
    time: "2026-01-01T00:00:00Z",
    data: { dataset: "flights", uris },
  });

it("a dataset of very many files is named by its folder", () => {
  const files = Array.from({ length: 500 }, (_, index) => `gs://b/flights/part-${index}.parquet`);
  expect(arrived(files).error?.issues[0]?.message).toMatch(/publish the folder of the files/);
  expect(arrived(files.slice(0, 100)).success).toBe(true);
  expect(arrived(["gs://b/flights/"]).success).toBe(true);
});
