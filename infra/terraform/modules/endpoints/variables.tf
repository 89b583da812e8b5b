variable "project_id" {
  description = "Project of the endpoints."
  type        = string
}

variable "region" {
  description = "Region of the endpoints."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "endpoints" {
  description = "Endpoints by their id, as manifests name them; `continuo apply` makes those that are missing."
  type = map(object({
    model        = string
    description  = string
    is_dedicated = optional(bool, false)
  }))
  default = {}
}
