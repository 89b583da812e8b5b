/** Resource names of Cloud Monitoring. */
import type { CloudContext } from "../cloud.js";
import { RpcError } from "../protocol/service.js";

/** Refuses any other project than this cloud's, by id or number. */
export const requireProject = (context: CloudContext, name: string | undefined): void => {
  const { projectId, projectNumber } = context.settings;
  const match = /^projects\/([^/]+)$/.exec(name ?? "");
  if (match === null) {
    throw new RpcError("INVALID_ARGUMENT", `Invalid name "${name ?? ""}": write projects/PROJECT.`);
  }
  if (match[1] !== projectId && match[1] !== projectNumber) {
    throw new RpcError(
      "NOT_FOUND",
      `The project ${match[1]} is not here; this local cloud holds ${projectId} (${projectNumber}).`,
    );
  }
};

/** The descriptor type in `projects/P/metricDescriptors/TYPE`, whose type has slashes of its own. */
export const descriptorTypeOf = (context: CloudContext, name: string | undefined): string => {
  const match = /^(projects\/[^/]+)\/metricDescriptors\/(.+)$/.exec(name ?? "");
  requireProject(context, match?.[1]);
  return match?.[2] ?? "";
};
