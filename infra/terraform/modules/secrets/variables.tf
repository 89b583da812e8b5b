variable "project_id" {
  description = "Project of the secrets."
  type        = string
}

variable "region" {
  description = "Region in which secrets are kept."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "identities" {
  description = "E-mail address of each function's identity."
  type        = map(string)
}

variable "secrets" {
  description = "Secrets by their id, each with the functions that may read it."
  type        = map(list(string))
  default     = {}
  validation {
    condition     = alltrue([for name in flatten(values(var.secrets)) : contains(keys(var.identities), name)])
    error_message = "secrets names functions that do not exist: ${join(", ", [for name in flatten(values(var.secrets)) : name if !contains(keys(var.identities), name)])}."
  }
}
