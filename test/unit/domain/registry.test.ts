import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import { functions } from "../../../functions/manifest.js";
import { champion, churn, eventOf, nowMs, stateOf, waiting } from "./situations.js";

const { versionId } = waiting;

/** What alias challenger on a version leads to, by who set it. */
const askedBy = (principal: string) => {
  const event = eventOf("model-version.aliased", {
    model: churn,
    versionId,
    principal,
    aliases: ["challenger"],
  });
  const version = {
    versionId,
    aliases: ["challenger"],
    artifactUri: "gs://b/3",
    artifactDigest: null,
    servingImage: "x",
  };
  const state = stateOf({ champion });
  return decide(state, { event, facts: { versions: { [versionId]: version } } }, nowMs);
};

const at = (name: string, project = "demo-project"): string =>
  `${name}@${project}.iam.gserviceaccount.com`;

describe("who set alias challenger", () => {
  it.each([
    ...functions.map(({ identity }) => at(identity)),
    at("continuo"),
    at("fn-tick", "project-7.example.com"),
  ])("%s is one of our own functions: a late call of ours asks for nothing", (principal) => {
    expect(askedBy(principal)).toMatchObject([
      { do: "ignore", reason: expect.stringContaining("no person asked") },
    ]);
  });

  it.each([
    "ada@example.com",
    at("release"),
    at("continuo-ci"),
    at("my-continuo"),
    at("fn_tick"),
    "continuo@example.com",
    "fn-tick@example.com",
    `${at("continuo")}.example.com`,
    "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s",
  ])("%s is somebody else: it asks for a rollout", (principal) => {
    const started = askedBy(principal).find((decision) => decision.do === "start-rollout");
    expect(started).toMatchObject({ to: { versionId, by: principal } });
  });
});
