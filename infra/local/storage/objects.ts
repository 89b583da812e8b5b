/** What can be done to objects, without HTTP: every change is one transaction with its notifications. */
import type { CloudContext } from "../cloud.js";
import type { Announce, ObjectChange } from "./announcements.js";
import type { Readable } from "node:stream";
import type { BodyFolder, ByteRange, ReceivedBody } from "./body-folder.js";
import { invalid, notFound, StorageError } from "./errors.js";
import { requireForRead, requireForWrite, type Preconditions } from "./preconditions.js";
import type { BucketResource, ObjectResource, SettableObjectFields } from "./resources.js";
import type { StorageTables, StoredObject } from "./tables.js";

const nameBytesMax = 1024;
const composeSourcesMax = 32;
const openAttemptsMax = 5;

/** Where an object is to be written, and under which conditions. */
export interface WritePlan {
  readonly bucket: string;
  readonly name: string;
  readonly fields: SettableObjectFields;
  readonly preconditions: Preconditions;
  /** Checksums the sender computed; a body that differs is refused. */
  readonly expected: { readonly crc32c?: string; readonly md5Hash?: string };
}

/** Which object is meant: the live one, or a generation of it. */
export interface ObjectChoice {
  readonly bucket: string;
  readonly name: string;
  readonly generation?: string;
  readonly preconditions: Preconditions;
}

/** One source of a composition. */
export interface ComposeSource {
  readonly name: string;
  readonly generation?: string;
  readonly generationMatch?: string;
}

/** The operations of one Cloud Storage. */
export interface ObjectOperations {
  requireBucket(name: string): BucketResource;
  /** Refuses early what `write` would refuse, before a long body is sent. */
  requireWritable(plan: WritePlan): void;
  write(plan: WritePlan, body: ReceivedBody, componentCount?: number): Promise<ObjectResource>;
  find(choice: ObjectChoice): StoredObject;
  /** Finds an object and opens its body; `rangeOf` may choose a part of it. */
  read(choice: ObjectChoice, rangeOf?: RangeOf): Promise<OpenedObject>;
  change(
    choice: ObjectChoice,
    edit: (fields: ObjectResource) => SettableObjectFields,
  ): ObjectResource;
  remove(choice: ObjectChoice): Promise<void>;
  copy(from: ObjectChoice, to: WritePlan, isKeepingFields: boolean): Promise<ObjectResource>;
  compose(plan: WritePlan, sources: readonly ComposeSource[]): Promise<ObjectResource>;
}

/** Chooses the part of a body to read; undefined means all of it. */
export type RangeOf = (resource: ObjectResource) => ByteRange | undefined;

/** An object with its opened body. */
export interface OpenedObject {
  readonly resource: ObjectResource;
  readonly range: ByteRange | undefined;
  readonly body: Readable;
}

/** What the operations stand on. */
export interface ObjectParts {
  readonly context: CloudContext;
  readonly tables: StorageTables;
  readonly folder: BodyFolder;
  readonly announce: Announce;
  /** Called after a change was committed, so that its messages go out. */
  readonly announced: () => void;
}

const requireName = (name: string): void => {
  const isWellFormed =
    name !== "" &&
    name !== "." &&
    name !== ".." &&
    !/[\r\n]/.test(name) &&
    !name.startsWith(".well-known/acme-challenge/") &&
    Buffer.byteLength(name) <= nameBytesMax;
  if (!isWellFormed) {
    throw invalid(
      `Invalid object name "${name.slice(0, 80)}": it must have 1 to ${nameBytesMax} bytes, no line breaks, and not be "." or "..".`,
    );
  }
};

const requireSums = (expected: WritePlan["expected"], body: ReceivedBody): void => {
  if (expected.crc32c !== undefined && expected.crc32c !== body.crc32c) {
    throw invalid(
      `Provided CRC32C "${expected.crc32c}" doesn't match calculated CRC32C "${body.crc32c}".`,
    );
  }
  if (expected.md5Hash !== undefined && expected.md5Hash !== body.md5Hash) {
    throw invalid(
      `Provided MD5 hash "${expected.md5Hash}" doesn't match calculated MD5 hash "${body.md5Hash}".`,
    );
  }
};

