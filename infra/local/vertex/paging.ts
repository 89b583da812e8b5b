/** Pages of a list, by an opaque token that holds the offset. */
import { RpcError } from "../protocol/service.js";

const pageSizeDefault = 100;

/** What every list request carries. */
export interface PageRequest {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken?: string;
}

const offsetOf = (token: string | undefined): number => {
  if (token === undefined || token === "") return 0;
  const match = /^offset:(\d{1,9})$/.exec(Buffer.from(token, "base64url").toString("utf8"));
  if (match === null) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      "The page token is not valid: start again without one, with the same request otherwise.",
    );
  }
  return Number(match[1]);
};

/** Cuts the requested page out of a list. */
export const page = <Item>(
  items: readonly Item[],
  request: PageRequest,
  pageSizeMax: number,
): Page<Item> => {
  const size = request.pageSize ?? 0;
  if (size < 0) throw new RpcError("INVALID_ARGUMENT", `Page size ${size} is negative.`);
  const start = offsetOf(request.pageToken);
  const end = start + Math.min(size === 0 ? pageSizeDefault : size, pageSizeMax);
  return {
    items: items.slice(start, end),
    ...(end < items.length
      ? { nextPageToken: Buffer.from(`offset:${end}`).toString("base64url") }
      : {}),
  };
};
