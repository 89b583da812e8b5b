output "names" {
  description = "Name of each function's service, once it is deployed."
  value       = { for name, service in google_cloud_run_v2_service.function : name => service.name }
}
