# Plans with a provider that answers nothing real: `terraform test`, where the provider can be downloaded.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id          = "example-ml-dev"
  project_number      = "123456789012"
  region              = "europe-west4"
  owner               = "ml-platform"
  billing_account     = "0A1B2C-3D4E5F-6A7B8C"
  monthly_budget      = 300
  notification_emails = ["ml-oncall@example.com"]
  operators           = ["group:ml-operators@example.com"]
}

run "before_the_first_images" {
  command = plan

  assert {
    condition     = output.console_url == "https://continuo-console-123456789012.europe-west4.run.app/"
    error_message = "The console's address is worked out before its service exists."
  }
}
