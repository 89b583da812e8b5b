variable "project_id" {
  description = "Project of the jobs."
  type        = string
}

variable "project_number" {
  description = "Its number, which names Cloud Scheduler's service agent."
  type        = string
}

variable "region" {
  description = "Region of the jobs."
  type        = string
}

variable "schedules" {
  description = "The system's schedules, from the manifest."
  type        = list(object({ name = string, cron = string, topic = string }))
}

variable "topics" {
  description = "Full name of each topic."
  type        = map(string)
}

variable "time_zone" {
  description = "Time zone of the schedules."
  type        = string
  default     = "Etc/UTC"
}

variable "is_deployed" {
  description = "Whether somebody listens; until then the jobs are paused."
  type        = bool
}
