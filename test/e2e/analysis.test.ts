/** Five rollouts at once: what the analysis does about challengers that are worse in one way each, or not at all. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Flight } from "../../infra/demo/flights.js";
import { parquetOf } from "../../infra/demo/ingest.js";
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
} from "./instance.js";

const perSecond = 100;

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

const manifestOf = (name: Name): string => {
  const demo = readFileSync(
    fileURLToPath(new URL("../../infra/demo/flights-late.yaml", import.meta.url)),
    "utf8",
  );
  const changes: readonly (readonly [from: RegExp, to: string])[] = [
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
    [/bakeSeconds: .*/, `bakeSeconds: ${name === "silent" ? 1 : 10}`],
    [/requestsMin: .*/, "requestsMin: 50"],
    [/inconclusiveSecondsMax: .*/, `inconclusiveSecondsMax: ${name === "silent" ? 6 : 120}`],
  ];
  return changes.reduce((yaml, [from, to]) => {
    if (!from.test(yaml)) throw new Error(`the demo's manifest has no ${from.source}`);
    return yaml.replace(from, to);
  }, demo);
};

describe("a challenger that", () => {
  const folder = newFolder();
  const started: { up?: Playing; stops: (() => Promise<void> | void)[] } = { stops: [] };
  const rollouts = new Map<Name, Rollout>();

  const firstVersion = async (seen: Outside, name: Name): Promise<string> => {
    await until(`the champion of ${name}`, 120, async () => {
      const [rollout] = await seen.rollouts(name);
      return rollout?.outcome === "promoted" ? true : null;
    });
    const [run] = await seen.runs(name);
    if (run?.evaluation == null) throw new Error(`${name} has a champion without a run`);
    return run.evaluation.artifact;
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
    const rollout = await until(`the end of the rollout of ${name}`, 150, async () => {
      const all = await seen.rollouts(name);
      return all.find((one) => one.versionId === versionId && isOver(one)) ?? null;
    });
    rollouts.set(name, rollout);
  };

  beforeAll(async () => {
    started.up = play(folder, "up");
    await isUp(started.up);
    const seen = outside(started.up);
    started.stops.push(tickEverySecond(seen).stop);
    for (const name of names) {
      const file = join(folder, `${name}.yaml`);
      writeFileSync(file, manifestOf(name));
      const { code, err } = await seen.continuo("apply", "-f", file);
      if (code !== 0) throw new Error(err);
    }
    const uri = await seen.putObject("flights/2001-01.parquet", parquetOf(flights(4000)));
    const data = join(folder, "arrived.json");
    writeFileSync(data, JSON.stringify({ dataset: "flights", uris: [uri] }));
    const published = await seen.continuo("publish", "dataset.arrived", "--file", data);
    if (published.code !== 0) throw new Error(published.err);
    await Promise.all(names.map((name) => roll(seen, name)));
  }, 400_000);

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

  it("is identical is promoted", () => {
    expect(failure("identical")).toBe("");
    expect(rolloutOf("identical").outcome).toBe("promoted");
  });

  it("is 30 % slower is rolled back for its latency", () => {
    expect(failure("thirty-percent-slower")).toContain("latency of the challenger is worse");
    expect(rolloutOf("thirty-percent-slower").outcome).toBe("rolled-back");
  });

  it("has twice the errors from 20 % of the traffic on passes 10 % and is rolled back", () => {
    const { history, outcome } = rolloutOf("twice-the-errors");
    expect(history[0]).toMatchObject({ weight: 10, verdict: { result: "successful" } });
    expect(failure("twice-the-errors")).toContain("error rate of the challenger is worse");
    expect(outcome).toBe("rolled-back");
  });

  it("leaks 1 MB with each request is rolled back for its memory", () => {
    expect(failure("leaking")).toContain("memory of the challenger is worse");
    expect(rolloutOf("leaking").outcome).toBe("rolled-back");
  });

  it("nobody asks never advances and is parked at its limit", () => {
    const { phase, weight, history } = rolloutOf("silent");
    expect({ phase, weight }).toEqual({ phase: "parked", weight: 10 });
    expect(history.map(({ verdict }) => verdict.result)).not.toContain("successful");
  });
});
