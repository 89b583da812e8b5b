output "functions" {
  description = "E-mail address of each function's identity."
  value       = { for name, account in google_service_account.function : name => account.email }
}

output "bucket_roles" {
  description = "Role in the bucket of each function that has one."
  value       = { for name, role in google_project_iam_custom_role.bucket : name => role.id }
}

output "audit_roles" {
  description = "Role in the bucket of audit heads of each function that has one."
  value       = { for name, role in google_project_iam_custom_role.audit : name => role.id }
}

output "push" {
  description = "Whom push tokens name."
  value       = google_service_account.push.email
}

output "pipelines" {
  description = "Whom pipelines run as."
  value       = google_service_account.pipelines.email
}
