/** `continuo monitoring`: drift, skew and quality of what a champion served. */
import type { Command } from "commander";
import { z } from "zod";
import { monitoringReport, type MonitoringReport } from "../../../events/monitoring.js";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, width } from "../command.js";
import { bold, colored, dim } from "../format.js";
import { table } from "../table.js";

const reply = z.object({
  model: z.string(),
  isAsked: z.boolean(),
  reports: z.number(),
  report: monitoringReport.nullable(),
});

const columnText = ({
  feature,
  objective,
}: {
  readonly feature: string;
  readonly objective: MonitoringReport["comparisons"][number]["objective"];
}): string => (objective === "attribution" ? `influence of ${feature}` : feature);

const distancesTable = ({ comparisons }: MonitoringReport): string =>
  table(
    comparisons.flatMap(({ kind, objective, columns }) =>
      columns.map((column) => ({ kind, objective, ...column })),
    ),
    [
      { title: "", cell: ({ kind }) => kind },
      { title: "column", cell: columnText },
      { title: "distance", cell: ({ value }) => value.toFixed(4), align: "right" },
      { title: "by chance", cell: ({ nullQuantile }) => nullQuantile.toFixed(4), align: "right" },
      { title: "allowed", cell: ({ threshold }) => String(threshold), align: "right" },
      { title: "psi", cell: ({ stability }) => stability.toFixed(3), align: "right" },
      { title: "", cell: ({ isAnomaly }) => (isAnomaly ? colored("anomaly") : "") },
      {
        title: "measured as",
        cell: ({ statistic }) =>
          statistic === "l-infinity" ? "largest difference of a share" : "Jensen-Shannon, bits",
        isFlexible: true,
      },
    ],
    { width, heading: dim },
  );

const qualityTable = ({ quality }: MonitoringReport): string =>
  table(
    quality,
    [
      { title: "quality by", cell: ({ method }) => method },
      { title: "metric", cell: ({ metric }) => metric },
      { title: "value", cell: ({ value }) => value.toFixed(4), align: "right" },
      { title: "was", cell: ({ baseline }) => baseline.toFixed(4), align: "right" },
      { title: "allowed", cell: ({ threshold }) => threshold.toFixed(4), align: "right" },
      { title: "± se", cell: ({ standardError }) => standardError.toFixed(4), align: "right" },
      { title: "rows", cell: ({ rows }) => String(rows), align: "right" },
      {
        title: "",
        cell: ({ isDecayed }) => (isDecayed ? colored("decayed") : ""),
        isFlexible: true,
      },
    ],
    { width, heading: dim },
  );

const text = ({ model, isAsked, report }: z.infer<typeof reply>): string => {
  if (!isAsked) {
    return `${model} is not monitored; add monitoring.drift, skew or quality to its manifest`;
  }
  if (report === null) {
    return `nobody has looked at what ${model} served yet; the Scheduler job continuo-detect-drift looks once a day`;
  }
  const { window, versionId } = report;
  return [
    `${bold(model)}  version ${versionId}, ${window.rows} predictions from ${window.start} to ${window.end}`,
    ...(report.comparisons.length === 0 ? [] : ["", distancesTable(report)]),
    ...(report.quality.length === 0 ? [] : ["", qualityTable(report)]),
    ...(report.unknown.length === 0
      ? []
      : ["", ...report.unknown.map((why) => `no verdict: ${why}`)]),
  ].join("\n");
};

/** Adds the verb. */
export const monitoring = (program: Command): void => {
  examples(
    apiCommand(program, "monitoring <model>", "show drift, skew and quality of what it served"),
    "continuo monitoring flight-delay",
  ).action(async (model: string, options: unknown) => {
    const { connection, isJson } = apiVerb(options);
    const found = await call(connection, reply, {
      path: `/models/${encodeURIComponent(model)}/monitoring`,
    });
    print(isJson, found, () => text(found));
  });
};
