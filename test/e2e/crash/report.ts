/** The report of a crash test, for people. */
import { stages } from "./calls.js";
import type { CrashReport } from "./crash.js";
import type { Kill } from "./kills.js";

const groups = ["functions", "cloud", "functions and cloud"] as const;

const groupOf = ({ victims }: Kill): string => victims.join(" and ");

const row = (what: string, cells: readonly (string | number)[]): string =>
  `${what.padEnd(44)}${cells.map((cell) => String(cell).padStart(13)).join("")}`;

/** How the kills spread over the stages; a kill counts once for every stage that some event was in. */
export const spreadText = (kills: readonly Kill[]): string => {
  const count = (test: (kill: Kill) => boolean): readonly number[] => [
    ...groups.map((group) => kills.filter((kill) => groupOf(kill) === group && test(kill)).length),
    kills.filter(test).length,
  ];
  return [
    row("killed with SIGKILL", ["functions", "cloud", "both", "all"]),
    ...stages.map((stage) =>
      row(
        `  ${stage}`,
        count((kill) => kill.stages.includes(stage)),
      ),
    ),
    row(
      "kills",
      count(() => true),
    ),
  ].join("\n");
};

/** The whole report. */
export const reportText = (report: CrashReport): string => {
  const failed = report.checks.filter(({ violations }) => violations.length > 0);
  return [
    spreadText(report.kills),
    "",
    ...Object.entries(report.counts).map(([what, count]) => row(what, [count])),
    "",
    ...report.checks.map(
      ({ name, looked, violations }) =>
        `${violations.length === 0 ? "ok    " : "BROKEN"} ${name} (${looked})${violations
          .slice(0, 8)
          .map((violation) => `\n         ${violation}`)
          .join("")}`,
    ),
    "",
    `${report.kills.length} kills with seed ${report.seed} in ${report.seconds.toFixed(0)} s, quiet ${report.quietSeconds.toFixed(0)} s after the last one: ${failed.length === 0 ? "nothing lost, nothing doubled" : `${failed.length} of ${report.checks.length} invariants are broken`}`,
  ].join("\n");
};
