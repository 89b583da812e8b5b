/** What draws on the quota of submissions, and who waits for it. */
import { expect, it } from "vitest";
import { defaultLimits, roomIn } from "../../shared/runtime/quota.js";
import { manifestOf } from "../fixtures/manifest.js";
import { storyOf, type Story } from "./story.js";

const room = async ({ world }: Story): Promise<number> =>
  roomIn(await world.ports.admission.ledger(), world.nowMs, defaultLimits);

it("uploads, deployments and undeployments take their share of the minute, and the jobs get the rest", async () => {
  const story = await storyOf(manifestOf());
  const { world } = story;
  await story.train("january");
  const counted = async () => {
    const { admitted } = await world.ports.admission.ledger();
    return admitted.reduce((total, { count }) => total + count, 0);
  };
  const sent = () =>
    world.effects.filter((effect) => /^(upload|deploy|undeploy) /.test(effect)).length;
  expect(sent()).toBeGreaterThan(1);
  expect(await counted()).toBe(sent());
  expect(await room(story)).toBe(defaultLimits.submissionsPerMinuteMax - sent());
});

it("a deployment does not wait while the jobs have used the minute up", async () => {
  const story = await storyOf(manifestOf());
  const { world } = story;
  const full = { atMs: world.nowMs, count: defaultLimits.submissionsPerMinuteMax };
  await story.train("january");
  const before = world.effects.length;
  await world.ports.admission.change((ledger) => ({ ...ledger, admitted: [full] }));
  expect(await room(story)).toBeLessThanOrEqual(0);
  for (let pass = 0; pass < 5; pass += 1) await story.pass(5);
  expect(world.effects.slice(before).some((effect) => effect.startsWith("deploy"))).toBe(true);
});
