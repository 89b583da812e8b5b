/** Uploads a model version unless it is there: the registry takes no id for it that a repeated upload could use. */
import { UnavailableError } from "../domain/errors.js";
import type { VersionUpload } from "../ports/vertex.js";
import { underLease, type GuardedEffect } from "./guards.js";
import { countOne } from "./quota.js";

/**
 * A version may be seen a minute after it is there. Who died may have sent its upload at 30 s, which had 20 s to arrive:
 * whoever comes at 120 s sees it.
 */
export const uploadLeaseMs = 120_000;

/** Looks a version up by its alias, then uploads it, under a lease. */
export const registerVersion = (version: VersionUpload, effect: GuardedEffect): Promise<void> =>
  underLease(`version--${version.model}`, uploadLeaseMs, effect, async (write) => {
    const { registry } = effect.ports;
    // First what runs, then what exists: an upload that ends in between is seen by the second look.
    const running = await registry.uploading(version.model);
    if ((await registry.version(version.model, version.alias)) !== null) return;
    if (running !== null) {
      throw new UnavailableError(
        `Model ${version.model} is being uploaded by ${running}, perhaps this very version. It is looked at again.`,
      );
    }
    await countOne(effect.ports);
    await write((fence, epoch) => {
      const labels = { ...version.labels, "continuo-epoch": String(epoch) };
      return registry.upload({ ...version, labels }, fence);
    });
  });
