output "identity" {
  description = "Whom builds run as."
  value       = google_service_account.build.email
}
