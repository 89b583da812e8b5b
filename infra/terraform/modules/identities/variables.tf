variable "project_id" {
  description = "Project of the identities."
  type        = string
}

variable "project_number" {
  description = "Its number, which names Google's service agents."
  type        = string
}

variable "functions" {
  description = "Every function by its name, from the manifest."
  type        = any
}
