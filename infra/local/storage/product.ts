/** Cloud Storage of the local cloud: the JSON API over files and SQLite, with Pub/Sub notifications. */
import { join } from "node:path";
import { Readable } from "node:stream";
import type { CloudContext, CloudProduct, CloudServices } from "../cloud.js";
import type { HttpRoute } from "../protocol/service.js";
import { announcer } from "./announcements.js";
import { bodyFolder, type BodyFolder } from "./body-folder.js";
import { bucketRoutes } from "./bucket-routes.js";
import { asRpcError, asStorageError, invalid, notImplemented } from "./errors.js";
import { findRoute, refuse, type StorageRoute } from "./http.js";
import { listObjects } from "./listing.js";
import { notificationRoutes } from "./notification-routes.js";
import { objectRoutes } from "./object-routes.js";
import { objectOperations, type ObjectOperations } from "./objects.js";
import { outbox } from "./outbox.js";
import { storageTables, type StorageTables } from "./tables.js";
import { uploadRoutes } from "./upload-routes.js";

const uploadAgeMsMax = 7 * 24 * 60 * 60 * 1000;
const listPageSize = 1000;

const uploadPrefixes = ["/upload/storage/v1/", "/resumable/upload/storage/v1/"];
// The bare form is what @google-cloud/storage asks for when STORAGE_EMULATOR_HOST is set.
const plainPrefixes = ["/storage/v1/", "/download/storage/v1/", "/"];

const isOurs = (pathname: string): boolean =>
  /^\/(?:(?:upload|download|resumable\/upload|batch)\/)?storage\/v1(?:\/|$)/.test(pathname) ||
  /^\/b(?:\/|$)/.test(pathname);

const afterFirst = (pathname: string, prefixes: readonly string[]): string | undefined => {
  const prefix = prefixes.find((start) => pathname.startsWith(start));
  return prefix === undefined ? undefined : pathname.slice(prefix.length);
};

/** A caller that encrypts with its own key must not find its bytes stored as they are. */
const requirePlain = (headers: NodeJS.Dict<string | string[]>): void => {
  const asked = Object.keys(headers).find((name) =>
    /^x-goog-(copy-source-)?encryption-/.test(name),
  );
  if (asked !== undefined) {
    throw notImplemented(
      `The local Cloud Storage does not encrypt with a customer's key (${asked}); leave it out here.`,
    );
  }
};

const httpRoute = (
  context: CloudContext,
  plain: readonly StorageRoute[],
  uploads: readonly StorageRoute[],
): HttpRoute => ({
  matches: (_method, pathname) => isOurs(pathname),
  handle: async (request, response) => {
    try {
      const url = new URL(request.url ?? "/", "http://local");
      const method = request.method ?? "GET";
      const uploadPath = afterFirst(url.pathname, uploadPrefixes);
      const path = uploadPath ?? afterFirst(url.pathname, plainPrefixes) ?? "";
      const found = findRoute(uploadPath === undefined ? plain : uploads, method, path);
      if (found === undefined) {
        throw notImplemented(`The local Cloud Storage has no ${method} ${url.pathname}.`);
      }
      const host = request.headers.host;
      const address = host === undefined ? context.address() : `http://${host}`;
      requirePlain(request.headers);
      const { route, params } = found;
      await route.handle({ request, response, query: url.searchParams, params, address });
    } catch (error) {
      // Whoever hangs up gets no answer and made no error.
      if (request.destroyed && !request.complete) return;
      const refusal = error instanceof URIError ? invalid(error.message) : error;
      request.resume();
      refuse(response, asStorageError(refusal, join(context.settings.folder, "objects")));
    }
  },
});

const faceOf = (
  tables: StorageTables,
  folder: BodyFolder,
  objects: ObjectOperations,
): CloudServices["storage"] => {
  const translated = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw asRpcError(asStorageError(error, folder.path));
    }
  };
  const open = async (bucket: string, name: string): Promise<AsyncIterable<Buffer>> => {
    const { body } = await translated(() => objects.read({ bucket, name, preconditions: {} }));
    return body;
  };
  return {
    open,
    read: async (bucket, name) => {
      const chunks: Buffer[] = [];
      for await (const chunk of await open(bucket, name)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    write: (bucket, name, content, contentType = "application/octet-stream") =>
      translated(async () => {
        const plan = { bucket, name, fields: { contentType }, preconditions: {}, expected: {} };
        objects.requireWritable(plan);
        await objects.write(
          plan,
          await folder.receive(Buffer.isBuffer(content) ? Readable.from([content]) : content),
        );
      }),
    list: (bucket, prefix) =>
      translated(async () => {
        objects.requireBucket(bucket);
        const names: string[] = [];
        let pageToken: string | undefined;
        do {
          const page = listObjects(tables, {
            bucket,
            prefix,
            delimiter: "",
            isWithVersions: false,
            startOffset: "",
            endOffset: undefined,
            pageToken,
            limit: listPageSize,
          });
          names.push(...page.objects.map(({ resource }) => resource.name));
          pageToken = page.nextPageToken;
        } while (pageToken !== undefined);
        return names;
      }),
  };
};

/** Deletes bodies that no row names: a crash between two steps leaves them, and nothing else. */
const sweep = (tables: StorageTables, folder: BodyFolder, nowMs: number): void => {
  for (const id of tables.uploadsBefore(nowMs - uploadAgeMsMax)) tables.deleteUpload(id);
  folder.sweep({
    isPlaced: (file) => tables.hasFile(file),
    uploads: tables.uploadsBefore(Number.MAX_SAFE_INTEGER),
  });
};

/** Makes Cloud Storage. */
export const storageProduct = (
  context: CloudContext,
): CloudProduct & { readonly face: CloudServices["storage"] } => {
  const folder = bodyFolder(
    join(context.settings.folder, "objects"),
    context.settings.durable === "power",
  );
  const tables = storageTables(context.db);
  // Before anything is served, so that no body can be on its way to its row.
  sweep(tables, folder, context.now());
  const queue = outbox(context, "storage");
  const announce = announcer(context, tables, queue);
  const objects = objectOperations({
    context,
    tables,
    folder,
    announce,
    announced: () => queue.wake(),
  });
  const plain = [
    ...bucketRoutes(context, tables),
    ...notificationRoutes(tables),
    ...objectRoutes({ tables, objects }),
  ];
  const uploads = uploadRoutes({ context, tables, folder, objects });
  return {
    services: [],
    routes: [httpRoute(context, plain, uploads)],
    face: faceOf(tables, folder, objects),
    start: () => queue.start(),
    stop: () => queue.stop(),
  };
};
