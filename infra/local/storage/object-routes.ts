/** Objects over the JSON API: get, download, list, patch, delete, copy, rewrite, compose. */
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { z } from "zod";
import type { ByteRange } from "./body-folder.js";
import { invalid, notImplemented, StorageError } from "./errors.js";
import {
  countIn,
  header,
  param,
  readJson,
  reply,
  replyEmpty,
  type Call,
  type StorageRoute,
} from "./http.js";
import { listObjects } from "./listing.js";
import { mergePatch } from "./merge.js";
import type { ObjectChoice, ObjectOperations } from "./objects.js";
import { readPreconditions } from "./preconditions.js";
import {
  objectEtag,
  settableObjectFields,
  showObject,
  type ObjectResource,
  type SettableObjectFields,
} from "./resources.js";
import type { StorageTables } from "./tables.js";

const pageSizeMax = 1000;
const anyFields = z.record(z.string(), z.unknown());

const choiceOf = (call: Call): ObjectChoice => {
  const generation = call.query.get("generation");
  if (generation !== null && !/^\d{1,19}$/.test(generation)) {
    throw invalid(`Invalid value for generation: "${generation}".`);
  }
  return {
    bucket: param(call, "bucket"),
    name: param(call, "object"),
    ...(generation === null ? {} : { generation }),
    preconditions: readPreconditions(call.query),
  };
};

const sourceOf = (call: Call): ObjectChoice => {
  const generation = call.query.get("sourceGeneration");
  return {
    bucket: param(call, "bucket"),
    name: param(call, "object"),
    ...(generation === null ? {} : { generation }),
    preconditions: readPreconditions(call.query, "ifSource"),
  };
};

/** The part of a body that a Range header asks for; undefined means all of it. */
export const readRange = (range: string | undefined, size: number): ByteRange | undefined => {
  const match = range === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(range.trim());
  if (match === null) return undefined;
  const [, from = "", to = ""] = match;
  if (from === "" && to === "") return undefined;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (first > last || first >= size) {
    throw new StorageError(
      416,
      "requestedRangeNotSatisfiable",
      `The requested range cannot be satisfied: the object has ${size} bytes.`,
    );
  }
  return { first, last };
};

const mediaHeaders = (object: ObjectResource): Record<string, string> => {
  const hashes = [`crc32c=${object.crc32c}`];
  if (object.md5Hash !== undefined) hashes.push(`md5=${object.md5Hash}`);
  const optional: Record<string, string | undefined> = {
    "content-encoding": object.contentEncoding,
    "content-disposition": object.contentDisposition,
    "content-language": object.contentLanguage,
    "cache-control": object.cacheControl,
  };
  return {
    "content-type": object.contentType ?? "application/octet-stream",
    etag: objectEtag(object.generation, object.metageneration),
    "last-modified": new Date(object.updated).toUTCString(),
    "accept-ranges": "bytes",
    "x-goog-generation": object.generation,
    "x-goog-metageneration": object.metageneration,
    "x-goog-hash": hashes.join(","),
    "x-goog-storage-class": object.storageClass,
    "x-goog-stored-content-encoding": object.contentEncoding ?? "identity",
    "x-goog-stored-content-length": object.size,
    ...Object.fromEntries(
      Object.entries(optional).flatMap(([name, value]) =>
        value === undefined || value === "" ? [] : [[name, value] as const],
      ),
    ),
  };
};

const mustGunzip = (call: Call, object: ObjectResource): boolean =>
  object.contentEncoding === "gzip" &&
  !/\bgzip\b/.test(header(call.request, "accept-encoding") ?? "") &&
  !/\bno-transform\b/.test(object.cacheControl ?? "");

/** What the object routes stand on. */
export interface ObjectRouteParts {
  readonly tables: StorageTables;
  readonly objects: ObjectOperations;
}

