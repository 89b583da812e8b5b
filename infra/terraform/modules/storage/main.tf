# The bucket of artifacts, the bucket of audit heads, and who may do what in them.

resource "google_storage_bucket" "artifacts" {
  project                     = var.project_id
  name                        = var.bucket
  location                    = upper(var.region)
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  # What was deleted or written over can be had back.
  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.noncurrent_days
      with_state                 = "ARCHIVED"
    }
  }
}

# Heads of the decision logs: what is written here cannot be changed or deleted before its time, by anybody.
resource "google_storage_bucket" "audit" {
  project                     = var.project_id
  name                        = var.audit_bucket
  location                    = upper(var.region)
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # A bucket with a retention policy has its own protection; versions would only add to it.
  versioning {
    enabled = false
  }

  retention_policy {
    is_locked        = true
    retention_period = var.audit_retention_days * 86400
  }
}

resource "google_storage_bucket_iam_member" "function" {
  for_each = var.bucket_roles

  bucket = google_storage_bucket.artifacts.name
  role   = each.value
  member = "serviceAccount:${var.identities[each.key]}"
}

# Heads are written and listed; nobody may read, change or delete anything else here.
resource "google_storage_bucket_iam_member" "audit" {
  for_each = var.audit_roles

  bucket = google_storage_bucket.audit.name
  role   = each.value
  member = "serviceAccount:${var.identities[each.key]}"
}

# Pipelines read data and write artifacts.
resource "google_storage_bucket_iam_member" "pipelines" {
  bucket = google_storage_bucket.artifacts.name
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${var.pipeline_identity}"
}

resource "google_storage_bucket_iam_member" "pipelines_data" {
  for_each = toset(var.data_buckets)

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${var.pipeline_identity}"
}

# New objects announce themselves.
resource "google_pubsub_topic_iam_member" "storage" {
  project = var.project_id
  topic   = var.arrivals_topic
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${var.project_number}@gs-project-accounts.iam.gserviceaccount.com"
}

resource "google_storage_notification" "arrivals" {
  bucket             = google_storage_bucket.artifacts.name
  topic              = var.arrivals_topic
  payload_format     = "JSON_API_V1"
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = "datasets/"

  depends_on = [google_pubsub_topic_iam_member.storage]
}

resource "google_storage_notification" "data" {
  for_each = toset(var.data_buckets)

  bucket         = each.value
  topic          = var.arrivals_topic
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE"]

  depends_on = [google_pubsub_topic_iam_member.storage]
}
