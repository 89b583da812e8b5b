/** Version aliases: each belongs to at most one version of a model, and `default` to exactly one. */
import { RpcError } from "../../protocol/service.js";

const aliasPattern = /^[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]$/;

/** A version, as far as aliases go. */
export interface Aliased {
  readonly versionId: string;
  readonly aliases: readonly string[];
}

/** What to add to a version and what to take from it. */
export interface AliasChange {
  readonly added: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
}

const checkAlias = (alias: string): void => {
  if (!aliasPattern.test(alias)) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid version alias "${alias}": it must match [a-z][a-zA-Z0-9-]{0,126}[a-z0-9].`,
    );
  }
};

/** Reads a list of aliases in which "-x" takes x away; one that is both added and taken cancels itself out. */
export const parseAliases = (texts: readonly string[]): AliasChange => {
  const added = new Set(texts.filter((text) => !text.startsWith("-")));
  const removed = new Set(
    texts.filter((text) => text.startsWith("-")).map((text) => text.slice(1)),
  );
  for (const alias of [...added, ...removed]) checkAlias(alias);
  for (const alias of added) {
    if (removed.has(alias)) {
      added.delete(alias);
      removed.delete(alias);
    }
  }
  if (removed.has("default")) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      'The "default" alias cannot be removed: a model has exactly one default version. Give the alias to another version instead.',
    );
  }
  return { added, removed };
};

/**
 * Applies a change to one version and takes the added aliases from all others. Returns the versions whose aliases
 * differ afterwards.
 */
export const mergeAliases = <Version extends Aliased>(
  versions: readonly Version[],
  versionId: string,
  change: AliasChange,
): readonly Version[] => {
  const next = versions.map((version) => {
    const kept = version.aliases.filter(
      (alias) =>
        !change.added.has(alias) && !(version.versionId === versionId && change.removed.has(alias)),
    );
    const aliases = version.versionId === versionId ? [...kept, ...change.added] : kept;
    return { ...version, aliases: aliases.toSorted() };
  });
  return next.filter((version, index) => {
    const before = (versions[index]?.aliases ?? []).toSorted();
    return before.join("\n") !== version.aliases.join("\n");
  });
};
