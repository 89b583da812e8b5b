/** Rules that several resources share: labels, display names, update masks, etags, order. */
import { createHash } from "node:crypto";
import { RpcError } from "../protocol/service.js";
import type { FieldMask, Labels } from "./messages.js";

const labelsMax = 64;
const displayNameLengthMax = 128;
const labelKey = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const labelValue = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;

/** Checks labels by the service's rules. */
export const checkLabels = (labels: Labels | undefined): void => {
  const entries = Object.entries(labels ?? {});
  if (entries.length > labelsMax) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `${entries.length} labels are too many: ${labelsMax} at most.`,
    );
  }
  for (const [key, value] of entries) {
    if (!labelKey.test(key) || !labelValue.test(value)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid label "${key}"="${value}": keys and values have at most 63 characters out of lower-case letters, digits, "_" and "-", and keys begin with a letter.`,
      );
    }
  }
};

/** Checks a required display name. */
export const checkDisplayName = (field: string, name: string | undefined): string => {
  const text = name ?? "";
  if (text.trim() === "" || Array.from(text).length > displayNameLengthMax) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `${field} is required and has at most ${displayNameLengthMax} characters.`,
    );
  }
  return text;
};

/** The etag of one state of a resource. */
export const etagOf = (name: string, revision: number): string =>
  `AMEw9y${createHash("sha256").update(`${name}#${revision}`).digest("base64url").slice(0, 20)}=`;

/** Refuses a stale etag; without one an update is a blind overwrite. */
export const checkEtag = (name: string, revision: number, etag: string | undefined): void => {
  if (etag !== undefined && etag !== "" && etag !== etagOf(name, revision)) {
    throw new RpcError(
      "ABORTED",
      `The etag of ${name} does not match: it has changed since it was read. Read it again and repeat the change.`,
    );
  }
};

const snakeCase = (path: string): string =>
  path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The paths of a required update mask, in snake_case, all of them among those that may change. */
export const checkMask = <Path extends string>(
  mask: FieldMask | undefined,
  allowed: readonly Path[],
): ReadonlySet<Path> => {
  const paths = (mask?.paths ?? []).map(snakeCase);
  if (paths.length === 0) {
    throw new RpcError("INVALID_ARGUMENT", "update_mask is required and must name a field.");
  }
  const known = new Set<Path>();
  for (const path of paths) {
    const match = allowed.find((name) => name === path);
    if (match === undefined) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Field "${path}" in update_mask cannot be updated: only ${allowed.join(", ")} can.`,
      );
    }
    known.add(match);
  }
  return known;
};

/** What lists can be ordered by. */
export interface Orderable {
  readonly displayName: string;
  readonly createMs: number;
  readonly updateMs: number;
}

type Comparison = (left: Orderable, right: Orderable) => number;

const comparisons: Readonly<Record<string, Comparison>> = {
  display_name: (left, right) =>
    left.displayName < right.displayName ? -1 : left.displayName > right.displayName ? 1 : 0,
  create_time: (left, right) => left.createMs - right.createMs,
  update_time: (left, right) => left.updateMs - right.updateMs,
};

/** Reads `order_by`; newest first without one, as the service lists. */
export const parseOrder = (orderBy: string | undefined): Comparison => {
  if (orderBy === undefined || orderBy.trim() === "") {
    return (left, right) => right.createMs - left.createMs;
  }
  const parts = orderBy.split(",").map((part) => {
    const [field = "", direction = "asc", ...rest] = part.trim().split(/\s+/);
    const compare = comparisons[snakeCase(field)];
    if (compare === undefined || rest.length > 0 || !/^(asc|desc)$/i.test(direction)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid order_by "${orderBy}": use display_name, create_time or update_time, with "desc" behind it for descending.`,
      );
    }
    const sign = direction.toLowerCase() === "desc" ? -1 : 1;
    return (left: Orderable, right: Orderable) => sign * compare(left, right);
  });
  return (left, right) => {
    for (const compare of parts) {
      const order = compare(left, right);
      if (order !== 0) return order;
    }
    return 0;
  };
};
