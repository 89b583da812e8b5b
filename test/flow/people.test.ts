import { describe, expect, it } from "vitest";
import type { RolloutState, RunState } from "../../shared/domain/state.js";
import { UnavailableError } from "../../shared/domain/errors.js";
import { manifestOf } from "../fixtures/manifest.js";
import { serve, until } from "./crashing.js";
import { answer, command, setTrafficByHand, untilPhase } from "./people.js";
import { churn, storyOf, type Story } from "./story.js";

const production = "churn-production";

const withPeople = (quorum: number) =>
  manifestOf({
    promotion: {
      environments: [
        { name: "qa", endpoint: "churn-qa" },
        {
          name: "production",
          endpoint: production,
          approval: { by: "people", quorum, expiresSeconds: 3600 },
        },
      ],
    },
  });

const splitOf = (story: Story) =>
  Object.entries<number>(story.world.endpoints.get(production)?.split ?? {}).filter(
    ([, weight]) => weight > 0,
  );

const deployedIn = (story: Story, endpoint: string) =>
  story.world.endpoints.get(endpoint)?.deployed ?? [];

const championIds = (story: Story) => Object.values(story.model().champion?.deployed ?? {});

const lastRollout = async (story: Story) =>
  (await story.world.ports.state.rollouts({ model: churn, limit: 1 }))[0];

const isIdle = (story: Story): boolean =>
  story.model().rollout === null && story.model().run === null;

/** The second version on its way, in a phase. */
const secondIn = async (phase: RolloutState["phase"], environment = 1): Promise<Story> => {
  const story = await storyOf(phase === "awaiting-approval" ? withPeople(1) : manifestOf());
  if (phase === "awaiting-approval") {
    await story.train("january");
    await untilPhase(story, phase);
    await answer(story, "approve", "ada");
    await until(story, () => isIdle(story));
  } else await story.firstChampion();
  await story.train("february");
  switch (phase) {
    case "deploying":
    case "smoke-testing":
    case "awaiting-approval":
      await untilPhase(story, phase, environment);
      break;
    case "progressing":
      await untilPhase(story, phase);
      break;
    case "paused":
      await untilPhase(story, "progressing");
      await command(story, "pause");
      break;
    case "parked":
      await untilPhase(story, "progressing");
      await story.pass(900);
      break;
    case "cleaning":
      await untilPhase(story, "progressing");
      await command(story, "abort");
      break;
  }
  expect(story.model().rollout?.phase).toBe(phase);
  return story;
};

describe("approval by people", () => {
  it("leads into production once enough of them said yes", async () => {
    const story = await storyOf(withPeople(2));
    await story.train("january");
    await untilPhase(story, "awaiting-approval");
    expect(deployedIn(story, production)).toHaveLength(0);
    await answer(story, "approve", "ada");
    await answer(story, "approve", "ada");
    await story.pass(60);
    expect(story.model().rollout?.phase).toBe("awaiting-approval");
    await answer(story, "approve", "bob");
    await until(story, () => isIdle(story));
    expect(story.model().champion?.versionId).toBe("1");
    expect([...story.world.timers.keys()]).toEqual([]);
  });

  it("ends with the first no, and everything is cleaned up", async () => {
    const story = await storyOf(withPeople(2));
    await story.train("january");
    await untilPhase(story, "awaiting-approval");
    await answer(story, "approve", "ada");
    await answer(story, "refuse", "bob");
    await until(story, () => isIdle(story));
    expect(await lastRollout(story)).toMatchObject({
      outcome: "aborted",
      reasons: ["bob refused"],
    });
    expect([...deployedIn(story, "churn-qa"), ...deployedIn(story, production)]).toEqual([]);
    expect(story.model().champion).toBeNull();
    await story.pass(3600);
    expect([...story.world.timers.keys()]).toEqual([]);
  });

  it("expires by its timer", async () => {
    const story = await storyOf(withPeople(1));
    await story.train("january");
    await untilPhase(story, "awaiting-approval");
    await story.pass(3599);
    expect(story.model().rollout?.phase).toBe("awaiting-approval");
    await story.pass(2);
    await until(story, () => isIdle(story));
    expect((await lastRollout(story))?.reasons).toEqual(["nobody approved in time"]);
  });
});

