/** A few kills of the real processes at drawn moments; `npm run test:crash` makes a hundred. */
import { expect, it } from "vitest";
import { crashTest } from "./crash/crash.js";
import { reportText } from "./crash/report.js";

const seed = Number(process.env["CONTINUO_CRASH_SEED"] ?? (Date.now() % 1_000_000) + 1);

// A failure of this one is news, however rare: it gets no second try. Each killed upload waits two minutes for its lease.
it(
  "loses nothing and doubles nothing when its processes are killed",
  { retry: 0, timeout: 600_000 },
  async () => {
    const lines: string[] = [];
    const report = await crashTest({
      kills: 6,
      seed,
      models: 1,
      quietSecondsMax: 420,
      tell: (line) => lines.push(line),
    });
    const text = [`seed ${seed}`, ...lines, reportText(report)].join("\n");
    const isBroken = report.checks.some(({ violations }) => violations.length > 0);
    // The whole report tells more than a list of violations.
    expect(isBroken ? text : "").toBe("");
    expect(report.kills).toHaveLength(6);
    const { runs, PipelineJobs: jobs, promotions } = report.counts;
    expect(Math.min(runs ?? 0, jobs ?? 0, promotions ?? 0)).toBeGreaterThan(0);
  },
);
