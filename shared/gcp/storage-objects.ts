/** The Objects port on Cloud Storage's JSON API. */
import { z } from "zod";
import { RejectedError } from "../domain/errors.js";
import type { Objects } from "../ports/objects.js";
import { baseUrl, type GcpConfig } from "./config.js";
import { asCloudError, attempting } from "./errors.js";
import type { Rest } from "./rest.js";

const pagesMax = 100;
const transferMsMax = 60_000;

const objectShape = z.object({ size: z.coerce.number() });
const listShape = z.object({
  items: z.array(z.object({ name: z.string() })).default([]),
  nextPageToken: z.string().optional(),
});

/** Splits gs://bucket/name; the name may be empty where a prefix is meant. */
export const parseGcsUri = (uri: string): { readonly bucket: string; readonly name: string } => {
  const match = /^gs:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri);
  if (match?.[1] === undefined) {
    throw new RejectedError(
      `"${uri}" is no address of an object. Write it as gs://bucket/path/to/object.`,
    );
  }
  return { bucket: match[1], name: match[2] ?? "" };
};

const notFoundAsNull = async <Value>(attempt: () => Promise<Value>): Promise<Value | null> => {
  try {
    return await attempt();
  } catch (error) {
    if (asCloudError(error).status === "NOT_FOUND") return null;
    throw error;
  }
};

/** The Objects port. */
export const storageObjects = (config: GcpConfig, rest: Rest): Objects => {
  const base = baseUrl(config, "storage");
  const urlOf = (uri: string): string => {
    const { bucket, name } = parseGcsUri(uri);
    return `${base}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  };
  return {
    read: (uri, bytesMax) =>
      attempting(`read ${uri}`, () =>
        notFoundAsNull(async () => {
          const url = urlOf(uri);
          const { size } = objectShape.parse(await rest.json({ method: "GET", url }));
          if (size > bytesMax) {
            throw new RejectedError(
              `${uri} is ${String(size)} bytes large; at most ${String(bytesMax)} are read here.`,
            );
          }
          const query = { alt: "media" };
          const call = { method: "GET", url, query, deadlineMs: transferMsMax } as const;
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
      attempting(`list ${prefix}`, async () => {
        const { bucket, name } = parseGcsUri(prefix);
        const found: string[] = [];
        let pageToken: string | undefined;
        for (let page = 0; page < pagesMax; page += 1) {
          const answer = listShape.parse(
            await rest.json({
              method: "GET",
              url: `${base}/storage/v1/b/${bucket}/o`,
              query: {
                prefix: name,
                maxResults: 1000,
                fields: "items(name),nextPageToken",
                pageToken,
              },
            }),
          );
          found.push(...answer.items.map((item) => `gs://${bucket}/${item.name}`));
          pageToken = answer.nextPageToken === "" ? undefined : answer.nextPageToken;
          if (pageToken === undefined) return found.toSorted();
        }
        throw new RejectedError(
          `${prefix} holds more than ${String(pagesMax * 1000)} objects. Use a longer prefix.`,
        );
      }),
  };
};
