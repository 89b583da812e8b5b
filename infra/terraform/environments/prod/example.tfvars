# Copy to terraform.tfvars and fill in your own; every value here is an example.
project_id          = "example-ml-prod"
project_number      = "210987654321"
region              = "europe-west4"
owner               = "ml-platform"
billing_account     = "0A1B2C-3D4E5F-6A7B8C"
monthly_budget      = 2000
notification_emails = ["ml-oncall@example.com"]
operators           = ["group:ml-operators@example.com"]
console_domain      = "continuo.example.com"

# The registry of dev: images are promoted by their digests, never built again.
image_repository = "europe-west4-docker.pkg.dev/example-ml-dev/continuo"

outside_publishers = [
  { topic = "dataset", member = "serviceAccount:ingestion@example-ml-prod.iam.gserviceaccount.com" },
]

endpoints = {
  "flights-production" = { model = "flights", description = "Serves the model flights." }
}
