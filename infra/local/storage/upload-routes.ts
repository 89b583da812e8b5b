/** The three ways to send an object: media, multipart, resumable. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import type { BodyFolder } from "./body-folder.js";
import { invalid, notFound, StorageError } from "./errors.js";
import {
  chunksOf,
  header,
  param,
  parseJson,
  readJson,
  reply,
  type Call,
  type StorageRoute,
} from "./http.js";
import { boundaryOf, readRelated } from "./multipart.js";
import type { ObjectOperations, WritePlan } from "./objects.js";
import { readPreconditions } from "./preconditions.js";
import { settableObjectFields, showObject } from "./resources.js";
import type { StorageTables, StoredUpload } from "./tables.js";

/** Bytes that a resumable upload keeps when a chunk breaks off come in multiples of this. */
const chunkBytes = 256 * 1024;
const resumeIncomplete = 308;

const metadataSchema = settableObjectFields.extend({
  name: z.string().optional(),
  crc32c: z.string().optional(),
  md5Hash: z.string().optional(),
});
type Metadata = z.infer<typeof metadataSchema>;

const keptPlan = z.object({
  bucket: z.string(),
  name: z.string(),
  fields: settableObjectFields,
  preconditions: z.record(z.string(), z.string()),
  expected: z.record(z.string(), z.string()),
});

const hashHeader = (call: Call): Record<string, string> => {
  const value = header(call.request, "x-goog-hash") ?? "";
  const found: Record<string, string> = {};
  for (const item of value.split(",")) {
    const [, kind, sum] = /^\s*(crc32c|md5)=(.+?)\s*$/.exec(item) ?? [];
    if (kind !== undefined && sum !== undefined) found[kind === "md5" ? "md5Hash" : kind] = sum;
  }
  return found;
};

const planOf = (call: Call, metadata: Metadata, mediaType: string | undefined): WritePlan => {
  const { name: metadataName, crc32c, md5Hash, ...fields } = metadata;
  const name = call.query.get("name") ?? metadataName;
  if (name === undefined || name === "") throw invalid("Required parameter: name");
  const contentEncoding = fields.contentEncoding ?? call.query.get("contentEncoding") ?? undefined;
  return {
    bucket: param(call, "bucket"),
    name,
    fields: {
      ...fields,
      contentType: fields.contentType ?? mediaType ?? "application/octet-stream",
      ...(contentEncoding === undefined ? {} : { contentEncoding }),
    },
    preconditions: readPreconditions(call.query),
    expected: {
      ...(crc32c === undefined ? {} : { crc32c }),
      ...(md5Hash === undefined ? {} : { md5Hash }),
      ...hashHeader(call),
    },
  };
};

