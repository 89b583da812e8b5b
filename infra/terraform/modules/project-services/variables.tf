variable "project_id" {
  description = "Project whose APIs are switched on."
  type        = string
}
