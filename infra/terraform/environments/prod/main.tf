# Where people are served: the very images that were tried in dev, after an approval.

provider "google" {
  project = var.project_id
  region  = var.region

  # Budgets are asked for in the project that is billed for the call.
  billing_project       = var.project_id
  user_project_override = true
}

module "continuo" {
  source = "../../modules/installation"

  environment  = "prod"
  environments = ["dev", "prod"]

  project_id          = var.project_id
  project_number      = var.project_number
  region              = var.region
  owner               = var.owner
  billing_account     = var.billing_account
  currency            = var.currency
  monthly_budget      = var.monthly_budget
  notification_emails = var.notification_emails
  operators           = var.operators
  console_domain      = var.console_domain
  image_digests       = var.image_digests
  image_repository    = var.image_repository
  later_environments  = var.later_environments
  data_buckets        = var.data_buckets
  scale               = var.scale
  bigquery_datasets   = var.bigquery_datasets
  outside_publishers  = var.outside_publishers
  secrets             = var.secrets
  endpoints           = var.endpoints
  repository          = var.repository

  # Seven years: what regulators usually ask for.
  audit_retention_days   = 2555
  backup_days            = 35
  build_routines         = ["tag"]
  release_needs_approval = true
}
