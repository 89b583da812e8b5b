# Triggers of Cloud Build: a pull request is tested, main is built and released to this environment, a tag promotes the
# same digests after an approval. Steps are in cloudbuild.yaml.

locals {
  # Changes to these alone need no build.
  ignored = ["*.md", "**/*.md", "**/*.ipynb", "infra/docs/plots/**", "LICENSE"]

  triggers = var.repository == null ? {} : {
    pull-request = {
      description = "Tests a pull request."
      branch      = null
      tag         = null
      pull        = ".*"
      routine     = "pull-request"
      approval    = false
    }
    main = {
      description = "Tests, builds, and releases to ${var.environment}."
      branch      = "^main$"
      tag         = null
      pull        = null
      routine     = "main"
      approval    = var.needs_approval
    }
    tag = {
      description = "Promotes the images of a tagged commit to ${var.environment}, after an approval."
      branch      = null
      tag         = "^v[0-9]+\\.[0-9]+\\.[0-9]+$"
      pull        = null
      routine     = "tag"
      approval    = true
    }
  }
  wanted = { for name, trigger in local.triggers : name => trigger if contains(var.routines, name) }
}

resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "continuo-build"
  display_name = "Continuo builds"
  description  = "Whom builds run as."
}

# A pull request brings its own steps: whoever may open one decides what they do. They read images and layers,
# and write their log.
resource "google_service_account" "tests" {
  project      = var.project_id
  account_id   = "continuo-tests"
  display_name = "Continuo tests"
  description  = "Whom builds of pull requests run as."
}

resource "google_project_iam_member" "tests" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${google_service_account.tests.email}"
}

resource "google_artifact_registry_repository_iam_member" "tests" {
  for_each = { for name in ["images", "cache"] : name => var.repositories[name] }

  project    = var.project_id
  location   = var.region
  repository = each.value
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${google_service_account.tests.email}"
}

# What a build needs in the project: its own log, releasing the functions' services, and a look at the run that it waits for.
resource "google_project_iam_member" "build" {
  for_each = {
    log      = "roles/logging.logWriter"
    services = "roles/run.developer"
    runs     = google_project_iam_custom_role.build.id
  }

  project = var.project_id
  role    = each.value
  member  = "serviceAccount:${google_service_account.build.email}"
}

resource "google_project_iam_custom_role" "build" {
  project     = var.project_id
  role_id     = "continuo_build"
  title       = "Continuo builds"
  description = "A training run that a build asked for is waited for."
  permissions = ["aiplatform.pipelineJobs.list"]
  stage       = "GA"
}

resource "google_artifact_registry_repository_iam_member" "build" {
  for_each = var.repositories

  project    = var.project_id
  location   = var.region
  repository = each.value
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${google_service_account.build.email}"
}

# Templates are uploaded, and a run may be waited for.
resource "google_storage_bucket_iam_member" "build" {
  bucket = var.bucket
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${google_service_account.build.email}"
}

# `pipeline.released` is published at the end of a build, and a run is asked for.
resource "google_pubsub_topic_iam_member" "build" {
  for_each = var.topics

  project = var.project_id
  topic   = each.value
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${google_service_account.build.email}"
}

# Releasing a service means acting as its identity; no other identity can be taken.
resource "google_service_account_iam_member" "build" {
  for_each = var.identities

  service_account_id = "projects/${var.project_id}/serviceAccounts/${each.value}"
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${google_service_account.build.email}"
}

# The smoke test of a release asks the functions for people; it publishes its event through the api.
resource "google_cloud_run_v2_service_iam_member" "smoke_test" {
  for_each = var.people_services

  project  = var.project_id
  location = var.region
  name     = each.value
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.build.email}"
}

resource "google_cloudbuild_trigger" "routine" {
  for_each = local.wanted

  project         = var.project_id
  location        = var.region
  name            = "continuo-${each.key}"
  description     = each.value.description
  filename        = "cloudbuild.yaml"
  service_account = each.value.pull == null ? google_service_account.build.id : google_service_account.tests.id
  ignored_files   = local.ignored
  tags            = ["continuo", var.environment]

  repository_event_config {
    repository = var.repository

    dynamic "pull_request" {
      for_each = each.value.pull == null ? [] : [each.value.pull]
      content {
        branch          = pull_request.value
        comment_control = "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"
      }
    }

    dynamic "push" {
      for_each = each.value.pull == null ? [each.value] : []
      content {
        branch = push.value.branch
        tag    = push.value.tag
      }
    }
  }

  approval_config {
    approval_required = each.value.approval
  }

  substitutions = {
    _ENVIRONMENT = var.environment
    _REGION      = var.region
    _REPOSITORY  = var.image_repository
    _BUCKET      = var.bucket
    _ROUTINE     = each.value.routine
  }
}
