# Copy to terraform.tfvars and fill in your own; every value here is an example.
project_id          = "example-ml-dev"
project_number      = "123456789012"
region              = "europe-west4"
owner               = "ml-platform"
billing_account     = "0A1B2C-3D4E5F-6A7B8C"
monthly_budget      = 300
notification_emails = ["ml-oncall@example.com"]
operators           = ["group:ml-operators@example.com"]

# Production runs the images that are built here. Added once production was applied, because its identities are named.
later_environments = [
  { project_id = "example-ml-prod", project_number = "210987654321" },
]

# An ingestion job may announce new data.
outside_publishers = [
  { topic = "dataset", member = "serviceAccount:ingestion@example-ml-dev.iam.gserviceaccount.com" },
]

endpoints = {
  "flights-qa" = { model = "flights", description = "Smoke and latency tests of the model flights." }
}
