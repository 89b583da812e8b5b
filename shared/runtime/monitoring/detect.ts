/**
 * The scheduled look at what every champion served: drift, skew and decay. Anomalies are written to the log as Vertex
 * AI's own monitoring writes them, so that both take the same way; everything measured goes into a report.
 */
import type { MonitoringReport } from "../../../events/monitoring.js";
import type { ModelState } from "../../domain/state.js";
import type { Ports } from "../../ports/ports.js";
import { log } from "../log.js";
import { logAnomalies } from "./log-anomalies.js";
import { driftOf, qualityOf, skewOf, type Watched } from "./measure.js";
import { publishDecay } from "./publish-decay.js";
import { writeReport } from "./reports.js";

/** Predictions that are joined with their labels in one look. */
const labelledRowsMax = 200_000;

const watched = async (state: ModelState, ports: Ports): Promise<Watched | null> => {
  const { monitoring, promotion } = state.manifest;
  const production = promotion.environments.at(-1);
  const deployedModelId = production && state.champion?.deployed[production.name];
  const isAsked = monitoring.drift ?? monitoring.skew ?? monitoring.quality;
  if (!isAsked || !monitoring.predictionLog || !state.champion || !deployedModelId) return null;
  const { drift, skew, quality } = monitoring;
  const windowRows = Math.max(
    ...[drift, skew, quality].flatMap((asked) => (asked === undefined ? [] : [asked.rowsMin])),
  );
  const nowMs = ports.clock();
  const read = async (
    wanted: Pick<Parameters<Ports["predictionLog"]["read"]>[0], "untilMs" | "rowsMax" | "isFirst">,
  ): Promise<Watched["served"]> => {
    const found = await ports.predictionLog.read({
      location: monitoring.predictionLog ?? "",
      endpoint: production.endpoint,
      deployedModelId,
      sinceMs: state.champion?.sinceMs ?? nowMs,
      ...wanted,
    });
    return found.filter((prediction) => prediction.deployedModelId === deployedModelId);
  };
  // With twice a window's rows at its end, the log's first ones cannot be among the newest.
  const served = await read({ untilMs: nowMs, rowsMax: 2 * windowRows });
  const first =
    served.length < 2 * windowRows
      ? served
      : await read({ untilMs: nowMs, rowsMax: windowRows, isFirst: true });
  const due = quality?.labels
    ? await read({
        untilMs: nowMs - quality.labelDelaySeconds * 1000 + 1,
        rowsMax: labelledRowsMax,
      })
    : [];
  return { state, champion: state.champion, deployedModelId, served, first, due };
};

const iso = (ms: number): string => new Date(ms).toISOString();

const look = async (state: ModelState, ports: Ports): Promise<void> => {
  const found = await watched(state, ports);
  if (found === null) return;
  const { champion, deployedModelId, served } = found;
  const oldest = served[0];
  const last = served.at(-1);
  if (oldest === undefined || last === undefined) {
    log("INFO", "its champion has served nothing yet", { model: state.model });
    return;
  }
  const [drift, skew, quality] = [
    driftOf(found),
    await skewOf(found, ports),
    await qualityOf(found, ports),
  ];
  const comparisons = [...drift.found, ...skew.found];
  const { monitoring } = state.manifest;
  const rows = Math.min(
    served.length,
    monitoring.drift?.rowsMin ?? monitoring.skew?.rowsMin ?? monitoring.quality?.rowsMin ?? 0,
  );
  const report: MonitoringReport = {
    formatVersion: 1,
    model: state.model,
    versionId: champion.versionId,
    deployedModelId,
    policyVersion: state.manifestVersion,
    window: { start: iso((served.at(-rows) ?? oldest).timeMs), end: iso(last.timeMs), rows },
    comparisons: comparisons.map(({ kind, objective, columns }) => ({
      kind,
      objective,
      columns: [...columns],
    })),
    quality: [...quality.found],
    unknown: [...drift.unknown, ...skew.unknown, ...quality.unknown],
  };
  // The same window gives the same report, and no more than one log entry and one event of each kind.
  await writeReport(report, ports);
  for (const comparison of comparisons) await logAnomalies(comparison, report, ports);
  for (const finding of quality.found) {
    if (finding.isDecayed) await publishDecay(finding, report, ports);
  }
  const anomalies = comparisons.flatMap(({ columns }) =>
    columns.filter(({ isAnomaly }) => isAnomaly),
  );
  log("INFO", "a look at what was served", {
    model: state.model,
    rows: served.length,
    anomalies: anomalies.map(({ feature }) => feature).join(", "),
    isDecayed: quality.found.some(({ isDecayed }) => isDecayed),
    unknown: report.unknown.join("; "),
  });
};

/** Looks at every model whose manifest asks for it; one that cannot be looked at hides no other. */
export const detectDrift = async (ports: Ports): Promise<void> => {
  const failures: unknown[] = [];
  for (const state of await ports.state.models({ by: "all" })) {
    try {
      await look(state, ports);
    } catch (error) {
      failures.push(error);
      log("WARNING", error instanceof Error ? error.message : String(error), {
        model: state.model,
        what: "detect-drift",
      });
    }
  }
  if (failures.length > 0) throw failures[0];
};
