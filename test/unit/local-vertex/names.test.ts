import { describe, expect, it } from "vitest";
import { RpcError } from "../../../infra/local/protocol/service.js";
import {
  canonicalName,
  generateId,
  parseName,
  parseParent,
} from "../../../infra/local/vertex/names.js";

const settings = { projectId: "demo", projectNumber: "42", region: "us-central1" };

const statusOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof RpcError ? error.status : "other";
  }
  return "OK";
};

describe("resource names", () => {
  it.each(["demo", "42"])("may say project %s and are answered with the number", (project) => {
    expect(parseParent(settings, `projects/${project}/locations/us-central1`)).toBe(
      "projects/42/locations/us-central1",
    );
    expect(
      parseName(settings, "models", `projects/${project}/locations/us-central1/models/churn@3`),
    ).toEqual({
      name: "projects/42/locations/us-central1/models/churn",
      id: "churn",
      version: "3",
    });
  });

  it.each([
    ["", "INVALID_ARGUMENT"],
    ["churn", "INVALID_ARGUMENT"],
    ["projects/demo/locations/us-central1/endpoints/churn", "INVALID_ARGUMENT"],
    ["projects/demo/locations/us-central1/models/", "INVALID_ARGUMENT"],
    ["projects/demo/locations/us-central1/models/a/b", "INVALID_ARGUMENT"],
    ["projects/other/locations/us-central1/models/churn", "PERMISSION_DENIED"],
    ["projects/demo/locations/mars/models/churn", "INVALID_ARGUMENT"],
  ])("refuse %s with %s", (name, status) => {
    expect(statusOf(() => parseName(settings, "models", name))).toBe(status);
  });

  it("are compared by number", () => {
    expect(canonicalName(settings, "projects/demo/x")).toBe("projects/42/x");
    expect(canonicalName(settings, "projects/demonstration/x")).toBe("projects/demonstration/x");
  });

  it("get generated ids that fit into an int64", () => {
    for (const random of [0, 0.5, 0.999_999]) {
      const id = generateId(() => random);
      expect(id).toMatch(/^[1-9]\d{18}$/);
      expect(BigInt(id)).toBeLessThan(2n ** 63n);
    }
  });
});
