variable "project_id" {
  description = "Project of the services."
  type        = string
}

variable "region" {
  description = "Region of the services."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "functions" {
  description = "Every function by its name."
  type        = any
}

variable "services" {
  description = "Name and address of each function's service."
  type        = map(object({ service = string, url = string, identity = string }))
}

variable "identities" {
  description = "E-mail address of each function's identity."
  type        = map(string)
}

variable "pipeline_identity" {
  description = "Whom pipelines run as."
  type        = string
}

variable "push_identity" {
  description = "Whom push tokens name; it alone may call the event functions."
  type        = string
}

variable "bucket" {
  description = "Bucket of artifacts."
  type        = string
}

variable "console_url" {
  description = "Where people open the console."
  type        = string
}

variable "has_load_balancer" {
  description = "Whether the console stands behind a load balancer with IAP."
  type        = bool
}

variable "image_repository" {
  description = "Registry path under which each function's image lies by its name."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9-]+-docker\\.pkg\\.dev/[a-z0-9-]+/[a-z0-9-]+$", var.image_repository))
    error_message = "image_repository must be REGION-docker.pkg.dev/PROJECT/REPOSITORY, for example europe-west4-docker.pkg.dev/my-company-ml-dev/continuo."
  }
}

variable "image_digests" {
  description = "Digest of each function's image."
  type        = map(string)
}

variable "is_deployed" {
  description = "Whether there are images to run."
  type        = bool
}

variable "operators" {
  description = "Members that may open the console and call the api."
  type        = list(string)
  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(group|user|serviceAccount|domain|principal|principalSet):.+", member))])
    error_message = "operators must be written as group:ml-operators@example.com, user:..., serviceAccount:... or domain:..., never allUsers or allAuthenticatedUsers."
  }
}

variable "scale" {
  description = "How much open work there may be at once."
  type = object({
    slots                  = number
    tick_partitions        = number
    submissions_per_minute = number
    accelerator_jobs       = map(number)
  })
}
