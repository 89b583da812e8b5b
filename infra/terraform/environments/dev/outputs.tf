output "console_url" {
  description = "Where people open the console."
  value       = module.continuo.console_url
}

output "console_address" {
  description = "Where the console's domain must point; null without a domain."
  value       = module.continuo.console_address
}

output "api_url" {
  description = "Where the command line finds the api."
  value       = module.continuo.api_url
}

output "bucket" {
  description = "Bucket of artifacts; data that lands under datasets/ is new data."
  value       = module.continuo.bucket
}

output "image_repository" {
  description = "Where the functions' images lie."
  value       = module.continuo.image_repository
}

output "build_identity" {
  description = "Whom builds run as."
  value       = module.continuo.build_identity
}

output "is_deployed" {
  description = "Whether the functions run; false before the first images."
  value       = module.continuo.is_deployed
}
