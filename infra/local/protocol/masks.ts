/** Field masks of updates. */
import { RpcError } from "./service.js";

/** The fields of a mask as handlers' names, each one allowed; nested paths mean their whole field. */
export function maskedFields(
  mask: { readonly paths?: readonly string[] } | undefined,
  allowed: readonly string[],
  what: string,
): readonly string[] {
  const paths = mask?.paths ?? [];
  if (paths.length === 0) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `The update_mask in the Update${what}Request must be set, and must contain a non-empty paths list.`,
    );
  }
  return paths.map((path) => {
    const field = (path.split(".")[0] ?? "").replace(/_([a-z])/g, (_, letter: string) =>
      letter.toUpperCase(),
    );
    if (!allowed.includes(field)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid update_mask provided in the Update${what}Request: '${path}' cannot be changed. What can: ${allowed.join(", ")}.`,
      );
    }
    return field;
  });
}

/** The resource with the masked fields taken from the patch; absent there means cleared. */
export function patched<Resource extends object>(
  current: Resource,
  patch: object,
  fields: readonly string[],
): Resource {
  const given: Record<string, unknown> = { ...patch };
  const made: Partial<Record<string, unknown>> & object = Object.fromEntries(
    Object.entries(current),
  );
  for (const field of fields) {
    if (given[field] === undefined) delete made[field];
    else made[field] = given[field];
  }
  return made as Resource;
}

/** One page of a sorted list; the token is the name that the page begins after. */
export function page<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  request: { readonly pageSize?: number; readonly pageToken?: string },
): { readonly items: readonly Item[]; readonly nextPageToken: string } {
  const size = request.pageSize ?? 0;
  if (size < 0) throw new RpcError("INVALID_ARGUMENT", "page_size must not be negative.");
  const token = Buffer.from(request.pageToken ?? "", "base64url").toString();
  const rest = items.filter((item) => nameOf(item) > token);
  const taken = rest.slice(0, size === 0 ? 1000 : Math.min(size, 1000));
  const last = taken.at(-1);
  return {
    items: taken,
    nextPageToken:
      last === undefined || taken.length === rest.length
        ? ""
        : Buffer.from(nameOf(last)).toString("base64url"),
  };
}
