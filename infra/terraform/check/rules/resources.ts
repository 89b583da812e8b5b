/** How resources are kept: closed buckets, pinned images, protected state, labels, and traffic left alone. */
import { isObject } from "../plan/values.js";
import { about, at, ofType, textAt, type Rule } from "./facts.js";

/** Access is decided by IAM alone, and never open. */
export const closedBuckets: Rule = (scenario) =>
  ofType(scenario, "google_storage_bucket").flatMap((bucket) => [
    ...(textAt(bucket, "uniform_bucket_level_access") === "true"
      ? []
      : [
          about(
            bucket,
            "uniform-access",
            "uniform_bucket_level_access",
            "has rights of single objects",
            "Set uniform_bucket_level_access = true.",
          ),
        ]),
    ...(textAt(bucket, "public_access_prevention") === "enforced"
      ? []
      : [
          about(
            bucket,
            "public-access-prevention",
            "public_access_prevention",
            "could be opened to everybody",
            'Set public_access_prevention = "enforced".',
          ),
        ]),
    ...(textAt(bucket, "versioning.enabled") === "true" ||
    textAt(bucket, "retention_policy.is_locked") === "true"
      ? []
      : [
          about(
            bucket,
            "versioning",
            "versioning.enabled",
            "forgets what is written over",
            "Enable versioning, or lock a retention policy.",
          ),
        ]),
  ]);

/** What is written to the audit bucket stays. */
export const lockedAudit: Rule = (scenario) =>
  ofType(scenario, "google_storage_bucket").flatMap((bucket) =>
    bucket.name !== "audit" ||
    (textAt(bucket, "retention_policy.is_locked") === "true" &&
      Number(textAt(bucket, "retention_policy.retention_period")) > 0)
      ? []
      : [
          about(
            bucket,
            "locked-audit",
            "retention_policy.is_locked",
            "can be emptied",
            "Set retention_policy with is_locked = true.",
          ),
        ],
  );

/** What was tested is what runs. */
export const imageDigest: Rule = (scenario) =>
  ofType(scenario, "google_cloud_run_v2_service").flatMap((service) =>
    /@sha256:[0-9a-f]{64}$/.test(textAt(service, "template.containers.image"))
      ? []
      : [
          about(
            service,
            "image-digest",
            "template.containers.image",
            `runs ${textAt(service, "template.containers.image")}`,
            "Name the image by its digest: REPOSITORY/FUNCTION@sha256:...",
          ),
        ],
  );

/** Traffic belongs to the control plane: an apply in the middle of a rollout must not undo it. */
export const trafficIgnored: Rule = (scenario) =>
  ofType(scenario, "google_vertex_ai_endpoint").flatMap((endpoint) =>
    ["traffic_split", "labels"]
      .filter((name) => !endpoint.ignoredChanges.includes(name))
      .map((name) =>
        about(
          endpoint,
          "traffic-ignored",
          null,
          `would set ${name} back in the middle of a rollout`,
          `Add ${name} to lifecycle.ignore_changes.`,
        ),
      ),
  );

/** The state store cannot be deleted by a slip. */
export const protectedState: Rule = (scenario) =>
  ofType(scenario, "google_firestore_database").flatMap((database) =>
    textAt(database, "delete_protection_state") === "DELETE_PROTECTION_ENABLED" &&
    textAt(database, "deletion_policy") !== "DELETE"
      ? []
      : [
          about(
            database,
            "protected-state",
            "delete_protection_state",
            "can be deleted with everything in it",
            'Set delete_protection_state = "DELETE_PROTECTION_ENABLED" and deletion_policy = "ABANDON".',
          ),
        ],
  );

/** By these, costs are told apart. */
const labels = ["env", "model", "run", "trigger", "owner"];
/** Resources whose attribute labels means something else, or is their only one. */
const labelAttribute: Readonly<Record<string, string>> = {
  google_monitoring_notification_channel: "user_labels",
  google_monitoring_alert_policy: "user_labels",
};

/** Everything that takes labels has them all. */
export const everyLabel: Rule = ({ resources }, { labelled }) =>
  resources.flatMap((resource) => {
    const attribute = labelAttribute[resource.type] ?? "labels";
    if (!labelled.has(resource.type)) return [];
    const value = at(resource, attribute)?.value ?? {};
    const missing = labels.filter((label) => !isObject(value) || value[label] === undefined);
    return missing.length === 0
      ? []
      : [
          about(
            resource,
            "labels",
            attribute,
            `lacks the labels ${missing.join(", ")}`,
            `Set ${attribute} = var.labels.`,
          ),
        ];
  });
