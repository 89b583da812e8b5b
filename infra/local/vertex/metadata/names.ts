/** Names of ML Metadata: a store below the location, and what is kept in it. */
import { RpcError } from "../../protocol/service.js";
import { parseName, type NamingSettings } from "../names.js";

/** The kinds of node that a store keeps, as they stand in names. */
export type Collection = "artifacts" | "contexts" | "executions";

/** Reads `.../metadataStores/{id}` and returns it in the form that replies use. */
export const parseStore = (settings: NamingSettings, text: string | undefined): string =>
  parseName(settings, "metadataStores", text).name;

/** Reads `.../metadataStores/{id}/{collection}/{id}` and returns it in the form that replies use. */
export const parseNode = (
  settings: NamingSettings,
  collection: Collection,
  text: string | undefined,
): string => {
  const match = /^(.+)\/([^/]+)\/([^/]+)$/.exec(text ?? "");
  if (match === null || match[2] !== collection) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid resource name "${text ?? ""}": expected projects/{project}/locations/{location}/metadataStores/{store}/${collection}/{id}.`,
    );
  }
  return `${parseStore(settings, match[1])}/${collection}/${match[3] ?? ""}`;
};

/** The store that a node is in. */
export const storeOf = (name: string): string => name.split("/").slice(0, 6).join("/");

/** Checks an id that the caller chose. */
export const checkId = (field: string, id: string): string => {
  if (!/^[a-z0-9-]{4,128}$/.test(id)) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid ${field} "${id}": an id has 4 to 128 lower-case letters, digits and hyphens.`,
    );
  }
  return id;
};