describe("pause and resume", () => {
  it("hold the canary at its weight, and the analysis with it", async () => {
    const story = await secondIn("progressing");
    const before = splitOf(story);
    await command(story, "pause");
    for (let visit = 0; visit < 5; visit += 1) {
      serve(story, 0.5);
      await story.pass(600);
    }
    expect(splitOf(story)).toEqual(before);
    await command(story, "resume");
    await until(
      story,
      () => isIdle(story),
      61,
      () => serve(story, 0),
    );
    expect(story.model().champion?.versionId).toBe("2");
  });

  it("hold a rollout that has not reached production", async () => {
    const story = await secondIn("deploying", 0);
    await command(story, "pause");
    await story.pass(60);
    await story.pass(60);
    expect(story.model().rollout).toMatchObject({ phase: "deploying", environment: 0 });
    await command(story, "resume");
    await untilPhase(story, "progressing");
  });

  it("hold triggers, which then start one run", async () => {
    const story = await storyOf(manifestOf());
    await command(story, "pause");
    await story.arrive("january");
    await story.arrive("february");
    await story.pass(600);
    expect(story.world.jobs.size).toBe(0);
    await command(story, "resume");
    await story.pass(1);
    expect(story.world.jobs.size).toBe(1);
    expect(story.model().run).toMatchObject({ triggerCount: 2 });
  });

  it("a rollout that was parked goes on when it is resumed", async () => {
    const story = await secondIn("parked");
    await command(story, "resume");
    await until(
      story,
      () => isIdle(story),
      61,
      () => serve(story, 0),
    );
    expect(story.model().champion?.versionId).toBe("2");
  });
});

describe("abort", () => {
  const places = [
    ["deploying", 0],
    ["smoke-testing", 0],
    ["awaiting-approval", 0],
    ["deploying", 1],
    ["progressing", 1],
    ["paused", 1],
    ["parked", 1],
    ["cleaning", 1],
  ] as const;

  it.each(places)(
    "while %s (environment %s) leaves the champion alone with its users",
    async (phase, environment) => {
      const story = await secondIn(phase, environment);
      const [, champion] = championIds(story);
      await command(story, "abort");
      expect(splitOf(story)).toEqual([[champion, 100]]);
      await until(story, () => isIdle(story));
      expect(splitOf(story)).toEqual([[champion, 100]]);
      expect(deployedIn(story, production)).toEqual([champion]);
      expect(story.world.versions[1]?.aliases).not.toContain("challenger");
      expect(await lastRollout(story)).toMatchObject({ outcome: "aborted", versionId: "2" });
      expect(story.model().champion?.versionId).toBe("1");
      await command(story, "abort");
      expect(story.world.published.filter(({ topic }) => topic === "effect")).toEqual([]);
    },
  );

  it("of traffic that somebody changed by hand is one change back to the champion", async () => {
    const story = await secondIn("progressing");
    const [, champion] = championIds(story);
    const challenger = story.model().rollout?.deployed["production"];
    if (champion === undefined || challenger === undefined) throw new Error("no canary");
    await setTrafficByHand(story, { [champion]: 40, [challenger]: 60 });
    expect(story.model().rollout?.phase).toBe("parked");
    await command(story, "abort");
    expect(splitOf(story)).toEqual([[champion, 100]]);
  });
});

