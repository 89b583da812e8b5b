/** Buckets over the JSON API: create, get, list, patch, update, delete. */
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { invalid, notFound, notImplemented, StorageError } from "./errors.js";
import {
  countIn,
  param,
  readJson,
  reply,
  replyEmpty,
  type Call,
  type StorageRoute,
} from "./http.js";
import { mergePatch } from "./merge.js";
import { readPreconditions, requireForRead, requireForWrite } from "./preconditions.js";
import {
  bucketResource,
  refusedBucketFields,
  settableBucketFields,
  showBucket,
  type BucketResource,
  type SettableBucketFields,
} from "./resources.js";
import type { StorageTables } from "./tables.js";

const pageSizeMax = 1000;
const body = z.record(z.string(), z.unknown());
const multiRegions: ReadonlySet<string> = new Set(["US", "EU", "ASIA"]);

const requireName = (name: string): void => {
  if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(name) || /\.\./.test(name)) {
    throw invalid(
      `Invalid bucket name: '${name}'. Use 3 to 63 lower-case letters, digits, dashes, underscores and dots, beginning and ending with a letter or digit.`,
    );
  }
};

const requireBuilt = (draft: Readonly<Record<string, unknown>>): void => {
  const asked = refusedBucketFields.filter((field) => {
    const value = draft[field];
    return value !== undefined && value !== null && JSON.stringify(value) !== "{}";
  });
  if (asked.length > 0) {
    throw notImplemented(
      `The local Cloud Storage does not act on a bucket's ${asked.join(", ")}; leave it out here.`,
    );
  }
};

const readSettable = (draft: unknown) => {
  const read = settableBucketFields.safeParse(draft);
  if (!read.success) throw invalid(`Invalid value: ${z.prettifyError(read.error)}`);
  return read.data;
};

/** Labels and rules that were all taken away are not there. */
const withoutEmpty = ({ labels, cors, ...rest }: SettableBucketFields): SettableBucketFields => ({
  ...rest,
  ...(labels === undefined || Object.keys(labels).length === 0 ? {} : { labels }),
  ...(cors === undefined || cors.length === 0 ? {} : { cors }),
});

// Buckets have metagenerations only; generation conditions do not apply to them.
const versionOf = ({ metageneration }: BucketResource) => ({ generation: "", metageneration });

/** The routes for buckets. */
export const bucketRoutes = (
  context: CloudContext,
  tables: StorageTables,
): readonly StorageRoute[] => {
  const { projectNumber } = context.settings;
  const show = (call: Call, resource: BucketResource) =>
    showBucket(resource, call.address, projectNumber);

  const requireBucket = (call: Call): BucketResource => {
    const bucket = tables.bucket(param(call, "bucket"));
    if (bucket === undefined) throw notFound("The specified bucket does not exist.");
    return bucket;
  };

  const create = async (call: Call): Promise<void> => {
    const draft = await readJson(call.request, body);
    const name = z.string().catch("").parse(draft["name"]);
    const project = call.query.get("project") ?? "";
    if (project === "") throw invalid("Required parameter: project");
    requireName(name);
    requireBuilt(draft);
    const location = z.string().catch("US").parse(draft["location"]).toUpperCase();
    const time = new Date(context.now()).toISOString();
    const resource: BucketResource = {
      ...readSettable(draft),
      name,
      project,
      location,
      locationType: multiRegions.has(location) ? "multi-region" : "region",
      storageClass: z.string().catch("STANDARD").parse(draft["storageClass"]),
      metageneration: "1",
      timeCreated: time,
      updated: time,
    };
    tables.transaction(() => {
      if (tables.bucket(name) !== undefined) {
        throw new StorageError(
          409,
          "conflict",
          "Your previous request to create the named bucket succeeded and you already own it.",
        );
      }
      tables.saveBucket(resource);
    });
    reply(call, show(call, resource));
  };

  const change = async (call: Call, isReplacing: boolean): Promise<void> => {
    const draft = await readJson(call.request, body);
    requireBuilt(draft);
    const conditions = readPreconditions(call.query);
    const changed = tables.transaction(() => {
      const bucket = requireBucket(call);
      requireForWrite(conditions, versionOf(bucket));
      const settable = settableBucketFields.parse(bucket);
      const merged = withoutEmpty(readSettable(isReplacing ? draft : mergePatch(settable, draft)));
      const { name, project, location, locationType, timeCreated } = bucket;
      const resource = bucketResource.parse({
        ...merged,
        storageClass: merged.storageClass ?? bucket.storageClass,
        name,
        project,
        location,
        locationType,
        timeCreated,
        metageneration: String(Number(bucket.metageneration) + 1),
        updated: new Date(context.now()).toISOString(),
      });
      tables.saveBucket(resource);
      return resource;
    });
    reply(call, show(call, changed));
  };

  const remove = (call: Call): void => {
    const conditions = readPreconditions(call.query);
    tables.transaction(() => {
      const bucket = requireBucket(call);
      requireForWrite(conditions, versionOf(bucket));
      if (tables.hasObjects(bucket.name)) {
        throw new StorageError(409, "conflict", "The bucket you tried to delete is not empty.");
      }
      tables.deleteBucket(bucket.name);
    });
    replyEmpty(call);
  };

  const list = (call: Call): void => {
    const project = call.query.get("project") ?? "";
    if (project === "") throw invalid("Required parameter: project");
    const limit = countIn(call, "maxResults", pageSizeMax);
    const after = Buffer.from(call.query.get("pageToken") ?? "", "base64url").toString("utf8");
    const prefix = call.query.get("prefix") ?? "";
    const found = tables.buckets(project, prefix, after, limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const isMore = found.length > limit && last !== undefined;
    reply(call, {
      kind: "storage#buckets",
      ...(isMore ? { nextPageToken: Buffer.from(last.name).toString("base64url") } : {}),
      items: page.map((bucket) => show(call, bucket)),
    });
  };

  const get = (call: Call): void => {
    const bucket = requireBucket(call);
    requireForRead(readPreconditions(call.query), versionOf(bucket));
    reply(call, show(call, bucket));
  };

  return [
    { method: "POST", path: "b", handle: create },
    { method: "GET", path: "b", handle: list },
    { method: "GET", path: "b/:bucket", handle: get },
    { method: "PATCH", path: "b/:bucket", handle: (call) => change(call, false) },
    { method: "PUT", path: "b/:bucket", handle: (call) => change(call, true) },
    { method: "DELETE", path: "b/:bucket", handle: remove },
    {
      method: "GET",
      path: "projects/:project/serviceAccount",
      handle: (call) => {
        const email = `service-${projectNumber}@gs-project-accounts.iam.gserviceaccount.com`;
        reply(call, { kind: "storage#serviceAccount", email_address: email });
      },
    },
  ];
};
