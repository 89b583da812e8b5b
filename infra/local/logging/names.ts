/** Resource names of Cloud Logging, with a project's number taken for its id. */
import type { CloudContext } from "../cloud.js";
import { RpcError } from "../protocol/service.js";

/** Reads `projects/P` and the like; entries are stored under the project's id. */
export const parentOf = (context: CloudContext, name: string): string => {
  const { projectId, projectNumber } = context.settings;
  const match = /^(projects|organizations|folders|billingAccounts)\/([^/]+)$/.exec(name);
  if (match === null) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid resource name "${name}": write projects/PROJECT. Log views and buckets are not built here.`,
    );
  }
  return match[2] === projectNumber ? `projects/${projectId}` : name;
};

/** A log's full name with the project's id. */
export const logNameOf = (context: CloudContext, name: string): string => {
  const { projectId, projectNumber } = context.settings;
  const prefix = `projects/${projectNumber}/`;
  return name.startsWith(prefix) ? `projects/${projectId}/${name.slice(prefix.length)}` : name;
};

/** A page size between 1 and the most, or the standard for 0 and absent. */
export const pageSizeOf = (asked: number | undefined, standard: number, most: number): number => {
  if (asked === undefined || asked === 0) return standard;
  if (asked < 0) throw new RpcError("INVALID_ARGUMENT", `page_size ${asked} must not be negative.`);
  return Math.min(asked, most);
};
