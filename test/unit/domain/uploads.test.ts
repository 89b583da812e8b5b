import { describe, expect, it } from "vitest";
import { modelVersionId, runId } from "../../../events/ids.js";
import type { UploadedVersion } from "../../../shared/domain/facts.js";
import { needs } from "../../../shared/domain/needs.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { decideUploads } from "../../../shared/domain/uploads.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  champion,
  churn,
  eventOf,
  nowMs,
  progressing,
  run,
  runs,
  stateOf,
  those,
  waiting,
} from "./situations.js";

const kept = modelVersionId.parse("5");
const surplus = modelVersionId.parse("6");
const hourMs = 60 * 60 * 1000;

const upload = (
  versionId: typeof kept,
  aliases: readonly string[],
  changes: Partial<UploadedVersion> = {},
): UploadedVersion => ({
  run,
  versionId,
  aliases,
  artifactUri: "gs://b/artifacts/1",
  artifactDigest: "sha256:1",
  servingImage: "continuo/predictor",
  ...changes,
});

const registered = { uploaded: [{ run, versionId: kept, atMs: nowMs - hourMs }] };

const look = (
  changes: Partial<ModelState>,
  uploads: readonly UploadedVersion[],
  atMs = nowMs,
): readonly string[] =>
  decideUploads(stateOf({ champion, ...registered, ...changes }), { uploads }, atMs).map(
    (decision) => {
      if (decision.do === "set-aliases") {
        return `aliases ${decision.versionId} ${decision.aliases.join(" ")}`;
      }
      return decision.do === "remove-model-version"
        ? `remove ${decision.versionId}`
        : decision.reason;
    },
  );

const both = [upload(surplus, []), upload(kept, [run])];
const asTheyShouldBe = ["every run has one version"];

const table: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["a second upload that the named one overtook", look({}, both), ["remove 6"]],
  [
    "a second upload that took the run's alias",
    look({}, [upload(surplus, [run]), upload(kept, ["keep-me"])]),
    [`aliases 5 ${run}`, "remove 6"],
  ],
  [
    "one that is the model's default while nobody is champion",
    look({ champion: null }, [upload(surplus, ["default"]), upload(kept, [run])]),
    ["aliases 5 default", "remove 6"],
  ],
  [
    "one that is the model's default beside a champion",
    look({}, [upload(surplus, ["default"]), upload(kept, [run])]),
    asTheyShouldBe,
  ],
  [
    "one that a person gave an alias",
    look({}, [upload(surplus, ["keep-me"]), upload(kept, [run])]),
    asTheyShouldBe,
  ],
  [
    "one of another artifact",
    look({}, [upload(surplus, [], { artifactDigest: "sha256:2" }), upload(kept, [run])]),
    asTheyShouldBe,
  ],
  [
    "one of another run",
    look({}, [upload(surplus, [], { run: runId.parse("churn-r0000000009") }), upload(kept, [run])]),
    asTheyShouldBe,
  ],
  ["one without the version that is named", look({}, [upload(surplus, [run])]), asTheyShouldBe],
  [
    "one that is champion",
    look({ champion: { ...champion, versionId: surplus } }, both),
    asTheyShouldBe,
  ],
  [
    "one that was champion",
    look({ former: [{ ...champion, versionId: surplus }] }, both),
    asTheyShouldBe,
  ],
  [
    "one that is rolled out",
    look({ rollout: { ...progressing, versionId: surplus } }, both),
    asTheyShouldBe,
  ],
  [
    "one that waits for its rollout",
    look({ waiting: { ...waiting, versionId: surplus } }, both),
    asTheyShouldBe,
  ],
  [
    "two of a run that ended before its version was seen: the run's alias tells which stays",
    look({ uploaded: [{ run, atMs: nowMs }] }, both),
    ["remove 6"],
  ],
  ["one that came a day later", look({}, both, nowMs + 24 * hourMs), asTheyShouldBe],
  [
    "one under observe-only",
    look({ manifest: manifestOf({ mode: "observe-only" }) }, both),
    [
      "observe-only: would have because version 6 is a second upload of run churn-r0000000001, whose version is 5",
    ],
  ],
];

describe("what runs uploaded", () => {
  it.each(table)("%s", (_name, decided, expected) => {
    expect(decided).toEqual(expected);
  });

  it("is looked at for a day, by the hourly look alone", () => {
    const state = stateOf(registered);
    const asks = (by: "tick" | "reconcile", atMs: number): boolean =>
      needs(state, eventOf("model.visited", { model: churn, by }), atMs).some(
        ({ fact }) => fact === "uploads",
      );
    expect(asks("reconcile", nowMs)).toBe(true);
    expect(asks("reconcile", nowMs + 23 * hourMs)).toBe(false);
    expect(asks("tick", nowMs)).toBe(false);
  });

  it("is remembered of the newest runs that came as far as an upload", () => {
    const record = (index: number, versionId = kept) => ({
      do: "end-run" as const,
      settledUsd: 0,
      reason: "it ended",
      record: {
        ...runs.registering,
        model: churn,
        run: runId.parse(`churn-r${index}`),
        outcome: "registered" as const,
        reasons: ["x"],
        endedAtMs: nowMs,
        versionId,
      },
    });
    let state = stateOf();
    for (let index = 0; index < 30; index += 1) {
      const live = { ...runs.registering, run: runId.parse(`churn-r${index}`) };
      state = after({ ...state, run: live }, [record(index)], nowMs) ?? state;
    }
    expect(state.uploaded).toHaveLength(24);
    expect(state.uploaded?.at(-1)).toEqual({ run: "churn-r29", versionId: kept, atMs: nowMs });
    const training = after({ ...state, run: runs.training }, [record(0)], nowMs);
    expect(training?.uploaded).toEqual(state.uploaded);
  });

  it("says why in each decision", () => {
    const state = stateOf({ champion, ...registered, rollout: null, run: null });
    const [removal] = those(decideUploads(state, { uploads: both }, nowMs), "remove-model-version");
    expect(removal?.reason).toContain(`second upload of run ${run}`);
  });
});
