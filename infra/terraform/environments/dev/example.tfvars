# Copy to terraform.tfvars and fill in your own; every value here is an example.
project_id          = "example-ml-dev"
project_number      = "123456789012"
region              = "europe-west4"
owner               = "ml-platform"
billing_account     = "0A1B2C-3D4E5F-6A7B8C"
monthly_budget      = 300
notification_emails = ["ml-oncall@example.com"]
operators           = ["group:ml-operators@example.com"]

# Production's services run the images that were built here.
reader_project_numbers = ["210987654321"]

# An ingestion job may announce new data.
outside_publishers = [
  { topic = "dataset", member = "serviceAccount:ingestion@example-ml-dev.iam.gserviceaccount.com" },
]

endpoints = {
  "flights-qa" = { model = "flights", description = "Smoke and latency tests of the model flights." }
}
