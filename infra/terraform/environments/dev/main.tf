# Where versions are tried first: images are built here and tests run here.

provider "google" {
  project = var.project_id
  region  = var.region

  # Budgets are asked for in the project that is billed for the call.
  billing_project       = var.project_id
  user_project_override = true
}

module "continuo" {
  source = "../../modules/installation"

  environment  = "dev"
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

  # A locked bucket keeps a project from being deleted: a day is enough to see that it works.
  audit_retention_days   = 1
  backup_days            = 7
  build_routines         = ["pull-request", "main"]
  release_needs_approval = false
}
