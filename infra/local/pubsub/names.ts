/** Resource names of Pub/Sub. */
import { RpcError } from "../protocol/service.js";

/** The collections of Pub/Sub that are named here. */
export type Collection = "topics" | "subscriptions" | "snapshots" | "schemas";

const id = /^[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}$/;
const project = /^[a-z0-9][a-z0-9.:-]{0,61}$/;

/** What a topic's name becomes, in its subscriptions, once the topic is deleted. */
export const deletedTopic = "_deleted-topic_";

/** A name checked and brought to its one spelling, with the project's id in place of its number. */
export interface Names {
  readonly resource: (collection: Collection, name: string | undefined) => string;
  readonly project: (name: string | undefined) => string;
}

/** The last part of a name. */
export const shortName = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** The project in a name. */
export const projectOf = (name: string): string => name.split("/")[1] ?? "";

/** Names as this cloud's project spells them. */
export function namesOf(projectId: string, projectNumber: string): Names {
  const asId = (given: string): string => (given === projectNumber ? projectId : given);
  return {
    resource: (collection, name) => {
      const [root, owner = "", kind, short = "", ...rest] = (name ?? "").split("/");
      const isValid =
        root === "projects" &&
        project.test(owner) &&
        kind === collection &&
        id.test(short) &&
        !short.startsWith("goog") &&
        rest.length === 0;
      if (!isValid) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          `Invalid [${collection}] name: (name=${name ?? ""}). It must look like projects/my-project/${collection}/my-name; the last part has 3 to 255 letters, digits and -_.~+%, begins with a letter and not with "goog".`,
        );
      }
      return `projects/${asId(owner)}/${collection}/${short}`;
    },
    project: (name) => {
      const [root, owner = "", ...rest] = (name ?? "").split("/");
      if (root !== "projects" || !project.test(owner) || rest.length > 0) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          `Invalid project name: (name=${name ?? ""}). It must look like projects/my-project.`,
        );
      }
      return `projects/${asId(owner)}`;
    },
  };
}

/** Google's words for a resource that is missing; of a schema it says the whole name. */
export const notFound = (name: string): RpcError =>
  new RpcError(
    "NOT_FOUND",
    `Resource not found (resource=${name.split("/")[2] === "schemas" ? name : shortName(name)}).`,
  );

/** Google's words for a resource that is there already. */
export const alreadyExists = (name: string): RpcError =>
  new RpcError(
    "ALREADY_EXISTS",
    `Resource already exists in the project (resource=${shortName(name)}).`,
  );
