output "console_url" {
  description = "Where people open the console."
  value       = local.console_url
}

output "console_address" {
  description = "Where the console's domain must point; null without a domain."
  value       = local.has_load_balancer ? one(module.console_edge[*].address) : null
}

output "api_url" {
  description = "Where the command line finds the api."
  value       = module.settings.services["api"].url
}

output "bucket" {
  description = "Bucket of artifacts; data that lands under datasets/ is new data."
  value       = module.settings.bucket
}

output "image_repository" {
  description = "Where the functions' images lie."
  value       = local.image_repository
}

output "build_identity" {
  description = "Whom builds run as."
  value       = module.builds.identity
}

output "is_deployed" {
  description = "Whether the functions run; false before the first images."
  value       = module.settings.is_deployed
}