interface ContentRange {
  /** Undefined in a status query. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly total: number | undefined;
}

const number = (text: string | undefined): number | undefined =>
  text === undefined || text === "*" ? undefined : Number(text);

const readContentRange = (value: string | undefined): ContentRange => {
  if (value === undefined) return { first: 0, last: undefined, total: undefined };
  const match = /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(value.trim());
  if (match === null) throw invalid(`Failed to parse Content-Range header: "${value}".`);
  return { first: number(match[1]), last: number(match[2]), total: number(match[3]) };
};

const replyIncomplete = (call: Call, received: number): void => {
  call.response
    .writeHead(resumeIncomplete, {
      ...(received === 0 ? {} : { range: `bytes=0-${received - 1}` }),
      "content-length": 0,
    })
    .end();
};

/** What the upload routes stand on. */
export interface UploadRouteParts {
  readonly context: CloudContext;
  readonly tables: StorageTables;
  readonly folder: BodyFolder;
  readonly objects: ObjectOperations;
}

const skipBytes = async function* skipBytes(
  source: AsyncIterable<Buffer>,
  count: number,
): AsyncIterable<Buffer> {
  let rest = count;
  for await (const chunk of source) {
    if (chunk.length <= rest) {
      rest -= chunk.length;
      continue;
    }
    yield chunk.subarray(rest);
    rest = 0;
  }
};

/** The routes for uploads. */
export const uploadRoutes = (parts: UploadRouteParts): readonly StorageRoute[] => {
  const { context, tables, folder, objects } = parts;
  const busy = new Set<string>();

  const media = async (call: Call): Promise<void> => {
    const plan = planOf(call, {}, header(call.request, "content-type"));
    objects.requireWritable(plan);
    const body = await folder.receive(chunksOf(call.request));
    reply(call, showObject(await objects.write(plan, body), call.address));
  };

  const multipart = async (call: Call): Promise<void> => {
    const boundary = boundaryOf(header(call.request, "content-type") ?? "");
    const related = await readRelated(chunksOf(call.request), boundary);
    const plan = planOf(call, parseJson(related.metadata, metadataSchema), related.mediaType);
    objects.requireWritable(plan);
    const body = await folder.receive(related.media);
    reply(call, showObject(await objects.write(plan, body), call.address));
  };

  const begin = async (call: Call): Promise<void> => {
    const metadata = await readJson(call.request, metadataSchema);
    const plan = planOf(call, metadata, header(call.request, "x-upload-content-type"));
    objects.requireWritable(plan);
    const id = randomUUID();
    tables.saveUpload(
      { id, bucket: plan.bucket, name: plan.name, plan, finished_generation: null },
      context.now(),
    );
    const path = `upload/storage/v1/b/${encodeURIComponent(plan.bucket)}/o`;
    call.response
      .writeHead(200, {
        location: `${call.address}/${path}?uploadType=resumable&upload_id=${id}`,
        "x-guploader-uploadid": id,
        "content-length": 0,
      })
      .end();
  };

  const requireUpload = (call: Call): StoredUpload => {
    const upload = tables.upload(call.query.get("upload_id") ?? "");
    if (upload === undefined || upload.bucket !== param(call, "bucket")) {
      throw notFound("The upload session does not exist or has expired; begin a new one.");
    }
    return upload;
  };

  const replyFinished = (call: Call, upload: StoredUpload, generation: number): void => {
    const object = tables.object(upload.bucket, upload.name, generation);
    if (object === undefined) {
      throw new StorageError(410, "uploadBroken", "The uploaded object was deleted meanwhile.");
    }
    reply(call, showObject(object.resource, call.address));
  };

  const finish = async (call: Call, upload: StoredUpload): Promise<void> => {
    const plan = keptPlan.parse(upload.plan);
    const body = await folder.adopt(upload.id);
    const expected = { ...plan.expected, ...hashHeader(call) };
    try {
      const resource = await objects.write({ ...plan, expected }, body);
      tables.finishUpload(upload.id, Number(resource.generation));
      reply(call, showObject(resource, call.address));
    } catch (error) {
      // What was refused for good leaves no session behind; its bytes are gone.
      if (error instanceof StorageError) tables.deleteUpload(upload.id);
      throw error;
    }
  };

  const send = async (call: Call, upload: StoredUpload, range: ContentRange): Promise<void> => {
    const received = await folder.received(upload.id);
    const first = range.first ?? 0;
    if (first > received) {
      throw new StorageError(
        503,
        "backendError",
        `The chunk begins at byte ${first}, but only ${received} bytes were received; ask for the status and resume there.`,
      );
    }
    const fresh = skipBytes(chunksOf(call.request), received - first);
    const length = await folder.append(upload.id, received, fresh);
    const isWhole = call.request.complete;
    const total = range.total ?? (range.last === undefined && isWhole ? length : undefined);
    if (total !== undefined && length > total) {
      throw invalid(`Received ${length} bytes of an upload announced with ${total}.`);
    }
    if (total === length && isWhole) await finish(call, upload);
    else replyIncomplete(call, await folder.keepWhole(upload.id, chunkBytes));
  };

  const resume = async (call: Call): Promise<void> => {
    const upload = requireUpload(call);
    const range = readContentRange(header(call.request, "content-range"));
    if (upload.finished_generation !== null) {
      replyFinished(call, upload, upload.finished_generation);
      return;
    }
    if (busy.has(upload.id)) {
      throw new StorageError(
        503,
        "backendError",
        "The upload is being written by another request.",
      );
    }
    busy.add(upload.id);
    try {
      const received = await folder.received(upload.id);
      if (range.first !== undefined) await send(call, upload, range);
      else if (range.total === received) await finish(call, upload);
      else replyIncomplete(call, received);
    } finally {
      busy.delete(upload.id);
    }
  };

  const cancel = async (call: Call): Promise<void> => {
    const upload = requireUpload(call);
    tables.deleteUpload(upload.id);
    await folder.removeUpload(upload.id);
    call.response.writeHead(499, { "content-length": 0 }).end();
  };

  const start = async (call: Call): Promise<void> => {
    const kind = call.query.get("uploadType");
    if (kind === "media") await media(call);
    else if (kind === "multipart") await multipart(call);
    else if (kind === "resumable" && call.query.has("upload_id")) await resume(call);
    else if (kind === "resumable") await begin(call);
    else throw invalid(`Invalid upload type "${kind ?? ""}": use media, multipart or resumable.`);
  };

  const path = "b/:bucket/o";
  return [
    { method: "POST", path, handle: start },
    { method: "PUT", path, handle: resume },
    { method: "DELETE", path, handle: cancel },
  ];
};
