output "images" {
  description = "Path under which images lie."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "images_repository" {
  description = "Name of the repository of images."
  value       = google_artifact_registry_repository.images.name
}

output "pipelines_repository" {
  description = "Name of the repository of pipeline templates."
  value       = google_artifact_registry_repository.pipelines.name
}

output "cache_repository" {
  description = "Name of the repository of builds' layers."
  value       = google_artifact_registry_repository.cache.name
}
