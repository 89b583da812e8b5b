/** Patch semantics of the JSON API: null removes, objects of strings merge key by key, the rest replaces. */

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Merges a patch into a resource, as JSON merge patch (RFC 7396) does. */
export const mergePatch = (
  base: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
): Record<string, unknown> => {
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    const before = merged.get(key);
    if (value === null) merged.delete(key);
    else if (isPlain(value)) merged.set(key, mergePatch(isPlain(before) ? before : {}, value));
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
};
