import { describe, expect, it } from "vitest";
import { deployedModelId } from "../../../events/ids.js";
import { deploymentAttempts, labelsWithAttempt } from "../../../shared/gcp/deployment-attempts.js";
import type { VertexOperation } from "../../../shared/gcp/vertex-api.js";

const operation = (
  createdAtMs: number,
  error: string | null = null,
  kind = "DeployModelOperationMetadata",
): VertexOperation => ({
  name: `operations/${String(createdAtMs)}`,
  kind,
  isDone: true,
  createdAtMs,
  updatedAtMs: createdAtMs + 10,
  error,
});

const first = deployedModelId.parse("1000000001");
const second = deployedModelId.parse("1000000002");

describe("deployment attempts", () => {
  it("give each operation to the attempt that began before it", () => {
    const labels = { team: "a", "deploy-1000000001": "100", "deploy-1000000002": "200" };
    const operations = [
      operation(50, "an older one"),
      operation(110, "failed"),
      operation(150, null, "UndeployModelOperationMetadata"),
      operation(220),
    ];
    expect(deploymentAttempts(labels, operations)).toEqual([
      { id: first, sinceMs: 100, operation: operations[1] },
      { id: second, sinceMs: 200, operation: operations[3] },
    ]);
  });

  it("have no operation when the call to deploy was never made", () => {
    expect(deploymentAttempts({ "deploy-1000000001": "100" }, [operation(50)])).toEqual([
      { id: first, sinceMs: 100 },
    ]);
  });

  it("begin after everything that was seen before", () => {
    const endpoint = { labels: { team: "a" }, updateTime: "1970-01-01T00:00:00.300Z" };
    expect(labelsWithAttempt(endpoint, [operation(250)], first)).toEqual({
      team: "a",
      "deploy-1000000001": "301",
    });
    expect(labelsWithAttempt(endpoint, [operation(400)], first)["deploy-1000000001"]).toBe("401");
  });

  it("keep a repeated attempt once, drop the oldest, and leave other labels alone", () => {
    const many = Object.fromEntries(
      Array.from({ length: 12 }, (_, index) => [
        `deploy-${String(2_000_000_000 + index)}`,
        String(1000 + index),
      ]),
    );
    const labels = labelsWithAttempt(
      { labels: { ...many, "deploy-strategy": "canary", "deploy-1000000001": "5" } },
      [],
      first,
    );
    expect(labels["deploy-strategy"]).toBe("canary");
    const attempts = deploymentAttempts(labels, []);
    expect(attempts).toHaveLength(10);
    expect(attempts.at(-1)).toEqual({ id: first, sinceMs: 1012 });
    expect(attempts[0]?.id).toBe("2000000003");
  });
});
