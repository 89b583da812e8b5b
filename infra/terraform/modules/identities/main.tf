# One service account per function, with one custom role that holds what the function calls and nothing else.

locals {
  # What counts for the whole project; permissions of topics, of the bucket and of other identities are granted there.
  project_permissions = {
    for name, settings in var.functions : name => [
      for permission in settings.permissions : permission
      if !startswith(permission, "pubsub.") && !startswith(permission, "storage.") && !startswith(permission, "iam.")
    ]
  }
  bucket_permissions = {
    for name, settings in var.functions : name => [
      for permission in settings.permissions : permission if startswith(permission, "storage.")
    ]
  }
  submitters = [for name, settings in var.functions : name if contains(settings.permissions, "iam.serviceAccounts.actAs")]
}

resource "google_service_account" "function" {
  for_each = var.functions

  project      = var.project_id
  account_id   = each.value.identity
  display_name = "Continuo ${each.key}"
  description  = "Identity of the function ${each.key} alone."
}

resource "google_project_iam_custom_role" "function" {
  for_each = { for name, permissions in local.project_permissions : name => permissions if length(permissions) > 0 }

  project     = var.project_id
  role_id     = "continuo_${replace(each.key, "-", "_")}"
  title       = "Continuo ${each.key}"
  description = "What ${each.key} calls, from functions/manifest.ts."
  permissions = each.value
  stage       = "GA"
}

resource "google_project_iam_member" "function" {
  for_each = google_project_iam_custom_role.function

  project = var.project_id
  role    = each.value.id
  member  = "serviceAccount:${google_service_account.function[each.key].email}"
}

resource "google_project_iam_custom_role" "bucket" {
  for_each = { for name, permissions in local.bucket_permissions : name => permissions if length(permissions) > 0 }

  project     = var.project_id
  role_id     = "continuo_${replace(each.key, "-", "_")}_bucket"
  title       = "Continuo ${each.key}, bucket"
  description = "What ${each.key} does in the bucket, from functions/manifest.ts."
  permissions = each.value
  stage       = "GA"
}

resource "google_project_iam_custom_role" "audit" {
  for_each = { for name, settings in var.functions : name => settings.auditPermissions if length(settings.auditPermissions) > 0 }

  project     = var.project_id
  role_id     = "continuo_${replace(each.key, "-", "_")}_audit"
  title       = "Continuo ${each.key}, audit heads"
  description = "What ${each.key} does in the bucket of audit heads, from functions/manifest.ts."
  permissions = each.value
  stage       = "GA"
}

# Pub/Sub signs its pushes as this one; it may call the event functions and nothing else.
resource "google_service_account" "push" {
  project      = var.project_id
  account_id   = "continuo-push"
  display_name = "Continuo push"
  description  = "Whom Pub/Sub's push tokens name."
}

resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# Pipelines, and the jobs that they start, run as this one.
resource "google_service_account" "pipelines" {
  project      = var.project_id
  account_id   = "continuo-pipelines"
  display_name = "Continuo pipelines"
  description  = "Whom training pipelines run as."
}

resource "google_project_iam_custom_role" "pipelines" {
  project     = var.project_id
  role_id     = "continuo_pipelines"
  title       = "Continuo pipelines"
  description = "What a training pipeline's tasks do: run jobs and keep lineage."
  stage       = "GA"
  permissions = [
    "aiplatform.artifacts.create",
    "aiplatform.artifacts.get",
    "aiplatform.artifacts.list",
    "aiplatform.artifacts.update",
    "aiplatform.batchPredictionJobs.cancel",
    "aiplatform.batchPredictionJobs.create",
    "aiplatform.batchPredictionJobs.get",
    "aiplatform.batchPredictionJobs.list",
    "aiplatform.contexts.addContextArtifactsAndExecutions",
    "aiplatform.contexts.addContextChildren",
    "aiplatform.contexts.create",
    "aiplatform.contexts.get",
    "aiplatform.contexts.list",
    "aiplatform.contexts.update",
    "aiplatform.customJobs.cancel",
    "aiplatform.customJobs.create",
    "aiplatform.customJobs.get",
    "aiplatform.customJobs.list",
    "aiplatform.executions.addExecutionEvents",
    "aiplatform.executions.create",
    "aiplatform.executions.get",
    "aiplatform.executions.list",
    "aiplatform.executions.update",
    "aiplatform.hyperparameterTuningJobs.cancel",
    "aiplatform.hyperparameterTuningJobs.create",
    "aiplatform.hyperparameterTuningJobs.get",
    "aiplatform.hyperparameterTuningJobs.list",
    "aiplatform.metadataStores.create",
    "aiplatform.metadataStores.get",
    "aiplatform.models.get",
    "aiplatform.pipelineJobs.get",
    "logging.logEntries.create",
  ]
}

resource "google_project_iam_member" "pipelines" {
  project = var.project_id
  role    = google_project_iam_custom_role.pipelines.id
  member  = "serviceAccount:${google_service_account.pipelines.email}"
}

# Jobs that the launcher starts run as the same identity.
resource "google_service_account_iam_member" "pipelines_start_jobs" {
  service_account_id = google_service_account.pipelines.name
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${google_service_account.pipelines.email}"
}

resource "google_service_account_iam_member" "submitters" {
  for_each = toset(local.submitters)

  service_account_id = google_service_account.pipelines.name
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${google_service_account.function[each.value].email}"
}
