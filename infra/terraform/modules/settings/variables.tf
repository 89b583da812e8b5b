variable "project_id" {
  description = "Project that Continuo is installed into."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project's id: 6 to 30 lower-case letters, digits and hyphens, for example my-company-ml-dev. The project's number belongs into project_number."
  }
}

variable "project_number" {
  description = "Number of the same project; `gcloud projects describe PROJECT_ID --format='value(projectNumber)'` prints it."
  type        = string
  validation {
    condition     = can(regex("^[1-9][0-9]{5,18}$", var.project_number))
    error_message = "project_number must be the project's number, digits only. `gcloud projects describe PROJECT_ID --format='value(projectNumber)'` prints it."
  }
}

variable "region" {
  description = "Region of everything."
  type        = string
  validation {
    condition     = contains(local.vertex_regions, var.region)
    error_message = "region must be one that has Vertex AI training, prediction and pipelines: ${join(", ", local.vertex_regions)}."
  }
}

variable "environment" {
  description = "Name of the environment, also the label env."
  type        = string
  validation {
    condition     = contains(var.environments, var.environment)
    error_message = "environment must be one of ${join(", ", var.environments)}. Add it to environments, and a folder of its own beside this one, to have another."
  }
}

variable "environments" {
  description = "Names of all environments, in the order in which versions pass through them."
  type        = list(string)
  default     = ["dev", "prod"]
  validation {
    condition     = length(var.environments) > 0 && length(distinct(var.environments)) == length(var.environments) && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9-]{0,14}$", name))])
    error_message = "environments must be distinct names of at most 15 lower-case letters, digits and hyphens, for example [\"dev\", \"prod\"]."
  }
}

variable "owner" {
  description = "Team that answers for the installation, as a label."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{0,62}$", var.owner))
    error_message = "owner must be a label's value: at most 63 lower-case letters, digits, hyphens and underscores, for example ml-platform."
  }
}

variable "image_digests" {
  description = "Digest of each function's image; empty until the first build."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for digest in values(var.image_digests) : can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "image_digests must hold digests such as sha256:3f5c... (64 hexadecimal digits), never tags: what was tested is what runs."
  }
  validation {
    condition     = length(setsubtract(keys(var.image_digests), keys(local.functions))) == 0
    error_message = "image_digests names functions that functions/manifest.json does not have: ${join(", ", setsubtract(keys(var.image_digests), keys(local.functions)))}. Build again from this commit."
  }
  validation {
    condition     = length(var.image_digests) == 0 || length(setsubtract(keys(local.functions), keys(var.image_digests))) == 0
    error_message = "image_digests lacks ${join(", ", setsubtract(keys(local.functions), keys(var.image_digests)))}. Build again from this commit, or leave image_digests out to make everything but the services."
  }
}
