# The state store. A database cannot be restored from code: it is protected, and kept when Continuo is removed. Indexes and
# times to live are those of shared/gcp/database.ts.

resource "google_firestore_database" "state" {
  project                           = var.project_id
  name                              = "(default)"
  location_id                       = var.region
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "OPTIMISTIC"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON"
}

resource "google_firestore_backup_schedule" "daily" {
  project   = var.project_id
  database  = google_firestore_database.state.name
  retention = "${var.backup_days * 86400}s"
  daily_recurrence {}
}

resource "google_firestore_index" "index" {
  for_each = var.settings.indexes

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.path
      order      = fields.value.order
    }
  }
}

resource "google_firestore_field" "without_index" {
  for_each = { for one in var.settings.withoutIndex : "${one.collection}.${one.field}" => one }

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.value.collection
  field      = each.value.field

  # Empty: no index at all.
  index_config {}
}

resource "google_firestore_field" "expiring" {
  for_each = var.settings.expiring

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.key
  field      = each.value

  ttl_config {}
  index_config {}
}
