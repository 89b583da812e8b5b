/** The report of a crash test, for people. */
import { stages, type Stage } from "./calls.js";
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

/** From so many kills on, each kind of process and each of these stages must have been hit this often. */
const manyKills = 100;
const hitsMin = 10;
const mustBeHit: readonly Stage[] = ["between commit and perform", "between perform and done"];
/** Without any of these there was nothing to lose and nothing to double. */
const mustHappen = ["runs", "PipelineJobs", "model versions", "deployments", "promotions"];

/** Why the test says little although no invariant is broken: what was never hit, and what was never looked at. */
export const gapsOf = ({
  kills,
  counts,
  checks,
}: Pick<CrashReport, "kills" | "counts" | "checks">): readonly string[] => {
  const hits: readonly (readonly [string, number])[] = [
    ...mustBeHit.map(
      (stage) => [stage, kills.filter((kill) => kill.stages.includes(stage)).length] as const,
    ),
    ...(["functions", "cloud"] as const).map(
      (victim) =>
        [
          `the process of the ${victim}`,
          kills.filter(({ victims }) => victims.includes(victim)).length,
        ] as const,
    ),
  ];
  return [
    ...(kills.length < manyKills
      ? []
      : hits.flatMap(([what, count]) =>
          count < hitsMin ? [`${what}: hit ${count} times, at least ${hitsMin} are needed`] : [],
        )),
    ...mustHappen.filter((what) => (counts[what] ?? 0) === 0).map((what) => `no ${what}`),
    ...checks.filter(({ looked }) => looked === 0).map(({ name }) => `"${name}" looked at nothing`),
  ];
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
    ...gapsOf(report).map((gap) => `GAP    ${gap}`),
    "",
    `${report.kills.length} kills with seed ${report.seed} in ${report.seconds.toFixed(0)} s, quiet ${report.quietSeconds.toFixed(0)} s after the last one: ${failed.length === 0 ? "nothing lost, nothing doubled" : `${failed.length} of ${report.checks.length} invariants are broken`}`,
  ].join("\n");
};
