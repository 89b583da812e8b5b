import { describe, expect, it } from "vitest";
import { RejectedError, UnavailableError } from "../../shared/domain/errors.js";
import type { Ports } from "../../shared/ports/ports.js";
import { templateUri } from "../../shared/runtime/training-spec.js";
import { manifestOf } from "../fixtures/manifest.js";
import { serve, until } from "./crashing.js";
import { untilPhase } from "./people.js";
import { churn, storyOf, testEnvironment, type Story } from "./story.js";

const production = "churn-production";

/** A story in which one method refuses while a test says so. */
const refusing = async (
  change: (ports: Ports, refuse: () => Promise<never>, isRefusing: () => boolean) => Ports,
  error: () => Error = () => new RejectedError("the quota\nof L4 is used up"),
): Promise<{ readonly story: Story; readonly refuse: (on: boolean) => void }> => {
  let isOn = false;
  const story = await storyOf(manifestOf(), {
    through: (ports) =>
      change(
        ports,
        () => Promise.reject(error()),
        () => isOn,
      ),
  });
  return { story, refuse: (on) => void (isOn = on) };
};

const isIdle = (story: Story): boolean =>
  story.model().rollout === null && story.model().run === null;

const lastRun = async (story: Story) =>
  (await story.world.ports.state.runs({ model: churn, limit: 1 }))[0];

const lastRollout = async (story: Story) =>
  (await story.world.ports.state.rollouts({ model: churn, limit: 1 }))[0];

const pending = (story: Story): number =>
  [...story.world.journal.values()].filter(({ isPending }) => isPending).length;

describe("what the cloud refuses for good", () => {
  it("a submission: the run fails with the cloud's words, and the next one may start", async () => {
    const { story, refuse } = await refusing((ports, no, isOn) => ({
      ...ports,
      pipelines: {
        ...ports.pipelines,
        submit: (...given) => (isOn() ? no() : ports.pipelines.submit(...given)),
      },
    }));
    refuse(true);
    await story.arrive("january");
    expect(await lastRun(story)).toMatchObject({ outcome: "failed" });
    expect((await lastRun(story))?.reasons[0]).toMatch(/submit-pipeline-job.*the quota of L4/);
    expect(story.model()).toMatchObject({ run: null, budget: { reservedUsd: 0 } });
    expect(pending(story)).toBe(0);
    refuse(false);
    await story.train("february");
    await until(story, () => isIdle(story));
    expect(story.model().champion?.versionId).toBe("1");
  });

  it("an upload: the run fails, and nothing is rolled out", async () => {
    const { story, refuse } = await refusing((ports, no, isOn) => ({
      ...ports,
      registry: {
        ...ports.registry,
        upload: (...given) => (isOn() ? no() : ports.registry.upload(...given)),
      },
    }));
    refuse(true);
    await story.train("january");
    expect(await lastRun(story)).toMatchObject({ outcome: "failed" });
    expect(story.model().rollout).toBeNull();
  });

  it("a deployment: the rollout is rolled back, and users notice nothing", async () => {
    const { story, refuse } = await refusing((ports, no, isOn) => ({
      ...ports,
      endpoints: {
        ...ports.endpoints,
        deploy: (given) =>
          isOn() && given.endpoint === production ? no() : ports.endpoints.deploy(given),
      },
    }));
    await story.firstChampion();
    const before = story.world.endpoints.get(production)?.split;
    refuse(true);
    await story.train("february");
    await until(story, () => isIdle(story));
    expect(await lastRollout(story)).toMatchObject({ outcome: "rolled-back", versionId: "2" });
    expect((await lastRollout(story))?.reasons[0]).toMatch(/deploy-model was refused/);
    expect(story.world.endpoints.get(production)?.split).toEqual(before);
    expect(story.world.endpoints.get("churn-qa")?.deployed).toHaveLength(1);
  });

  it("a deployment that fails later: the same", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    await story.train("february");
    await untilPhase(story, "deploying", 1);
    const challenger = story.model().rollout?.deployed["production"];
    const endpoint = story.world.endpoints.get(production);
    if (challenger === undefined || endpoint === undefined) throw new Error("no deployment");
    endpoint.deployed.splice(endpoint.deployed.indexOf(challenger), 1);
    endpoint.failures[challenger] = "Model server exited unexpectedly.";
    await until(story, () => isIdle(story));
    expect((await lastRollout(story))?.reasons[0]).toMatch(/Model server exited/);
  });

  it("a traffic change of the canary: it is parked, and a person is paged", async () => {
    const { story, refuse } = await refusing((ports, no, isOn) => ({
      ...ports,
      endpoints: {
        ...ports.endpoints,
        setTrafficSplit: (...given) => (isOn() ? no() : ports.endpoints.setTrafficSplit(...given)),
      },
    }));
    await story.firstChampion();
    await story.train("february");
    await untilPhase(story, "progressing");
    refuse(true);
    serve(story, 0);
    await story.pass(61);
    expect(story.model().rollout).toMatchObject({ phase: "parked", weight: 50 });
    expect(story.world.endpoints.get(production)?.split).toMatchObject({
      [story.model().rollout?.deployed["production"] ?? ""]: 10,
    });
  });

  it("an undeployment: it is asked for again, and the rollout ends", async () => {
    const { story, refuse } = await refusing((ports, no, isOn) => ({
      ...ports,
      endpoints: {
        ...ports.endpoints,
        undeploy: (...given) => (isOn() ? no() : ports.endpoints.undeploy(...given)),
      },
    }));
    await story.firstChampion();
    story.world.predictStatus = 500;
    refuse(true);
    await story.train("february");
    await until(story, () => story.model().rollout?.phase === "cleaning");
    for (let visit = 0; visit < 5; visit += 1) await story.pass(60);
    expect(story.model().rollout?.phase).toBe("cleaning");
    refuse(false);
    await until(story, () => isIdle(story), 60);
    expect(story.world.endpoints.get("churn-qa")?.deployed).toHaveLength(1);
  });

  it("an alias: a person is told, and the rollout goes on", async () => {
    const { story, refuse } = await refusing((ports, no, isOn) => ({
      ...ports,
      registry: {
        ...ports.registry,
        setAliases: (...given) => (isOn() ? no() : ports.registry.setAliases(...given)),
      },
    }));
    refuse(true);
    await story.firstChampion();
    expect(story.model().champion?.versionId).toBe("1");
    expect(pending(story)).toBe(0);
  });
});