const requireUnheld = (object: ObjectResource, nowMs: number): void => {
  if (object.temporaryHold === true || object.eventBasedHold === true) {
    throw new StorageError(
      403,
      "objectUnderActiveHold",
      `Object '${object.bucket}/${object.name}' is under active ${object.temporaryHold === true ? "Temporary" : "Event-Based"} hold and cannot be deleted, overwritten or archived until hold is removed.`,
    );
  }
  const until = object.retentionExpirationTime;
  if (until !== undefined && Date.parse(until) > nowMs) {
    throw new StorageError(
      403,
      "retentionPolicyNotMet",
      `Object '${object.bucket}/${object.name}' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until ${until}.`,
    );
  }
};

const plainFields = (object: ObjectResource): SettableObjectFields => {
  const { contentType, contentEncoding, contentDisposition, contentLanguage } = object;
  const { cacheControl, customTime, metadata } = object;
  const picked = { contentType, contentEncoding, contentDisposition, contentLanguage };
  return { ...picked, cacheControl, customTime, metadata };
};

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

/** Makes the operations. */
export const objectOperations = (parts: ObjectParts): ObjectOperations => {
  const { context, tables, folder, announce, announced } = parts;
  let lastGeneration = tables.newestGeneration();

  // The real service numbers generations by microseconds; here they must also never repeat.
  const nextGeneration = (): number => {
    lastGeneration = Math.max(lastGeneration + 1, context.now() * 1000);
    return lastGeneration;
  };

  const requireBucket = (name: string): BucketResource => {
    const bucket = tables.bucket(name);
    if (bucket === undefined) throw notFound("The specified bucket does not exist.");
    return bucket;
  };

  const newResource = (
    plan: WritePlan,
    body: ReceivedBody,
    generation: number,
    componentCount: number | undefined,
  ): ObjectResource => {
    const bucket = requireBucket(plan.bucket);
    const nowMs = context.now();
    const time = new Date(nowMs).toISOString();
    const periodS = bucket.retentionPolicy?.retentionPeriod;
    return {
      ...(bucket.defaultEventBasedHold === true ? { eventBasedHold: true } : {}),
      ...plan.fields,
      name: plan.name,
      bucket: plan.bucket,
      generation: String(generation),
      metageneration: "1",
      size: String(body.size),
      crc32c: body.crc32c,
      // A composed object has no MD5 in Cloud Storage.
      ...(componentCount === undefined ? { md5Hash: body.md5Hash } : { componentCount }),
      storageClass: bucket.storageClass,
      timeCreated: time,
      updated: time,
      timeStorageClassUpdated: time,
      timeFinalized: time,
      ...(periodS === undefined
        ? {}
        : { retentionExpirationTime: new Date(nowMs + Number(periodS) * 1000).toISOString() }),
    };
  };

  /** Takes the live generation out of its place; returns the file to delete, if any. */
  const retire = (live: StoredObject, overwrittenBy: string | undefined): string | undefined => {
    requireUnheld(live.resource, context.now());
    const { bucket, name } = live.resource;
    const isKept = requireBucket(bucket).versioning?.enabled === true;
    const resource = { ...live.resource, timeDeleted: new Date(context.now()).toISOString() };
    if (isKept) tables.saveObject({ ...live, isLive: false, resource });
    else tables.deleteObject(bucket, name, live.generation);
    const change: ObjectChange = {
      eventType: isKept ? "OBJECT_ARCHIVE" : "OBJECT_DELETE",
      resource,
      ...(overwrittenBy === undefined ? {} : { overwrittenByGeneration: overwrittenBy }),
    };
    announce(change);
    return isKept ? undefined : live.file;
  };

  const requireWritable = (plan: WritePlan): void => {
    requireName(plan.name);
    requireBucket(plan.bucket);
    requireForWrite(plan.preconditions, tables.liveObject(plan.bucket, plan.name)?.resource);
  };

  const write: ObjectOperations["write"] = async (plan, body, componentCount) => {
    let file: string | undefined;
    let retiredFile: string | undefined;
    try {
      requireWritable(plan);
      requireSums(plan.expected, body);
      const generation = nextGeneration();
      const placed = await folder.place(body, plan.bucket, plan.name, generation);
      file = placed;
      const resource = tables.transaction(() => {
        const live = tables.liveObject(plan.bucket, plan.name);
        requireForWrite(plan.preconditions, live?.resource);
        const created = newResource(plan, body, generation, componentCount);
        if (live !== undefined) retiredFile = retire(live, created.generation);
        tables.saveObject({ generation, isLive: true, file: placed, resource: created });
        announce({
          eventType: "OBJECT_FINALIZE",
          resource: created,
          ...(live === undefined ? {} : { overwroteGeneration: live.resource.generation }),
        });
        return created;
      });
      announced();
      if (retiredFile !== undefined) await folder.remove(retiredFile);
      return resource;
    } catch (error) {
      await (file === undefined ? folder.discard(body) : folder.remove(file));
      throw error;
    }
  };

  const find = ({ bucket, name, generation, preconditions }: ObjectChoice): StoredObject => {
    requireBucket(bucket);
    const found =
      generation === undefined
        ? tables.liveObject(bucket, name)
        : tables.object(bucket, name, Number(generation));
    if (found === undefined) throw notFound(`No such object: ${bucket}/${name}`);
    requireForRead(preconditions, found.resource);
    return found;
  };

  const read: ObjectOperations["read"] = async (choice, rangeOf = () => undefined) => {
    for (let attempt = 1; ; attempt += 1) {
      const { resource, file } = find(choice);
      const range = rangeOf(resource);
      try {
        return { resource, range, body: await folder.open(file, range) };
      } catch (error) {
        // The object was replaced between finding and opening it: the next look finds the new one.
        if (!isMissing(error) || attempt === openAttemptsMax) throw error;
      }
    }
  };

  const findForWrite = (choice: ObjectChoice): StoredObject => {
    const found = find({ ...choice, preconditions: {} });
    requireForWrite(choice.preconditions, found.resource);
    return found;
  };

  const remove: ObjectOperations["remove"] = async (choice) => {
    const file = tables.transaction(() => {
      const found = findForWrite(choice);
      if (found.isLive && choice.generation === undefined) return retire(found, undefined);
      // Naming a generation deletes it for good, versioning or not.
      requireUnheld(found.resource, context.now());
      tables.deleteObject(choice.bucket, choice.name, found.generation);
      announce({ eventType: "OBJECT_DELETE", resource: found.resource });
      return found.file;
    });
    announced();
    if (file !== undefined) await folder.remove(file);
  };

  const change: ObjectOperations["change"] = (choice, edit) => {
    const changed = tables.transaction(() => {
      const found = findForWrite(choice);
      const resource: ObjectResource = {
        ...found.resource,
        ...edit(found.resource),
        metageneration: String(Number(found.resource.metageneration) + 1),
        updated: new Date(context.now()).toISOString(),
      };
      tables.saveObject({ ...found, resource });
      announce({ eventType: "OBJECT_METADATA_UPDATE", resource });
      return resource;
    });
    announced();
    return changed;
  };

  const copy: ObjectOperations["copy"] = async (from, to, isKeepingFields) => {
    const source = find(from);
    const { size, crc32c, md5Hash = "", componentCount } = source.resource;
    requireWritable(to);
    const body = await folder.duplicate(source.file, { size: Number(size), crc32c, md5Hash });
    const fields = isKeepingFields ? plainFields(source.resource) : to.fields;
    return write({ ...to, fields }, body, componentCount);
  };

  const compose: ObjectOperations["compose"] = async (plan, sources) => {
    if (sources.length === 0 || sources.length > composeSourcesMax) {
      throw invalid(
        `The number of source components provided (${sources.length}) must be 1 to ${composeSourcesMax}.`,
      );
    }
    requireWritable(plan);
    const found = sources.map(({ name, generation, generationMatch }) => {
      const choice = {
        bucket: plan.bucket,
        name,
        ...(generation === undefined ? {} : { generation }),
      };
      const preconditions = generationMatch === undefined ? {} : { generationMatch };
      return findForWrite({ ...choice, preconditions });
    });
    const body = await folder.receive(
      (async function* join() {
        for (const { file } of found) yield* await folder.open(file);
      })(),
    );
    const count = found.reduce((sum, { resource }) => sum + (resource.componentCount ?? 1), 0);
    return write(plan, body, count);
  };

  return { requireBucket, requireWritable, write, find, read, change, remove, copy, compose };
};
