variable "project_id" {
  description = "Project of the registry."
  type        = string
}

variable "region" {
  description = "Region of the registry."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "pipeline_identity" {
  description = "Whom pipelines run as."
  type        = string
}

variable "later_environments" {
  description = "Projects of later environments, which run the images of this one. Each must have been applied once: its identities are named here."
  type        = list(object({ project_id = string, project_number = string }))
  default     = []
  validation {
    condition     = alltrue([for later in var.later_environments : can(regex("^[1-9][0-9]{5,18}$", later.project_number)) && can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", later.project_id))])
    error_message = "later_environments must name projects both ways, for example [{ project_id = \"my-company-ml-prod\", project_number = \"210987654321\" }]."
  }
}