/** The routes for objects. */
export const objectRoutes = (parts: ObjectRouteParts): readonly StorageRoute[] => {
  const { tables, objects } = parts;

  const sendMedia = async (call: Call, isBodyWanted: boolean): Promise<void> => {
    const rangeOf = (held: ObjectResource) =>
      mustGunzip(call, held)
        ? undefined
        : readRange(header(call.request, "range"), Number(held.size));
    const { resource, range, body } = await objects.read(choiceOf(call), rangeOf);
    const headers = mediaHeaders(resource);
    if (mustGunzip(call, resource)) {
      // Decompressive transcoding: the length is unknown until the end, and ranges do not apply.
      delete headers["content-encoding"];
      call.response.writeHead(200, { ...headers, warning: "214 UploadServer gunzipped" });
      await pipeline(body, createGunzip(), call.response);
      return;
    }
    const size = Number(resource.size);
    const length = range === undefined ? size : range.last - range.first + 1;
    const extra: Record<string, string> =
      range === undefined ? {} : { "content-range": `bytes ${range.first}-${range.last}/${size}` };
    call.response.writeHead(range === undefined ? 200 : 206, {
      ...headers,
      ...extra,
      "content-length": length,
    });
    if (isBodyWanted && length > 0) {
      await pipeline(body, call.response);
    } else {
      body.destroy();
      call.response.end();
    }
  };

  const get = async (call: Call): Promise<void> => {
    if (call.query.get("alt") === "media") await sendMedia(call, true);
    else reply(call, showObject(objects.find(choiceOf(call)).resource, call.address));
  };

  const list = (call: Call): void => {
    const bucket = param(call, "bucket");
    objects.requireBucket(bucket);
    if (call.query.has("matchGlob")) {
      throw notImplemented("matchGlob is not built here; list by prefix and match by yourself.");
    }
    const page = listObjects(tables, {
      bucket,
      prefix: call.query.get("prefix") ?? "",
      delimiter: call.query.get("delimiter") ?? "",
      isWithVersions: call.query.get("versions") === "true",
      startOffset: call.query.get("startOffset") ?? "",
      endOffset: call.query.get("endOffset") ?? undefined,
      pageToken: call.query.get("pageToken") ?? undefined,
      limit: countIn(call, "maxResults", pageSizeMax),
    });
    const items = page.objects.map(({ resource }) => showObject(resource, call.address));
    reply(call, {
      kind: "storage#objects",
      ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
      ...(page.prefixes.length === 0 ? {} : { prefixes: page.prefixes }),
      ...(items.length === 0 ? {} : { items }),
    });
  };

  const change = async (call: Call, isReplacing: boolean): Promise<void> => {
    const draft = await readJson(call.request, anyFields);
    const keys = Object.keys(settableObjectFields.shape);
    const cleared = Object.fromEntries(keys.map((key) => [key, undefined]));
    const edit = (before: ObjectResource): SettableObjectFields => {
      const base = isReplacing ? {} : settableObjectFields.parse(before);
      const read = settableObjectFields.safeParse(mergePatch(base, draft));
      if (!read.success) throw invalid(`Invalid value: ${z.prettifyError(read.error)}`);
      return { ...cleared, ...read.data };
    };
    reply(call, showObject(objects.change(choiceOf(call), edit), call.address));
  };

  const remove = async (call: Call): Promise<void> => {
    await objects.remove(choiceOf(call));
    replyEmpty(call);
  };

  const copyTo = async (call: Call): Promise<ObjectResource> => {
    const draft = await readJson(call.request, anyFields);
    const read = settableObjectFields.safeParse(draft);
    if (!read.success) throw invalid(`Invalid value: ${z.prettifyError(read.error)}`);
    const isKeepingFields = Object.keys(draft).length === 0;
    return objects.copy(
      sourceOf(call),
      {
        bucket: param(call, "toBucket"),
        name: param(call, "toObject"),
        fields: read.data,
        preconditions: readPreconditions(call.query),
        expected: {},
      },
      isKeepingFields,
    );
  };

  const rewrite = async (call: Call): Promise<void> => {
    const resource = await copyTo(call);
    reply(call, {
      kind: "storage#rewriteResponse",
      totalBytesRewritten: resource.size,
      objectSize: resource.size,
      done: true,
      resource: showObject(resource, call.address),
    });
  };

  const composeSchema = z.object({
    sourceObjects: z.array(
      z.object({
        name: z.string(),
        generation: z.string().or(z.number()).transform(String).optional(),
        objectPreconditions: z
          .object({ ifGenerationMatch: z.string().or(z.number()).transform(String).optional() })
          .optional(),
      }),
    ),
    destination: settableObjectFields.optional(),
  });

  const compose = async (call: Call): Promise<void> => {
    const { sourceObjects, destination } = await readJson(call.request, composeSchema);
    const sources = sourceObjects.map(({ name, generation, objectPreconditions }) => ({
      name,
      ...(generation === undefined ? {} : { generation }),
      ...(objectPreconditions?.ifGenerationMatch === undefined
        ? {}
        : { generationMatch: objectPreconditions.ifGenerationMatch }),
    }));
    const resource = await objects.compose(
      {
        bucket: param(call, "bucket"),
        name: param(call, "object"),
        fields: destination ?? {},
        preconditions: readPreconditions(call.query),
        expected: {},
      },
      sources,
    );
    reply(call, showObject(resource, call.address));
  };

  const one = "b/:bucket/o/:object";
  return [
    { method: "GET", path: "b/:bucket/o", handle: list },
    { method: "GET", path: one, handle: get },
    { method: "HEAD", path: one, handle: (call) => sendMedia(call, false) },
    { method: "PATCH", path: one, handle: (call) => change(call, false) },
    { method: "PUT", path: one, handle: (call) => change(call, true) },
    { method: "DELETE", path: one, handle: remove },
    { method: "POST", path: `${one}/compose`, handle: compose },
    { method: "POST", path: `${one}/rewriteTo/b/:toBucket/o/:toObject`, handle: rewrite },
    {
      method: "POST",
      path: `${one}/copyTo/b/:toBucket/o/:toObject`,
      handle: async (call) => reply(call, showObject(await copyTo(call), call.address)),
    },
  ];
};
