/** A run has one version: a second upload of it, by a call that came long after its caller had given it up, is removed. */
import type { RunId } from "../../events/ids.js";
import { type Decision, ignore } from "./decision.js";
import type { Facts, Need, UploadedVersion } from "./facts.js";
import type { ModelState, RunRecord, Uploaded } from "./state.js";

/** Runs whose uploads a state remembers; more than a model has in a day. */
const uploadedMax = 24;

/** A call that nobody waits for any more has landed after this long, or never will. */
const lateMsMax = 24 * 60 * 60 * 1000;

const uploadedLately = ({ uploaded = [] }: ModelState, nowMs: number): readonly Uploaded[] =>
  uploaded.filter(({ atMs }) => nowMs - atMs < lateMsMax);

/** The runs that uploaded a version, with one that has just ended. */
export const withUploaded = (
  { uploaded = [], run }: ModelState,
  record: RunRecord,
  nowMs: number,
): Pick<ModelState, "uploaded"> =>
  run?.run === record.run && run.phase === "registering"
    ? {
        uploaded: [
          ...uploaded,
          {
            run: record.run,
            atMs: nowMs,
            ...(record.versionId === undefined ? {} : { versionId: record.versionId }),
          },
        ].slice(-uploadedMax),
      }
    : {};

/** What runs uploaded is looked at as long as a late call may bring more of it. */
export const uploadNeeds = (state: ModelState, nowMs: number): readonly Need[] =>
  uploadedLately(state, nowMs).length === 0 ? [] : [{ fact: "uploads" }];

/** Whether a version is one that the state names: it stays, whatever the registry calls it. */
export const isNamed = (
  { champion, rollout, waiting, former = [], uploaded = [] }: ModelState,
  versionId: UploadedVersion["versionId"],
): boolean =>
  [champion, rollout, waiting, ...former, ...uploaded].some((one) => one?.versionId === versionId);

/** Removes a version that has no alias but those that came with its upload, which go to the one that is kept. */
const removeOne = (
  { champion }: ModelState,
  run: RunId,
  surplus: UploadedVersion,
  kept: UploadedVersion,
): readonly Decision[] => {
  // The first version of a model is its default until one is promoted.
  const isDefault = champion === null || champion.versionId === kept.versionId;
  const own = [run, ...(isDefault ? ["default"] : [])];
  if (!surplus.aliases.every((alias) => own.includes(alias))) return [];
  const reason = `version ${surplus.versionId} is a second upload of run ${run}, whose version is ${kept.versionId}`;
  return [
    ...(surplus.aliases.length === 0
      ? []
      : [
          {
            do: "set-aliases" as const,
            versionId: kept.versionId,
            aliases: surplus.aliases,
            reason,
          },
        ]),
    { do: "remove-model-version", versionId: surplus.versionId, reason },
  ];
};

/** Keeps the version that the state names, or else the one that is found by the run's alias. */
const removeSurplus = (
  state: ModelState,
  { run, versionId }: Uploaded,
  uploads: readonly UploadedVersion[],
): readonly Decision[] => {
  const own = uploads.filter((upload) => upload.run === run);
  const kept = own.find((upload) =>
    versionId === undefined ? upload.aliases.includes(run) : upload.versionId === versionId,
  );
  if (kept === undefined) return [];
  return own
    .filter((upload) => upload !== kept && !isNamed(state, upload.versionId))
    .filter(
      ({ artifactUri, artifactDigest: digest }) =>
        artifactUri === kept.artifactUri && digest === kept.artifactDigest,
    )
    .flatMap((surplus) => removeOne(state, run, surplus, kept));
};

/** What a look at what runs uploaded means. */
export const decideUploads = (
  state: ModelState,
  { uploads }: Facts,
  nowMs: number,
): readonly Decision[] => {
  if (uploads === undefined) return ignore("no look at what runs uploaded is due");
  const decisions = uploadedLately(state, nowMs).flatMap((uploaded) =>
    removeSurplus(state, uploaded, uploads),
  );
  const [first] = decisions;
  if (first === undefined) return ignore("every run has one version");
  return state.manifest.mode === "observe-only"
    ? ignore(`observe-only: would have because ${first.reason}`)
    : decisions;
};
