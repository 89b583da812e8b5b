/** Attributes that Google Cloud fills in, but by a rule that is known beforehand. */
import { textOf, type Value } from "./values.js";

type Read = (name: string) => Value;

const emailOf = (read: Read): string =>
  `${textOf(read("account_id"))}@${textOf(read("project"))}.iam.gserviceaccount.com`;

const inProject = (collection: string, key = "name") => ({
  id: (read: Read) => `projects/${textOf(read("project"))}/${collection}/${textOf(read(key))}`,
});

/** Rules by resource type and attribute. */
export const knownAttributes: Readonly<
  Record<string, Readonly<Record<string, (read: Read) => Value>>>
> = {
  google_service_account: {
    email: emailOf,
    id: (read) => `projects/${textOf(read("project"))}/serviceAccounts/${emailOf(read)}`,
    name: (read) => `projects/${textOf(read("project"))}/serviceAccounts/${emailOf(read)}`,
    member: (read) => `serviceAccount:${emailOf(read)}`,
  },
  google_project_iam_custom_role: inProject("roles", "role_id"),
  google_pubsub_topic: inProject("topics"),
  google_pubsub_schema: inProject("schemas"),
  google_pubsub_subscription: inProject("subscriptions"),
  google_artifact_registry_repository: { name: (read) => read("repository_id") },
};
