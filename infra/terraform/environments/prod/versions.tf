terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
  }

  # Remote state, locked while it is changed. The bucket is given at the start, because it is there before Terraform:
  # terraform init -backend-config=bucket=PROJECT_ID-terraform
  backend "gcs" {
    prefix = "continuo/prod"
  }
}
