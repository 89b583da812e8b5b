variable "project_id" {
  description = "Project of the triggers."
  type        = string
}

variable "region" {
  description = "Region of the triggers."
  type        = string
}

variable "environment" {
  description = "Name of the environment."
  type        = string
}

variable "repository" {
  description = "Cloud Build's repository (second generation), connected by hand; null makes no triggers."
  type        = string
  default     = null
  validation {
    condition     = var.repository == null || can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.repository))
    error_message = "repository must be the full name that `gcloud builds repositories list` prints: projects/P/locations/L/connections/C/repositories/R."
  }
}

variable "routines" {
  description = "Which routines this environment has: pull-request, main, tag."
  type        = list(string)
  validation {
    condition     = length(setsubtract(var.routines, ["pull-request", "main", "tag"])) == 0
    error_message = "routines can be pull-request, main and tag."
  }
}

variable "needs_approval" {
  description = "Whether a build of main waits for a person."
  type        = bool
}

variable "image_repository" {
  description = "Registry path of the images."
  type        = string
}

variable "repositories" {
  description = "Names of the repositories that builds write to."
  type        = map(string)
}

variable "bucket" {
  description = "Bucket of artifacts."
  type        = string
}

variable "topics" {
  description = "Full names of the topics that builds publish to."
  type        = map(string)
}

variable "identities" {
  description = "E-mail address of each function's identity."
  type        = map(string)
}

variable "people_services" {
  description = "Name of the service of each function for people; empty before they are deployed."
  type        = map(string)
}
