variable "project_id" {
  description = "Project that is watched."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "notification_emails" {
  description = "Who is told of alerts and of the budget."
  type        = list(string)
  validation {
    condition     = length(var.notification_emails) > 0 && alltrue([for address in var.notification_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "notification_emails must hold at least one e-mail address, for example [\"ml-oncall@example.com\"]: alerts that reach nobody are none."
  }
}

variable "is_deployed" {
  description = "Whether there is a tick whose silence means something."
  type        = bool
}
