variable "project_id" {
  description = "Project of the buckets."
  type        = string
}

variable "project_number" {
  description = "Its number, which names Cloud Storage's service agent."
  type        = string
}

variable "region" {
  description = "Region of the buckets."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "bucket" {
  description = "Name of the bucket of artifacts."
  type        = string
}

variable "audit_bucket" {
  description = "Name of the bucket of audit heads."
  type        = string
}

variable "bucket_roles" {
  description = "Role in the bucket of each function that has one."
  type        = map(string)
}

variable "audit_roles" {
  description = "Role in the bucket of audit heads of each function that has one."
  type        = map(string)
}

variable "identities" {
  description = "E-mail address of each function's identity."
  type        = map(string)
}

variable "pipeline_identity" {
  description = "Whom pipelines run as."
  type        = string
}

variable "arrivals_topic" {
  description = "Full name of the topic that new objects are announced to."
  type        = string
}

variable "data_buckets" {
  description = "Buckets outside Continuo whose new objects are new data, and which pipelines read."
  type        = list(string)
  default     = []
}

variable "soft_delete_days" {
  description = "How long deleted objects can be had back."
  type        = number
  default     = 14
  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "soft_delete_days must be 0, or 7 to 90: Cloud Storage takes nothing between."
  }
}

variable "noncurrent_days" {
  description = "How long older versions of objects are kept."
  type        = number
  default     = 30
}

variable "audit_retention_days" {
  description = "How long audit heads cannot be deleted; once applied it can be made longer, never shorter."
  type        = number
  validation {
    condition     = var.audit_retention_days >= 1 && var.audit_retention_days <= 36500
    error_message = "audit_retention_days must be between 1 and 36500. The bucket is locked: a project that holds it cannot be deleted before its last object is that old."
  }
}
