/**
 * Five rollouts at once: what the analysis does about challengers that are worse in one way each, or not at all. Beside
 * them a model of real flights: a challenger that is worse at one airport alone, and a month that is shifted.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { monitoringReport, type MonitoringReport } from "../../events/monitoring.js";
import { flightsFile, instanceOf, months, type Flight } from "../../infra/demo/flights.js";
import { parquetOf } from "../../infra/demo/ingest.js";
import { assess } from "../../shared/domain/analysis.js";
import type { Segment } from "../../shared/domain/state.js";
import { parseManifest } from "../../shared/manifest/parse.js";
import { seededRandom } from "../../shared/statistics/random.js";
import {
  isUp,
  newFolder,
  outside,
  play,
  removeFolder,
  sendRequests,
  tickEverySecond,
  until,
  uploadVersion,
  type Outside,
  type Playing,
  type Rollout,
  type Run,
} from "./instance.js";

/** Requests to each endpoint; Monitoring has a point a second, and the tick looks as often. */
const perSecond = 100;
/** Six models train at once: a machine that does ten other things takes minutes over it. */
const trainingSecondsMax = 600;
/** What the rollouts below may take from the challenger's registration to their end. */
const rolloutSecondsMax = 300;

/** Without any fault. */
const never = { FAULT_AFTER_REQUESTS: "1000000000" };

/** Each model's champion behaves as `usual` says, and so does its challenger until `fault` says otherwise. */
const models = {
  identical: { usual: never, fault: {}, perSecond },
  "thirty-percent-slower": {
    usual: { ...never, USUAL_DELAY_MS: "160" },
    fault: { FAULT_AFTER_REQUESTS: "20", FAULT_DELAY_MS: "208" },
    perSecond,
  },
  "twice-the-errors": {
    usual: { ...never, USUAL_ERROR_RATE: "0.1" },
    // More than 10 % of the requests, less than 20 %.
    fault: {
      FAULT_AFTER_REQUESTS: "0",
      FAULT_ABOVE_PER_SECOND: "20",
      FAULT_ERROR_RATE: "0.2",
      FAULT_SEED: "2",
    },
    perSecond,
  },
  leaking: {
    usual: never,
    fault: { FAULT_AFTER_REQUESTS: "0", FAULT_LEAK_BYTES: "1000000" },
    perSecond,
  },
  silent: { usual: never, fault: {}, perSecond: 0 },
} as const;

type Name = keyof typeof models;

/** Where a step must last longer, or less long, than the others' ten seconds. */
const bakeSecondsOf: Partial<Record<Name, number>> = {
  silent: 1,
  // Of latency in windows of a second only the sign counts, and ten signs are not enough.
  "thirty-percent-slower": 90,
};
const names = Object.keys(models).filter((name): name is Name => name in models);

const flights = (count: number): readonly Flight[] => {
  const random = seededRandom(4);
  return Array.from({ length: count }, (_, index) => {
    const hour = 6 + Math.floor(16 * random());
    return {
      dateMs: Date.UTC(2001, 0, 1) + index * Math.floor((30 * 86_400_000) / count),
      hour,
      weekday: Math.floor(7 * random()),
      distance: 200 + Math.floor(2000 * random()),
      origin: ["ATL", "ORD", "DFW", "LAX"][index % 4] ?? "ATL",
      destination: ["SFO", "JFK", "BOS"][index % 3] ?? "SFO",
      originLateRate: 0.1 + 0.2 * random(),
      outcome: random() < (hour - 4) / 24 ? "late" : "on-time",
    };
  });
};

type Change = readonly [from: RegExp, to: string];

const changed = (changes: readonly Change[]): string =>
  changes.reduce(
    (yaml, [from, to]) => {
      if (!from.test(yaml)) throw new Error(`the demo's manifest has no ${from.source}`);
      return yaml.replace(from, to);
    },
    readFileSync(
      fileURLToPath(new URL("../../infra/demo/flights-late.yaml", import.meta.url)),
      "utf8",
    ),
  );

/** The identical challenger's answers are looked at too, from the log of its endpoint. */
const lookedAt = (name: Name): readonly Change[] =>
  name === "identical"
    ? [
        [/requestsMin: 50/, "requestsMin: 50\n    predictions: { requestsMin: 20 }"],
        [
          /^budget: .*$/m,
          "$&\nmonitoring: { predictionLog: gs://continuo-demo-continuo/predictions }",
        ],
      ]
    : [];

