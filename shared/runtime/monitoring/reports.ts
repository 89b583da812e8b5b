/** Where the reports of each look are kept. */
import type { ModelName } from "../../../events/ids.js";
import { monitoringReport, type MonitoringReport } from "../../../events/monitoring.js";
import type { Ports } from "../../ports/ports.js";
import { config } from "../wiring.js";

const reportBytesMax = 16_000_000;

/** A model's reports; their names, the ends of their windows, sort by time. */
const folderOf = (model: string): string => `gs://${config().bucket}/monitoring/${model}/`;

/** Keeps a report; a look at the same window writes the same one again. */
export const writeReport = (report: MonitoringReport, { objects }: Ports): Promise<void> =>
  objects.write(
    `${folderOf(report.model)}${report.window.end}.json`,
    Buffer.from(JSON.stringify(report)),
    "application/json",
  );

/** The newest report, with how many there are; null before the first look. */
export const newestReport = async (
  model: ModelName,
  { objects }: Ports,
): Promise<{ readonly report: MonitoringReport; readonly reports: number } | null> => {
  const uris = await objects.list(folderOf(model));
  const newest = uris.at(-1);
  const body = newest === undefined ? null : await objects.read(newest, reportBytesMax);
  return body === null
    ? null
    : { report: monitoringReport.parse(JSON.parse(body.toString("utf8"))), reports: uris.length };
};

/** Our own report on the window that ended at a time; null where there is none, as for an alert of somebody else's. */
export const reportOfWindow = async (
  model: string,
  windowEnd: string,
  { objects }: Ports,
): Promise<MonitoringReport | null> => {
  const body = await objects.read(`${folderOf(model)}${windowEnd}.json`, reportBytesMax);
  return body === null ? null : monitoringReport.parse(JSON.parse(body.toString("utf8")));
};
