# What is deployed and what it is called. No provider is needed to work this out.

locals {
  manifest  = jsondecode(file("${path.module}/../../../../functions/manifest.json"))
  functions = local.manifest.functions

  # Regions in which Vertex AI trains, runs pipelines and serves.
  vertex_regions = [
    "africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast3", "asia-south1",
    "asia-southeast1", "asia-southeast2", "australia-southeast1", "australia-southeast2", "europe-central2",
    "europe-southwest1", "europe-west1", "europe-west2", "europe-west3", "europe-west4", "europe-west6",
    "europe-west8", "europe-west9", "me-central1", "me-central2", "me-west1", "northamerica-northeast1",
    "northamerica-northeast2", "southamerica-east1", "southamerica-west1", "us-central1", "us-east1", "us-east4",
    "us-south1", "us-west1", "us-west2", "us-west3", "us-west4",
  ]

  # What is shared by all models says so, so that costs group by the same labels as those of jobs and endpoints.
  labels = {
    "managed-by" = "continuo"
    env          = var.environment
    owner        = var.owner
    model        = "shared"
    run          = "none"
    trigger      = "none"
  }

  services = {
    for name, settings in local.functions : name => {
      service  = "continuo-${name}"
      url      = "https://continuo-${name}-${var.project_number}.${var.region}.run.app"
      identity = settings.identity
    }
  }

  # Nothing that pushes, schedules or alerts is made before there is something to push to.
  is_deployed = length(var.image_digests) > 0
}
