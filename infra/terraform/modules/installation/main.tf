# One installation of Continuo in one project. Environments call this with what differs between them.

# Read while planning: the number of another project would otherwise be found out by the first push that nobody takes.
data "google_project" "this" {
  project_id = var.project_id

  lifecycle {
    postcondition {
      condition     = self.number == var.project_number
      error_message = "project_number is ${var.project_number}, and the number of ${var.project_id} is ${self.number}: correct it in terraform.tfvars."
    }
  }
}

module "settings" {
  source = "../settings"

  project_id     = var.project_id
  project_number = var.project_number
  region         = var.region
  environment    = var.environment
  environments   = var.environments
  owner          = var.owner
  image_digests  = var.image_digests
}

module "project_services" {
  source = "../project-services"

  project_id = var.project_id
}

module "identities" {
  source     = "../identities"
  depends_on = [module.project_services]

  project_id     = var.project_id
  project_number = var.project_number
  functions      = module.settings.functions
}

module "state" {
  source     = "../state"
  depends_on = [module.project_services]

  project_id  = var.project_id
  region      = var.region
  backup_days = var.backup_days
  settings    = module.settings.manifest.database
}

module "bus" {
  source     = "../bus"
  depends_on = [module.project_services]

  project_id         = var.project_id
  project_number     = var.project_number
  region             = var.region
  labels             = module.settings.labels
  topics             = module.settings.manifest.topics
  dead_letter_topic  = module.settings.manifest.deadLetterTopic
  schemas            = module.settings.schemas
  functions          = module.settings.functions
  event_functions    = module.settings.event_functions
  services           = module.settings.services
  identities         = module.identities.functions
  push_identity      = module.identities.push
  is_deployed        = module.settings.is_deployed
  outside_publishers = var.outside_publishers
}

module "storage" {
  source     = "../storage"
  depends_on = [module.project_services]

  project_id           = var.project_id
  project_number       = var.project_number
  region               = var.region
  labels               = module.settings.labels
  bucket               = module.settings.bucket
  audit_bucket         = module.settings.audit_bucket
  bucket_roles         = module.identities.bucket_roles
  audit_roles          = module.identities.audit_roles
  identities           = module.identities.functions
  pipeline_identity    = module.identities.pipelines
  arrivals_topic       = module.bus.topics["dataset"]
  data_buckets         = var.data_buckets
  audit_retention_days = var.audit_retention_days
}

module "registry" {
  source     = "../registry"
  depends_on = [module.project_services]

  project_id         = var.project_id
  region             = var.region
  labels             = module.settings.labels
  pipeline_identity  = module.identities.pipelines
  later_environments = var.later_environments
}

module "services" {
  source     = "../services"
  depends_on = [module.state, module.storage]

  project_id        = var.project_id
  region            = var.region
  labels            = module.settings.labels
  functions         = module.settings.functions
  services          = module.settings.services
  identities        = module.identities.functions
  pipeline_identity = module.identities.pipelines
  push_identity     = module.identities.push
  bucket            = module.settings.bucket
  console_url       = local.console_url
  scale             = var.scale
  has_load_balancer = local.has_load_balancer
  image_repository  = local.image_repository
  image_digests     = var.image_digests
  is_deployed       = module.settings.is_deployed
  operators         = var.operators
}

module "console_edge" {
  count  = local.has_load_balancer && module.settings.is_deployed ? 1 : 0
  source = "../console-edge"

  project_id     = var.project_id
  project_number = var.project_number
  region         = var.region
  labels         = module.settings.labels
  domain         = var.console_domain
  service        = module.services.names["console"]
  operators      = var.operators
}

module "schedules" {
  source     = "../schedules"
  depends_on = [module.project_services]

  project_id     = var.project_id
  project_number = var.project_number
  region         = var.region
  schedules      = module.settings.manifest.systemSchedules
  topics         = module.bus.topics
  is_deployed    = module.settings.is_deployed
}

module "sinks" {
  source     = "../sinks"
  depends_on = [module.project_services]

  project_id        = var.project_id
  sinks             = module.settings.manifest.sinks
  bigquery_arrivals = module.settings.manifest.bigQueryArrivals
  bigquery_datasets = var.bigquery_datasets
  topics            = module.bus.topics
}

module "secrets" {
  source     = "../secrets"
  depends_on = [module.project_services]

  project_id = var.project_id
  region     = var.region
  labels     = module.settings.labels
  identities = module.identities.functions
  secrets    = var.secrets
}

module "monitoring" {
  source     = "../monitoring"
  depends_on = [module.project_services]

  project_id          = var.project_id
  labels              = module.settings.labels
  notification_emails = var.notification_emails
  is_deployed         = module.settings.is_deployed
}

module "budget" {
  source     = "../budget"
  depends_on = [module.project_services]

  billing_account       = var.billing_account
  project_number        = var.project_number
  environment           = var.environment
  currency              = var.currency
  monthly_amount        = var.monthly_budget
  notification_channels = module.monitoring.channels
}

module "endpoints" {
  source     = "../endpoints"
  depends_on = [module.project_services]

  project_id = var.project_id
  region     = var.region
  labels     = module.settings.labels
  endpoints  = var.endpoints
}

module "builds" {
  source     = "../builds"
  depends_on = [module.project_services]

  project_id       = var.project_id
  region           = var.region
  environment      = var.environment
  repository       = var.repository
  routines         = var.build_routines
  needs_approval   = var.release_needs_approval
  image_repository = local.image_repository
  repositories = {
    images    = module.registry.images_repository
    pipelines = module.registry.pipelines_repository
    cache     = module.registry.cache_repository
  }
  bucket          = module.settings.bucket
  topics          = { for name in ["pipeline", "training-run"] : name => module.bus.topics[name] }
  people_services = { for name, service in module.services.names : name => service if contains(keys(module.settings.people_functions), name) }
  identities      = module.identities.functions
}