describe("what may work later", () => {
  it("an endpoint that is busy delays its rollout and loses nothing", async () => {
    let isBusy = true;
    const failures: unknown[] = [];
    const story = await storyOf(manifestOf(), {
      through: (ports) => ({
        ...ports,
        endpoints: {
          ...ports.endpoints,
          deploy: (given) =>
            isBusy
              ? Promise.reject(new UnavailableError("operation 7 is changing the endpoint"))
              : ports.endpoints.deploy(given),
        },
      }),
      onFailure: async (error) => void failures.push(error),
    });
    await story.train("january");
    await story.pass(30);
    await story.pass(30);
    expect(story.model().rollout?.phase).toBe("deploying");
    expect(pending(story)).toBe(1);
    isBusy = false;
    await story.pass(30);
    await until(story, () => isIdle(story));
    expect(story.model().champion?.versionId).toBe("1");
    expect(pending(story)).toBe(0);
  });
});

describe("what users' own images may write", () => {
  it.each([
    ["broken JSON", "{"],
    ["no sample", "{}"],
    ["a sample that is no list", '{"sample":{"age":40}}'],
    ["null", "null"],
  ])("a report with %s fails the smoke test and blocks nobody", async (_name, report) => {
    const story = await storyOf(manifestOf());
    await story.world.ports.objects.write(
      "gs://demo-continuo/report.json",
      Buffer.from(report),
      "application/json",
    );
    await story.train("january");
    await until(story, () => isIdle(story));
    expect((await lastRollout(story))?.reasons[0]).toMatch(/no example requests are known/);
  });

  it.each([
    ["a line break in a reason", { reasons: ["better\nand faster"] }, "registered"],
    ["an empty reason", { reasons: [""] }, "registered"],
    ["no reason", { reasons: [] }, "registered"],
    [
      "five hundred long reasons",
      { reasons: Array.from({ length: 500 }, () => "x".repeat(3000)) },
      "registered",
    ],
    ["a number that is none", { numbers: { auc: Number.NaN } }, "registered"],
    ["an artifact without an address", { artifact: "" }, "failed"],
  ])("an evaluation with %s leaves no run judged for ever", async (_name, changes, outcome) => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    await story.endJob({
      evaluation: {
        report: "gs://demo-continuo/report.json",
        outcome: "accept",
        reasons: ["better"],
        numbers: {},
        artifact: "gs://demo-continuo/model",
        artifactDigest: "sha256:1",
        ...changes,
      },
    });
    await until(story, () => story.model().run === null);
    expect((await lastRun(story))?.outcome).toBe(outcome);
    expect(pending(story)).toBe(0);
  });

  it.each([
    ["is missing", null],
    ["is no JSON", "{"],
    ["is no template", "{}"],
  ])("a run whose template %s fails and says so", async (_name, template) => {
    const story = await storyOf(manifestOf(), {
      through: (ports) => ({
        ...ports,
        objects: {
          ...ports.objects,
          read: async (uri, limit) => {
            if (uri !== templateUri(testEnvironment.CONTINUO_BUCKET)) {
              return ports.objects.read(uri, limit);
            }
            return template === null ? null : Buffer.from(template);
          },
        },
      }),
    });
    await story.arrive("january");
    expect(await lastRun(story)).toMatchObject({ outcome: "failed" });
    expect((await lastRun(story))?.reasons[0]).toMatch(/train\.json/);
  });
});
