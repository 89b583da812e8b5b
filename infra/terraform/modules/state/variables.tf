variable "project_id" {
  description = "Project of the database."
  type        = string
}

variable "region" {
  description = "Region of the database; it can never be changed."
  type        = string
}

variable "backup_days" {
  description = "How long a daily backup is kept."
  type        = number
  default     = 14
  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 98
    error_message = "backup_days must be between 1 and 98: Firestore keeps a backup for 14 weeks at most."
  }
}

variable "settings" {
  description = "Composite indexes, fields without an index, and collections whose documents expire."
  type = object({
    indexes = map(object({
      collection = string
      fields     = list(object({ path = string, order = string }))
    }))
    withoutIndex = list(object({ collection = string, field = string }))
    expiring     = map(string)
  })
}
