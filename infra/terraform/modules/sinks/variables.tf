variable "project_id" {
  description = "Project whose log is read."
  type        = string
}

variable "sinks" {
  description = "Sinks of the manifest."
  type        = list(object({ name = string, topic = string, filter = string }))
}

variable "bigquery_arrivals" {
  description = "The sink that announces BigQuery's loads."
  type        = object({ name = string, topic = string, filter = string })
}

variable "bigquery_datasets" {
  description = "BigQuery datasets whose loads are new data."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for dataset in var.bigquery_datasets : can(regex("^[A-Za-z0-9_]{1,1024}$", dataset))])
    error_message = "bigquery_datasets must be ids of datasets of this project, without the project: letters, digits and underscores."
  }
}

variable "topics" {
  description = "Full name of each topic."
  type        = map(string)
}
