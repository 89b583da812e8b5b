/**
 * The Anchors port on a bucket with a locked retention policy: an empty object per head, whose name is the head. A name
 * is written once and can't be removed before its time, and all heads of a model are one list away.
 */
import { modelName } from "../../events/ids.js";
import type { Anchor, Anchors, Head } from "../ports/anchors.js";
import { auditBucketOf, baseUrl, type GcpConfig } from "./config.js";
import { asCloudError, attempting } from "./errors.js";
import type { Rest } from "./rest.js";
import { listedObjects, type ListedObject } from "./storage-objects.js";

/** Wide enough that names sort like numbers. */
const digits = 12;

const nameOf = ({ model, sequence, hash }: Head): string =>
  `heads/${model}/${String(sequence).padStart(digits, "0")}-${hash}`;

/** The head that an object's name tells; none for what somebody else put there. */
const anchorOf = ({ name, timeCreated }: ListedObject): readonly Anchor[] => {
  const match = /^heads\/([^/]+)\/(\d{12})-([0-9a-f]{64})$/.exec(name);
  const model = modelName.safeParse(match?.[1]);
  return model.success
    ? [
        {
          model: model.data,
          sequence: Number(match?.[2]),
          hash: match?.[3] ?? "",
          anchoredAtMs: Date.parse(timeCreated),
        },
      ]
    : [];
};

/** The Anchors port. */
export const storageAnchors = (config: GcpConfig, rest: Rest): Anchors => {
  const bucket = auditBucketOf(config);
  return {
    write: (head) =>
      attempting(`anchor head ${head.sequence} of model ${head.model}`, async () => {
        try {
          await rest.call({
            method: "POST",
            url: `${baseUrl(config, "storage")}/upload/storage/v1/b/${bucket}/o`,
            query: { uploadType: "media", name: nameOf(head), ifGenerationMatch: 0 },
            body: Buffer.alloc(0),
            contentType: "text/plain",
            isRepeatable: true,
          });
        } catch (error) {
          // It is there already: anchored before, or by our own call whose reply was lost.
          if (asCloudError(error).status !== "FAILED_PRECONDITION") throw error;
        }
      }),
    list: (model) =>
      attempting(`list the anchored heads of model ${model}`, async () =>
        (await listedObjects(config, rest, `gs://${bucket}/heads/${model}/`)).flatMap(anchorOf),
      ),
  };
};
