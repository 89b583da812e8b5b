# Secrets that functions read; their values are added by hand or by another system, never by Terraform.

locals {
  readers = {
    for pair in flatten([
      for secret, functions in var.secrets : [for name in functions : { secret = secret, function = name }]
    ]) : "${pair.secret}/${pair.function}" => pair
  }
}

resource "google_secret_manager_secret" "secret" {
  for_each = var.secrets

  project   = var.project_id
  secret_id = each.key
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.secret[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${var.identities[each.value.function]}"
}
