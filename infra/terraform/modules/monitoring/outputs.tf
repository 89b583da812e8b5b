output "channels" {
  description = "Notification channels."
  value       = local.channels
}
