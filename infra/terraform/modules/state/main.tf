# The state store. A database cannot be restored from code: it is protected, and kept when Continuo is removed.

locals {
  # For the queries of shared/gcp/firestore-*.ts; test/contract/gcp-indexes.test.ts makes them and looks here.
  indexes = {
    "journal-pending"           = { collection = "journal", fields = [["pendingSlot", "ASCENDING"], ["receivedAtMs", "ASCENDING"]] }
    "journal-slot"              = { collection = "journal", fields = [["slot", "ASCENDING"], ["receivedAtMs", "DESCENDING"]] }
    "journal-model"             = { collection = "journal", fields = [["model", "ASCENDING"], ["receivedAtMs", "DESCENDING"]] }
    "journal-correlation"       = { collection = "journal", fields = [["correlationId", "ASCENDING"], ["receivedAtMs", "DESCENDING"]] }
    "journal-correlation-model" = { collection = "journal", fields = [["correlationId", "ASCENDING"], ["model", "ASCENDING"], ["receivedAtMs", "DESCENDING"]] }
    "journal-chain"             = { collection = "journal", fields = [["model", "ASCENDING"], ["sequence", "ASCENDING"]] }
    "due-slot"                  = { collection = "due", fields = [["slot", "ASCENDING"], ["dueAtMs", "ASCENDING"]] }
    "runs-model"                = { collection = "runs", fields = [["model", "ASCENDING"], ["endedAtMs", "DESCENDING"]] }
    "submissions-slot"          = { collection = "submissions", fields = [["accelerator", "ASCENDING"], ["slot", "ASCENDING"], ["enqueuedAtMs", "ASCENDING"]] }
    "rollouts-model"            = { collection = "rollouts", fields = [["model", "ASCENDING"], ["endedAtMs", "DESCENDING"]] }
  }

  # Times that rise with every write would make one range of an index take all of them; texts are never searched.
  without_index = [
    ["journal", "entry"],
    ["journal", "receivedAtMs"],
    ["journal", "sequence"],
    ["due", "dueAtMs"],
    ["models", "state"],
    ["runs", "record"],
    ["rollouts", "record"],
  ]

  # Documents that go by themselves, by the field that says when.
  expiring = {
    alertCounts = "expireAt"
    journal     = "expireAt"
  }
}

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
  for_each = local.indexes

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value[0]
      order      = fields.value[1]
    }
  }
}

resource "google_firestore_field" "without_index" {
  for_each = { for path in local.without_index : "${path[0]}.${path[1]}" => path }

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.value[0]
  field      = each.value[1]

  # Empty: no index at all.
  index_config {}
}

resource "google_firestore_field" "expiring" {
  for_each = local.expiring

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.key
  field      = each.value

  ttl_config {}
  index_config {}
}
