/** Listing objects by prefix and delimiter, page by page, without reading what a common prefix hides. */
import { z } from "zod";
import { invalid } from "./errors.js";
import { afterPrefix, type StorageTables, type StoredObject } from "./tables.js";

/** What to list. */
export interface ListingRequest {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly isWithVersions: boolean;
  readonly startOffset: string;
  readonly endOffset: string | undefined;
  readonly pageToken: string | undefined;
  readonly limit: number;
}

/** One page: objects and common prefixes count alike against its size. */
export interface ListingPage {
  readonly objects: readonly StoredObject[];
  readonly prefixes: readonly string[];
  readonly nextPageToken?: string;
}

const position = z.tuple([z.string(), z.number()]);

const readToken = (token: string): z.infer<typeof position> => {
  try {
    return position.parse(JSON.parse(Buffer.from(token, "base64url").toString("utf8")));
  } catch {
    throw invalid("Invalid value for pageToken: use the nextPageToken of the page before.");
  }
};

const batchSize = 500;
const noGeneration = -1;

/** Reads one page. */
export const listObjects = (tables: StorageTables, request: ListingRequest): ListingPage => {
  const { bucket, prefix, delimiter, limit, isWithVersions } = request;
  const start = request.startOffset > prefix ? request.startOffset : prefix;
  const ends = [prefix === "" ? undefined : afterPrefix(prefix), request.endOffset];
  const before = ends.filter((end) => end !== undefined).toSorted()[0];
  let [name, generation] =
    request.pageToken === undefined ? [start, noGeneration] : readToken(request.pageToken);
  const objects: StoredObject[] = [];
  const prefixes: string[] = [];

  for (;;) {
    const scope = { bucket, before, isWithVersions, after: { name, generation } };
    const rows = tables.list({ ...scope, limit: batchSize });
    let isJumping = false;
    for (const row of rows) {
      if (objects.length + prefixes.length >= limit) {
        const nextPageToken = Buffer.from(JSON.stringify([name, generation])).toString("base64url");
        return { objects, prefixes, nextPageToken };
      }
      const found = row.resource.name;
      const cut = delimiter === "" ? -1 : found.indexOf(delimiter, prefix.length);
      if (cut < 0) {
        objects.push(row);
        [name, generation] = [found, row.generation];
      } else {
        const common = found.slice(0, cut + delimiter.length);
        prefixes.push(common);
        [name, generation] = [afterPrefix(common), noGeneration];
        isJumping = true;
        break;
      }
    }
    if (!isJumping && rows.length < batchSize) return { objects, prefixes };
  }
};