describe("cancel-run", () => {
  const job = (story: Story) => {
    const run = story.model().run?.run;
    const found = run === undefined ? undefined : story.world.jobs.get(run);
    if (run === undefined || found === undefined) throw new Error("no job is running");
    return { run, found };
  };

  const runningTask = async (story: Story, name: string): Promise<void> => {
    const { run, found } = job(story);
    story.world.jobs.set(run, { ...found, tasks: { profile: "succeeded", [name]: "running" } });
    await story.pass(1);
  };

  const reach: Readonly<Record<RunState["phase"], (story: Story) => Promise<void>>> = {
    requested: async (story) => {
      await story.handle({
        specversion: "1.0",
        id: "data/january",
        source: "test",
        time: new Date(story.world.nowMs).toISOString(),
        type: "dataset.arrived",
        data: { dataset: "customers", uris: ["gs://demo-continuo/january.parquet"] },
      });
    },
    validating: (story) => story.arrive("january"),
    training: async (story) => {
      await story.arrive("january");
      await runningTask(story, "train");
    },
    evaluating: async (story) => {
      await story.arrive("january");
      await runningTask(story, "evaluate");
    },
    cancelling: async (story) => {
      await story.arrive("january");
      const { run, found } = job(story);
      await command(story, "cancel-run");
      // Vertex AI takes its time.
      story.world.jobs.set(run, { ...found, state: "running" });
    },
    parked: async (story) => {
      await reach.cancelling(story);
      const { run, found } = job(story);
      for (let minutes = 0; story.model().run?.phase === "cancelling"; minutes += 5) {
        if (minutes > 600) throw new Error("the run was never parked");
        story.world.jobs.set(run, { ...found, state: "running" });
        await story.pass(300);
      }
      story.world.jobs.set(run, { ...found, state: "running" });
    },
    judging: async (story) => {
      await story.arrive("january");
      const { run, found } = job(story);
      story.world.jobs.set(run, {
        ...found,
        state: "succeeded",
        evaluation: {
          report: "gs://demo-continuo/report.json",
          outcome: "accept",
          reasons: ["better\nand faster"],
          numbers: {},
          artifact: "gs://demo-continuo/model",
          artifactDigest: "sha256:1",
        },
      });
      await story.handle({
        specversion: "1.0",
        id: "job",
        source: "logging",
        time: new Date(story.world.nowMs).toISOString(),
        type: "pipeline-job.changed",
        data: { pipelineJob: run, state: "SUCCEEDED" },
      });
    },
    retrying: async (story) => {
      await story.arrive("january");
      await story.endJob({ state: "failed", error: "no machines left", isRetriable: true });
    },
    "awaiting-approval": async (story) => {
      await story.arrive("january");
      await story.endJob({
        dataGate: { verdict: "ask", reasons: ["age has moved"], profileUri: "" },
      });
    },
    registering: async (story) => {
      await reach.judging(story);
      await story.deliver();
    },
  };

  it.each([
    "requested",
    "validating",
    "training",
    "evaluating",
    "retrying",
    "awaiting-approval",
    "cancelling",
  ] as const)("while %s ends the run, and nothing is registered", async (phase) => {
    const story = await storyOf(manifestOf());
    await reach[phase](story);
    expect(story.model().run?.phase).toBe(phase);
    await command(story, "cancel-run");
    for (const [run, found] of story.world.jobs) {
      if (phase === "cancelling") story.world.jobs.set(run, { ...found, state: "cancelled" });
    }
    await until(story, () => isIdle(story));
    const [record] = await story.world.ports.state.runs({ model: churn, limit: 1 });
    expect(record?.outcome).toBe("cancelled");
    expect([...story.world.jobs.values()].some(({ state }) => state === "running")).toBe(false);
    expect(story.world.versions).toHaveLength(0);
    expect(story.model().budget.reservedUsd).toBe(0);
    expect([...story.world.timers.keys()]).toEqual([]);
  });

  it("while parked lets the run go without its job", async () => {
    const story = await storyOf(manifestOf());
    await reach.parked(story);
    expect(story.model().run?.phase).toBe("parked");
    await command(story, "cancel-run");
    const [record] = await story.world.ports.state.runs({ model: churn, limit: 1 });
    expect(record?.outcome).toBe("cancelled");
    expect(record?.reasons.join()).toMatch(/still runs/);
    expect(isIdle(story)).toBe(true);
  });

  it.each(["judging", "registering"] as const)(
    "while %s comes too late: the run ends by itself",
    async (phase) => {
      const story = await storyOf(manifestOf());
      await reach[phase](story);
      expect(story.model().run?.phase).toBe(phase);
      await command(story, "cancel-run");
      await until(story, () => isIdle(story));
      const [record] = await story.world.ports.state.runs({ model: churn, limit: 1 });
      expect(record?.outcome).toBe("registered");
    },
  );
});

