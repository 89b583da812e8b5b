/** The hourly look: what the cloud has against what is believed, repaired where nobody else wanted it so. */
import { describe, expect, it } from "vitest";
import { deployedModelId, modelVersionId } from "../../events/ids.js";
import { reconcile } from "../../shared/runtime/tick.js";
import { manifestOf } from "../fixtures/manifest.js";
import { storyOf, type Story } from "./story.js";

const championStory = async (manifest: Parameters<typeof manifestOf>[0] = {}): Promise<Story> => {
  const story = await storyOf(manifestOf(manifest));
  await story.firstChampion();
  await story.pass(3600);
  story.world.published.splice(0);
  return story;
};

let visits = 0;

const look = async ({ world }: Story): Promise<readonly string[]> => {
  const before = world.effects.length;
  visits += 1;
  await reconcile(`visit-${visits}`, world.ports);
  return world.effects.slice(before).filter((effect) => !effect.startsWith("anchor"));
};

const told = ({ world }: Story): readonly unknown[] =>
  world.published
    .filter(({ topic }) => topic === "notification")
    .map(({ body }) => (body as { data: { title: string } }).data.title);

const versionOf = ({ world }: Story, id: string) => {
  const found = world.versions.find((version) => version.id === id);
  if (found === undefined) throw new Error(`there is no version ${id}`);
  return found;
};

describe("aliases", () => {
  it("as they should be need nothing", async () => {
    const story = await championStory();
    expect(await look(story)).toEqual([]);
    expect(told(story)).toEqual([]);
  });

  it("champion is set again where no version holds it any more", async () => {
    const story = await championStory();
    versionOf(story, "1").aliases = ["default"];
    expect(await look(story)).toEqual(["aliases 1 champion"]);
    expect(versionOf(story, "1").aliases).toContain("champion");
    expect(await look(story)).toEqual([]);
  });

  it("champion on another version is told once and left there", async () => {
    const story = await championStory();
    const other = modelVersionId.parse("7");
    versionOf(story, "1").aliases = [];
    story.world.versions.push({
      id: other,
      artifactUri: "gs://x",
      image: "i",
      aliases: ["champion"],
    });
    expect(await look(story)).toEqual([]);
    expect(await look(story)).toEqual([]);
    expect(told(story)).toEqual(["churn: alias champion was moved by hand"]);
    expect(versionOf(story, "7").aliases).toEqual(["champion"]);
  });

  it("are left alone for ten minutes after a promotion, when a look may show what was before", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    versionOf(story, "1").aliases = [];
    expect(await look(story)).toEqual([]);
    await story.pass(600);
    expect(await look(story)).toEqual(["aliases 1 champion"]);
  });

  it("challenger that a late call of ours set is taken away once no rollout is in progress", async () => {
    const story = await championStory();
    versionOf(story, "1").aliases.push("challenger", "in-rollout");
    expect(await look(story)).toEqual(["aliases 1 -challenger -in-rollout"]);
    expect(versionOf(story, "1").aliases).not.toContain("challenger");
    expect(await look(story)).toEqual([]);
  });

  it("challenger that a person set, and of which no event came, is left alone", async () => {
    const story = await championStory();
    versionOf(story, "1").aliases.push("challenger");
    expect(await look(story)).toEqual([]);
    expect(versionOf(story, "1").aliases).toContain("challenger");
  });

  it("challenger is not looked at any more a day after the last rollout", async () => {
    const story = await championStory();
    await story.pass(86_400);
    const asked: string[] = [];
    const { ports } = story.world;
    const watched = {
      ...ports,
      registry: {
        ...ports.registry,
        version: (...[model, alias]: Parameters<typeof ports.registry.version>) => {
          asked.push(alias);
          return ports.registry.version(model, alias);
        },
        uploads: async () => Promise.reject(new Error("nothing was uploaded lately")),
      },
    };
    await reconcile("a-day-later", watched);
    expect(asked).toEqual(["champion"]);
  });
});

