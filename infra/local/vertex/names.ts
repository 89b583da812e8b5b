/** Resource names of Vertex AI: requests may say the project's id or number, replies always say the number. */
import type { CloudSettings } from "../cloud.js";
import { RpcError } from "../protocol/service.js";

/** What names need of the settings. */
export type NamingSettings = Pick<CloudSettings, "projectId" | "projectNumber" | "region">;

/** `projects/NUMBER/locations/REGION`, the parent of everything here. */
export const locationName = (settings: NamingSettings): string =>
  `projects/${settings.projectNumber}/locations/${settings.region}`;

/** Reads `projects/P/locations/L` and returns it in the form that replies use. */
export const parseParent = (settings: NamingSettings, parent: string | undefined): string => {
  const match = /^projects\/([^/]+)\/locations\/([^/]+)$/.exec(parent ?? "");
  if (match === null) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid parent "${parent ?? ""}": expected projects/{project}/locations/{location}.`,
    );
  }
  checkProject(settings, match[1] ?? "");
  checkLocation(settings, match[2] ?? "");
  return locationName(settings);
};

const checkProject = (settings: NamingSettings, project: string): void => {
  if (project !== settings.projectId && project !== settings.projectNumber) {
    throw new RpcError(
      "PERMISSION_DENIED",
      `Permission denied on project "${project}" (or it may not exist): this cloud holds project ${settings.projectId} (${settings.projectNumber}).`,
    );
  }
};

const checkLocation = (settings: NamingSettings, location: string): void => {
  if (location !== settings.region) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Location "${location}" is not served at this address: use ${settings.region}.`,
    );
  }
};

/** A parsed resource name. */
export interface ResourceName {
  /** The name in the form that replies use, without a version. */
  readonly name: string;
  readonly id: string;
  /** What stands behind `@`, a version id or an alias. */
  readonly version?: string;
}

/** Reads `projects/P/locations/L/{collection}/{id}`, with `@version` behind it where the collection has versions. */
export const parseName = (
  settings: NamingSettings,
  collection: string,
  text: string | undefined,
): ResourceName => {
  const parts = (text ?? "").split("/");
  const [projects, project, locations, location, found, last] = parts;
  const isWellFormed =
    parts.length === 6 &&
    projects === "projects" &&
    locations === "locations" &&
    found === collection &&
    last !== undefined &&
    last !== "";
  if (!isWellFormed || project === undefined || location === undefined) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid resource name "${text ?? ""}": expected projects/{project}/locations/{location}/${collection}/{id}.`,
    );
  }
  checkProject(settings, project);
  checkLocation(settings, location);
  const at = last.indexOf("@");
  const id = at < 0 ? last : last.slice(0, at);
  const version = at < 0 ? undefined : last.slice(at + 1);
  return {
    name: `${locationName(settings)}/${collection}/${id}`,
    id,
    ...(version === undefined ? {} : { version }),
  };
};

/** The last component of a resource name. */
export const lastSegment = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** Replaces a project id by its number at the start of any name, so that names can be compared. */
export const canonicalName = (settings: NamingSettings, name: string): string => {
  const prefix = `projects/${settings.projectId}/`;
  return name.startsWith(prefix)
    ? `projects/${settings.projectNumber}/${name.slice(prefix.length)}`
    : name;
};

/** A generated id in the form of Vertex AI's own: 19 decimal digits without a leading zero. */
export const generateId = (random: () => number = Math.random): string =>
  Array.from({ length: 19 }, (_, index) =>
    String(index === 0 ? 1 + Math.floor(random() * 8) : Math.floor(random() * 10)),
  ).join("");
