# Images of the functions and of the training steps, and compiled pipelines.

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = "continuo"
  description   = "Images of Continuo's functions and training steps."
  format        = "DOCKER"
  labels        = var.labels

  docker_config {
    immutable_tags = true
  }

  # Digests that run somewhere must stay: only what is both old and beyond the last twenty goes.
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "15552000s"
    }
  }
}

# Layers that builds find again. Their tags move, which those of images must not.
resource "google_artifact_registry_repository" "cache" {
  project       = var.project_id
  location      = var.region
  repository_id = "continuo-cache"
  description   = "Layers of earlier builds."
  format        = "DOCKER"
  labels        = var.labels

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }
}

resource "google_artifact_registry_repository" "pipelines" {
  project       = var.project_id
  location      = var.region
  repository_id = "continuo-pipelines"
  description   = "Compiled pipeline templates."
  format        = "KFP"
  labels        = var.labels
}

# Pipelines' containers, and templates that are launched from the registry.
resource "google_artifact_registry_repository_iam_member" "pipelines" {
  for_each = {
    images    = google_artifact_registry_repository.images.name
    pipelines = google_artifact_registry_repository.pipelines.name
  }

  project    = var.project_id
  location   = var.region
  repository = each.value
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${var.pipeline_identity}"
}

# The environments after this one run the very images of this one: their services, their builds, which look up digests,
# their pipelines, and Vertex AI, which starts jobs and predictors.
locals {
  later_readers = {
    for reader in flatten([
      for later in var.later_environments : [
        { key = "${later.project_id}/services", email = "service-${later.project_number}@serverless-robot-prod.iam.gserviceaccount.com" },
        { key = "${later.project_id}/vertex", email = "service-${later.project_number}@gcp-sa-aiplatform.iam.gserviceaccount.com" },
        { key = "${later.project_id}/builds", email = "continuo-build@${later.project_id}.iam.gserviceaccount.com" },
        { key = "${later.project_id}/pipelines", email = "continuo-pipelines@${later.project_id}.iam.gserviceaccount.com" },
      ]
    ]) : reader.key => reader.email
  }
}

resource "google_artifact_registry_repository_iam_member" "later_environment" {
  for_each = local.later_readers

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${each.value}"
}