describe("roll-back after a promotion", () => {
  const versionOf = (story: Story) => story.model().champion?.versionId;

  it("brings the champion before back in one traffic change", async () => {
    const story = await secondIn("progressing");
    const first = versionOf(story);
    await command(story, "promote-now");
    await until(story, () => isIdle(story));
    const second = versionOf(story);
    expect(second).not.toBe(first);
    const before = story.world.effects.length;
    await command(story, "roll-back");
    await until(story, () => isIdle(story));
    expect(versionOf(story)).toBe(first);
    const [serving] = championIds(story);
    expect(splitOf(story)).toEqual([[serving, 100]]);
    expect(deployedIn(story, production)).toEqual([serving]);
    const given = story.world.effects
      .slice(before)
      .filter((effect) => effect.startsWith(`split ${production}`));
    expect(given).toEqual([`split ${production} ${JSON.stringify({ [serving ?? ""]: 100 })}`]);
    const aliases = story.world.versions.find(({ id }) => id === first)?.aliases;
    expect(aliases).toEqual(expect.arrayContaining(["champion", "default"]));
    expect(await lastRollout(story)).toMatchObject({ outcome: "promoted", by: "on-call" });
    const told = await story.world.ports.state.timeline({ model: churn, limit: 500 });
    const promotions = told.flatMap(({ decisions }) =>
      decisions.filter(({ decision }) => decision.do === "promote"),
    );
    expect(promotions).toHaveLength(3);
  });
});

describe("forget", () => {
  it("waits for what is in progress, and leaves nothing behind", async () => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    await command(story, "forget");
    expect(story.world.models.size).toBe(1);
    await command(story, "cancel-run");
    await until(story, () => isIdle(story));
    await command(story, "forget");
    expect(story.world.models.size).toBe(0);
    expect([...story.world.timers.keys()]).toEqual([]);
  });
});

describe("a roll-back while an operation changes the endpoint", () => {
  it("waits for its end and goes first: what the rollout still wanted is left out", async () => {
    let isBusy = false;
    const busy = (): void => {
      if (isBusy) throw new UnavailableError("operation operations/7 is changing the endpoint");
    };
    const story = await storyOf(manifestOf({ serving: { replicasMin: 1, replicasMax: 8 } }), {
      // The cloud refuses both for as long as the operation runs; nobody delivers a person's command again.
      through: (ports) => ({
        ...ports,
        endpoints: {
          ...ports.endpoints,
          scale: async (...scaling) => {
            busy();
            return ports.endpoints.scale(...scaling);
          },
          setTrafficSplit: async (...change) => {
            busy();
            return ports.endpoints.setTrafficSplit(...change);
          },
        },
      }),
      onFailure: async () => undefined,
    });
    await story.firstChampion();
    const [champion] = Object.values(story.model().champion?.deployed ?? {}).slice(-1);
    const endpoint = story.world.endpoints.get(production);
    if (champion === undefined || endpoint === undefined) throw new Error("nobody serves");
    endpoint.replicas[champion] = { min: 4, max: 8, available: 4 };
    await story.train("february");
    await untilPhase(story, "progressing");
    await until(story, () => splitOf(story).length === 2);
    const { rollout } = story.model();
    const challenger = rollout?.deployed["production"];
    if (challenger === undefined) throw new Error("no challenger");
    isBusy = true;
    await command(story, "skip");
    expect(story.model().rollout).toMatchObject({ awaitedReplicas: { count: 2 } });
    await command(story, "abort");
    expect(splitOf(story)).toHaveLength(2);
    const before = story.world.effects.length;
    isBusy = false;
    await story.pass(60);
    expect(splitOf(story)).toEqual([[champion, 100]]);
    const effects = story.world.effects.slice(before);
    expect(effects.filter((effect) => effect.startsWith("scale"))).toEqual([]);
    expect(effects.findIndex((effect) => effect.startsWith("split churn-production"))).toBeLessThan(
      effects.findIndex((effect) => effect.startsWith("undeploy")),
    );
  });
});
