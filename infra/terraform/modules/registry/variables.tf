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

variable "reader_project_numbers" {
  description = "Numbers of the projects of later environments, whose services run these images."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for number in var.reader_project_numbers : can(regex("^[1-9][0-9]{5,18}$", number))])
    error_message = "reader_project_numbers must be projects' numbers, digits only, not their ids."
  }
}
