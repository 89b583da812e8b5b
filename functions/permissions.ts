/** What each call of a port needs to be allowed on Google Cloud. A port without a row here does not compile. */
import type { Ports } from "../shared/ports/ports.js";

/** One call of a port, for example `pipelines.submit`. */
export type Use = {
  [Port in keyof Ports]: Ports[Port] extends (...args: never[]) => unknown
    ? never
    : `${Port}.${keyof Ports[Port] & string}`;
}[keyof Ports];

// Beginning a transaction reads the database's own description.
const readDocument = ["datastore.databases.get", "datastore.entities.get"];
const query = [...readDocument, "datastore.entities.list"];
const create = [...readDocument, "datastore.entities.create"];
const update = [...readDocument, "datastore.entities.update"];
// Without the right to list, Cloud Storage answers 403 and not 404 for what does not exist.
const readObject = ["storage.objects.get", "storage.objects.list"];
const readEndpoint = ["aiplatform.endpoints.get", "aiplatform.operations.list"];
const readModel = ["aiplatform.models.get"];

/** Calls that reach the bucket of audit heads, which nothing else is kept in. */
type AuditUse = Extract<Use, `anchors.${string}`>;

/** The permissions of each call, as shared/gcp makes it. */
export const permissionsOf: Readonly<Record<Exclude<Use, AuditUse>, readonly string[]>> = {
  "state.transact": [
    ...create,
    "datastore.entities.list",
    "datastore.entities.update",
    "datastore.entities.delete",
  ],
  "state.record": create,
  "state.markDone": update,
  "state.entry": readDocument,
  "state.pendingEntries": query,
  "state.timeline": query,
  "state.chain": query,
  "state.unanchored": query,
  "state.markAnchored": update,
  "state.model": readDocument,
  "state.models": query,
  "state.modelPage": query,
  "state.dueTimers": query,
  "state.run": readDocument,
  "state.runs": query,
  "state.rollout": readDocument,
  "state.rollouts": query,
  "state.countAlerts": [...create, "datastore.entities.update"],
  "state.alertCounts": query,
  "state.addDeadLetter": create,
  "state.deadLetters": query,
  "state.deadLetter": readDocument,
  "state.markRedriven": update,
  "admission.enqueue": create,
  "admission.waiting": query,
  "admission.remove": [...readDocument, "datastore.entities.delete"],
  "admission.length": query,
  "admission.place": query,
  "admission.ledger": readDocument,
  "admission.change": [...create, "datastore.entities.update"],
  "leases.acquire": [...create, "datastore.entities.update"],
  "leases.release": update,
  "bus.publish": ["pubsub.topics.publish"],
  // The template is read from the bucket, and the job runs as the pipelines' identity.
  "pipelines.submit": [
    ...readObject,
    "aiplatform.pipelineJobs.create",
    "iam.serviceAccounts.actAs",
  ],
  "pipelines.get": [...readObject, "aiplatform.pipelineJobs.get"],
  "pipelines.cancel": ["aiplatform.pipelineJobs.cancel", "aiplatform.pipelineJobs.get"],
  "registry.upload": [...readModel, "aiplatform.models.upload"],
  "registry.uploading": ["aiplatform.operations.list"],
  "registry.version": readModel,
  "registry.uploads": [...readModel, "aiplatform.models.list"],
  "registry.remove": [...readModel, "aiplatform.models.delete"],
  "registry.setAliases": [...readModel, "aiplatform.models.update"],
  "registry.importEvaluation": [
    ...readObject,
    "aiplatform.modelEvaluations.import",
    "aiplatform.modelEvaluations.list",
  ],
  "endpoints.ensure": [
    "aiplatform.endpoints.get",
    "aiplatform.endpoints.create",
    "aiplatform.endpoints.update",
  ],
  "endpoints.get": readEndpoint,
  // The attempt is noted in the endpoint's labels before the model is deployed.
  "endpoints.deploy": [
    ...readEndpoint,
    ...readModel,
    "aiplatform.endpoints.deploy",
    "aiplatform.endpoints.update",
  ],
  "endpoints.undeploy": ["aiplatform.endpoints.get", "aiplatform.endpoints.undeploy"],
  "endpoints.scale": [...readEndpoint, "aiplatform.endpoints.deploy"],
  "endpoints.setTrafficSplit": ["aiplatform.endpoints.get", "aiplatform.endpoints.update"],
  "endpoints.predict": ["aiplatform.endpoints.predict"],
  "metrics.counts": ["monitoring.timeSeries.list"],
  "objects.read": readObject,
  // Writing over what is there deletes it.
  "objects.write": ["storage.objects.create", "storage.objects.delete"],
  "objects.list": ["storage.objects.list"],
  "schedules.sync": [
    "cloudscheduler.jobs.create",
    "cloudscheduler.jobs.delete",
    "cloudscheduler.jobs.list",
    "cloudscheduler.jobs.update",
  ],
  "logs.write": ["logging.logEntries.create"],
  // A folder of the bucket, or a table that a query reads.
  "predictionLog.read": [
    ...readObject,
    "storage.objects.list",
    "bigquery.jobs.create",
    "bigquery.tables.getData",
  ],
};

const auditPermissionsOf: Readonly<Record<AuditUse, readonly string[]>> = {
  "anchors.write": ["storage.objects.create"],
  "anchors.list": ["storage.objects.list"],
};

const isAuditUse = (use: Use): use is AuditUse => use in auditPermissionsOf;

const eachOnce = (permissions: readonly string[]): readonly string[] =>
  [...new Set(permissions)].toSorted();

/** The permissions that these calls need together, each once. */
export const permissionsFor = (uses: readonly Use[]): readonly string[] =>
  eachOnce(uses.flatMap((use) => (isAuditUse(use) ? [] : permissionsOf[use])));

/** Those that they need in the bucket of audit heads. */
export const auditPermissionsFor = (uses: readonly Use[]): readonly string[] =>
  eachOnce(uses.flatMap((use) => (isAuditUse(use) ? auditPermissionsOf[use] : [])));
