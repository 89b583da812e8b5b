variable "billing_account" {
  description = "Billing account that pays for the project."
  type        = string
  validation {
    condition     = can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account must look like 0A1B2C-3D4E5F-6A7B8C; `gcloud billing projects describe PROJECT_ID` prints it."
  }
}

variable "project_number" {
  description = "Number of the project that the budget is for."
  type        = string
}

variable "environment" {
  description = "Name of the environment."
  type        = string
}

variable "currency" {
  description = "Currency of the billing account."
  type        = string
  default     = "USD"
}

variable "monthly_amount" {
  description = "Whole units of the currency a month."
  type        = number
  validation {
    condition     = var.monthly_amount >= 1 && floor(var.monthly_amount) == var.monthly_amount
    error_message = "monthly_amount must be a whole number of at least 1."
  }
}

variable "notification_channels" {
  description = "Who is told."
  type        = list(string)
}
