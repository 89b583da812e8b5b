variable "project_id" {
  description = "Project that Continuo is installed into."
  type        = string
}

variable "project_number" {
  description = "Number of the same project; `gcloud projects describe PROJECT_ID --format='value(projectNumber)'` prints it."
  type        = string
}

variable "region" {
  description = "Region of everything; the database's can never be changed."
  type        = string
}

variable "owner" {
  description = "Team that answers for the installation, as a label."
  type        = string
}

variable "billing_account" {
  description = "Billing account that pays for the project."
  type        = string
}

variable "currency" {
  description = "Currency of the billing account."
  type        = string
  default     = "USD"
}

variable "monthly_budget" {
  description = "Whole units of the currency a month; people are told at 50, 90 and 100 %."
  type        = number
}

variable "notification_emails" {
  description = "Who is told of alerts and of the budget."
  type        = list(string)
}

variable "operators" {
  description = "Members that may open the console and call the api, for example group:ml-operators@example.com."
  type        = list(string)
}

variable "console_domain" {
  description = "Domain of the console behind IAP; without one it is opened with `gcloud run services proxy`."
  type        = string
  default     = null
}

variable "image_digests" {
  description = "Digest of each function's image, as builds print them; empty until the first build."
  type        = map(string)
  default     = {}
}

variable "image_repository" {
  description = "Registry path of the images when it is another environment's: REGION-docker.pkg.dev/PROJECT/continuo."
  type        = string
  default     = null
}

variable "later_environments" {
  description = "Projects of later environments, which run the images of this one. Each must have been applied once: its identities are named here."
  type        = list(object({ project_id = string, project_number = string }))
  default     = []
}

variable "data_buckets" {
  description = "Buckets outside Continuo whose new objects are new data, and which pipelines read."
  type        = list(string)
  default     = []
}

variable "bigquery_datasets" {
  description = "BigQuery datasets whose loads are new data."
  type        = list(string)
  default     = []
}

variable "outside_publishers" {
  description = "Members outside Continuo that may publish to a topic, for example an ingestion job to dataset."
  type        = list(object({ topic = string, member = string }))
  default     = []
}

variable "secrets" {
  description = "Secrets by their id, each with the functions that may read it."
  type        = map(list(string))
  default     = {}
}

variable "endpoints" {
  description = "Endpoints by their id, as manifests name them; `continuo apply` makes those that are missing."
  type        = map(object({ model = string, description = string, is_dedicated = optional(bool, false) }))
  default     = {}
}

variable "repository" {
  description = "Cloud Build's repository (second generation); null makes no triggers."
  type        = string
  default     = null
}

variable "scale" {
  description = "Slots, tick_partitions, submissions_per_minute and accelerator_jobs, where the defaults do not do."
  type = object({
    slots                  = number
    tick_partitions        = number
    submissions_per_minute = number
    accelerator_jobs       = map(number)
  })
  default = {
    slots                  = 8
    tick_partitions        = 1
    submissions_per_minute = 54
    accelerator_jobs       = {}
  }
}
