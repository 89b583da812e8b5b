import { describe, expect, it } from "vitest";
import { modelName } from "../../../events/ids.js";
import type { SmokeTestFacts } from "../../../shared/domain/facts.js";
import type { Endpoints } from "../../../shared/ports/vertex.js";
import { observe } from "../../../shared/runtime/observe.js";
import { memoryWorld } from "../../fixtures/memory-ports.js";

type Reply = Awaited<ReturnType<Endpoints["predict"]>>;

/** Smoke-tests a predictor; each request moves the clock by its latency. */
const smokeTest = async (
  answer: (deadlineMs: number) => Reply,
  requests = 20,
): Promise<{ readonly found: SmokeTestFacts | undefined; readonly asked: number }> => {
  const world = memoryWorld();
  const report = "gs://b/evaluation.json";
  await world.ports.objects.write(report, Buffer.from('{"sample":[{"x":1}]}'), "application/json");
  let asked = 0;
  const endpoints: Endpoints = {
    ...world.ports.endpoints,
    predict: async (_endpoint, _instances, deadlineMs) => {
      asked += 1;
      const reply = answer(deadlineMs);
      world.nowMs += reply.latencyMs;
      return reply;
    },
  };
  const limits = { requests, errorsMax: 0, latencyP95MsMax: 500 };
  const need = { fact: "smoke-test" as const, endpoint: "qa", report, ...limits };
  const facts = await observe(modelName.parse("churn"), [need], { ...world.ports, endpoints });
  return { found: facts.smokeTest, asked };
};

const good: Reply = { status: 200, latencyMs: 5, body: { predictions: [0.5] } };

describe("a smoke test", () => {
  it("asks as often as the manifest says", async () => {
    const { found } = await smokeTest(() => good);
    expect(found).toEqual({ requests: 20, errors: 0, latencyP95Ms: 5, firstError: null });
  });

  it("ends with the first error too many, and waits for no answer longer than ten times the limit", async () => {
    const { found, asked } = await smokeTest((latencyMs) => ({
      status: 504,
      latencyMs,
      body: { error: "late" },
    }));
    expect(asked).toBeLessThanOrEqual(4);
    expect(found).toMatchObject({ latencyP95Ms: 5000, firstError: 'HTTP 504 {"error":"late"}' });
  });

  it("takes half a minute at most, however many requests it should send", async () => {
    const { found, asked } = await smokeTest(() => ({ ...good, latencyMs: 400 }), 1000);
    expect(asked).toBeLessThan(100);
    expect(found?.errors).toBe(1000 - asked);
    expect(found?.firstError).toContain("longer than 30 s");
  });

  it("counts an answer with too few predictions as an error", async () => {
    const { found } = await smokeTest(() => ({ ...good, body: { predictions: [] } }));
    expect(found?.firstError).toBe("one instance was answered with 0 predictions");
  });
});