describe("versions", () => {
  const surplus = modelVersionId.parse("7");

  it("that a late call uploaded once more is removed, and the run's alias goes back", async () => {
    const story = await championStory();
    const run = story.model().champion?.run ?? "none";
    versionOf(story, "1").aliases = ["champion"];
    story.world.versions.push({ ...versionOf(story, "1"), id: surplus, aliases: [run] });
    expect(await look(story)).toEqual([`aliases 1 ${run}`, "remove 7"]);
    expect(story.world.versions.map(({ id, aliases }) => ({ id, aliases }))).toEqual([
      { id: "1", aliases: ["champion", run] },
    ]);
    expect(await look(story)).toEqual([]);
  });

  it("that a person has given another alias are left alone", async () => {
    const story = await championStory();
    const run = story.model().champion?.run ?? "none";
    versionOf(story, "1").aliases = ["champion"];
    const aliases = [run, "keep-me"];
    story.world.versions.push({ ...versionOf(story, "1"), id: surplus, aliases });
    expect(await look(story)).toEqual([]);
    expect(story.world.versions).toHaveLength(2);
  });

  it("that a person gave an alias just before the removal are left alone", async () => {
    const story = await championStory();
    story.world.versions.push({ ...versionOf(story, "1"), id: surplus, aliases: [] });
    const { ports } = story.world;
    const meddled = {
      ...ports,
      registry: {
        ...ports.registry,
        remove: (...given: Parameters<typeof ports.registry.remove>) => {
          versionOf(story, "7").aliases.push("keep-me");
          return ports.registry.remove(...given);
        },
      },
    };
    await reconcile("meddled", meddled);
    expect(story.world.versions.map(({ id }) => id)).toEqual(["1", "7"]);
  });

  it("that came first, and were overtaken by the one that is named, are removed: also while a rollout stands still", async () => {
    const story = await championStory();
    await story.train("february");
    const run = story.model().rollout?.run ?? "none";
    const named = story.model().rollout?.versionId ?? "none";
    expect(named).toBe("2");
    story.world.versions.push({ ...versionOf(story, named), id: surplus, aliases: [] });
    await story.handle({
      specversion: "1.0",
      id: "pause",
      source: "test",
      time: new Date(story.world.nowMs).toISOString(),
      type: "command.issued",
      data: { model: story.model().model, command: "pause", by: "ada" },
    });
    expect(await look(story)).toContain("remove 7");
    expect(story.world.versions.map(({ id }) => id)).toEqual(["1", "2"]);
    expect(versionOf(story, "2").aliases).toContain(run);
  });

  it("are removed by the same look that finds something else to tell", async () => {
    const story = await championStory();
    story.world.versions.push({ ...versionOf(story, "1"), id: surplus, aliases: ["champion"] });
    story.world.versions.push({
      ...versionOf(story, "1"),
      id: modelVersionId.parse("8"),
      aliases: [],
    });
    versionOf(story, "1").aliases = [];
    expect(await look(story)).toEqual(["remove 8"]);
    expect(told(story)).toEqual(["churn: alias champion was moved by hand"]);
  });

  it("of another artifact, or made by hand, are no second upload", async () => {
    const story = await championStory();
    const own = versionOf(story, "1");
    story.world.versions.push({ ...own, id: surplus, artifactUri: "gs://other", aliases: [] });
    const { run: _run, ...byHand } = own;
    story.world.versions.push({ ...byHand, id: modelVersionId.parse("8"), aliases: [] });
    expect(await look(story)).toEqual([]);
    expect(story.world.versions).toHaveLength(3);
  });
});

describe("traffic and deployments", () => {
  const production = "churn-production";

  it("that a person changed are told once and not overwritten", async () => {
    const story = await championStory();
    const endpoint = story.world.endpoints.get(production);
    const stranger = deployedModelId.parse("4242");
    if (endpoint === undefined) throw new Error("there is no endpoint");
    endpoint.split = { [stranger]: 100 };
    expect(await look(story)).toEqual([]);
    expect(await look(story)).toEqual([]);
    expect(told(story)).toEqual([`churn: traffic of ${production} was changed by hand`]);
    expect(endpoint.split).toEqual({ [stranger]: 100 });
  });

  it("that a rollout took away and a late call brought back are undeployed", async () => {
    const story = await championStory();
    const former = story.model().champion?.deployed["production"];
    await story.train("february");
    for (let pass = 0; pass < 60 && story.model().rollout !== null; pass += 1) {
      await story.pass(60);
      const split = story.world.endpoints.get(production)?.split ?? {};
      if (Object.keys(split).length > 1) break;
    }
    const { handle, world } = story;
    await handle({
      specversion: "1.0",
      id: "abort",
      source: "test",
      time: new Date(world.nowMs).toISOString(),
      type: "command.issued",
      data: { model: story.model().model, command: "abort", by: "ada", reason: "for the test" },
    });
    for (let pass = 0; pass < 60 && story.model().rollout !== null; pass += 1) await story.pass(60);
    expect(story.model().rollout).toBeNull();
    expect(story.model().champion?.deployed["production"]).toBe(former);
    const [retired] = (story.model().retired ?? []).filter(
      ({ endpoint }) => endpoint === production,
    );
    if (retired === undefined) throw new Error("nothing was retired");
    world.endpoints.get(production)?.deployed.push(retired.deployedModelId);
    expect(await look(story)).toContain(`undeploy ${retired.deployedModelId} from ${production}`);
    expect(world.endpoints.get(production)?.deployed).toEqual([former]);
  });
});
