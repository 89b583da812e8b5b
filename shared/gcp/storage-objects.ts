/** The Objects port on Cloud Storage's JSON API. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { RejectedError } from "../domain/errors.js";
import type { Objects } from "../ports/objects.js";
import { baseUrl, type GcpConfig } from "./config.js";
import { asCloudError, attempting } from "./errors.js";
import type { Rest } from "./rest.js";

const pagesMax = 100;
const transferMsMax = 60_000;

const listedObject = z.object({
  name: z.string(),
  size: z.string().default(""),
  md5Hash: z.string().optional(),
  crc32c: z.string().default(""),
  timeCreated: z.string().default(""),
});
const listShape = z.object({
  items: z.array(listedObject).default([]),
  nextPageToken: z.string().optional(),
});

/** An object as a list shows it. */
export type ListedObject = z.infer<typeof listedObject> & { readonly uri: string };

/** Splits gs://bucket/name; the name may be empty where a prefix is meant. */
const parseGcsUri = (uri: string): { readonly bucket: string; readonly name: string } => {
  const match = /^gs:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri);
  if (match?.[1] === undefined) {
    throw new RejectedError(
      `"${uri}" is no address of an object. Write it as gs://bucket/path/to/object.`,
    );
  }
  return { bucket: match[1], name: match[2] ?? "" };
};

/** Everything under a gs:// prefix, by name. */
export const listedObjects = async (
  config: GcpConfig,
  rest: Rest,
  prefix: string,
): Promise<readonly ListedObject[]> => {
  const { bucket, name } = parseGcsUri(prefix);
  const url = `${baseUrl(config, "storage")}/storage/v1/b/${bucket}/o`;
  const fields = "items(name,size,md5Hash,crc32c,timeCreated),nextPageToken";
  const found: ListedObject[] = [];
  let pageToken: string | undefined;
  for (let page = 0; page < pagesMax; page += 1) {
    const query = { prefix: name, maxResults: 1000, fields, pageToken };
    const answer = listShape.parse(await rest.json({ method: "GET", url, query }));
    found.push(...answer.items.map((item) => ({ ...item, uri: `gs://${bucket}/${item.name}` })));
    pageToken = answer.nextPageToken === "" ? undefined : answer.nextPageToken;
    if (pageToken === undefined) return found;
  }
  throw new RejectedError(
    `${prefix} holds more than ${String(pagesMax * 1000)} objects. Use a longer prefix.`,
  );
};

const notFoundAsNull = async <Value>(attempt: () => Promise<Value>): Promise<Value | null> => {
  try {
    return await attempt();
  } catch (error) {
    if (asCloudError(error).status === "NOT_FOUND") return null;
    throw error;
  }
};

/** Objects, with what Cloud Storage knows about them besides. */
export interface StorageObjects extends Objects {
  /**
   * A digest of everything at an address or in the folder of that name, made from names and the checksums that Cloud
   * Storage keeps, so that nothing is downloaded; null when there is nothing.
   */
  readonly digest: (uri: string) => Promise<string | null>;
}

/** The Objects port. */
export const storageObjects = (config: GcpConfig, rest: Rest): StorageObjects => {
  const base = baseUrl(config, "storage");
  const urlOf = (uri: string): string => {
    const { bucket, name } = parseGcsUri(uri);
    return `${base}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  };
  const listed = (prefix: string) => listedObjects(config, rest, prefix);
  return {
    read: (uri, bytesMax) =>
      attempting(`read ${uri}`, () =>
        notFoundAsNull(async () => {
          const call = {
            method: "GET",
            url: urlOf(uri),
            query: { alt: "media" },
            deadlineMs: transferMsMax,
            bytesMax,
          } as const;
          return (await rest.call(call)).body;
        }),
      ),
    write: (uri, body, contentType) =>
      attempting(`write ${uri}`, async () => {
        const { bucket, name } = parseGcsUri(uri);
        await rest.call({
          method: "POST",
          url: `${base}/upload/storage/v1/b/${bucket}/o`,
          query: { uploadType: "media", name },
          body,
          contentType,
          isRepeatable: true,
          deadlineMs: transferMsMax,
        });
      }),
    list: (prefix) =>
      attempting(`list ${prefix}`, async () =>
        (await listed(prefix)).map(({ uri }) => uri).toSorted(),
      ),
    digest: (uri) =>
      attempting(`digest ${uri}`, async () => {
        const folder = `${uri.replace(/\/+$/, "")}/`;
        const found = (await listed(folder.slice(0, -1))).filter(
          (item) => item.uri === uri || item.uri.startsWith(folder),
        );
        if (found.length === 0) return null;
        const lines = found.map(
          (item) => `${item.uri.slice(folder.length)} ${item.size} ${item.md5Hash ?? item.crc32c}`,
        );
        return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex");
      }),
  };
};
