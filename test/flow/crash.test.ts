import { describe, expect, it } from "vitest";
import { manifestOf } from "../fixtures/manifest.js";
import { play, serve, until, type Crash, type Scenario } from "./crashing.js";
import { answer, command } from "./people.js";
import type { Story } from "./story.js";

const championOf = (story: Story) => story.model().champion?.versionId ?? null;
const isIdle = (story: Story) => story.model().run === null && story.model().rollout === null;

const firstChampion: Scenario = async (story) => {
  await story.train("january");
  await until(story, () => championOf(story) === "1" && isIdle(story));
};

const untilCanary = async (story: Story): Promise<void> => {
  await story.train("february");
  await until(story, () => story.model().rollout?.phase === "progressing");
};

const scenarios: Readonly<Record<string, Scenario>> = {
  "a first champion": firstChampion,
  "a promotion": async (story) => {
    await firstChampion(story);
    await untilCanary(story);
    await until(
      story,
      () => championOf(story) === "2" && isIdle(story),
      61,
      () => serve(story, 0),
    );
  },
  "a roll-back": async (story) => {
    await firstChampion(story);
    await untilCanary(story);
    await until(
      story,
      () => isIdle(story),
      20,
      () => serve(story, 0.5),
    );
  },
  "an abort in the canary": async (story) => {
    await firstChampion(story);
    await untilCanary(story);
    await command(story, "abort");
    await until(story, () => isIdle(story));
  },
  "a cancelled run": async (story) => {
    await story.arrive("january");
    await command(story, "cancel-run");
    await until(story, () => isIdle(story), 30);
  },
  "a failed smoke test": async (story) => {
    await firstChampion(story);
    story.world.predictStatus = 500;
    await story.train("february");
    await until(story, () => isIdle(story));
  },
};

const automatic = manifestOf();

const withPeople = manifestOf({
  promotion: {
    environments: [
      { name: "qa", endpoint: "churn-qa" },
      { name: "production", endpoint: "churn-production", approval: { by: "people", quorum: 2 } },
    ],
  },
});

/** Approval and a pause on the way into production. */
const approved: Scenario = async (story) => {
  await story.train("january");
  await until(story, () => story.model().rollout?.phase === "awaiting-approval");
  await answer(story, "approve", "ada");
  await answer(story, "approve", "bob");
  await command(story, "pause");
  await story.pass(60);
  await command(story, "resume");
  await until(story, () => championOf(story) === "1" && isIdle(story));
};

describe.each([
  ...Object.entries(scenarios).map(([name, scenario]) => [name, automatic, scenario] as const),
  ["an approval by people", withPeople, approved] as const,
])("%s", (_name, manifest, scenario) => {
  for (const recovery of ["redelivery", "tick"] as const) {
    it(`ends the same wherever it crashes, with ${recovery}`, async () => {
      const { end, effects } = await play(manifest, scenario, null);
      expect(effects).toBeGreaterThan(5);
      expect(end).toMatchObject({ pending: 0, open: { run: null, rollout: null }, timers: [] });
      for (let position = 0; position < effects; position += 1) {
        for (const moment of ["before", "after"] as const) {
          const crash: Crash = { position, moment, recovery };
          const played = await play(manifest, scenario, crash);
          expect({ ...crash, ...played }).toMatchObject({ ...crash, hasCrashed: true, end });
        }
      }
    });
  }
});
