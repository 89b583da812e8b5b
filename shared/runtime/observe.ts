/** Looks up the facts that a decision needs. */
import type { ModelName } from "../../events/ids.js";
import type {
  EndpointFacts,
  Facts,
  ModelVersionFacts,
  Need,
  SmokeTestFacts,
} from "../domain/facts.js";
import { invariant, InvariantError } from "../domain/errors.js";
import { segmentFrom } from "../domain/segment.js";
import type { Segment } from "../domain/state.js";
import type { Ports } from "../ports/ports.js";
import { readSignals } from "./analysis-signals.js";
import { log } from "./log.js";
import { metricQuery } from "./look-ahead.js";

const reportBytesMax = 8 * 1024 * 1024;
const smokeTestConcurrency = 4;
/** A tick waits for it, so it must end soon whatever the predictor does. */
const smokeTestMsMax = 30_000;
const requestMsMin = 1000;

const series = async (
  need: Need & { readonly fact: "series" },
  ports: Ports,
): Promise<Segment | null> => {
  const { signals } = need;
  const [answer] = await ports.metrics.counts([metricQuery(need)]);
  invariant(answer !== undefined, `the metrics of endpoint ${need.endpoint} got no answer`);
  if ("error" in answer) throw answer.error;
  const { counts } = answer;
  if (counts === null) return null;
  const segment = segmentFrom(counts, need);
  return signals === undefined
    ? segment
    : { ...segment, ...(await readSignals(need, signals, counts, ports)) };
};

/** A look that fails holds up nothing else of the visit; how long a step may do without is the domain's business. */
const seriesFacts = async (
  model: ModelName,
  need: Need & { readonly fact: "series" },
  ports: Ports,
): Promise<Pick<Facts, "series" | "seriesError">> => {
  try {
    return { series: await series(need, ports) };
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    log("WARNING", message, { model, what: "look" });
    return { seriesError: `the metrics could not be read: ${message}` };
  }
};

/** A report's content; a user's own evaluator may have written anything. */
const reportOf = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
};

/** Example requests from the evaluation report; without one, an empty list that fails the smoke test. */
const exampleInstances = async (
  report: string | null,
  ports: Ports,
): Promise<readonly unknown[]> => {
  if (report === null) return [];
  const body = await ports.objects.read(report, reportBytesMax);
  if (body === null) return [];
  const parsed = reportOf(body);
  const sample =
    typeof parsed === "object" && parsed !== null && "sample" in parsed ? parsed.sample : [];
  return Array.isArray(sample) ? sample : [];
};

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;

/** What is wrong with a reply to one instance; null when nothing is. */
const faultOf = ({ status, body }: Awaited<ReturnType<Ports["endpoints"]["predict"]>>) => {
  if (status !== 200) return `HTTP ${status} ${JSON.stringify(body).slice(0, 300)}`;
  const predictions =
    typeof body === "object" && body !== null && "predictions" in body ? body.predictions : [0];
  return Array.isArray(predictions) && predictions.length === 1
    ? null
    : `one instance was answered with ${Array.isArray(predictions) ? predictions.length : "no list of"} predictions`;
};

const smokeTest = async (
  need: Need & { readonly fact: "smoke-test" },
  ports: Ports,
): Promise<SmokeTestFacts> => {
  const instances = await exampleInstances(need.report, ports);
  if (instances.length === 0) {
    return { requests: 0, errors: 1, latencyP95Ms: 0, firstError: "no example requests are known" };
  }
  const endMs = ports.clock() + smokeTestMsMax;
  const deadlineMs = Math.min(Math.max(10 * need.latencyP95MsMax, requestMsMin), smokeTestMsMax);
  const latencies: number[] = [];
  const failures: string[] = [];
  const lane = async (first: number): Promise<void> => {
    for (let index = first; index < need.requests; index += smokeTestConcurrency) {
      if (failures.length > need.errorsMax || ports.clock() >= endMs) return;
      const instance = instances[index % instances.length];
      const reply = await ports.endpoints.predict(need.endpoint, [instance], deadlineMs);
      latencies.push(reply.latencyMs);
      const fault = faultOf(reply);
      if (fault !== null) failures.push(fault);
    }
  };
  await Promise.all(Array.from({ length: smokeTestConcurrency }, (_, index) => lane(index)));
  if (failures.length <= need.errorsMax) {
    // Only time can have cut it short: what was not asked any more was not answered.
    const late = `not asked: the test took longer than ${smokeTestMsMax / 1000} s`;
    failures.push(...Array.from({ length: need.requests - latencies.length }, () => late));
  }
  return {
    requests: latencies.length,
    errors: failures.length,
    latencyP95Ms: quantile(
      latencies.toSorted((a, b) => a - b),
      0.95,
    ),
    firstError: failures[0] ?? null,
  };
};

/** Reads every needed fact, in order; throws what the ports throw. */
export const observe = async (
  model: ModelName,
  wanted: readonly Need[],
  ports: Ports,
): Promise<Facts> => {
  let facts: Facts = {};
  const endpoints: Record<string, EndpointFacts | null> = {};
  const versions: Record<string, ModelVersionFacts | null> = {};
  for (const need of wanted) {
    switch (need.fact) {
      case "pipeline-job":
        facts = { ...facts, pipelineJob: await ports.pipelines.get(need.run) };
        break;
      case "model-version":
        versions[need.alias] = await ports.registry.version(model, need.alias);
        facts = { ...facts, versions };
        break;
      case "uploads":
        facts = { ...facts, uploads: await ports.registry.uploads(model) };
        break;
      case "endpoint":
        endpoints[need.endpoint] = await ports.endpoints.get(need.endpoint);
        facts = { ...facts, endpoints };
        break;
      case "series":
        facts = { ...facts, ...(await seriesFacts(model, need, ports)) };
        break;
      case "smoke-test":
        facts = { ...facts, smokeTest: await smokeTest(need, ports) };
        break;
    }
  }
  return facts;
};
