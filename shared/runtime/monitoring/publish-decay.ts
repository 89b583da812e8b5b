/** Tells that a model's quality fell, as an event of ours: the log has no entry for it. */
import { performanceDecayed } from "../../../events/alert.js";
import type { MonitoringReport } from "../../../events/monitoring.js";
import type { QualityFinding } from "../../domain/quality.js";
import type { Ports } from "../../ports/ports.js";

/** Publishes `performance.decayed`; the same window and method are the same event. */
export const publishDecay = async (
  finding: Extract<QualityFinding, { readonly value: number }>,
  { model, window }: MonitoringReport,
  ports: Ports,
): Promise<void> => {
  const { method, metric, value, threshold, rows } = finding;
  const event = performanceDecayed.parse({
    specversion: "1.0",
    type: "performance.decayed",
    id: `performance.decayed/${model}/${method}/${window.end}`,
    source: "continuo/detect-drift",
    time: window.end,
    subject: model,
    datacontenttype: "application/json",
    data: {
      model,
      metric,
      value,
      threshold,
      method,
      rows,
      window: { start: window.start, end: window.end },
    },
  });
  await ports.bus.publish("alert", {
    data: Buffer.from(JSON.stringify(event)),
    attributes: { type: event.type, model, "content-type": "application/cloudevents+json" },
  });
};