const manifestOf = (name: Name): string =>
  changed([
    [/^name: .*$/m, `name: ${name}`],
    [/^ {2}schedules:\n.*\n/m, ""],
    [/flights-(qa|production)/g, `${name}-$1`],
    [/algorithm: .*\n.*parameters: .*/, "algorithm: logistic-regression"],
    [/auc: \{ min: 0.6 \}/, "auc: { min: 0.5 }"],
    [/smokeTest: .*/, "smokeTest: { requests: 10, errorsMax: 10, latencyP95MsMax: 1000 }"],
    [
      /image: continuo\/predictor/,
      `image: continuo/faulty-predictor\n  env: ${JSON.stringify(models[name].usual)}`,
    ],
    [/steps: .*/, "steps: [10, 20, 50, 100]"],
    [/bakeSeconds: .*/, `bakeSeconds: ${bakeSecondsOf[name] ?? 10}`],
    [/requestsMin: .*/, "requestsMin: 50"],
    [/inconclusiveSecondsMax: .*/, `inconclusiveSecondsMax: ${name === "silent" ? 6 : 120}`],
    ...lookedAt(name),
  ]);

const real = "real-flights";
const rowsPerWindow = 1500;
const rowsPerRequest = 50;

/** The demo's manifest, watched for drift, for a challenger that may be a little worse overall. */
const realManifest = changed([
  [/^name: .*$/m, `name: ${real}`],
  [/^ {2}schedules:\n.*\n/m, ""],
  [/^ {2}name: flights$/m, `  name: ${real}`],
  [/^ +- \{ name: qa.*\n/m, ""],
  [/flights-production/, `${real}-production`],
  [/iterations: 60/, "iterations: 40"],
  [/comparison: .*/, "comparison: { mode: non-inferiority, margin: 0.01, alpha: 0.05 }"],
  [/rowsMin: 300/, "rowsMin: 400"],
  [/^triggers:$/m, "triggers:\n  drift: notify"],
  [
    /^budget: .*$/m,
    `monitoring:
  predictionLog: gs://continuo-demo-continuo/predictions
  drift: { rowsMin: ${rowsPerWindow}, jsdMax: 0.05, linfMax: 0.1 }`,
  ],
]);

/** January to March, a tenth of their flights. */
const realMonths = async (): Promise<readonly (readonly Flight[])[]> => {
  const found: (readonly Flight[])[] = [];
  for await (const month of months({ file: flightsFile(), share: 0.1, seed: 1 })) {
    if (found.push(month.flights) === 3) break;
  }
  return found;
};

const spoiledOrigin = "DFW";

/** February with one airport's outcomes exchanged wherever they are trained on; the last week, which judges, is right. */
const spoiled = (month: readonly Flight[]): Buffer => {
  const judgedSinceMs = Date.UTC(2001, 1, 22);
  return parquetOf(month, ({ origin, dateMs, outcome }) =>
    origin === spoiledOrigin && dateMs < judgedSinceMs
      ? { outcome: outcome === "late" ? "on-time" : "late" }
      : {},
  );
};

/** What a caller does who sends hours in UTC and distances in kilometres. */
const shifted = (flight: Flight): Flight => ({
  ...flight,
  hour: (flight.hour + 5) % 24,
  distance: Math.round(1.609 * flight.distance),
});

/** A window's worth of a month, evenly thinned. */
const thinned = (month: readonly Flight[]): readonly Flight[] => {
  const step = Math.floor(month.length / rowsPerWindow);
  return month.filter((_, index) => index % step === 0).slice(0, rowsPerWindow);
};

/** A verdict with the segment that it was made of. */
const keptVerdict = z.looseObject({
  result: z.string(),
  reasons: z.array(z.string()),
  numbers: z.record(z.string(), z.number()),
  policyVersion: z.number(),
  measured: z.custom<Segment>(),
});

describe(`at ${perSecond} requests, one point of each series and one look a second, a challenger that`, () => {
  const folder = newFolder();
  const started: { up?: Playing; stops: (() => Promise<void> | void)[] } = { stops: [] };
  const rollouts = new Map<Name, Rollout>();

  const measured: z.infer<typeof keptVerdict>[] = [];
  const looks: MonitoringReport[] = [];
  const refused: { run?: Run; why?: readonly string[] } = {};

  const firstVersion = async (seen: Outside, name: string): Promise<string> => {
    await until(`the champion of ${name}`, trainingSecondsMax, async () => {
      const [rollout] = await seen.rollouts(name);
      return rollout?.outcome === "promoted" ? true : null;
    });
    const [run] = await seen.runs(name);
    if (run?.evaluation == null) throw new Error(`${name} has a champion without a run`);
    return run.evaluation.artifact;
  };

  const publishData = async (seen: Outside, dataset: string, uri: string): Promise<void> => {
    const file = join(folder, `${dataset}-arrived.json`);
    writeFileSync(file, JSON.stringify({ dataset, uris: [uri] }));
    const published = await seen.continuo("publish", "dataset.arrived", "--file", file);
    if (published.code !== 0) throw new Error(published.err);
  };

  const serve = async (seen: Outside, served: readonly Flight[]): Promise<void> => {
    const instances = served.map(instanceOf);
    for (let start = 0; start < instances.length; start += rowsPerRequest) {
      await seen.predict(`${real}-production`, instances.slice(start, start + rowsPerRequest));
    }
  };

  /** The first report that the detector writes of a window that began after `afterMs`. */
  const lookAfter = (seen: Outside, afterMs: number): Promise<MonitoringReport> =>
    until("a look at what was served", trainingSecondsMax, async () => {
      await seen.advance("continuo-detect-drift");
      const { report } = z
        .object({ report: monitoringReport.nullable() })
        .parse(await seen.read(`/models/${real}/monitoring`));
      const isWhole = report !== null && report.comparisons.length > 0;
      return isWhole && Date.parse(report.window.start) > afterMs ? report : null;
    });

  const playRealFlights = async (seen: Outside): Promise<void> => {
    const [january = [], february = [], march = []] = await realMonths();
    await publishData(seen, real, await seen.putObject("real/2001-01.parquet", parquetOf(january)));
    await firstVersion(seen, real);
    await publishData(seen, real, await seen.putObject("real/2001-02.parquet", spoiled(february)));
    await serve(seen, thinned(february));
    await serve(seen, thinned(march));
    const usual = await lookAfter(seen, 0);
    await serve(seen, thinned(march).map(shifted));
    looks.push(usual, await lookAfter(seen, Date.parse(usual.window.end)));
    refused.run = await until("the end of the spoiled run", trainingSecondsMax, async () => {
      const [run] = await seen.runs(real);
      return run?.datasetUris.at(-1)?.endsWith("-02.parquet") && !run.isLive ? run : null;
    });
    refused.why = (await seen.why(refused.run.run)).reasons;
  };

  const isOver = ({ isLive, phase }: Rollout): boolean => !isLive || phase === "parked";

  const roll = async (seen: Outside, name: Name): Promise<void> => {
    const { usual, fault } = models[name];
    const artifactUri = await firstVersion(seen, name);
    if (models[name].perSecond > 0) {
      const { stop } = sendRequests(seen, {
        folder,
        endpoint: `${name}-production`,
        perSecond: models[name].perSecond,
      });
      started.stops.push(stop);
    }
    const versionId = await uploadVersion(seen, {
      model: name,
      artifactUri,
      image: "continuo/faulty-predictor",
      aliases: ["challenger"],
      env: { ...usual, ...fault },
    });
    const rollout = await until(`the end of ${name}`, rolloutSecondsMax, async () => {
      const all = await seen.rollouts(name);
      return all.find((one) => one.versionId === versionId && isOver(one)) ?? null;
    });
    rollouts.set(name, rollout);
    if (name === "identical") measured.push(...(await measuredIn(seen, rollout)));
  };

  /** What each verdict of a rollout kept. */
  const measuredIn = async (
    seen: Outside,
    { rollout }: Rollout,
  ): Promise<readonly z.infer<typeof keptVerdict>[]> => {
    const { history } = z
      .object({ history: z.array(z.object({ verdict: keptVerdict })) })
      .parse(await seen.read(`/rollouts/${rollout}`));
    return history.map(({ verdict }) => verdict);
  };

  beforeAll(async () => {
    started.up = play(folder, "up");
    await isUp(started.up);
    const seen = outside(started.up);
    started.stops.push(tickEverySecond(seen).stop);
    for (const name of [...names, real] as const) {
      const file = join(folder, `${name}.yaml`);
      writeFileSync(file, name === real ? realManifest : manifestOf(name));
      const { code, err } = await seen.continuo("apply", "-f", file);
      if (code !== 0) throw new Error(err);
    }
    const uri = await seen.putObject("flights/2001-01.parquet", parquetOf(flights(4000)));
    await publishData(seen, "flights", uri);
    await Promise.all([...names.map((name) => roll(seen, name)), playRealFlights(seen)]);
  }, 1_800_000);

  afterAll(async () => {
    for (const stop of started.stops) await stop();
    await started.up?.stop();
    removeFolder(folder);
  });

  const rolloutOf = (name: Name): Rollout => {
    const rollout = rollouts.get(name);
    if (rollout === undefined) throw new Error(`${name} has no rollout`);
    return rollout;
  };

  const failure = (name: Name): string =>
    rolloutOf(name)
      .history.flatMap(({ verdict }) => (verdict.result === "failed" ? verdict.reasons : []))
      .join("\n");

  it(`is identical is promoted within ${rolloutSecondsMax} s`, () => {
    expect(failure("identical")).toBe("");
    expect(rolloutOf("identical").outcome).toBe("promoted");
  });

  it("was looked at leaves what was measured, of which every verdict can be made again", () => {
    const parsed = parseManifest(manifestOf("identical"));
    if (!parsed.ok) throw new Error("the manifest was applied, so it must be right");
    const { bakeSeconds, analysis } = parsed.manifest.rollout;
    const segments = measured.map((verdict) => verdict.measured);
    const again = segments.map((current, index) =>
      assess({
        earlier: segments.slice(0, index),
        current,
        stepStartedAtMs: current.startMs,
        bakeMs: bakeSeconds * 1000,
        policy: analysis,
        policyVersion: 1,
      }),
    );
    // As they are stored: JSON has one zero.
    expect(JSON.parse(JSON.stringify(again))).toEqual(measured);
    expect(measured.map(({ numbers }) => numbers["predictions"])).toEqual([
      expect.any(Number),
      expect.any(Number),
      expect.any(Number),
      // At 100 % nobody answers beside the challenger.
      0,
    ]);
    expect(measured[0]?.numbers["predictions"]).toBeGreaterThanOrEqual(20);
  });

  it(`is 30 % slower (208 ms for 160) is rolled back for its latency within ${rolloutSecondsMax} s`, () => {
    expect(failure("thirty-percent-slower")).toContain("latency of the challenger is worse");
    expect(rolloutOf("thirty-percent-slower").outcome).toBe("rolled-back");
  });

  it(`has twice the errors (20 % for 10 %) from 20 % of the traffic on passes 10 % and is rolled back within ${rolloutSecondsMax} s`, () => {
    const { history, outcome } = rolloutOf("twice-the-errors");
    expect(history[0]).toMatchObject({ weight: 10, verdict: { result: "successful" } });
    expect(failure("twice-the-errors")).toContain("error rate of the challenger is worse");
    expect(outcome).toBe("rolled-back");
  });

  it(`leaks 1 MB with each request is rolled back for its memory within ${rolloutSecondsMax} s`, () => {
    expect(failure("leaking")).toContain("memory of the challenger is worse");
    expect(rolloutOf("leaking").outcome).toBe("rolled-back");
  });

  it("nobody asks never advances and is parked at its limit", () => {
    const { phase, weight, history } = rolloutOf("silent");
    expect({ phase, weight }).toEqual({ phase: "parked", weight: 10 });
    expect(history.map(({ verdict }) => verdict.result)).not.toContain("successful");
  });

  it("is worse at one airport alone is refused for that airport, with its rows and the power", () => {
    expect(refused.run).toMatchObject({ outcome: "rejected", versionId: null });
    const numbers = refused.run?.evaluation?.numbers ?? {};
    // Better on the whole: only the slice speaks against it.
    expect(numbers["challenger.auc"]).toBeGreaterThan(numbers["champion.auc"] ?? 1);
    expect(refused.why).toContainEqual(
      expect.stringMatching(
        /slice worse by more than the 0\.01 allowed where origin is "DFW" \(582 rows\): auc 0\.5\d+ against the champion's 0\.7\d+, .*; adjusted for 4 slices p < 0\.0001, power to find a fall of 0\.06 here is \d+ %$/,
      ),
    );
    expect(refused.why?.join("\n").match(/where origin is/g)).toHaveLength(1);
    expect(refused.why?.join("\n")).toContain("not worse than the champion by more than 0.01");
  });

  it("serves a month like the one before has no drift, and one with other units has it in these", () => {
    const anomalies = looks.map(({ comparisons }) =>
      comparisons.flatMap(({ columns }) =>
        columns.flatMap(({ feature, isAnomaly }) =>
          isAnomaly && feature !== "score" ? [feature] : [],
        ),
      ),
    );
    expect(anomalies).toEqual([[], ["hour", "distance"]]);
  });
});
