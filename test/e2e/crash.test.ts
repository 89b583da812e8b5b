/** A few kills of the real processes at drawn moments; `npm run test:crash` makes a hundred. */
import { describe, expect, it } from "vitest";
import { checkAll } from "./crash/checks.js";
import { crashTest } from "./crash/crash.js";
import type { Kill } from "./crash/kills.js";
import { gapsOf, reportText } from "./crash/report.js";

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
    expect(gapsOf(report)).toEqual([]);
  },
);

describe("a report without a violation", () => {
  const checks = checkAll({
    published: [],
    journal: [],
    pending: [],
    models: [],
    runs: [],
    rollouts: [],
    letters: [],
    jobs: [],
    versions: [],
    endpoints: [],
    deployments: [],
    promotions: [],
    answers: [],
  });
  const kill: Kill = {
    victims: ["functions"],
    aim: "any moment",
    share: 0,
    number: 1,
    atMs: 0,
    stages: ["no call in progress"],
    pending: 0,
  };

  it("of a world in which nothing happened proves nothing, and says so", () => {
    const gaps = gapsOf({ kills: [], counts: {}, checks });
    expect(gaps).toContain("no promotions");
    expect(gaps.filter((gap) => gap.endsWith("looked at nothing"))).toHaveLength(checks.length);
  });

  it("of a hundred kills that never hit the middle of an effect says so", () => {
    const kills = Array.from({ length: 100 }, () => kill);
    expect(gapsOf({ kills, counts: {}, checks: [] }).join("; ")).toMatch(
      /between commit and perform: hit 0 times.*between perform and done: hit 0.*the process of the cloud: hit 0/,
    );
  });
});
