output "manifest" {
  description = "functions/manifest.json."
  value       = local.manifest
}

output "functions" {
  description = "Every function by its name."
  value       = local.functions
}

output "event_functions" {
  description = "Functions that a topic pushes to."
  value       = { for name, settings in local.functions : name => settings if settings.topic != null }
}

output "people_functions" {
  description = "Functions that people and programs call."
  value       = { for name, settings in local.functions : name => settings if settings.route != null }
}

output "labels" {
  description = "Labels of everything that takes labels."
  value       = local.labels
}

output "services" {
  description = "Name, address and identity of each function's Cloud Run service."
  value       = local.services
}

output "is_deployed" {
  description = "Whether there are images to run."
  value       = local.is_deployed
}

output "bucket" {
  description = "Bucket of artifacts, evaluations and pipeline roots."
  value       = "${var.project_id}-continuo"
}

output "audit_bucket" {
  description = "Bucket of the audit heads, which nobody can delete before its retention ends."
  value       = "${var.project_id}-continuo-audit"
}

output "schemas" {
  description = "Schema of each topic that only our own events travel on."
  value       = { for topic in local.manifest.schemas : topic => file("${path.module}/../../schemas/${topic}.proto") }
}
